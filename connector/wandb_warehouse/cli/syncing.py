"""The sync command and how its report is shown."""

import json
from pathlib import Path
from typing import Any

import click

from wandb_warehouse.cli.options import warehouse_option
from wandb_warehouse.cli.render import console, errors, write_json, write_table
from wandb_warehouse.errors import ConfigError
from wandb_warehouse.settings import load_settings, resolve_connection

__all__ = ["show_report", "sync"]


@click.command(
    short_help="Bring the warehouse up to date.", epilog="Example: wandb-warehouse sync my-team/my-project"
)
@click.argument("projects", nargs=-1, metavar="[ENTITY/PROJECT | ENTITY/GLOB | ENTITY]...")
@warehouse_option
@click.option(
    "--history",
    type=click.Choice(["full", "none"]),
    default="full",
    show_default=True,
    help="Every logged row of every run, or metadata only.",
)
@click.option("--filter", "filter_", metavar="JSON", help="Only runs that match this MongoDB-style filter.")
@click.option("--full-refresh", is_flag=True, help="Fetch every run again, whatever is stored.")
@click.option(
    "--sweep/--no-sweep", default=None, help="List every run, not only those whose heartbeat moved."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Requests at a time.")
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def sync(
    projects: tuple[str, ...],
    warehouse: Path,
    history: str,
    filter_: str | None,
    workers: int | None,
    *,
    full_refresh: bool,
    sweep: bool | None,
    as_json: bool,
) -> None:
    """Bring the warehouse up to date with W&B projects: named ones, those a glob matches, or all of an entity.

    One project that cannot be read does not stop the others; it is named, and the exit code is 6.

    Without arguments: WANDB_ENTITY and WANDB_PROJECT, or else the projects of [sources.wandb] in .dlt/config.toml.
    """
    from wandb_warehouse.cli.progress import watch_sync
    from wandb_warehouse.resources import parse_projects
    from wandb_warehouse.sync import SyncOptions
    from wandb_warehouse.sync import sync as run_sync

    paths = parse_projects(projects or _configured_projects())
    filters = _parse_filter(filter_)
    options = SyncOptions(
        projects=tuple(paths),
        connection=resolve_connection(),
        warehouse=warehouse,
        history="none" if history == "none" else "full",
        filters=filters,
        full_refresh=full_refresh,
        sweep=sweep,
        workers=workers,
    )
    report = run_sync(options, watch_sync(errors()))
    if as_json:
        write_json(report.to_dict())
    else:
        show_report(report.to_dict())
    report.raise_if_partial()


def show_report(report: dict[str, Any]) -> None:
    """Show a sync's report as a person reads it."""
    seconds = report["seconds"]
    total = seconds["total"]
    if report["generation"] is None:
        console().print(
            f"Up to date: {report['runs_listed']:,} runs, nothing new; "
            f"{report['requests']} requests in {total:.1f} s."
        )
        return
    rows = [
        ("runs listed", f"{report['runs_listed']:,}"),
        ("runs fetched", f"{report['runs_changed']:,}"),
        ("runs unchanged", f"{report['runs_unchanged']:,}"),
        ("runs incomplete", f"{report['runs_quarantined']:,}"),
        ("history rows", f"{report['rows']:,}"),
        ("history values", f"{report['values']:,}"),
        ("requests", f"{report['requests']:,} ({report['retries']} retries)"),
        ("received", f"{report['bytes'] / 1e6:,.1f} MB"),
        ("waited (limits, retries)", f"{report['waited_seconds']:.1f} s"),
        ("time", f"{total:.1f} s ({', '.join(f'{k} {v:.1f}' for k, v in seconds.items() if k != 'total')})"),
    ]
    write_table(("", ""), rows, title=f"Synced {', '.join(report['projects'])} into {report['warehouse']}")


def _configured_projects() -> tuple[str, ...]:
    """Projects to sync when none is named: the one the environment names, else the configured list."""
    settings = load_settings()
    if settings.entity and settings.project:
        return (f"{settings.entity}/{settings.project}",)
    return settings.projects


def _parse_filter(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    mend = """write it as a JSON object, for example '{"state": "finished"}'"""
    try:
        filters = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--filter is no JSON: {error}", mend=mend) from error
    if not isinstance(filters, dict):
        raise ConfigError("--filter is JSON but no object", mend=mend)
    return filters
