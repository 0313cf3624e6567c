"""What a published warehouse holds, as the next sync needs to know it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import Numbers, RunRef
from wandb_warehouse.resources import (
    Cursor,
    HeldTable,
    HeldTables,
    Pending,
    ProjectMarks,
    RunMark,
    Shortfalls,
)
from wandb_warehouse.warehouse import STORED_RUNS, columns, held_rows, held_tables, records

__all__ = ["Held", "RunKey", "cursors_to_json"]

_SWEEP_EVERY = 4
"""Every so many published syncs a large project is listed whole, not only by what its heartbeats say."""


RunKey = tuple[str, str, str]

_OF_A_MARK = [
    "entity", "project", "run_id", "state", "stored_rows", "expected_rows", "synced_at", "listing_digest",
    "detail_digest", "heartbeat_at", "expected_last_step", "last_timestamp", "details_as", "history_as", "sampled_as",
    "sampled_rows",
]  # fmt: skip
"""Columns of the ledger that a mark is made of."""


@dataclass(frozen=True)
class Held:
    """What the published file holds: its generation, the cursor of each project, the ledger."""

    generation: int
    cursors: Mapping[tuple[str, str], Cursor]
    ledger: pa.Table
    """Shape `STORED_RUNS`."""
    pending: Mapping[tuple[str, str], Pending] = field(default_factory=dict)
    short: Mapping[tuple[str, str], Shortfalls] = field(default_factory=dict)
    """Why tables of a project are not whole, as far as it is owed still."""
    stands_for: Mapping[str, pa.Table] = field(default_factory=dict)
    """What the file's numbers stand for: `run_numbers` and `key_numbers`."""
    rounds: int = 1
    """How often the last sync published, up to this generation."""

    @classmethod
    def read(cls, warehouse: Path | str) -> "Held":
        """Read the published warehouse; nothing is held where there is none."""
        found = held_rows(warehouse)
        if found is None:
            return cls(0, {}, STORED_RUNS.empty_table())
        last = found.last_sync
        return cls(
            last.generation,
            {
                (p["entity"], p["project"]): Cursor(datetime.fromisoformat(p["cursor"]), p["filters"])
                for p in last.projects
                if p["cursor"]
            },
            found.runs,
            {
                (p["entity"], p["project"]): {name: set(ids) for name, ids in p.get("pending", {}).items()}
                for p in last.projects
            },
            {(p["entity"], p["project"]): p.get("short", {}) for p in last.projects},
            found.numbers,
            int(last.report.get("rounds", 1)),
        )

    @cached_property
    def runs(self) -> Mapping[RunKey, Mapping[str, Any]]:
        """The ledger by run, which is asked for only where there is something to load."""
        return {(row["entity"], row["project"], row["run_id"]): row for row in records(self.ledger)}

    @staticmethod
    def tables(warehouse: Path | str, anew: Collection[RunKey] = ()) -> dict[tuple[str, str], HeldTables]:
        """Read which logged tables the published file has, by project; none of the runs in `anew`."""
        found: dict[tuple[str, str], HeldTables] = {}
        for row in held_tables(warehouse):
            if (row["entity"], row["project"], row["run_id"]) in anew:
                continue
            runs = found.setdefault((row["entity"], row["project"]), {})
            table = HeldTable(row["sha256"], row["cells"], row["complete"])
            runs.setdefault(row["run_id"], {})[row["key"], row["path"]] = table
        return found

    @property
    def sweeps(self) -> bool:
        """Whether it is time to list large projects whole: whether the last sync's generations passed a fourth one."""
        return (
            self.generation == 0
            or self.generation // _SWEEP_EVERY != (self.generation - self.rounds) // _SWEEP_EVERY
        )

    def still_short(
        self, now: Mapping[tuple[str, str], Shortfalls], pending: Mapping[tuple[str, str], Pending]
    ) -> dict[tuple[str, str], Shortfalls]:
        """What came short in this sync, and what did so earlier and is owed still."""
        found: dict[tuple[str, str], Shortfalls] = {}
        for project, owed in pending.items():
            for name, ids in owed.items():
                reasons = {**self.short.get(project, {}).get(name, {}), **now.get(project, {}).get(name, {})}
                left = {place: why for place, why in sorted(reasons.items()) if place in ids or "*" in ids}
                if left:
                    found.setdefault(project, {})[name] = left
        return found

    def numbers(self) -> Numbers:
        """The numbers of the file, for the extraction to count on from."""
        if not self.stands_for:
            return Numbers()
        runs, keys = (columns(self.stands_for[name]) for name in ("run_numbers", "key_numbers"))
        places = map(RunRef, runs["entity"], runs["project"], runs["run_id"])
        return Numbers(
            dict(zip(places, runs["run_number"], strict=True)),
            dict(zip(keys["key"], keys["key_number"], strict=True)),
        )

    def without(self, runs: Collection[RunKey]) -> "Held":
        """The same, as if nothing were known of some runs."""
        if not runs:
            return self
        found = columns(self.ledger.select(["entity", "project", "run_id"]))
        keep = [key not in runs for key in zip(*found.values(), strict=True)]
        return replace(self, ledger=self.ledger.filter(pa.array(keep, pa.bool_())))

    def marks(self) -> dict[tuple[str, str], ProjectMarks]:
        """Marks of every project, for the extraction."""
        runs: dict[tuple[str, str], dict[str, RunMark]] = {key: {} for key in self.cursors}
        for row in records(self.ledger.select(_OF_A_MARK)):
            if row["synced_at"] is None:
                continue  # a run without a ledger row is fetched again
            pending = row["state"] == "pending" and row["stored_rows"] != row["expected_rows"]
            runs.setdefault((row["entity"], row["project"]), {})[row["run_id"]] = RunMark(
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
    cursors: Mapping[tuple[str, str], Cursor],
    pending: Mapping[tuple[str, str], Pending],
    short: Mapping[tuple[str, str], Shortfalls],
) -> list[dict[str, Any]]:
    """Cursors of projects, what is pending in them and why, as `Held.read` takes them from the sync log."""
    return [
        {
            "entity": entity,
            "project": project,
            "cursor": cursor.time.isoformat() if cursor else None,
            "filters": cursor.filters if cursor else "",
            "pending": {
                name: sorted(ids) for name, ids in sorted(pending.get((entity, project), {}).items())
            },
            "short": short.get((entity, project), {}),
        }
        for (entity, project), cursor in {**dict.fromkeys(pending), **cursors}.items()
    ]
