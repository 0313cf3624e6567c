"""Commands that read the published warehouse: status, query."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wandb_warehouse.cli.options import format_option, safe_option, warehouse_option
from wandb_warehouse.cli.render import Format, console, errors, write_json, write_rows, write_table

if TYPE_CHECKING:
    from wandb_warehouse.warehouse import Status

__all__ = ["query", "status"]

_TABLE_ROWS = 500


@click.command(
    short_help="Tell what the warehouse holds and how fresh it is.",
    epilog="Example: wandb-warehouse status --json",
)
@warehouse_option
@format_option
@click.option(
    "--digest", is_flag=True, help="Also compute a digest of every table's content (reads everything)."
)
def status(warehouse: Path | str, form: Format, *, digest: bool) -> None:
    """Tell what the warehouse holds, how fresh it is, and which runs and tables are incomplete."""
    from wandb_warehouse.warehouse import content_digest
    from wandb_warehouse.warehouse import status as read_status

    found = read_status(warehouse)
    digests = content_digest(warehouse) if digest else {}
    if form == "table":
        _show_status(found, digests)
    else:
        write_json({**dataclasses.asdict(found), **({"digest": digests} if digest else {})})


@click.command(
    short_help="Run one SQL statement, read-only.",
    epilog="""Example: wandb-warehouse query "select state, count(*) from runs group by all" --format csv""",
)
@click.argument("sql")
@warehouse_option
@format_option
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3600,
    show_default=True,
    help="Stop the statement after so many seconds.",
)
@click.option(
    "--memory", metavar="SIZE", help="Memory of the statement, as 2GB.  [default: 80% of the machine's]"
)
@safe_option
def query(
    sql: str,
    warehouse: Path | str,
    *,
    form: Format,
    limit: int | None,
    timeout: float,
    memory: str | None,
    safe: bool,
) -> None:
    """Run one SQL statement over the warehouse, read-only, without files, network or settings.

    That is a safety belt for statements of your own, not a boundary between tenants.
    """
    from wandb_warehouse.warehouse import stream_query

    if form == "table" and limit is None:
        limit = _TABLE_ROWS
    bounds: dict[str, Any] = {"timeout": timeout, "memory": memory, "limit": limit}
    with stream_query(warehouse, sql, **bounds, confine=True) as answer:
        write_rows(answer.schema.names, _rows(answer.batches), form, safe=safe)
        truncated = answer.truncated
    if truncated:
        errors().print(f"only the first {limit} rows are shown; use --limit, or --format csv for all of them")


def _rows(batches: Iterator[Any]) -> Iterator[list[Any]]:
    for batch in batches:
        columns = [column.to_pylist() for column in batch.columns]
        yield from (list(row) for row in zip(*columns, strict=True))


def _show_status(found: "Status", digest: dict[str, str]) -> None:
    out = console()
    out.print(f"{found.path}: {found.size / 1e6:,.1f} MB, schema version {found.schema_version}")
    if found.last_sync is not None:
        last = found.last_sync
        out.print(f"sync {last.generation}, as of {last.started_at:%Y-%m-%d %H:%M:%S} (the server's time)")
    rows = (
        (
            f"{project.entity}/{project.project}",
            sum(project.runs.values()),
            ", ".join(f"{count} {state}" for state, count in sorted(project.runs.items())),
            project.deleted_runs,
            project.history_rows,
            project.history_values,
            len(project.troubled),
        )
        for project in found.projects
    )
    write_table(
        ("project", "runs", "states", "deleted", "history rows", "history values", "incomplete"), rows
    )
    troubled = [(project, run) for project in found.projects for run in project.troubled]
    if troubled:
        columns = ("incomplete run", "state", "why")
        write_table(
            columns, ((f"{p.entity}/{p.project}/{run.run_id}", run.state, run.error) for p, run in troubled)
        )
    short = [(project, each) for project in found.projects for each in project.short]
    if short:
        columns = ("not whole", "of", "why")
        write_table(
            columns,
            (
                (each.table, f"{p.entity}/{p.project}{f'/{each.run_id}' if each.run_id else ''}", each.reason)
                for p, each in short
            ),
        )
    tables = (
        (name, count, *([digest[name]] if name in digest else [])) for name, count in found.tables.items()
    )
    write_table(("table", "rows", "digest") if digest else ("table", "rows"), tables)
