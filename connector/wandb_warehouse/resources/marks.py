"""What a destination already holds of each run, so that a sync fetches only what moved.

A sync into a warehouse of ours takes its marks from the published `run_ledger`; the source on its own keeps them in
dlt's source state. Both speak through `Marks`.
"""

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

__all__ = [
    "Cursor",
    "DltStateMarks",
    "HeldTable",
    "HeldTables",
    "KnownMarks",
    "Marks",
    "Pending",
    "ProjectMarks",
    "RunMark",
    "Shortfalls",
]


@dataclass(frozen=True, slots=True)
class HeldTable:
    """A logged table that a destination has, or tried to have."""

    sha256: str | None
    cells: int
    complete: bool = True
    """Whether it was read; what failed is tried again."""


HeldTables = dict[str, dict[tuple[str, str], HeldTable]]
"""Logged tables of a project: by run, then by key and path as they are stored."""

Shortfalls = dict[str, dict[str, str]]
"""Why tables of a project are not whole: by table, then by run, or `*` for the project."""

Pending = dict[str, set[str]]
"""What is still to be read of a project, by table: ids of runs, or `*` for the project; a table that was never
read is absent."""


@dataclass(frozen=True, slots=True)
class RunMark:
    """What is held of one run; `stored_rows` is None while its history was never loaded."""

    listing_digest: str
    detail_digest: str
    synced_at: datetime
    heartbeat_at: datetime | None = None
    stored_rows: int | None = None
    last_step: int = -1
    complete: bool = True
    expected_rows: int | None = None
    """History rows the server counted."""
    last_timestamp: float | None = None
    """`_timestamp` of the last stored row, by which a rewind shows that has gone on since."""
    details_as: str = ""
    """How its details were read (see `Wanted`)."""
    history_as: str = ""
    """How its history was read."""
    sampled_as: str = ""
    """How its history was sampled; empty where it never was."""
    sampled_rows: int | None = None
    """History rows the server counted when it was sampled."""

    @property
    def behind(self) -> bool:
        """Whether the history was not read when the server last counted its rows."""
        return self.stored_rows is None or self.expected_rows not in {None, self.stored_rows}


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a project was read: the server's time at the start of the last sync, and the filters it had.

    What moved before it is known for those filters only.
    """

    time: datetime
    filters: str = ""

    def chosen(self) -> dict[str, Any] | None:
        """The filters as they were given."""
        filters: dict[str, Any] | None = json.loads(self.filters) if self.filters else None
        return filters

    @staticmethod
    def text(filters: Mapping[str, Any] | None) -> str:
        """Write filters so that equal ones read alike; none at all as empty text."""
        return json.dumps(filters, sort_keys=True) if filters else ""


@dataclass(frozen=True, slots=True)
class ProjectMarks:
    """Everything held of one project: its cursor and a mark per run id."""

    cursor: Cursor | None
    runs: Mapping[str, RunMark]
    deleted: frozenset[str] = frozenset()
    """Runs of which rows are held that were proven gone; seen again, they are as new."""
    swept: Cursor | None = None
    """Since when the details of every run are known, and the filters of which they are."""


class Marks(Protocol):
    """Where the marks of a destination are read from and written to."""

    def project(self, entity: str, project: str) -> ProjectMarks:
        """Return what is held of a project; an empty one when it was never synced."""
        ...

    def record(
        self,
        entity: str,
        project: str,
        cursor: Cursor | None,
        runs: Mapping[str, RunMark],
        swept: Cursor | None = None,
    ) -> None:
        """Take note of the runs that this extraction brought up to date; what is None stays as it was."""
        ...

    def names_of(self, project_id: str) -> list[tuple[str, str]]:
        """Return the names under which a project is held; none where a destination cannot rename."""
        ...

    def created_at(self, entity: str, project: str) -> datetime | None:
        """Return when a project that is held was created; None where that is not known."""
        ...

    def rename(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Hold under a new name what is held of a project."""
        ...

    def pending(self, entity: str, project: str) -> Pending:
        """Return what earlier extractions left to be read beside runs and history."""
        ...

    def record_pending(self, entity: str, project: str, pending: Pending) -> None:
        """Take note of what is left now."""
        ...

    def tables(self, entity: str, project: str, name: str) -> HeldTables:
        """Return the logged tables of which the table `name` has rows."""
        ...

    def record_tables(self, entity: str, project: str, name: str, held: HeldTables) -> None:
        """Take note of those it has now."""
        ...


class KnownMarks:
    """Marks read elsewhere beforehand; what is recorded is collected for the caller in `recorded`."""

    def __init__(
        self,
        projects: Mapping[tuple[str, str], ProjectMarks],
        pending: Mapping[tuple[str, str], Pending] | None = None,
        tables: Mapping[tuple[str, str], HeldTables] | None = None,
        ids: Mapping[tuple[str, str], str] | None = None,
        created: Mapping[tuple[str, str], datetime] | None = None,
    ) -> None:
        self._projects = dict(projects)
        self._tables = dict(tables or {})
        self._ids = dict(ids or {})
        self._created = dict(created or {})
        self.left: dict[tuple[str, str], Pending] = dict(pending or {})
        self.recorded: dict[tuple[str, str, str], RunMark] = {}
        self.cursors: dict[tuple[str, str], Cursor] = {}
        self.swept: dict[tuple[str, str], Cursor] = {}
        self.renamed: dict[tuple[str, str], tuple[str, str]] = {}
        """The old name of each project that has a new one."""

    def project(self, entity: str, project: str) -> ProjectMarks:
        """Return what was known beforehand."""
        return self._projects.get((entity, project), ProjectMarks(None, {}))

    def record(
        self,
        entity: str,
        project: str,
        cursor: Cursor | None,
        runs: Mapping[str, RunMark],
        swept: Cursor | None = None,
    ) -> None:
        """Collect the marks of this extraction."""
        if cursor is not None:
            self.cursors[entity, project] = cursor
        if swept is not None:
            self.swept[entity, project] = swept
        for run_id, mark in runs.items():
            self.recorded[entity, project, run_id] = mark

    def names_of(self, project_id: str) -> list[tuple[str, str]]:
        """Return the names under which a project is held."""
        return [name for name, held in self._ids.items() if held == project_id]

    def created_at(self, entity: str, project: str) -> datetime | None:
        """Return what was known beforehand."""
        return self._created.get((entity, project))

    def rename(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Move what is known to the new name, and note the old one in `renamed`."""
        by_name: list[dict[tuple[str, str], Any]] = [
            self._projects, self._tables, self._ids, self._created, self.left
        ]  # fmt: skip
        for held in by_name:
            if old in held:
                held[new] = held.pop(old)
        self.renamed[new] = old

    def pending(self, entity: str, project: str) -> Pending:
        """Return what is left to be read."""
        return {table: set(ids) for table, ids in self.left.get((entity, project), {}).items()}

    def record_pending(self, entity: str, project: str, pending: Pending) -> None:
        """Keep what is left for the caller, in `left`."""
        self.left[entity, project] = pending

    def tables(self, entity: str, project: str, name: str) -> HeldTables:  # noqa: ARG002 - both tables have the same
        """Return the logged tables known beforehand."""
        return self._tables.get((entity, project), {})

    def record_tables(self, entity: str, project: str, name: str, held: HeldTables) -> None:
        """Nothing: the tables themselves tell the next sync."""


class DltStateMarks:
    """Marks kept in dlt's source state, which dlt commits together with the rows they speak of."""

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        self._projects: MutableMapping[str, Any] = state.setdefault("projects", {})

    def project(self, entity: str, project: str) -> ProjectMarks:
        """Read a project's marks from the state."""
        held = self._projects.get(f"{entity}/{project}")
        if held is None or "cursor" not in held:
            return ProjectMarks(None, {})
        swept = held.get("swept")
        return ProjectMarks(
            Cursor(datetime.fromisoformat(held["cursor"]), held["filters"]),
            {run_id: _from_state(fields) for run_id, fields in held["runs"].items()},
            swept=Cursor(datetime.fromisoformat(swept[0]), swept[1]) if swept else None,
        )

    def record(
        self,
        entity: str,
        project: str,
        cursor: Cursor | None,
        runs: Mapping[str, RunMark],
        swept: Cursor | None = None,
    ) -> None:
        """Write the marks into the state."""
        held = self._projects.setdefault(f"{entity}/{project}", {"runs": {}})
        if cursor is not None:
            held["cursor"], held["filters"] = cursor.time.isoformat(), cursor.filters
        if swept is not None:
            held["swept"] = [swept.time.isoformat(), swept.filters]
        held["runs"].update({run_id: _to_state(mark) for run_id, mark in runs.items()})

    def names_of(self, project_id: str) -> list[tuple[str, str]]:  # noqa: ARG002 - whichever it is
        """None: a load adds rows, it renames none."""
        return []

    def created_at(self, entity: str, project: str) -> datetime | None:  # noqa: ARG002 - whichever it is
        """None: nobody asks, since nothing is renamed."""
        return None

    def rename(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Nothing is renamed."""

    def pending(self, entity: str, project: str) -> Pending:
        """Read from the state what is left to be read."""
        held = self._projects.get(f"{entity}/{project}") or {}
        return {table: set(ids) for table, ids in held.get("pending", {}).items()}

    def record_pending(self, entity: str, project: str, pending: Pending) -> None:
        """Write into the state what is left to be read."""
        held = self._projects.setdefault(f"{entity}/{project}", {"runs": {}})
        held["pending"] = {table: sorted(ids) for table, ids in pending.items()}

    def tables(self, entity: str, project: str, name: str) -> HeldTables:
        """Read from the state which logged tables were loaded."""
        held = (self._projects.get(f"{entity}/{project}") or {}).get("tables", {}).get(name, {})
        return {
            run_id: {(key, path): HeldTable(*fields) for key, path, *fields in rows}
            for run_id, rows in held.items()
        }

    def record_tables(self, entity: str, project: str, name: str, held: HeldTables) -> None:
        """Write into the state which logged tables were loaded."""
        state = self._projects.setdefault(f"{entity}/{project}", {"runs": {}})
        state.setdefault("tables", {})[name] = {
            run_id: [[*place, table.sha256, table.cells, table.complete] for place, table in tables.items()]
            for run_id, tables in held.items()
            if tables
        }


def _to_state(mark: RunMark) -> list[Any]:
    heartbeat = mark.heartbeat_at.isoformat() if mark.heartbeat_at else None
    return [
        mark.listing_digest,
        mark.detail_digest,
        mark.synced_at.isoformat(),
        heartbeat,
        mark.stored_rows,
        mark.last_step,
        mark.complete,
        mark.expected_rows,
        mark.last_timestamp,
        mark.details_as,
        mark.history_as,
        mark.sampled_as,
        mark.sampled_rows,
    ]


def _from_state(fields: list[Any]) -> RunMark:
    listing, detail, synced_at, heartbeat, *rest = fields
    return RunMark(
        listing,
        detail,
        datetime.fromisoformat(synced_at),
        datetime.fromisoformat(heartbeat) if heartbeat else None,
        *rest,
    )
