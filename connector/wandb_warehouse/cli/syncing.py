"""The sync command and how its report is shown."""

import re
from pathlib import Path
from typing import Any

import click

from wandb_warehouse.cli.options import destination_option, scope_options, warehouse_option
from wandb_warehouse.cli.render import console, errors, write_json, write_table
from wandb_warehouse.cli.scope import sync_options
from wandb_warehouse.cli.signals import ending_in_time

__all__ = ["show_report", "sync"]


def _mode(context: click.Context, parameter: click.Parameter, given: str | None) -> int | None:
    """Read permissions as chmod writes them: the owner reads and writes, nobody executes, not everybody writes."""
    if given is None:
        return None
    mode = int(given, 8) if re.fullmatch(r"0?[0-7]{3}", given) else 0
    if mode & 0o600 != 0o600 or mode & 0o113:
        what = f"{given!r} is none of 0600, 0640, 0644, 0660 and their like"
        raise click.BadParameter(what, context, parameter)
    return mode


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
    "--mode",
    metavar="OCTAL",
    callback=_mode,
    show_default="0600",
    help="Permissions of what is published: 0640 shares it with your group. Give it every time.",
)
@click.option(
    "--publish-every",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Publish what was fetched after so long, and go on; 0 publishes at the end only.  [default: publish_every of "
    "[sources.wandb] in .dlt/config.toml, else 60]",
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
    from wandb_warehouse.sync import abandon
    from wandb_warehouse.sync import sync as run_sync

    with ending_in_time(abandon):
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
        *([("rounds", f"{report['rounds']}")] if report["rounds"] > 1 else []),
        ("runs listed", f"{report['runs_listed']:,}"),
        ("runs fetched", f"{report['runs_changed']:,}"),
        ("runs unchanged", f"{report['runs_unchanged']:,}"),
        ("runs incomplete", f"{report['runs_quarantined']:,}"),
        ("runs deleted", f"{report['runs_deleted']:,}"),
        *([("runs restored", f"{report['runs_restored']:,}")] if report["runs_restored"] else []),
        *([("left for the next sync", left)] if left else []),
        ("runs proven", f"{report['runs_proven']:,}"),
        ("history rows", f"{report['rows']:,}"),
        ("history values", f"{report['values']:,}"),
        ("requests", f"{report['requests']:,} ({report['retries']} retries)"),
        ("received", f"{report['bytes'] / 1e6:,.1f} MB"),
        ("waited (limits, retries)", f"{report['waited_seconds']:.1f} s"),
        ("time", f"{total:.1f} s ({', '.join(f'{k} {v:.1f}' for k, v in seconds.items() if k != 'total')})"),
    ]
    write_table(("", ""), rows, title=f"Synced {', '.join(report['projects'])} into {report['warehouse']}")
