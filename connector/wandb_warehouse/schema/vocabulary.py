"""What tables are declared with: columns, kinds, keys, and the columns that many tables share."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

__all__ = ["ENTITY", "PROJECT", "RUN_COLUMNS", "RUN_KEY", "VALUE_COLUMNS", "Column", "Kind", "Table"]

RUN_KEY = ("entity", "project", "run_id")
"""What names a run: `run_id` is W&B's `Run.name`, unique within a project only."""

Kind = Literal["text", "json", "bigint", "double", "bool", "timestamp"]

_ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind (dlt's data type) and what it means, with the unit where there is one."""

    name: str
    kind: Kind
    meaning: str

    @property
    def arrow(self) -> pa.DataType:
        """Arrow type of the column; JSON travels as text."""
        return _ARROW[self.kind]


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, its primary key and the columns that vary without the source varying."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    per_run: bool = False
    """Rows belong to one run and are replaced together with it."""
    volatile: tuple[str, ...] = ()
    """Columns left out of content digests (times of our own work)."""

    @property
    def arrow(self) -> pa.Schema:
        """Arrow schema: names, types, and not-null where the primary key says so."""
        key = set(self.primary_key)
        return pa.schema([pa.field(c.name, c.arrow, nullable=c.name not in key) for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)


ENTITY = Column("entity", "text", "team or user that owns the project")
PROJECT = Column("project", "text", "name of the project")
_RUN = Column("run_id", "text", "id of the run within the project (W&B `Run.name`)")
RUN_COLUMNS = (ENTITY, PROJECT, _RUN)

VALUE_COLUMNS = (
    Column("type", "text", "kind of the value: number, bool, string, json or null"),
    Column(
        "value", "double", "the number; NaN and infinities as such; a bool as 0 or 1; null for other kinds"
    ),
    Column(
        "value_json",
        "json",
        "exact JSON text wherever `value` alone could not give the value back, else null",
    ),
)
