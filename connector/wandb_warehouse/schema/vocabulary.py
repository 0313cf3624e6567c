"""What tables are declared with: columns, kinds, keys, and the columns that many tables share."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

__all__ = [
    "ENTITY",
    "NUMBER_TABLES",
    "PROJECT",
    "RUN_COLUMNS",
    "RUN_KEY",
    "VALUE_COLUMNS",
    "Column",
    "Kind",
    "Table",
]

RUN_KEY = ("entity", "project", "run_id")
"""What names a run: `run_id` is W&B's `Run.name`, unique within a project only."""

Kind = Literal["text", "json", "bigint", "integer", "double", "bool", "timestamp", "value_type"]

_ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "value_type": pa.string(),
}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind and what it means, with the unit where there is one.

    Kinds are dlt's data types, but for `integer` (of 32 bits) and `value_type` (a text of a fixed vocabulary).
    """

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
    numbered: bool = False
    """Our warehouse stores the rows with numbers for run and key (`stored`); a view shows them as declared.

    Texts of a handful of kinds in millions of rows are most of what it takes to write them, and to group by them.
    """

    @property
    def arrow(self) -> pa.Schema:
        """Arrow schema: names, types, and not-null where the primary key says so."""
        key = set(self.primary_key)
        return pa.schema([pa.field(c.name, c.arrow, nullable=c.name not in key) for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    @cached_property
    def stored(self) -> "Table":
        """The table that holds the rows in our warehouse: this one, unless the rows are numbered."""
        if not self.numbered:
            return self
        named = {*RUN_KEY, "key"}
        rest = (
            Column("type", "value_type", c.meaning) if c.name == "type" else c
            for c in self.columns
            if c.name not in named
        )
        return Table(
            f"{self.name}_values",
            f"the rows of `{self.name}` with numbers for run and key",
            (_RUN_NUMBER, _KEY_NUMBER, *rest),
            ("run_number", "key_number", *(name for name in self.primary_key if name not in named)),
        )


ENTITY = Column("entity", "text", "team or user that owns the project")
PROJECT = Column("project", "text", "name of the project")
_RUN = Column("run_id", "text", "id of the run within the project (W&B `Run.name`)")
RUN_COLUMNS = (ENTITY, PROJECT, _RUN)

_RUN_NUMBER = Column("run_number", "integer", "number of the run in `run_numbers`")
_KEY_NUMBER = Column("key_number", "integer", "number of the key in `key_numbers`")

NUMBER_TABLES = {
    table.name: table
    for table in (
        Table(
            "run_numbers",
            "one row per run with stored values: the number that stands for it in this file",
            (Column("run_number", "integer", "number of the run"), *RUN_COLUMNS),
            ("run_number",),
        ),
        Table(
            "key_numbers",
            "one row per metric with stored values: the number that stands for it in this file",
            (
                Column("key_number", "integer", "number of the key"),
                Column("key", "text", "dotted metric name"),
            ),
            ("key_number",),
        ),
    )
}
"""What the numbers of numbered tables stand for. They are a matter of one file: another may number otherwise."""

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
