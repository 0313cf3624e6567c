"""Tables that runs logged, for the runs that moved: who refers to which file, and each new file read once.

A run's index of its history tells under which keys it logged tables; their values, and the summary, refer to files.
The artifact that the writer made of a table is read where there is one: the run's own file of it has at most 10,000
rows, no types, and text in place of media. A file that is held, by its path and digest, is not asked for again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from wandb_warehouse.arrow import RunRef, TableRef, escape, table_keys, table_refs, table_row
from wandb_warehouse.client import ArtifactEntry, Sample, WandbClient, slices
from wandb_warehouse.resources.details import parts
from wandb_warehouse.resources.listing import TERMINAL_STATES
from wandb_warehouse.resources.marks import HeldTable, HeldTables
from wandb_warehouse.resources.reading import REFUSED, Outcome, ProjectWork, reason_of
from wandb_warehouse.resources.spool import TableSpool
from wandb_warehouse.resources.table_sources import MissingTableError, TableSources
from wandb_warehouse.schema import RUN_KEY

if TYPE_CHECKING:
    from wandb_warehouse.resources.coverage import Coverage

__all__ = ["LoggedReading"]

_RUNS_PER_GROUP = 50
_AT_ONCE = 4
_ROWS_TOGETHER = 100_000
_MORE_SAMPLES = 100
"""Rows asked for beyond those counted: a running run logs on."""
_SHOWN = 3


@dataclass(slots=True)
class _Run:
    """One run: what it refers to, what is held of it, what could not be read."""

    ref: RunRef
    alive: bool
    refs: list[TableRef]
    held: dict[tuple[str, str], HeldTable]
    """Tables held now."""
    replaced: set[tuple[str, str]] = field(default_factory=set)
    """Places of tables whose rows are no longer what is held."""
    new: list[TableRef] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    waits: bool = False
    """Whether something is left for the next time without being at fault."""


class LoggedReading:
    """Reads the logged tables of one project; `held` tells which there are afterwards."""

    def __init__(
        self,
        coverage: "Coverage",
        client: WandbClient,
        project: ProjectWork,
        held: HeldTables,
        *,
        spool: TableSpool,
        outcomes: dict[str, Outcome],
        folder: Path,
    ) -> None:
        self.held: HeldTables = dict(held)
        self._coverage = coverage
        self._client = client
        self._project = project
        self._path = project.path
        self._spool = spool
        self._outcomes = outcomes
        self._name = next(iter(outcomes))
        self._left: set[str] = set()
        self._begun = False
        self._sources = TableSources(client, self._path, folder, coverage.max_table_bytes)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._writing = asyncio.Lock()
        self._waiting: dict[str, list[pa.Table]] = {name: [] for name in outcomes}
        self._waiting_rows = dict.fromkeys(outcomes, 0)
        self._replaced: list[dict[str, str]] = []
        """Places of which a destination drops what it holds."""

    async def read(self, owed: set[str] | None) -> set[str]:
        """Read what the runs refer to and is not held; return the runs that still owe something."""
        runs = sorted(self._project.held if owed is None else owed)
        for number, group in enumerate(slices(runs, _RUNS_PER_GROUP)):
            if number and self._coverage.leaves(self._name):
                self._left.update(group)
            else:
                await self._read_group(group)
        for name in self._waiting:
            await self._flush(name)
        if self._replaced:
            for outcome in self._outcomes.values():
                outcome.keys.append(pa.Table.from_pylist(self._replaced, _PLACES))
        return self._left

    async def _read_group(self, run_ids: Sequence[str]) -> None:
        """Read some runs, looking part by part for the one that cannot be read."""
        try:
            runs = await self._refer(run_ids)
            work = [(run, ref) for run in runs for ref in run.new]
            entries = await self._sources.find([ref for _, ref in work])
        except REFUSED as error:
            await self._client.viewer()  # where the server itself is down, no run is to blame
            if len(run_ids) > 1:
                for part in parts(run_ids):
                    await self._read_group(part)
                return
            self._left.add(run_ids[0])
            self._coverage.quarantine(f"{self._path}/{run_ids[0]}", self._name, reason_of(error))
            return
        try:
            async with asyncio.TaskGroup() as group:
                for (run, ref), entry in zip(work, entries, strict=True):
                    group.create_task(self._read_table(run, ref, entry))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        for run in runs:
            self._conclude(run)

    async def _refer(self, run_ids: Sequence[str]) -> list[_Run]:
        """What each run refers to, and which of it is to be read; runs that are gone are left out."""
        entity, project = self._path.entity, self._path.project
        nodes = await self._client.catalog.runs(
            "LoggedTables",
            ("state", "historyKeys", "summaryMetrics"),
            entity,
            project,
            [(run_id, 0) for run_id in run_ids],
        )
        present = {run_id: node for run_id, node in zip(run_ids, nodes, strict=True) if node is not None}
        counts = {
            (run_id, key): rows
            for run_id, node in present.items()
            for key, rows in table_keys(node.get("historyKeys")).items()
            if self._coverage.selection.keeps(key)
        }
        asks = [Sample(run_id, (key,), rows + _MORE_SAMPLES) for (run_id, key), rows in counts.items()]
        sampled: dict[str, dict[str, list[dict[str, Any]]]] = {run_id: {} for run_id in present}
        for ask, rows in zip(asks, await self._client.sampled_rows(entity, project, asks), strict=True):
            sampled[ask.run_id][ask.keys[0]] = rows
        runs = []
        for run_id, node in present.items():
            refs = table_refs(node.get("summaryMetrics"), sampled[run_id])
            run = _Run(
                RunRef(entity, project, run_id),
                node.get("state") not in TERMINAL_STATES,
                [ref for ref in refs if self._coverage.selection.keeps(ref.key)],
                dict(self.held.get(run_id, {})),
            )
            for key, rows in sampled[run_id].items():
                if len(rows) < counts[run_id, key]:
                    run.failures.append(f"{len(rows)} of {counts[run_id, key]} rows of {key} could be read")
            self._compare(run)
            runs.append(run)
        return runs

    def _compare(self, run: _Run) -> None:
        """Tell what is new of a run, and what it no longer refers to; that stays where not every row came."""
        places = {_place(ref) for ref in run.refs}
        for ref in run.refs:
            held = run.held.get(_place(ref))
            known = held is not None and held.complete and held.sha256 == ref.sha256
            if not known or self._project.fresh:
                run.new.append(ref)
        gone = {
            (key, path)
            for key, path in run.held
            if (key, path) not in places and (key, path.rpartition("#")[0]) not in places
        }
        for place in () if run.failures else gone:
            del run.held[place]
            run.replaced.add(place)

    async def _read_table(self, run: _Run, ref: TableRef, entry: ArtifactEntry | None) -> None:
        async with self._slots:
            on_its_way = entry is None and ref.artifact_path is not None and run.alive
            if on_its_way or (self._begun and self._coverage.leaves(self._name)):
                run.waits = True
                return
            self._begun = True  # however short the time, every sync gets a table further
            try:
                found = await self._sources.read(run.ref, ref, entry)
            except REFUSED as error:
                if isinstance(error, MissingTableError) and run.alive:
                    run.waits = True
                    return
                await self._client.viewer()  # where the server itself is down, no table is to blame
                await self._store_failure(run, ref, reason_of(error))
                return
            try:
                for loaded in found:
                    self._note(run, loaded.ref, HeldTable(loaded.ref.sha256, loaded.draft.cells))
                    await self._write("logged_tables", loaded.row(run.ref))
                    tables = loaded.draft.tables() if "logged_table_cells" in self._outcomes else iter(())
                    while (table := await asyncio.to_thread(next, tables, None)) is not None:
                        await self._write("logged_table_cells", table)
            finally:
                for loaded in found:
                    loaded.draft.close()

    async def _store_failure(self, run: _Run, ref: TableRef, reason: str) -> None:
        run.failures.append(f"{ref.key} ({ref.path or 'without a file'}): {reason}")
        self._note(run, ref, HeldTable(ref.sha256, 0, complete=False))
        await self._write("logged_tables", table_row(run.ref, ref, "failed", error=reason))

    def _note(self, run: _Run, ref: TableRef, table: HeldTable) -> None:
        """Take note of a table that is written, in place of what there was of it."""
        run.replaced.add(_place(ref))
        run.held[_place(ref)] = table

    def _conclude(self, run: _Run) -> None:
        run_id = run.ref.run_id
        self.held[run_id] = run.held
        key = (run.ref.entity, run.ref.project, run_id)
        rows = {
            "logged_tables": len(run.held),
            "logged_table_cells": sum(table.cells for table in run.held.values()),
        }
        self._replaced += [
            dict(zip(_PLACES.names, (*key, *place), strict=True)) for place in sorted(run.replaced)
        ]
        for name, outcome in self._outcomes.items():
            outcome.rows[key] = rows[name]
        if run.failures or run.waits:
            self._left.add(run_id)
        if run.failures:
            shown = "; ".join(run.failures[:_SHOWN])
            more = f" and {len(run.failures) - _SHOWN} more" if len(run.failures) > _SHOWN else ""
            self._coverage.quarantine(f"{self._path}/{run_id}", "logged_tables", shown + more)

    async def _write(self, name: str, table: pa.Table) -> None:
        """Let rows of a wanted table wait until there are enough to be written."""
        if name not in self._waiting:
            return
        self._waiting[name].append(table)
        self._waiting_rows[name] += table.num_rows
        if self._waiting_rows[name] >= _ROWS_TOGETHER:
            await self._flush(name)

    async def _flush(self, name: str) -> None:
        async with self._writing:
            tables, self._waiting[name], self._waiting_rows[name] = self._waiting[name], [], 0
            if tables:
                await asyncio.to_thread(
                    lambda: self._spool.add(name, pa.concat_tables(tables).combine_chunks())
                )


_PLACES = pa.schema([(name, pa.string()) for name in (*RUN_KEY, "key", "path")])


def _place(ref: TableRef) -> tuple[str, str]:
    """What names a table among those of its run, as it is stored."""
    return escape(ref.key), escape(ref.path)
