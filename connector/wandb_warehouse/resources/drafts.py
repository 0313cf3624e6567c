"""The cells of one logged table until it is known that all of it can be read."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wandb_warehouse.arrow import TableFacts, TableFile, TablePlace, table_cells, table_facts
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

__all__ = ["Draft"]

_REPORT = "open the run in W&B and report it there"
_IN_MEMORY = 100_000
"""Cells that are kept in memory; more go into a file."""


class Draft:
    """Collects the cells of the files of one table; `close` drops what it keeps."""

    def __init__(self, place: TablePlace, path: Path) -> None:
        self._place = place
        self._path = path
        self._reset()

    def _reset(self) -> None:
        self.rows = 0
        self.cells = 0
        self.facts = TableFacts([])
        self.has_nulls = False
        """Whether a cell, or a value in one, is null."""
        self.filled = False
        """Whether every row could be filled from another file."""
        self._files = 0
        self._tables: list[pa.Table] = []
        self._writer: pq.ParquetWriter | None = None

    def take(self, source: Path, other: Path | None = None) -> None:
        """Read a file, whose rows follow those of the files before; what is null in it is taken from `other`.

        Raises:
            FatalRemoteError: it is no table, or has other columns than the files before, or than `other`.
        """
        file = TableFile(source)
        second = None if other is None else TableFile(other)
        fill = chain.from_iterable(second.batches() if second else ())
        self.filled = second is not None
        try:
            for rows in file.batches():
                table = [self._filled(row, next(fill, None)) for row in rows] if second else rows
                self.has_nulls = self.has_nulls or any(map(_has_null, table))
                self._keep(table_cells(self._place, file.columns, table, self.rows))
                self.rows += len(rows)
        except RecursionError as error:
            raise FatalRemoteError("it is nested too deep to be read", mend=_REPORT) from error
        if second is not None and second.columns != file.columns:
            raise FatalRemoteError("its two files have different columns", mend=_REPORT)
        facts = table_facts(file.columns, file.members)
        if facts.row_count not in {None, file.row_count}:
            raise FatalRemoteError(
                f"it has {file.row_count} rows and says that it has {facts.row_count}", mend=_REPORT
            )
        if self._files and facts.columns != self.facts.columns:
            raise FatalRemoteError("its parts have different columns", mend=_REPORT)
        self.facts = facts if not self._files else replace(self.facts, row_count=None)
        self._files += 1

    def _filled(self, row: list[Any], other: list[Any] | None) -> list[Any]:
        if other is None or len(other) != len(row):
            self.filled = False
            return row
        return [_fill(cell, known) for cell, known in zip(row, other, strict=True)]

    def tables(self) -> Iterator[pa.Table]:
        """Give the cells, some at a time."""
        if self._writer is None:
            yield from self._tables
            return
        self._writer.close()
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(_IN_MEMORY):
                yield pa.Table.from_batches([batch]).cast(TABLES["logged_table_cells"].arrow)

    def close(self) -> None:
        """Drop everything; the draft is empty again."""
        if self._writer is not None:
            self._writer.close()
            self._path.unlink(missing_ok=True)
        self._reset()

    def _keep(self, table: pa.Table) -> None:
        self.cells += table.num_rows
        if self._writer is None and self.cells <= _IN_MEMORY:
            self._tables.append(table)
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        for each in (*self._tables, table):
            self._writer.write_table(each)
        self._tables = []


def _has_null(value: Any) -> bool:
    if isinstance(value, list):
        return None in value or any(_has_null(each) for each in value if isinstance(each, list | dict))
    return isinstance(value, dict) and _has_null(list(value.values()))


def _fill(value: Any, known: Any) -> Any:
    """Give a value with what is null in it taken from another account of it, as far as both have one shape."""
    if value is None:
        return known
    if isinstance(value, list) and isinstance(known, list) and len(value) == len(known):
        return [_fill(each, other) for each, other in zip(value, known, strict=True)]
    if isinstance(value, dict) and isinstance(known, dict):
        return {name: _fill(each, known.get(name)) for name, each in value.items()}
    return value
