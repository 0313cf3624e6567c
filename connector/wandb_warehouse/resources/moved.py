"""What is to be done about a run whose details were read: rows to write, history to read, nothing at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import (
    RunRef,
    detail_digest,
    key_counts,
    key_types,
    listing_digest,
    parse_time,
    run_tables,
)
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.resources.details import Detail, one_line, parts
from wandb_warehouse.resources.history import HistoryTask
from wandb_warehouse.resources.listing import Listing, ProjectPath
from wandb_warehouse.resources.marks import ProjectMarks, RunMark
from wandb_warehouse.resources.sampling import SampleTask
from wandb_warehouse.resources.wanted import Wanted
from wandb_warehouse.schema import TABLES

__all__ = ["Moved", "convert", "project_id", "project_row"]


@dataclass(slots=True)
class Moved:
    """A run that was looked at."""

    run: RunRef
    listing_digest: str
    detail_digest: str
    details_changed: bool
    heartbeat_at: datetime | None
    expected_rows: int | None
    task: HistoryTask | None
    settling: bool
    sample: SampleTask | None = None
    details_as: str = ""
    error: str | None = None

    @property
    def matters(self) -> bool:
        """Whether there is anything to write about the run."""
        return self.details_changed or self.settling or (self.task or self.sample or self.error) is not None


def convert(
    path: ProjectPath, listing: Listing, marks: ProjectMarks, wanted: Wanted, details: Sequence[Detail]
) -> list[tuple[list[Moved], dict[str, pa.Table]]]:
    """Turn details into rows; a run whose details cannot be read is found by asking part by part."""
    try:
        pairs = [_moved(path, listing, marks, wanted, detail) for detail in details]
        changed = [node for moved, node in pairs if moved.details_changed]
        tables = run_tables(path.entity, path.project, project_id(listing), changed)
    except (FatalRemoteError, ValueError) as error:
        if len(details) == 1 and details[0].node is None:
            raise
        unread = [Detail(details[0].run_id, None, one_line(error))]
        smaller = [unread] if len(details) == 1 else parts(details)
        return [pair for part in smaller for pair in convert(path, listing, marks, wanted, part)]
    return [([moved for moved, _ in pairs], tables)]


def _moved(
    path: ProjectPath, listing: Listing, marks: ProjectMarks, wanted: Wanted, detail: Detail
) -> tuple[Moved, Mapping[str, Any]]:
    """Tell what is to be done about a run; one without details is known by its light listing only."""
    light = listing.node(detail.run_id)
    node = light if detail.node is None else wanted.selection.of_node(detail.node)
    run = RunRef(path.entity, path.project, detail.run_id)
    held = marks.runs.get(run.run_id)
    keys = node.get("historyKeys") or {}
    last_step = int(keys.get("lastStep", -1)) if keys else -1
    expected = node.get("historyLineCount")
    heartbeat_at = parse_time(node.get("heartbeatAt"))
    task: HistoryTask | None = None
    sample: SampleTask | None = None
    anew = False
    if detail.node is None:
        digest = held.detail_digest if held else ""
    else:
        digest = detail_digest(node)
        anew = held is not None and wanted.details_differ(held)
        alive = held is not None and held.heartbeat_at != heartbeat_at
        types = key_types(keys)
        if wanted.history == "full":
            task = HistoryTask.plan(run, expected, last_step, types, _trusted(wanted, held), alive=alive)
        elif wanted.history == "sampled" and (
            held is None or alive or wanted.samples_differ(replace(held, expected_rows=expected))
        ):
            chosen = (key for key in types if key != "_step" and wanted.selection.keeps(key))
            everywhere = frozenset(key for key, count in key_counts(keys).items() if count == expected)
            sample = SampleTask(run, expected, tuple(sorted(chosen)), types, everywhere)
    moved = Moved(
        run,
        listing_digest(light),
        digest,
        details_changed=anew or held is None or held.detail_digest != digest,
        heartbeat_at=heartbeat_at,
        expected_rows=expected,
        task=task,
        settling=run.run_id in listing.settling,
        sample=sample,
        details_as=held.details_as if held and detail.node is None else wanted.details_as,
        error=detail.error,
    )
    return moved, node


def _trusted(wanted: Wanted, held: RunMark | None) -> RunMark | None:
    """Give the mark of a history that can be gone on from; one with other keys is read whole."""
    if held is not None and wanted.history_differs(held):
        return replace(held, complete=False)
    return held


def project_id(listing: Listing) -> str:
    """The id that the listed project keeps under every name; empty where the server has none."""
    return str(listing.project.get("internalId") or "")


def project_row(path: ProjectPath, listing: Listing) -> pa.Table:
    """The row of a project in `projects`."""
    row = {
        "entity": path.entity,
        "project": path.project,
        "project_id": project_id(listing),
        "created_at": parse_time(listing.project.get("createdAt")),
        "run_count": listing.run_count if listing.run_total is None else listing.run_total,
        "read_only": listing.project.get("readOnly"),
    }
    return pa.Table.from_pylist([row], schema=TABLES["projects"].arrow)
