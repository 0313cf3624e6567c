"""The plan command: what a sync would fetch, before anything is fetched."""

from pathlib import Path
from typing import Any

import click

from wandb_warehouse.cli.options import destination_option, scope_options, warehouse_option
from wandb_warehouse.cli.render import console, errors, write_json, write_table
from wandb_warehouse.cli.scope import sync_options

__all__ = ["plan"]


_HELP = """Tell what a sync with the same options would fetch; nothing is fetched but listings, nothing is written.

Runs, runs to fetch and history rows are W&B's own counts against what the warehouse holds. The rest is reckoned from
the details of up to 20 of the runs to fetch, spread over each project:

\b
  values     rows x values a row, by the type counts of the index
  requests   1 per 1,000 runs listed, 1 per 250 runs to fetch,
             and per 50 runs with rows 1 for exports and 1 or more
             for rows, 20,000 each; a file of exports is 1 more;
             tables beside them per 50 runs (system metrics 2, files 1,
             artifacts 2, machine facts 1, more for long lists), a few
             a project, and 1 for the file of each logged table
  bytes      runs to fetch x bytes of details a run + values x 20
  minutes    requests x seconds a request took just now / 4 at a time
             + values / 500,000 a second

Bytes and minutes are without the tables beside runs and histories. It is an estimate: exports take fewer bytes a
value, limits of the server more time.
"""


@click.command(
    help=_HELP,
    short_help="Tell what a sync would fetch, and how long it may take.",
    epilog="Example: wandb-warehouse plan 'my-team/vision-*'",
)
@scope_options
@destination_option
@warehouse_option
@click.option("--json", "as_json", is_flag=True, help="Write the plan as JSON.")
def plan(projects: tuple[str, ...], warehouse: Path | str, *, as_json: bool, **scope: Any) -> None:
    """Tell what a sync with the same options would fetch; nothing is fetched or written but a listing."""
    from wandb_warehouse.planning import FIGURES
    from wandb_warehouse.planning import plan as make_plan

    made = make_plan(sync_options(projects, warehouse, **scope))
    if as_json:
        write_json(made.to_dict())
        return
    rows = [
        [project.project, *(f"{getattr(project, name):,}" for name in FIGURES)] for project in made.projects
    ]
    if len(rows) > 1:
        rows.append(["all", *(f"{made.total(name):,}" for name in FIGURES)])
    write_table(("project", *(name.replace("_", " ") for name in FIGURES)), rows)
    console().print(f"About {_span(made.minutes)}, at {made.seconds_per_request:.2f} s a request.")
    for name, reason in made.failed.items():
        errors().print(f"left out: {name}: {reason}", markup=False)


def _span(minutes: float) -> str:
    return f"{minutes:,.1f} minutes" if minutes >= 1 else f"{60 * minutes:.0f} seconds"
