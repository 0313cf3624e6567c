"""A published warehouse kept fresh from Python, as `wandb-warehouse sync` does it on the command line.

    WANDB_API_KEY=... python pipelines/scheduled_sync.py my-team/my-project

Run it from cron, a systemd timer or a workflow scheduler: two never overlap, and readers see whole syncs only.
"""

import sys
from pathlib import Path

from wandb_warehouse.resources import parse_projects
from wandb_warehouse.settings import resolve_connection
from wandb_warehouse.sync import SyncOptions, sync


def main(projects: list[str]) -> None:
    """Sync the named projects into ./wandb.duckdb and fail if a run is incomplete."""
    report = sync(
        SyncOptions(
            projects=tuple(parse_projects(projects)),
            connection=resolve_connection(),
            warehouse=Path("wandb.duckdb"),
        )
    )
    print(report.to_dict())
    report.raise_if_partial()


if __name__ == "__main__":
    main(sys.argv[1:])
