"""Tables of the schema as DuckDB makes them: types, keys, and meanings as comments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wandb_warehouse.errors import CorruptStoreError
from wandb_warehouse.schema import VALUE_TYPES, Table

__all__ = ["SQL_TYPES", "Present", "table_ddl"]

SQL_TYPES = {
    "text": "VARCHAR",
    "json": "JSON",
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "value_type": f"ENUM({', '.join(map(repr, VALUE_TYPES))})",
}
"""DuckDB's type for every kind of column; the same as dlt's, which then finds its tables complete."""


@dataclass(frozen=True, slots=True)
class Present:
    """Type and comment of a column that the build has; the comment of a table stands under the name ``."""

    kind: str
    meaning: str | None


_NOTHING = Present("", None)


def table_ddl(table: Table, present: Mapping[str, Present] | None) -> Iterator[str]:
    """Give the statements that make a table, or what it lacks of its columns and comments.

    Raises:
        CorruptStoreError: a column exists with another type.
    """

    def comments() -> Iterator[str]:
        named = {"": (f'TABLE "{table.name}"', table.meaning)}
        named |= {c.name: (f'COLUMN "{table.name}"."{c.name}"', c.meaning) for c in table.columns}
        for name, (what, meaning) in named.items():
            if present is None or present.get(name, _NOTHING).meaning != meaning:
                yield "COMMENT ON {} IS '{}'".format(what, meaning.replace("'", "''"))

    if present is None:
        key = set(table.primary_key)
        lines = (
            f'"{c.name}" {SQL_TYPES[c.kind]}{" NOT NULL" if c.name in key else ""}' for c in table.columns
        )
        yield f'CREATE TABLE "{table.name}" ({", ".join(lines)})'
    else:
        for column in table.columns:
            found = present.get(column.name)
            if found is None:
                yield f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {SQL_TYPES[column.kind]}'
            elif found.kind != SQL_TYPES[column.kind]:
                raise CorruptStoreError(
                    f"column {table.name}.{column.name} is {found.kind} instead of {SQL_TYPES[column.kind]}",
                    mend="move the warehouse away and sync again",
                )
    yield from comments()
