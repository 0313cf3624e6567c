"""Syncs of named runs, as they were asked for: into a warehouse of their own to compare with, or to mend the one there.

Runs of one project that were asked for alike are fetched together. One that has its history both in full and sampled
takes two syncs.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wandb_warehouse.resources import COVERAGE, ProjectPath
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync import Held, SyncOptions, SyncReport, sync
from wandb_warehouse.verification.asked import Asked
from wandb_warehouse.warehouse import RunKey

__all__ = ["Fetch", "fetch", "fetches", "tables_beside"]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Runs of one project to be fetched together, and what they were asked for."""

    path: ProjectPath
    asked: Asked
    runs: tuple[RunKey, ...]
    beside: frozenset[str]
    """Tables beside details and histories."""


def fetches(held: Held, runs: Iterable[RunKey], default: Asked) -> Iterator[Fetch]:
    """Sort runs by project and by what they were asked for; one that is not held is asked for what others were."""
    groups: dict[tuple[ProjectPath, Asked], list[RunKey]] = {}
    others: dict[ProjectPath, Asked] = {}
    for key, row in held.runs.items():
        if row["state"] == "ok":
            others.setdefault(ProjectPath(*key[:2]), Asked.of(row))
    for key in sorted(runs):
        path = ProjectPath(*key[:2])
        asked = Asked.of(held.runs[key]) if key in held.runs else None
        # A run that never came as far as its history tells nothing of what it was asked for.
        if asked is None or (asked.history, asked.sampled) == (None, None):
            asked = others.get(path, default)
        groups.setdefault((path, asked), []).append(key)
    for (path, asked), together in groups.items():
        yield Fetch(path, asked, tuple(together), tables_beside(held, path))


def tables_beside(held: Held, path: ProjectPath) -> frozenset[str]:
    """Tables beside details and histories that were read of a project."""
    return frozenset(held.pending.get((path.entity, path.project), ())) & frozenset(COVERAGE)


def fetch(
    wanted: Fetch, options: SyncOptions, *, projects: bool, runs: Collection[str] | None, mend: bool
) -> Sequence[SyncReport]:
    """Sync some runs of one project as they were asked for.

    Args:
        wanted: the runs.
        options: connection, warehouse and the like.
        projects: read the tables that belong to the project, too.
        runs: ids of the runs; None for all of the project.
        mend: drop what is stored of the runs before.
    """
    # A run that is fetched anew moves the tables of its project, as in any sync: they would be owed otherwise.
    beside = frozenset(name for name in wanted.beside if projects or mend or TABLES[name].per_run)
    common = replace(
        options,
        projects=(wanted.path,),
        filters=None if runs is None else {"name": {"$in": sorted(runs)}},
        sweep=True if projects else None,
    )
    reports = []
    for number, chosen in enumerate(_passes(wanted.asked)):
        first = number == 0
        anew = (frozenset(wanted.runs) if first else frozenset[RunKey]()) if mend else None
        now = replace(common, **chosen, beside=beside if first else frozenset(), anew=anew)
        if wanted.asked.named:  # the ledger remembers that they were
            history = {"full": ["history"], "sampled": ["history_sampled"], "none": []}[now.history]
            now = replace(now, resources=(*wanted.asked.tables, *history))
        reports.append(sync(now))
    return reports


def _passes(asked: Asked) -> list[dict[str, Any]]:
    """Options of the syncs it takes; the last one reads the details as they were asked for."""
    passes: list[dict[str, Any]] = []
    if asked.history is not None:
        passes.append({"history": "full", "selection": asked.history})
    if asked.sampled is not None:
        passes.append({"history": "sampled", "selection": asked.sampled, "samples": asked.samples})
    if not passes or passes[-1]["selection"].exclude != asked.details.exclude:
        passes.append({"history": "none", "selection": asked.details})
    return passes
