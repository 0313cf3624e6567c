"""What an extraction would fetch, from listings and the details of a few runs: an estimate, and its arithmetic.

Counted: runs, runs to fetch, history rows (W&B counts them in the listing). Estimated from the details of at most
`PROBED` runs of each project, spread over those to fetch: values a row, metrics and bytes a run. Requests are those of
histories read as live rows, where a run with parquet exports needs one download a file instead, and of the tables
beside them (`estimate_tables`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from wandb_warehouse.client import WandbClient
from wandb_warehouse.resources.estimate_tables import TablesWanted, table_requests
from wandb_warehouse.resources.listing import Listing, ProjectPath, list_project
from wandb_warehouse.resources.marks import ProjectMarks, RunMark
from wandb_warehouse.resources.wanted import Wanted

__all__ = ["BYTES_PER_VALUE", "PROBED", "ProjectEstimate", "estimate_project"]

PROBED = 20
"""Runs of a project whose details are looked at."""

BYTES_PER_VALUE = 20
"""Bytes of JSON that a logged number takes with its share of the key."""

_RUNS_PER_PAGE = 1000
_RUNS_PER_DETAILS = 250
_RUNS_PER_GROUP = 50
_ROWS_PER_REQUEST = 20_000
_SAMPLES_PER_REQUEST = 50


@dataclass(frozen=True, slots=True)
class ProjectEstimate:
    """What one project would take."""

    project: str
    runs: int
    """Runs that were listed."""
    runs_to_fetch: int
    rows: int
    """History rows to fetch; sampled ones where the history is sampled."""
    values: int
    requests: int
    bytes: int


async def estimate_project(
    client: WandbClient,
    path: ProjectPath,
    marks: ProjectMarks,
    wanted: Wanted,
    *,
    filters: Mapping[str, Any] | None = None,
    sweep: bool | None = None,
    beside: TablesWanted = TablesWanted(),  # noqa: B008 - frozen: one shared default is safe
) -> ProjectEstimate:
    """List a project, look at the details of a few of the runs that moved, and reckon.

    Raises:
        ProjectNotFoundError, RemoteError: as `list_project`.
    """
    listing = await list_project(client, path, marks, filters=filters, sweep=sweep, wanted=wanted)
    ids = list(listing.changed)
    probed = ids[:: max(1, ceil(len(ids) / PROBED))]
    before = client.stats.bytes
    details = await client.run_details(path.entity, path.project, probed) if probed else {}
    per_run = (client.stats.bytes - before) / max(1, len(details))
    shape = _Shape.of(list(details.values()), wanted)
    counts = [_rows(node, marks.runs.get(run_id), wanted) for run_id, node in listing.changed.items()]
    if wanted.history == "sampled":
        counts = [min(count, wanted.samples) for count in counts]
        values = ceil(sum(counts) * shape.metrics_per_run)
        history = ceil(sum(map(bool, counts)) * shape.metrics_per_run / _SAMPLES_PER_REQUEST)
    else:
        values = ceil(sum(counts) * shape.values_per_row)
        # A group of runs asks once for exports and once or more for rows.
        groups = ceil(sum(map(bool, counts)) / _RUNS_PER_GROUP)
        history = groups + max(groups, ceil(sum(counts) / _ROWS_PER_REQUEST))
    tables = await table_requests(
        client.catalog,
        path,
        beside,
        known=marks.runs.keys() | listing.changed.keys(),
        moved=listing.changed,
        probed=list(details.values()),
    )
    return ProjectEstimate(
        str(path),
        _known(listing, marks),
        len(ids),
        sum(counts),
        values,
        ceil(max(1, listing.listed) / _RUNS_PER_PAGE)
        + ceil((len(ids) + len(listing.rest)) / _RUNS_PER_DETAILS)
        + history
        + tables,
        ceil(per_run * len(ids)) + values * BYTES_PER_VALUE,
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the histories of the probed runs look like."""

    values_per_row: float
    metrics_per_run: float

    @classmethod
    def of(cls, nodes: Sequence[Mapping[str, Any]], wanted: Wanted) -> "_Shape":
        rows = values = metrics = logged = 0
        for node in nodes:
            keys = (node.get("historyKeys") or {}).get("keys") or {}
            kept = {
                key: entry for key, entry in keys.items() if key != "_step" and wanted.selection.keeps(key)
            }
            rows += node.get("historyLineCount") or 0
            logged += bool(keys)
            metrics += len(kept)
            counts = (
                count.get("count") or 0
                for entry in kept.values()
                for count in (entry or {}).get("typeCounts") or ()
            )
            values += sum(counts)
        return cls(values / max(1, rows), metrics / max(1, logged))


def _rows(node: Mapping[str, Any], held: RunMark | None, wanted: Wanted) -> int:
    """History rows to fetch of a run: what lies past those held, or all."""
    count = int(node.get("historyLineCount") or 0)
    if wanted.history == "none":
        return 0
    if held is None:
        return count
    if wanted.history == "sampled":
        sampled = held.sampled_as == wanted.sampled_as and held.sampled_rows == count
        return 0 if sampled else count
    if (
        held.stored_rows is None
        or not held.complete
        or wanted.history_differs(held)
        or count < held.stored_rows
    ):
        return count
    return count - held.stored_rows


def _known(listing: Listing, marks: ProjectMarks) -> int:
    """Runs of the project: those listed, or those held where the listing was only of what moved."""
    return listing.listed if listing.whole else len(marks.runs.keys() | listing.changed.keys())
