"""What a published warehouse holds, as the next sync needs to know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import Numbers, RunRef
from wandb_warehouse.resources import Cursor, Pending, ProjectMarks, RunMark
from wandb_warehouse.warehouse import last_sync, records, stored_numbers, stored_runs

__all__ = ["Held", "RunKey", "cursors_to_json"]

_SWEEP_EVERY = 4
"""Every so many published syncs a large project is listed whole, not only by what its heartbeats say."""


RunKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """What the published file holds: its generation, the cursor of each project, the ledger by run."""

    generation: int
    cursors: Mapping[tuple[str, str], Cursor]
    runs: Mapping[RunKey, Mapping[str, Any]]
    pending: Mapping[tuple[str, str], Pending] = field(default_factory=dict)
    stands_for: Mapping[str, pa.Table] = field(default_factory=dict)
    """What the file's numbers stand for: `run_numbers` and `key_numbers`."""

    @classmethod
    def read(cls, warehouse: Path | str) -> "Held":
        """Read the published warehouse; nothing is held where there is none."""
        last = last_sync(warehouse)
        if last is None:
            return cls(0, {}, {})
        return cls(
            last.generation,
            {
                (p["entity"], p["project"]): Cursor(datetime.fromisoformat(p["cursor"]), p["filters"])
                for p in last.projects
            },
            {(row["entity"], row["project"], row["run_id"]): row for row in records(stored_runs(warehouse))},
            {
                (p["entity"], p["project"]): {name: set(ids) for name, ids in p.get("pending", {}).items()}
                for p in last.projects
            },
            stored_numbers(warehouse),
        )

    @property
    def sweeps(self) -> bool:
        """Whether it is time to list large projects whole."""
        return self.generation % _SWEEP_EVERY == 0

    def numbers(self) -> Numbers:
        """The numbers of the file, for the extraction to count on from."""
        if not self.stands_for:
            return Numbers()
        runs, keys = self.stands_for["run_numbers"].to_pylist(), self.stands_for["key_numbers"].to_pylist()
        return Numbers(
            {RunRef(row["entity"], row["project"], row["run_id"]): row["run_number"] for row in runs},
            {row["key"]: row["key_number"] for row in keys},
        )

    def marks(self) -> dict[tuple[str, str], ProjectMarks]:
        """Marks of every project, for the extraction."""
        runs: dict[tuple[str, str], dict[str, RunMark]] = {key: {} for key in self.cursors}
        for (entity, project, run_id), row in self.runs.items():
            if row["synced_at"] is None:
                continue  # a run without a ledger row is fetched again
            pending = row["state"] == "pending" and row["stored_rows"] != row["expected_rows"]
            runs.setdefault((entity, project), {})[run_id] = RunMark(
                row["listing_digest"],
                row["detail_digest"],
                row["synced_at"],
                row["heartbeat_at"],
                row["stored_rows"],
                row["expected_last_step"],
                complete=row["state"] == "ok" or pending,
                expected_rows=row["expected_rows"],
                last_timestamp=row["last_timestamp"],
                details_as=row["details_as"] or "",
                history_as=row["history_as"] or "",
                sampled_as=row["sampled_as"] or "",
                sampled_rows=row["sampled_rows"],
            )
        return {key: ProjectMarks(self.cursors.get(key), marks) for key, marks in runs.items()}


def cursors_to_json(
    cursors: Mapping[tuple[str, str], Cursor], pending: Mapping[tuple[str, str], Pending]
) -> list[dict[str, Any]]:
    """Cursors of projects, and what is pending in them, as `Held.read` takes them from the sync log."""
    return [
        {
            "entity": entity,
            "project": project,
            "cursor": cursor.time.isoformat(),
            "filters": cursor.filters,
            "pending": {
                name: sorted(ids) for name, ids in sorted(pending.get((entity, project), {}).items())
            },
        }
        for (entity, project), cursor in cursors.items()
    ]
