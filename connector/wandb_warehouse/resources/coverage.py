"""What lies beside details and history, read for what moved: one table at a time, whoever asks for it.

For each table and project the marks hold what is still to be read. A table that was never read owes every run that is
held; from then on what moves is added to what it owes, and what was read is taken off. So a table chosen later
catches up, and what could not be read is tried again.
"""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import Selection, users_table
from wandb_warehouse.client import WandbClient
from wandb_warehouse.errors import AuthError, RemoteError
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.details import one_line, parts, slices
from wandb_warehouse.resources.listing import ProjectPath
from wandb_warehouse.resources.marks import Marks, Pending
from wandb_warehouse.resources.readers import PROJECT_READERS, RUN_READERS, metadata_files
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.spool import Part, TableSpool
from wandb_warehouse.schema import TABLES

__all__ = ["COVERAGE", "OPT_IN", "RESOURCES", "UNSIFTED", "Coverage", "CoverageOptions", "Outcome"]

COVERAGE = (
    "system_metrics",
    "artifacts",
    "artifact_aliases",
    "run_artifacts",
    "files",
    "run_metadata",
    "sweeps",
    "users",
    "reports",
    "console_logs",
)
"""Tables read here, each a resource."""

RESOURCES = (
    "projects",
    "runs",
    "run_config",
    "run_summary",
    "run_tags",
    "metrics",
    "history",
    "history_sampled",
    *COVERAGE,
)
"""Names of the resources, which are also the names of the tables they load."""

OPT_IN = frozenset({"console_logs"})
"""Those loaded only when asked for."""

UNSIFTED = frozenset({"artifacts", "files", "run_metadata", "sweeps", "reports", "console_logs"})
"""Those that may repeat what stands under an excluded key, where no key tells; with excluded keys only when named."""

_KEYED = frozenset({"system_metrics"})
"""Those with a row per key, from which excluded keys are taken."""

_WHOLE = "*"
_RUNS_PER_GROUP = 50
_GROUPS_AT_ONCE = 4
_ROWS_TOGETHER = 100_000
_ODD = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What an answer of an unexpected shape ends in; `pa.ArrowInvalid` is a ValueError."""
_REFUSED = (RemoteError, AuthError, pa.ArrowException, *_ODD)
"""Why one table of one run or project can be left out without stopping the others."""

RunKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class CoverageOptions:
    """What is wanted of the tables beside details and history."""

    tables: frozenset[str] = frozenset()
    """Tables a destination will ask for: while one of them owes something, there is something to do."""
    skipped: frozenset[str] = frozenset()
    """Tables not read, whoever asks."""
    reread_projects: bool = False
    """Read the tables of a project although nothing in it moved."""
    metadata_files: bool = False
    """Read `run_metadata` from each run's file, a download a run, rather than from its config."""


@dataclass(slots=True)
class Outcome:
    """What was read of one table, and so replaces what a destination holds."""

    rows: dict[RunKey, int] = field(default_factory=dict)
    """Rows of each run read."""
    projects: list[tuple[str, str]] = field(default_factory=list)
    """Projects read whole."""
    keys: list[pa.Table] = field(default_factory=list)
    """Rows that replace those of the same key, where neither runs nor projects are replaced."""


@dataclass(slots=True)
class _Project:
    path: ProjectPath
    held: frozenset[str]
    """Runs whose details a destination has."""
    pending: Pending
    users: dict[str, str | None]
    moved: frozenset[str]
    """Runs whose users are known."""


class Coverage:
    """Reads tables of the projects of one extraction; `outcomes` tells what was read."""

    def __init__(
        self,
        marks: Marks,
        report: ExtractionReport,
        options: CoverageOptions,
        selection: Selection,
        deadline: Deadline,
    ) -> None:
        self.selection = selection
        self.outcomes: dict[str, Outcome] = {}
        self._marks = marks
        self._report = report
        self._options = options
        self._deadline = deadline
        self._begun = False
        self._projects: list[_Project] = []
        self._whole: dict[tuple[Any, ProjectPath], dict[str, pa.Table] | str] = {}

    def begin(
        self,
        path: ProjectPath,
        *,
        held: Collection[str],
        moved: Mapping[str, Mapping[str, Any]],
        failed: Collection[str],
        fresh: bool,
        readable: bool = True,
    ) -> None:
        """Take note of a project: the runs held before, those that moved, those whose details failed.

        `fresh`: nothing of what is held counts. Nothing is read of a project that is not `readable`: its tables owe
        what moved.
        """
        pending = {} if fresh else self._marks.pending(path.entity, path.project)
        for name, left in pending.items():
            if name not in PROJECT_READERS:
                left.update(moved)
            elif moved or self._options.reread_projects:
                left.add(_WHOLE)
        self._marks.record_pending(path.entity, path.project, pending)
        if not readable:
            return
        users = [node.get("user") or {} for node in moved.values()]
        names = {str(user["username"]): user.get("name") for user in users if user.get("username")}
        known = frozenset(held) | moved.keys()
        self._projects.append(_Project(path, known - set(failed), pending, names, frozenset(moved)))

    def is_due(self) -> bool:
        """Tell whether a wanted table owes anything."""
        return any(
            self._owed(name, project) is None or self._owed(name, project)
            for name in self._options.tables - self._options.skipped
            for project in self._projects
        )

    async def read(self, client: WandbClient, name: str, folder: Path) -> list[Part]:
        """Read what a table owes; a run or project that cannot be read is named in the report, and owed still."""
        self.outcomes[name] = outcome = Outcome()
        if name in self._options.skipped:
            return []
        with TableSpool(folder) as spool:
            for project in self._projects:
                owed = self._owed(name, project)
                if owed is not None and not owed:
                    continue
                if self.leaves(name):
                    continue
                self._report.phase = name.replace("_", " ")
                project.pending[name] = await _Reading(
                    self, client, name, project, spool=spool, outcome=outcome
                ).read(owed)
                self._marks.record_pending(project.path.entity, project.path.project, project.pending)
            return spool.close()

    def leaves(self, name: str) -> bool:
        """Tell whether the time is up, and report what is left; every extraction reads something, however short."""
        if self._begun and self._deadline.passed():
            if name not in self._report.tables_left:
                self._report.tables_left.append(name)
            return True
        self._begun = True
        return False

    def _owed(self, name: str, project: _Project) -> set[str] | None:
        """What is to be read; None for everything, because nothing was read before."""
        left = project.pending.get(name)
        return left if left is None or _WHOLE in left else left & project.held

    def quarantine(self, place: str, name: str, reason: str) -> None:
        """Name in the report what could not be read."""
        known = self._report.quarantined.get(place)
        text = f"{name}: {reason}"
        self._report.quarantined[place] = text if known is None else f"{known}; {text}"

    async def whole(self, client: WandbClient, name: str, path: ProjectPath) -> dict[str, pa.Table] | str:
        """Tables of a project, or why they cannot be read; read once for all that come together."""
        reader = PROJECT_READERS[name]
        if (reader, path) not in self._whole:
            try:
                self._whole[reader, path] = await reader(client.catalog, path)
            except _REFUSED as error:
                await client.viewer()  # where the server itself is down, no table is to blame
                self._whole[reader, path] = _reason(error)
        return self._whole[reader, path]

    @property
    def metadata_files(self) -> bool:
        """Whether metadata comes from files."""
        return self._options.metadata_files


class _Reading:
    """One table of one project."""

    def __init__(
        self,
        coverage: Coverage,
        client: WandbClient,
        name: str,
        project: _Project,
        *,
        spool: TableSpool,
        outcome: Outcome,
    ) -> None:
        self._coverage = coverage
        self._client = client
        self._name = name
        self._project = project
        self._path = project.path
        self._spool = spool
        self._outcome = outcome
        self._left: set[str] = set()
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0

    async def read(self, owed: set[str] | None) -> set[str]:
        """Read what is owed; return what is owed still."""
        if self._name in PROJECT_READERS:
            return await self._read_project()
        runs = sorted(self._project.held if owed is None else owed)
        if self._name == "users":
            return await self._read_users(runs)
        groups = list(slices(runs, _RUNS_PER_GROUP))
        if groups and await self._read_group(groups[0]) == 0 and len(groups[0]) > 1:
            # Nothing could be read of any run of the first group: the others would fare no better.
            self._coverage.quarantine(str(self._path), self._name, "no run of the first ones could be read")
            self._left |= set(runs)
        else:
            for together in slices(groups[1:], _GROUPS_AT_ONCE):
                if self._coverage.leaves(self._name):
                    self._left.update(*together)
                else:
                    await _all(self._read_group(group) for group in together)
        self._flush()
        return self._left

    async def _read_project(self) -> set[str]:
        found = await self._coverage.whole(self._client, self._name, self._path)
        if isinstance(found, str):
            self._coverage.quarantine(str(self._path), self._name, found)
            return {_WHOLE}
        self._spool.add(self._name, found[self._name])
        self._outcome.projects.append((self._path.entity, self._path.project))
        return set()

    async def _read_group(self, run_ids: Sequence[str]) -> int:
        """Read some runs, looking part by part for the one that cannot be read; give how many could."""
        reader = RUN_READERS[self._name]
        if self._name == "run_metadata" and self._coverage.metadata_files:
            reader = metadata_files
        done: set[str] = set()
        try:
            async for rows in reader(self._client.catalog, self._path, run_ids):
                done.add(rows.run_id)
                if not rows.gone:
                    await self._keep(rows.run_id, rows.tables, rows.shortfall)
        except _REFUSED as error:
            await self._client.viewer()  # where the server itself is down, no run is to blame
            rest = [run_id for run_id in run_ids if run_id not in done]
            if len(rest) == 1:
                self._fail(rest[0], _reason(error))
                return len(done)
            return len(done) + sum([await self._read_group(part) for part in parts(rest)])
        return len(done)

    async def _keep(self, run_id: str, tables: Iterable[pa.Table], shortfall: str | None) -> None:
        key = (self._path.entity, self._path.project, run_id)
        rows = 0
        try:
            for table in tables:
                kept = self._coverage.selection.of_keyed(table) if self._name in _KEYED else table
                self._waiting.append(kept)
                self._waiting_rows += kept.num_rows
                rows += kept.num_rows
                if self._waiting_rows >= _ROWS_TOGETHER:
                    self._flush()
                await asyncio.sleep(0)
        except _REFUSED as error:
            shortfall = _reason(error)
        self._outcome.rows[key] = rows
        if shortfall is not None:
            self._fail(run_id, shortfall)

    def _flush(self) -> None:
        """Write what waits: a table a run would make files of countless little pieces."""
        if self._waiting:
            self._spool.add(self._name, pa.concat_tables(self._waiting).combine_chunks())
        self._waiting, self._waiting_rows = [], 0

    def _fail(self, run_id: str, reason: str) -> None:
        self._left.add(run_id)
        self._coverage.quarantine(f"{self._path}/{run_id}", self._name, reason)

    async def _read_users(self, runs: Sequence[str]) -> set[str]:
        """Users of the runs that moved are known from the listing; those of others are asked for."""
        entity, project = self._path.entity, self._path.project
        names = dict(self._project.users)
        try:
            asks = [(run_id, 0) for run_id in runs if run_id not in self._project.moved]
            for node in await self._client.catalog.runs(
                "RunUsers", ("user{username name}",), entity, project, asks
            ):
                user = (node or {}).get("user") or {}
                if user.get("username"):
                    names[str(user["username"])] = user.get("name")
            members = await self._client.catalog.members(entity)
        except _REFUSED as error:
            await self._client.viewer()
            self._coverage.quarantine(str(self._path), self._name, _reason(error))
            return set(runs)
        table = users_table(entity, project, names, members)
        self._spool.add(self._name, table)
        self._outcome.keys.append(table.select(TABLES["users"].primary_key))
        return set()


def _reason(error: Exception) -> str:
    """What to say of an error in one line."""
    text = one_line(error)
    return (
        f"the server's answer is of an unexpected shape ({type(error).__name__}: {text})"
        if isinstance(error, _ODD)
        else text
    )


async def _all(works: Iterable[Awaitable[Any]]) -> None:
    """Do everything at once; the first failure ends the rest."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(_awaited(work))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures


async def _awaited(work: Awaitable[Any]) -> None:
    await work
