"""The sync command and how its report is shown."""

from pathlib import Path
from typing import Any

import click

from wandb_warehouse.cli.options import destination_option, scope_options, warehouse_option
from wandb_warehouse.cli.render import console, errors, write_json, write_table
from wandb_warehouse.cli.scope import sync_options

__all__ = ["show_report", "sync"]


@click.command(
    short_help="Bring the warehouse up to date.", epilog="Example: wandb-warehouse sync my-team/my-project"
)
@scope_options
@destination_option
@warehouse_option
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Fetch nothing new after so long; what was fetched is published, the next sync goes on.",
)
@click.option(
    "--allow-mass-delete",
    is_flag=True,
    help="Mark runs as deleted even where more than a fifth of a project (and more than ten) are gone at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def sync(projects: tuple[str, ...], warehouse: Path | str, *, as_json: bool, **scope: Any) -> None:
    """Bring the warehouse up to date with W&B projects: named ones, those a glob matches, or all of an entity.

    One project that cannot be read does not stop the others; it is named, and the exit code is 6.

    Without arguments: WANDB_ENTITY and WANDB_PROJECT, or else the projects of [sources.wandb] in .dlt/config.toml.
    """
    from wandb_warehouse.cli.progress import watch_sync
    from wandb_warehouse.sync import sync as run_sync

    report = run_sync(sync_options(projects, warehouse, **scope), watch_sync(errors()))
    if as_json:
        write_json(report.to_dict())
    else:
        show_report(report.to_dict())
    report.raise_if_partial()


def show_report(report: dict[str, Any]) -> None:
    """Show a sync's report as a person reads it."""
    seconds = report["seconds"]
    total = seconds["total"]
    left = ", ".join(
        text
        for text, told in (
            (f"{report['runs_left']:,} runs", report["runs_left"]),
            (f"{len(report['projects_left'])} projects", report["projects_left"]),
            (f"some of {', '.join(report['tables_left'])}", report["tables_left"]),
        )
        if told
    )
    if report["generation"] is None and report["projects_left"]:
        console().print(f"Nothing new so far; left for the next sync: {left}. Time: {total:.1f} s.")
        return
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
        ("runs deleted", f"{report['runs_deleted']:,}"),
        *([("runs restored", f"{report['runs_restored']:,}")] if report["runs_restored"] else []),
        *([("left for the next sync", left)] if left else []),
        ("history rows", f"{report['rows']:,}"),
        ("history values", f"{report['values']:,}"),
        ("requests", f"{report['requests']:,} ({report['retries']} retries)"),
        ("received", f"{report['bytes'] / 1e6:,.1f} MB"),
        ("waited (limits, retries)", f"{report['waited_seconds']:.1f} s"),
        ("time", f"{total:.1f} s ({', '.join(f'{k} {v:.1f}' for k, v in seconds.items() if k != 'total')})"),
    ]
    write_table(("", ""), rows, title=f"Synced {', '.join(report['projects'])} into {report['warehouse']}")
