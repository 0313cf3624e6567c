"""Parquet files on their way from the extraction to dlt: typed by `schema.py`, imported whole, never row by row."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Part", "TableSpool"]


@dataclass(frozen=True, slots=True)
class Part:
    """One finished parquet file of one table."""

    table: str
    path: Path
    rows: int


class TableSpool:
    """Collects Arrow tables into one parquet file per table, so that any number of runs needs the memory of a few."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._rows: dict[str, int] = {}

    def add(self, name: str, table: pa.Table) -> None:
        """Append rows of one table, all with the schema of the first."""
        if table.num_rows == 0:
            return
        if name not in self._writers:
            path = self._directory / f"{name}.parquet"
            self._writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd")
        self._writers[name].write_table(table)
        self._rows[name] = self._rows.get(name, 0) + table.num_rows

    def close(self) -> list[Part]:
        """Finish every file and name those that hold rows."""
        for writer in self._writers.values():
            writer.close()
        return [Part(name, self._directory / f"{name}.parquet", rows) for name, rows in self._rows.items()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
