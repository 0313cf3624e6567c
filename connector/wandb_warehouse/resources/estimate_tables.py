"""Requests that the tables beside details and histories would take, by what a few runs and one listing tell.

Groups of runs share requests (see `reading`), so most of it is arithmetic over the runs that each table owes; how many
samples, files, lines and logged tables a run has is counted for the probed runs and taken for all of them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from wandb_warehouse.arrow import table_keys
from wandb_warehouse.client import Catalog
from wandb_warehouse.client import lists as wanted
from wandb_warehouse.resources.listing import ProjectPath
from wandb_warehouse.resources.marks import Pending
from wandb_warehouse.resources.readers import PROJECT_READERS
from wandb_warehouse.resources.reading import WHOLE

__all__ = ["TablesWanted", "table_requests"]

_RUNS_PER_GROUP = 50
_SAMPLES_PER_REQUEST = 10_000
_COUNTS = {
    "eventsLineCount": "eventsLineCount",
    "fileCount": "fileCount",
    "logLineCount": "logLineCount",
    "outputArtifacts": "outputArtifacts(first:1){totalCount}",
    "inputArtifacts": "inputArtifacts(first:1){totalCount}",
}


@dataclass(frozen=True, slots=True)
class TablesWanted:
    """What is asked for of the tables beside details and histories."""

    tables: frozenset[str] = frozenset()
    pending: Pending | None = None
    """What earlier syncs left of the project; None: nothing was ever read."""
    metadata_files: bool = False

    def owed(self, name: str, known: Collection[str], moved: Collection[str]) -> int:
        """How many runs a table owes; for a table of the project 1 or 0."""
        left = (self.pending or {}).get(name)
        if name in PROJECT_READERS:
            return int(left is None or WHOLE in left or bool(moved))
        return len(set(known) if left is None else (left & set(known)) | set(moved))


async def table_requests(
    catalog: Catalog,
    path: ProjectPath,
    asked: TablesWanted,
    *,
    known: Collection[str],
    moved: Collection[str],
    probed: Sequence[Mapping[str, Any]],
) -> int:
    """Reckon the requests for what is wanted; `probed` are details of a few of the runs.

    Nothing is asked where nothing is owed, else one request for the probed runs, and two or more for artifacts.
    """
    owed = {name: asked.owed(name, known, moved) for name in asked.tables}
    if not any(owed.values()):
        return 0
    ids = [(str(node["name"]), 0) for node in probed]
    fields = tuple(_COUNTS.values())
    found = await catalog.runs("TableCounts", fields, path.entity, path.project, ids) if ids else []
    shape = _Shape([node for node in found if node is not None], probed)
    total = sum(_of_runs(name, count, shape, asked) for name, count in owed.items() if count)
    if owed.get("users"):
        total += 1 + ceil(max(0, owed["users"] - len(set(moved))) / _RUNS_PER_GROUP)
    total += sum(bool(owed.get(name)) for name in ("sweeps", "reports"))
    if owed.get("artifacts") or owed.get("artifact_aliases"):
        total += await _of_artifacts(catalog, path)
    return total


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the probed runs have."""

    counts: list[Mapping[str, Any]]
    details: Sequence[Mapping[str, Any]]

    def mean(self, field: str) -> float:
        return sum(self._values(field)) / max(1, len(self.counts))

    def pages(self, field: str, size: int) -> int:
        """Pages of the longest list, which those of its group wait for."""
        return max(1, ceil(max(self._values(field), default=0) / size))

    def _values(self, field: str) -> list[int]:
        found = (node.get(field) for node in self.counts)
        return [int((each.get("totalCount") if isinstance(each, dict) else each) or 0) for each in found]

    @property
    def table_keys(self) -> float:
        """Keys of a run that hold logged tables."""
        return sum(len(table_keys(node.get("historyKeys"))) for node in self.details) / max(
            1, len(self.details)
        )

    @property
    def tables(self) -> float:
        """Logged tables of a run."""
        rows = (sum(table_keys(node.get("historyKeys")).values()) for node in self.details)
        return sum(rows) / max(1, len(self.details))


def _of_runs(name: str, runs: int, shape: _Shape, asked: TablesWanted) -> int:
    """Requests for a table that is read in groups of runs."""
    groups = ceil(runs / _RUNS_PER_GROUP)
    if name == "system_metrics":
        samples = shape.mean("eventsLineCount") * runs
        return groups + (max(groups, ceil(samples / _SAMPLES_PER_REQUEST)) if samples else 0)
    if name == "run_metadata" and asked.metadata_files:
        return runs
    if name == "logged_tables" and shape.tables:
        # Who has any; their keys; two to find the files of a group, then one a file.
        return groups + ceil(groups * max(1, shape.table_keys)) + 2 * groups + ceil(shape.tables * runs)
    pages = {
        "files": shape.pages("fileCount", wanted.FILES.first),
        "run_artifacts": shape.pages("outputArtifacts", wanted.OUTPUT_ARTIFACTS.first)
        + shape.pages("inputArtifacts", wanted.INPUT_ARTIFACTS.first),
        "run_metadata": 1,
        "console_logs": shape.pages("logLineCount", wanted.CONSOLE_LINES.first),
        "logged_tables": 1,
    }
    return groups * pages.get(name, 0)


async def _of_artifacts(catalog: Catalog, path: ProjectPath) -> int:
    """Requests for types, their collections, and the versions of each; those of a page or two are not told apart."""
    types = (await catalog.project_list(wanted.ARTIFACT_TYPES, path.entity, path.project)).nodes
    places = [{"t": str(node["name"])} for node in types]
    found = await catalog.lists(wanted.ARTIFACT_COLLECTIONS, path.entity, path.project, places)
    collections = sum(len(each.nodes) for each in found if each is not None)
    return 1 + ceil(len(types) / _RUNS_PER_GROUP) + ceil(collections / _RUNS_PER_GROUP)
