"""What a published warehouse holds, as the next sync needs to know it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

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
from wandb_warehouse.sync.hints import read_hints
from wandb_warehouse.warehouse import STORED_RUNS, LastSync, columns, held_rows, held_tables, records

__all__ = ["Held", "RunKey", "cursors_to_json"]

RunKey = tuple[str, str, str]

T = TypeVar("T")

_OF_A_MARK = [
    "entity", "project", "run_id", "state", "stored_rows", "expected_rows", "synced_at", "listing_digest",
    "detail_digest", "heartbeat_at", "expected_last_step", "last_timestamp", "details_as", "history_as", "sampled_as",
    "sampled_rows", "deleted_at",
]  # fmt: skip
"""Columns of the ledger that a mark is made of."""


@dataclass(frozen=True)
class Held:
    """What the published file holds: its newest sync, the cursor of each project, the ledger."""

    last: LastSync | None
    cursors: Mapping[tuple[str, str], Cursor]
    ledger: pa.Table
    """Shape `STORED_RUNS`."""
    pending: Mapping[tuple[str, str], Pending] = field(default_factory=dict)
    short: Mapping[tuple[str, str], Shortfalls] = field(default_factory=dict)
    """Why tables of a project are not whole, as far as it is owed still."""
    stands_for: Mapping[str, pa.Table] = field(default_factory=dict)
    """What the file's numbers stand for: `run_numbers` and `key_numbers`."""
    created: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When each project was created, where the server told it."""
    swept: Mapping[tuple[str, str], Cursor] = field(default_factory=dict)
    """Since when the details of every run of a project are known, and of which filters."""

    @classmethod
    def read(cls, warehouse: Path | str, hints: Path | None = None) -> "Held":
        """Read the published warehouse; nothing is held where there is none.

        Args:
            warehouse: where it is.
            hints: what syncs that published nothing wrote down.
        """
        found = held_rows(warehouse)
        if found is None:
            return cls(None, {}, STORED_RUNS.empty_table())
        last = found.last_sync
        swept = {
            (p["entity"], p["project"]): Cursor(datetime.fromisoformat(p["swept_at"]), p["swept_filters"])
            for p in last.projects
            if p.get("swept_at")
        }
        return cls(
            last,
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
            {(p["entity"], p["project"]): p["created_at"] for p in found.projects if p["created_at"]},
            swept | (read_hints(hints, last) if hints else {}),
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

    def renamed(self, names: Mapping[tuple[str, str], tuple[str, str]]) -> "Held":
        """The same with projects under other names: `names` has the new (entity, project) of each old one."""

        def moved(held: Mapping[tuple[str, str], T]) -> dict[tuple[str, str], T]:
            return {names.get(key, key): value for key, value in held.items()}

        return replace(
            self,
            cursors=moved(self.cursors),
            ledger=_under_new_names(self.ledger, names) if names else self.ledger,
            pending=moved(self.pending),
            short=moved(self.short),
            swept=moved(self.swept),
        )

    def project_ids(self) -> dict[tuple[str, str], str]:
        """The id that each project keeps under every name, where the server told it."""
        told = self.ledger.filter(pc.field("project_id").is_valid())
        found = columns(told.group_by(["entity", "project"]).aggregate([("project_id", "max")]))
        return {
            (entity, project): name
            for entity, project, name in zip(
                found["entity"], found["project"], found["project_id_max"], strict=True
            )
            if name
        }

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
        deleted: dict[tuple[str, str], set[str]] = {}
        for row in records(self.ledger.select(_OF_A_MARK)):
            entity, project, run_id = row["entity"], row["project"], row["run_id"]
            if row["deleted_at"] is not None or row["state"] == "deleted":
                deleted.setdefault((entity, project), set()).add(run_id)
                continue
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
        return {
            key: ProjectMarks(
                self.cursors.get(key),
                runs.get(key, {}),
                frozenset(deleted.get(key, ())),
                self.swept.get(key),
            )
            for key in runs.keys() | deleted.keys()
        }


def _under_new_names(ledger: pa.Table, names: Mapping[tuple[str, str], tuple[str, str]]) -> pa.Table:
    held = columns(ledger.select(["entity", "project"]))
    homes = [names.get(home, home) for home in zip(held["entity"], held["project"], strict=True)]
    for place, name in enumerate(("entity", "project")):
        ledger = ledger.set_column(place, name, pa.array([home[place] for home in homes], pa.string()))
    return ledger


def cursors_to_json(
    cursors: Mapping[tuple[str, str], Cursor],
    pending: Mapping[tuple[str, str], Pending],
    short: Mapping[tuple[str, str], Shortfalls],
    swept: Mapping[tuple[str, str], Cursor],
) -> list[dict[str, Any]]:
    """Cursors of projects, what is pending in them and why, and sweeps, as `Held.read` takes them from the sync log."""
    return [
        {
            "entity": entity,
            "project": project,
            "cursor": cursor.time.isoformat() if cursor else None,
            "filters": cursor.filters if cursor else "",
            **_swept(swept.get((entity, project))),
            "pending": {
                name: sorted(ids) for name, ids in sorted(pending.get((entity, project), {}).items())
            },
            "short": short.get((entity, project), {}),
        }
        for (entity, project), cursor in {**dict.fromkeys(pending), **cursors}.items()
    ]


def _swept(swept: Cursor | None) -> dict[str, Any]:
    return {"swept_at": swept.time.isoformat(), "swept_filters": swept.filters} if swept else {}
