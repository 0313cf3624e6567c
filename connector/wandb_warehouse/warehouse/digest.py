"""A digest of the contents: equal for equal rows, whatever their order, the file or the time of the sync."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import duckdb

from wandb_warehouse.schema import TABLES, Column, Table
from wandb_warehouse.warehouse.connection import reading
from wandb_warehouse.warehouse.proof import statement

__all__ = ["content_digest", "row_text"]

_AS_TEXT = {
    "text": "{}",
    "json": "{}::VARCHAR",
    "bigint": "{}::VARCHAR",
    "double": "{}::VARCHAR",
    "bool": "{}::VARCHAR",
    "timestamp": "epoch_us({})::VARCHAR",
}
"""Texts that tell all values apart: a double is written in the shortest digits that give it back."""


def content_digest(warehouse: Path | str | duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Digest of every table's rows, by table name, as 64 hex digits.

    Volatile columns (times of our own work) are left out, and with them the tables that consist of our own
    work. Every row is hashed (md5 of its values, each with its length, so that no two rows read alike); the
    sums of the two halves of the hashes and the number of rows make the table's digest. It tells different
    contents apart, not contents made to collide.

    Example:
        >>> import tempfile
        >>> from wandb_warehouse.warehouse import Build
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     build = Build.create(None, Path(folder))
        ...     build.prepare_tables()
        ...     build.publish(Path(folder) / "wandb.duckdb")
        ...     len(content_digest(Path(folder) / "wandb.duckdb")["history"])
        64
    """
    if isinstance(warehouse, duckdb.DuckDBPyConnection):
        return {table.name: _digest(warehouse, table) for table in _stable_tables()}
    with reading(warehouse, tables_only=True) as connection:
        return {table.name: _digest(connection, table) for table in _stable_tables()}


def _stable_tables() -> list[Table]:
    return [table for table in TABLES.values() if not set(table.primary_key) <= set(table.volatile)]


def _digest(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    columns = [column for column in table.columns if column.name not in table.volatile]
    row = row_text(columns)
    rows, low, high = connection.execute(statement("digest", table=table.name, row=row)).fetchall()[0]
    names = ",".join(column.name for column in columns)
    return hashlib.sha256(f"{table.name}|{names}|{rows}|{low}|{high}".encode()).hexdigest()


def row_text(columns: Iterable[Column]) -> str:
    """The SQL expression of a row's text: its values, each with its length, so that no two rows read alike."""
    return " || ".join(_counted(column) for column in columns)


def _counted(column: Column) -> str:
    text = _AS_TEXT[column.kind].format(f'"{column.name}"')
    return f"coalesce(length({text})::VARCHAR || ':' || {text}, '-')"
