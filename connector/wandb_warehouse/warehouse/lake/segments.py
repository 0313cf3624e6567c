"""The files of a per-run table: segments, each of whole runs.

A run whose rows changed leaves its segment, which is written again without it, and goes into a new one. Segments that
are small, or become so, are given up to the new one too, so that few are small at any time: a run that goes on soon
lies in a small segment, and only that is written again. Segments are streamed from file to file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import ProofError
from wandb_warehouse.schema import RUN_KEY, Table
from wandb_warehouse.warehouse.lake.manifest import SEGMENT_RUNS, LakeFile, LakeTable, Manifest
from wandb_warehouse.warehouse.lake.reading import columns_read, columns_written, quoted, read_files
from wandb_warehouse.warehouse.lake.storage import Storage
from wandb_warehouse.warehouse.proof import statement

__all__ = ["SegmentWriter", "Written"]

SEGMENT_ROWS = 4_000_000
"""Rows of a segment, about; a run is never split, so one of a large run is larger."""

SMALL_ROWS = 1_000_000
"""A segment with fewer rows is given up when its table is written to."""


@dataclass(frozen=True, slots=True)
class Written:
    """A new file: where it lies until it is put into the lake, and as what."""

    source: Path
    file: LakeFile


class SegmentWriter:
    """Writes the files of one generation into a working directory.

    The connection is the build's. It has the temporary tables `segment_runs` (the held lake's), `changes`, and
    `next_segment_runs`, which this fills.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        storage: Storage,
        held: Manifest | None,
        work: Path,
        stem: str,
    ) -> None:
        self._connection = connection
        self._storage = storage
        self._held = held
        self._work = work
        self._stem = stem
        self._number = 0
        self.written: list[Written] = []

    def table(self, table: Table) -> LakeTable:
        """Write what changed of a table, and name all its files.

        Raises:
            ProofError: what was written does not read back as it must.
        """
        held = self._held.tables.get(table.name) if self._held else None
        stale = self._held is None or self._held.stale(table.name)
        self._run("changed", table=table.name)
        changed = bool(self._run("changed_count")[0][0])
        files = list(held.files) if held else []
        if changed or stale or not files:
            files = self._segments(table, held) if table.per_run else [self._whole(table)]
        if table.per_run:
            self._note_runs(table, files)
        return LakeTable.of(table, tuple(files))

    def runs_of_segments(self) -> LakeFile:
        """Write which runs each segment holds; after every table."""
        return self._copy(SEGMENT_RUNS, statement("lake/segment_runs"))

    def _whole(self, table: Table) -> LakeFile:
        query = statement("lake/whole", table=table.name, columns=columns_written(table), order=_order(table))
        return self._copy(table.name, query)

    def _segments(self, table: Table, held: LakeTable | None) -> list[LakeFile]:
        leaving = dict(self._run("leaving", table=table.name))
        files = list(held.files) if held else []
        stale = self._held is not None and self._held.stale(table.name)
        given_up = [file for file in files if file.rows - leaving.get(file.path, 0) < SMALL_ROWS]
        remaining = [
            self._copy(table.name, self._remaining(table, held, [file]))
            if held and (stale or file.path in leaving)
            else file
            for file in files
            if file not in given_up
        ]
        own = {"table": table.name, "columns": columns_written(table)}
        rows = statement("lake/changed_rows", **own)
        if held and given_up:
            rows += f" UNION ALL ({self._remaining(table, held, given_up)})"
        new = [
            self._copy(table.name, statement(f"lake/{name}", rows=rows, order=_order(table)))
            for name in self._portions(given_up)
        ]
        if not remaining and not new:
            new = [self._copy(table.name, statement("lake/nothing", **own))]
        return remaining + new

    def _remaining(self, table: Table, held: LakeTable, files: Iterable[LakeFile]) -> str:
        """The query for the rows of some held files, in the shape of a file, without those of changed runs."""
        source = read_files(self._storage.address(file.path) for file in files)
        return statement(
            "lake/remaining_rows", columns=columns_read(table, held, as_stored=True), source=source
        )

    def _portions(self, given_up: Iterable[LakeFile]) -> Iterator[str]:
        """Share the incoming runs out to segments: the statement that chooses the runs of each, once it is given."""
        paths = pa.table({"file": pa.array([file.path for file in given_up], pa.string())})
        self._connection.register("given_up", paths)
        incoming = self._run("incoming")
        self._connection.unregister("given_up")
        portions: list[list[tuple[str, str, str]]] = [[]]
        rows = 0
        left = sum(run[3] for run in incoming)
        for entity, project, run_id, count in incoming:
            # The last segment takes what would be too small for one of its own.
            if rows >= SEGMENT_ROWS and left >= SMALL_ROWS:
                portions.append([])
                rows = 0
            portions[-1].append((entity, project, run_id))
            rows += count
            left -= count
        if len(portions) == 1:
            yield from ["segment"] if incoming else []
            return
        for runs in portions:
            columns = [pa.array([run[place] for run in runs], pa.string()) for place in range(len(RUN_KEY))]
            self._connection.register("portion", pa.Table.from_arrays(columns, names=list(RUN_KEY)))
            yield "portion"
            self._connection.unregister("portion")

    def _copy(self, folder: str, select: str) -> LakeFile:
        """Stream a query into a parquet file of the working directory."""
        name = f"{self._stem}-{self._number:04}.parquet"
        self._number += 1
        path = self._work / f"{folder}-{name}"
        rows = self._run("copy", query=select, target=quoted(str(path)))[0][0]
        file = LakeFile(f"{folder}/{name}", int(rows), path.stat().st_size)
        self.written.append(Written(path, file))
        return file

    def _run(self, name: str, **parts: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement(f"lake/{name}", **parts)).fetchall()

    def _note_runs(self, table: Table, files: list[LakeFile]) -> None:
        """Note the runs of every file, of new ones by reading them again; prove that none is lost or there twice."""
        new = {written.file.path: written.source for written in self.written}
        for file in files:
            noted = {"table": table.name, "file": quoted(file.path)}
            if file.path in new:
                self._run("runs_of_new_file", **noted, source=read_files([str(new[file.path])]))
            else:
                self._run("runs_of_held_file", **noted)
        wrong = self._run("wrong_segments", table=table.name)
        if wrong:
            entity, project, run_id, stored, due = wrong[0]
            raise ProofError(
                f"the files of {table.name} hold {stored} rows of {entity}/{project}/{run_id} instead of {due}",
                mend="nothing was published; run the sync again, and report it if it happens twice",
            )


def _order(table: Table) -> str:
    """By metric first where there are metrics: one over all runs then reads like a column of its own."""
    key = sorted(table.primary_key, key=lambda name: name != "key")
    return ", ".join(f'"{name}"' for name in key)
