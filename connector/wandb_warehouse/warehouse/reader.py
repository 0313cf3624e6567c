"""One published state of a warehouse, asked many questions: what the Python surface reads from."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb
import pyarrow as pa

from wandb_warehouse.warehouse.connection import open_readonly, unreadable
from wandb_warehouse.warehouse.lending import lend_views
from wandb_warehouse.warehouse.proof import statement
from wandb_warehouse.warehouse.status import records

__all__ = ["Reader"]


class Reader:
    """Answers questions from the state that was published when it was first asked, until it is told to `renew`.

    Threads may share one: its statements run one after the other.

    Args:
        warehouse: a DuckDB file, or the directory or address of a lake.
    """

    def __init__(self, warehouse: Path | str) -> None:
        self.warehouse = warehouse
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._there: dict[str, bool] = {}
        self._lock = RLock()

    def table(self, name: str, values: Mapping[str, Any] | None = None, **identifiers: str) -> pa.Table:
        """Run `statements/api/<name>.sql` and give its rows.

        Args:
            name: the statement.
            values: what its parameters stand for.
            identifiers: names of the schema to fill in, never data.

        Raises:
            StoreError: as `open_readonly`, or the warehouse cannot be read.
        """
        return self.select(statement(f"api/{name}", **identifiers), values)

    def rows(
        self, name: str, values: Mapping[str, Any] | None = None, **identifiers: str
    ) -> list[dict[str, Any]]:
        """Run a statement and give its rows as records, times as datetimes in UTC; errors as `table`."""
        return records(self.table(name, values, **identifiers))

    def select(
        self, sql: str, values: Mapping[str, Any] | None = None, *, views: Collection[str] = ()
    ) -> pa.Table:
        """Run a SELECT that was compiled and give its rows; errors as `table`.

        Args:
            sql: the statement.
            values: what its parameters stand for.
            views: views of ours that it may read, which an older warehouse may not have.
        """
        missing = [view for view in views if view in sql and not self.has(view)]
        with self._reading() as connection:
            if missing:
                lend_views(connection, missing)
                self._there.update(dict.fromkeys(missing, True))
            return connection.sql(sql, params=dict(values or {})).to_arrow_table()

    def has(self, table: str) -> bool:
        """Tell whether there is a table or a view of this name; errors as `table`."""
        if table not in self._there:
            with self._reading() as connection:
                try:
                    connection.table(table)
                except duckdb.CatalogException:
                    self._there[table] = False
                else:
                    self._there[table] = True
        return self._there[table]

    def renew(self) -> None:
        """Answer from the state that is published now, from the next question on."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._there.clear()

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            if self._connection is None:
                self._connection = open_readonly(self.warehouse)
            try:
                yield self._connection
            except duckdb.Error as error:
                raise unreadable(self.warehouse, error) from error
