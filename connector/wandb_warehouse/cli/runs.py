"""The command that lists runs of the warehouse, selected as the public API selects them."""

from pathlib import Path

import click

from wandb_warehouse.cli.operations import Bounds, project_of, write_results
from wandb_warehouse.cli.options import format_option, safe_option, warehouse_option
from wandb_warehouse.cli.render import Format

__all__ = ["runs"]

_SHOWN = ("project", "run_id", "name", "state", "username", "created_at", "runtime", "tags")


@click.command(
    short_help="List runs, filtered and ordered as Api.runs does it.",
    epilog="""Example: wandb-warehouse runs --filter '{"config.optimizer.lr": {"$lt": 0.01}}' --order -created_at""",
)
@click.argument("project", required=False, metavar="[ENTITY/PROJECT]")
@warehouse_option
@click.option("--filter", "filters", metavar="JSON", help="Only runs that match this MongoDB-style filter.")
@click.option(
    "--order",
    default="+created_at",
    show_default=True,
    help="Fields with + or -, separated by commas; the first decides.",
)
@click.option("--limit", type=click.IntRange(min=0), help="At most so many runs.")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
@format_option
@safe_option
def runs(
    project: str | None,
    warehouse: Path | str,
    filters: str | None,
    order: str,
    *,
    limit: int | None,
    as_sql: bool,
    form: Format,
    safe: bool,
) -> None:
    """List runs of the warehouse; docs/filters.md describes filters and orders."""
    from wandb_warehouse.operations import compile_runs

    # All of them are more than a terminal is wide.
    columns = _SHOWN if form == "table" and not as_sql else None
    operation = compile_runs(filters, order, limit=limit, project=project_of(project), columns=columns)
    if as_sql:
        click.echo(operation.sql)
        return
    write_results(operation, Bounds(warehouse, form, safe, None))
