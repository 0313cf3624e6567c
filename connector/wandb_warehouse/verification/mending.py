"""Fetching anew what a verification found to differ, through an ordinary sync of just that."""

from typing import TYPE_CHECKING

from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sync import Held, SyncOptions
from wandb_warehouse.verification.asked import Asked
from wandb_warehouse.verification.fetching import Fetch, fetch, fetches, tables_beside
from wandb_warehouse.verification.report import VerifyReport

if TYPE_CHECKING:
    from wandb_warehouse.warehouse import RunKey

__all__ = ["mend"]

_NOT_HERE = frozenset({"gone"})
"""Differences that fetching does not mend: what the server no longer has is never dropped on this alone."""


def mend(options: SyncOptions, report: VerifyReport) -> list[str]:
    """Fetch the differing runs anew, and the tables of projects that differ; gives their paths.

    A run that `runs` has and the server has not stays as it is: nothing is deleted on doubt.

    Raises:
        WarehouseError: as `sync`.
    """
    held = Held.read(options.warehouse)
    kept = {(d.entity, d.project, d.run_id) for d in report.differences if d.check in _NOT_HERE}
    differing = {key for key in report.differing() if key[0]} - kept
    projects = {ProjectPath(*key[:2]) for key in differing if not key[2]}
    runs = {key for key in differing if key[2]}
    groups = list(fetches(held, runs, Asked.of({"stored_rows": 0})))
    alone = sorted(projects - {group.path for group in groups}, key=str)
    groups += [Fetch(path, Asked.of({}), (), tables_beside(held, path)) for path in alone]
    mended: list[RunKey] = []
    for group in groups:
        ids = [key[2] for key in group.runs]
        fetch(group, options, projects=group.path in projects, runs=ids, mend=True)
        mended += [
            *group.runs,
            *([(group.path.entity, group.path.project, "")] if group.path in projects else []),
        ]
    return ["/".join(part for part in key if part) for key in sorted(mended)]
