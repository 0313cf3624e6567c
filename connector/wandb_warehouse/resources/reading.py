"""How one table of one project is read for what it owes: group by group, looking for the run that cannot be read."""

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from wandb_warehouse.arrow import users_table
from wandb_warehouse.client import WandbClient, slices
from wandb_warehouse.errors import AuthError, RemoteError
from wandb_warehouse.resources.details import one_line, parts
from wandb_warehouse.resources.listing import ProjectPath
from wandb_warehouse.resources.marks import Pending
from wandb_warehouse.resources.readers import PROJECT_READERS, RUN_READERS, metadata_files
from wandb_warehouse.resources.spool import TableSpool
from wandb_warehouse.schema import TABLES

if TYPE_CHECKING:
    from wandb_warehouse.resources.coverage import Coverage

__all__ = ["REFUSED", "WHOLE", "Outcome", "ProjectWork", "RunKey", "TableReading", "digest_of", "reason_of"]

WHOLE = "*"
"""What stands for all of a project among the runs that a table owes."""
_KEYED = frozenset({"system_metrics"})
"""Those with a row per key, from which excluded keys are taken."""
_RUNS_PER_GROUP = 50
_GROUPS_AT_ONCE = 4
_ROWS_TOGETHER = 100_000
_ODD = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What an answer of an unexpected shape ends in; `pa.ArrowInvalid` is a ValueError."""
REFUSED = (RemoteError, AuthError, pa.ArrowException, *_ODD)
"""Why one table of one run or project can be left out without stopping the others."""

RunKey = tuple[str, str, str]


@dataclass(slots=True)
class Outcome:
    """What was read of one table, and so replaces what a destination holds."""

    rows: dict[RunKey, int] = field(default_factory=dict)
    """Rows that each run read has now."""
    whole_runs: bool = True
    """Whether they replace all that is held of those runs, rather than what `keys` say."""
    projects: list[tuple[str, str]] = field(default_factory=list)
    """Projects read whole."""
    keys: list[pa.Table] = field(default_factory=list)
    """What of a key, or of the beginning of one, is replaced, where neither runs nor projects are."""


@dataclass(slots=True)
class ProjectWork:
    """One project of an extraction, and what its tables owe."""

    path: ProjectPath
    held: frozenset[str]
    """Runs whose details a destination has."""
    pending: Pending
    users: dict[str, str | None]
    moved: frozenset[str]
    """Runs whose users are known."""
    fresh: bool = False
    """Whether nothing of what is held counts."""


class TableReading:
    """Reads one table of one project."""

    def __init__(
        self,
        coverage: "Coverage",
        client: WandbClient,
        name: str,
        project: ProjectWork,
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
            return {WHOLE}
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
        except REFUSED as error:
            await self._client.viewer()  # where the server itself is down, no run is to blame
            rest = [run_id for run_id in run_ids if run_id not in done]
            if len(rest) == 1:
                self._fail(rest[0], reason_of(error))
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
        except REFUSED as error:
            shortfall = reason_of(error)
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
        except REFUSED as error:
            await self._client.viewer()
            self._coverage.quarantine(str(self._path), self._name, reason_of(error))
            return set(runs)
        table = users_table(entity, project, names, members)
        self._spool.add(self._name, table)
        self._outcome.keys.append(table.select(TABLES["users"].primary_key))
        return set()


def reason_of(error: Exception) -> str:
    """What to say of an error in one line."""
    text = one_line(error)
    return (
        f"the server's answer is of an unexpected shape ({type(error).__name__}: {text})"
        if isinstance(error, _ODD)
        else text
    )


def digest_of(table: pa.Table) -> str:
    """Give a sha256 of the rows of a project's table, in whatever order they came."""
    key = [(name, "ascending") for name in table.column_names]
    text = pa.BufferOutputStream()
    pa_csv.write_csv(table.sort_by(key).combine_chunks(), text)  # null and empty text read differently in it
    return hashlib.sha256(text.getvalue()).hexdigest()


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
