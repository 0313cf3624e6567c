"""The views of a warehouse: their SQL printed, and wide ones made and dropped."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wandb_warehouse.cli.options import format_option, safe_option, warehouse_option
from wandb_warehouse.cli.render import Format, errors, write_rows

if TYPE_CHECKING:
    from wandb_warehouse.warehouse import SqlFile
    from wandb_warehouse.warehouse.wide import Subject

__all__ = ["views"]


@click.group(
    invoke_without_command=True,
    short_help="Print the SQL of the views and macros; make and drop wide views.",
    epilog="Example: wandb-warehouse views --dialect postgres",
)
@click.option("--dialect", default="duckdb", show_default=True, help="Print the SQL for another engine.")
@click.option("--list", "listing", is_flag=True, help="Only names, grain and meaning.")
@format_option
@safe_option
@click.pass_context
def views(context: click.Context, dialect: str, form: Format, *, listing: bool, safe: bool) -> None:
    """Print the SQL of the views and macros that every warehouse carries."""
    if context.invoked_subcommand is not None:
        return
    from wandb_warehouse.operations import check_dialect
    from wandb_warehouse.warehouse import load_sql_files

    files = load_sql_files()
    if listing or form != "table":
        columns = ("name", "kind", "mirrors", "grain", "units", "notes")
        write_rows(
            columns, ([getattr(file, column) for column in columns] for file in files), form, safe=safe
        )
        return
    check_dialect(dialect)
    # Elsewhere the tables are loaded as they are declared: no view has to show numbered ones so.
    files = [file for file in files if dialect == "duckdb" or not file.shows_table]
    left = [file for file in files if dialect != "duckdb" and file.engines and dialect not in file.engines]
    said = [_said(file, dialect) for file in files if file not in left]
    note = [f"-- Not to be had in {dialect}: {', '.join(file.name for file in left)}"] if left else []
    click.echo("\n\n".join([*said, *note]))


def _said(file: "SqlFile", dialect: str) -> str:
    """The statement for a dialect; the views of values decode what no translation of DuckDB's SELECT gets right."""
    from wandb_warehouse.operations.values import VALUE_VIEWS, values_view
    from wandb_warehouse.warehouse import render

    if dialect != "duckdb" and file.name in VALUE_VIEWS:
        return f"CREATE VIEW {file.name} AS\n{values_view(file.name, dialect)};"
    return render(file, dialect)


@views.command(
    "create-wide",
    short_help="Make a view with a column for each chosen key.",
    epilog="Example: wandb-warehouse views create-wide --keys 'train/loss,val/*' --name curves",
)
@click.option(
    "--keys",
    multiple=True,
    required=True,
    metavar="GLOB,...",
    help="Keys as they are, or globs over dotted keys; may be repeated. ? stands for a comma in a key.",
)
@click.option("--name", help="The view's name.  [default: history_wide, summary_wide or config_wide]")
@click.option(
    "--of",
    "subject",
    type=click.Choice(["history", "summary", "config"]),
    default="history",
    show_default=True,
    help="Where the keys are. Of the history a row is a step of a run, of the others a run.",
)
@warehouse_option
@format_option
@safe_option
def create_wide(
    keys: tuple[str, ...],
    name: str | None,
    subject: "Subject",
    warehouse: Path | str,
    *,
    form: Format,
    safe: bool,
) -> None:
    """Make a view with a column for each chosen key, or make it anew; later syncs keep it.

    A column is named exactly as its key. Where another has that name already, in upper or lower case, ` (2)` follows.
    It is DOUBLE where every value is a number or a boolean now, else text (a string as it is, other values as JSON).
    """
    from wandb_warehouse.warehouse import create_wide as create

    patterns = [part for each in keys for part in each.split(",") if part]
    view = create(warehouse, patterns, of=subject, name=name)
    rows = ((column.name, column.key, column.kind) for column in view.columns)
    write_rows(("column", "key", "kind"), rows, form, safe=safe)
    errors().print(f"made {view.name}, a column each of {len(view.columns)} keys of the {subject}")


@views.command(
    "drop-wide",
    short_help="Remove a wide view.",
    epilog="Example: wandb-warehouse views drop-wide curves",
)
@click.argument("name")
@warehouse_option
def drop_wide(name: str, warehouse: Path | str) -> None:
    """Remove a view that create-wide made."""
    from wandb_warehouse.warehouse import drop_wide as drop

    drop(warehouse, name)
    errors().print(f"dropped {name}")
