"""Tables whose rows are numbered: how rows that name their run and key come into them.

A number stands for a run's or a key's text in millions of rows; views of the tables' declared names put the texts back.
"""

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from wandb_warehouse.schema import NUMBER_TABLES, TABLES
from wandb_warehouse.warehouse.proof import statement

__all__ = ["insert_rows", "numbers_of", "unnumbered_tables", "write_numbers"]


def insert_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: str = "incoming") -> None:
    """Insert the rows of the relation `rows`, in the declared columns of table `name`, wherever they are stored.

    Columns that `rows` lacks become null.
    """
    table = TABLES[name]
    if not table.numbered:
        connection.execute(statement("insert_rows", table=name, rows=rows))
        return
    for text in ("add_run_numbers", "add_key_numbers", "insert_numbered"):
        connection.execute(statement(text, table=table.stored.name, rows=rows))


def write_numbers(connection: duckdb.DuckDBPyConnection, new: Mapping[str, pa.Table]) -> None:
    """Add rows to `run_numbers` and `key_numbers`, by table name."""
    for name, rows in new.items():
        connection.register("incoming", rows.select(NUMBER_TABLES[name].names))
        connection.execute(statement("insert_rows", table=name, rows="incoming"))
        connection.unregister("incoming")


def numbers_of(connection: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Give `run_numbers` and `key_numbers` by name; empty where the file has none yet."""
    present = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    return {
        name: connection.sql(f'FROM "{name}"').to_arrow_table().cast(table.arrow)
        if name in present
        else table.arrow.empty_table()
        for name, table in NUMBER_TABLES.items()
    }


def unnumbered_tables(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Names of numbered tables that an earlier version of this package stored as they are declared."""
    for name, table in TABLES.items():
        query = "SELECT 1 FROM duckdb_tables() WHERE table_name = ? AND schema_name = 'main'"
        if table.numbered and connection.execute(query, [name]).fetchall():
            yield name
