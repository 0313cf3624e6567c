"""The demo: the main job on a project of its own, without an account and without the network."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wandb_warehouse.cli.render import console, errors, write_rows
from wandb_warehouse.cli.sandbox import DEMO_PROJECT, fill_demo_project, require_sandbox
from wandb_warehouse.cli.syncing import show_report
from wandb_warehouse.errors import ConfigError

if TYPE_CHECKING:
    from wandb_warehouse.sandbox import Sandbox

__all__ = ["demo"]

_QUERIES = (
    (
        "Which configuration works best?",
        """
        select run_id, name, config->>'$.model_type' as model, (config->>'$.optimizer.lr')::double as lr,
               (summary->>'$.best_val_accuracy')::double as accuracy
        from runs where state = 'finished' order by accuracy desc limit 5
        """,
    ),
    (
        "How do the models compare, over all runs? (the query panel's groupBy, without its limit of 100)",
        """
        select config->>'$.model_type' as model, count(*) as runs,
               avg(last_value) as avg_accuracy, stddev_pop(last_value) as stddev, max(last_value) as best
        from latest_metrics join runs using (entity, project, run_id)
        where key = 'val/accuracy' group by all order by best desc
        """,
    ),
    (
        "A learning curve, every logged step of it",
        """
        select run_name, count(*) as steps, arg_min(value, step) as first, min(value) as lowest,
               arg_max(value, step) as last
        from run_curves('train/loss') group by all order by last limit 5
        """,
    ),
)


@click.command(
    short_help="See the main job, on a project in a sandbox.", epilog="Example: wandb-warehouse demo"
)
@click.option(
    "--warehouse",
    "-w",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("wandb-demo.duckdb"),
    show_default=True,
    help="Where to put the demo's warehouse; an older demo there is replaced.",
)
def demo(warehouse: Path) -> None:
    """Show the main job: a sandbox project into DuckDB, again after it changed, and queries over it."""
    require_sandbox()
    from wandb_warehouse.cli.progress import watch_sync
    from wandb_warehouse.client import Connection, Secret
    from wandb_warehouse.resources import parse_projects
    from wandb_warehouse.sandbox import Sandbox
    from wandb_warehouse.sync import SyncOptions, sync
    from wandb_warehouse.warehouse import stream_query

    _remove_older_demo(warehouse)
    out = console()
    with Sandbox() as box:
        fill_demo_project(box)
        options = SyncOptions(
            projects=tuple(parse_projects([f"{box.entity}/{DEMO_PROJECT}"])),
            connection=Connection(box.base_url, Secret(box.key), "argument"),
            warehouse=warehouse,
        )
        out.print(
            f"[bold]1. A W&B server in a box at {box.base_url}, and a first sync of {options.projects[0]}[/bold]"
        )
        show_report(sync(options, watch_sync(errors())).to_dict())
        out.print(
            "[bold]2. A running run logs on, a finished one gets a tag: the next sync fetches just those[/bold]"
        )
        _go_on(box)
        show_report(sync(options, watch_sync(errors())).to_dict())
        out.print("[bold]3. Nothing new[/bold]")
        show_report(sync(options, watch_sync(errors())).to_dict())
    out.print("\n[bold]4. What SQL says, now without any server[/bold]")
    for title, sql in _QUERIES:
        out.print(f"\n{title}")
        with stream_query(warehouse, sql) as answer:
            rows = (row for batch in answer.batches for row in zip(*batch.to_pydict().values(), strict=True))
            write_rows(answer.schema.names, rows, "table")
    out.print(f"The warehouse is {warehouse}. Try:")
    out.print(f'  wandb-warehouse query -w {warehouse} "from run_overview"')
    out.print(f"  wandb-warehouse status -w {warehouse}")


def _go_on(box: "Sandbox") -> None:
    """Let the project change: a running run logs more rows, a finished one gets a tag."""
    runs = list(box.store.projects[box.entity, DEMO_PROJECT].runs.values())
    running = next(run for run in runs if run.state == "running")
    finished = next(run for run in runs if run.state == "finished")
    last = running.history.steps[-1]
    box.append_rows(
        box.entity,
        DEMO_PROJECT,
        running.name,
        [{"train/loss": 0.2 + 0.1 / step, "_step": last + step} for step in range(1, 51)],
    )
    box.edit(box.entity, DEMO_PROJECT, finished.name, tags=[*finished.tags, "reviewed"])


def _remove_older_demo(warehouse: Path) -> None:
    """Make room for a new demo, without ever deleting somebody's real warehouse."""
    from wandb_warehouse.warehouse import last_sync

    last = last_sync(warehouse)
    if last is None:
        if warehouse.exists():
            raise ConfigError(f"{warehouse} exists and is no demo", mend="choose another --warehouse")
        return
    if [project["project"] for project in last.projects] != [DEMO_PROJECT]:
        raise ConfigError(
            f"{warehouse} holds other projects than the demo's", mend="choose another --warehouse"
        )
    warehouse.unlink()
