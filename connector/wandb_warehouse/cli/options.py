"""Options that several commands share, declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from wandb_warehouse.cli.render import FORMATS
from wandb_warehouse.settings import load_settings, parse_warehouse

__all__ = ["destination_option", "format_option", "scope_options", "warehouse_option"]

F = TypeVar("F", bound=Callable[..., Any])


def warehouse_option(command: F) -> F:
    """`--warehouse`: a DuckDB file or a lake; by default `WANDB_WAREHOUSE`, dlt's configuration, ./wandb.duckdb."""
    return click.option(
        "--warehouse",
        "-w",
        metavar="PATH|URL",
        callback=_warehouse,
        show_default="WANDB_WAREHOUSE or ./wandb.duckdb",
        help="The warehouse: a DuckDB file, or the directory or address of a parquet lake.",
    )(command)


def _warehouse(context: click.Context, parameter: click.Parameter, given: str | None) -> Path | str:
    if given is not None and not given.strip():
        raise click.BadParameter("it is empty", context, parameter)
    destination = context.params.get("destination")
    warehouse = parse_warehouse(given) if given else load_settings(destination).warehouse
    local = warehouse if isinstance(warehouse, Path) and destination != "filesystem" else None
    # Looked for here, because what knows lakes takes a second to import.
    if local is not None and local.is_dir() and not (local / "manifest.json").is_file():
        what = f"{warehouse} is a directory without the manifest.json of a lake"
        raise click.BadParameter(what, context, parameter)
    return warehouse


def destination_option(command: F) -> F:
    """`--destination`: what kind of warehouse a sync writes."""
    return click.option(
        "--destination",
        type=click.Choice(["duckdb", "filesystem"]),
        is_eager=True,  # the warehouse's default depends on it
        callback=lambda _context, _parameter, given: given or load_settings().destination,
        help="A DuckDB file, or a parquet lake in a directory or an object store.  [default: what lies at --warehouse, "
        "else destination_type as .dlt configures it, else duckdb]",
    )(command)


def format_option(command: F) -> F:
    """`--format` and its shorthand `--json`."""
    command = click.option("--json", "form", flag_value="json", help="The same as --format json.")(command)
    return click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How results are written to stdout.",
    )(command)


def scope_options(command: F) -> F:
    """What of W&B is meant: projects, runs, histories, keys, tables; `cli.scope` turns it into sync options."""
    for declare in reversed(_SCOPE):
        command = declare(command)
    return command


_SCOPE: tuple[Callable[[Any], Any], ...] = (
    click.argument("projects", nargs=-1, metavar="[ENTITY/PROJECT | ENTITY/GLOB | ENTITY]..."),
    click.option(
        "--history",
        type=click.Choice(["full", "sampled", "none"]),
        default="full",
        show_default=True,
        help="Every logged row of every run, a sample of each metric (into history_sampled), or metadata only.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        help="With --history sampled: rows of each metric of a run.  [default: 500]",
    ),
    click.option(
        "--keys",
        multiple=True,
        metavar="GLOB",
        help="Only metrics that match, and _timestamp and _runtime; may be repeated.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Drop these keys of history, config, summary and system metrics before anything is written; may be "
        "repeated. Tables that may repeat what stands under them (artifacts, files, run_metadata, sweeps, reports, "
        "console_logs) are then left out unless --resources names them.",
    ),
    click.option("--resources", metavar="TABLE,...", help="Only these tables; runs always comes along."),
    click.option(
        "--filter", "filter_", metavar="JSON", help="Only runs that match this MongoDB-style filter."
    ),
    click.option("--full-refresh", is_flag=True, help="Fetch every run again, whatever is stored."),
    click.option(
        "--sweep/--no-sweep",
        default=None,
        help="Look at every run for edits that nothing tells of, and at its files and artifacts.  [default: at the "
        "runs every six hours]",
    ),
    click.option("--console-logs", is_flag=True, help="Load what runs wrote to their consoles, too."),
    click.option(
        "--tables",
        is_flag=True,
        help="Load the W&B tables that runs logged, too (logged_tables, logged_table_cells).",
    ),
    click.option(
        "--max-table-mb",
        type=click.FloatRange(min=0, min_open=True),
        help="With --tables: leave out a table whose file is larger, and name it.  [default: 256]",
    ),
    click.option(
        "--metadata-files",
        is_flag=True,
        help="Download each run's wandb-metadata.json, rather than trust the config.",
    ),
    click.option("--workers", type=click.IntRange(1, 64), help="Requests at a time."),
)
