"""A published warehouse under examination: what its tables really hold, whatever its ledger says of them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import CorruptStoreError
from wandb_warehouse.schema import RUN_KEY, TABLES, Table
from wandb_warehouse.warehouse.connection import open_readonly
from wandb_warehouse.warehouse.digest import row_text
from wandb_warehouse.warehouse.lake.storage import find_lake
from wandb_warehouse.warehouse.proof import EXPECTATIONS, Difference, prove, register_runs, statement
from wandb_warehouse.warehouse.status import records

__all__ = ["EXPECTED_KEYS", "Audit", "Digests", "RunKey", "first_difference", "in_order"]

RunKey = tuple[str, str, str]
"""Entity, project, run id; the run id is empty where a project is meant."""

Digests = dict[RunKey, tuple[int, int, int]]
"""Rows and the two sums of their hashes, by run or project."""

_INDEXED = '(FROM metrics WHERE "types" IS NOT NULL)'
"""Rows of `metrics` that the server's index has; others are of keys that are stored only."""

EXPECTED_KEYS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in RUN_KEY),
        pa.field("key", pa.string()),
        pa.field("count", pa.int64()),
    ]
)
"""Values that a run's history must have of a key."""


class Audit:
    """Reads a published warehouse through and through; a context manager over one connection that only reads.

    Raises:
        StoreError: as `open_readonly`; CorruptStoreError also where a block or a file turns out damaged.
    """

    def __init__(self, warehouse: Path | str) -> None:
        self.warehouse = warehouse
        self.numbered = find_lake(warehouse) is None
        self._connection = open_readonly(warehouse)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        if isinstance(error, duckdb.Error):
            raise self.damaged(error) from error

    def damaged(self, error: duckdb.Error) -> CorruptStoreError:
        """The error to raise for what DuckDB said while it read."""
        return CorruptStoreError(
            f"{self.warehouse} cannot be read to its end: {str(error).splitlines()[0][:200]}",
            mend="sync into a new file with --full-refresh, or restore it from a copy",
        )

    def runs(self) -> list[RunKey]:
        """Every run that any table speaks of."""
        sources = (
            statement(
                "audit/runs_of", table="run_numbers" if table.numbered and self.numbered else table.name
            )
            for table in TABLES.values()
            if table.per_run
        )
        text = statement("audit/all_runs", sources=" UNION ALL ".join(dict.fromkeys(sources)))
        return [(str(e), str(p), str(r)) for e, p, r in self._run(text)]

    def recount(self, runs: Iterable[RunKey]) -> None:
        """Count what the history holds of some runs; `inner_differences` and the like speak of these from then on."""
        register_runs(self._connection, runs)
        self._connection.execute(statement("stored_metrics" if self.numbered else "audit/stored_metrics"))

    def recounted(self) -> dict[RunKey, dict[str, int]]:
        """What the history holds of the counted runs: values, keys, last_step, and stamped (values of `_timestamp`)."""
        return {
            (e, p, r): {"values": values, "keys": keys, "last_step": last, "stamped": stamped}
            for e, p, r, values, keys, last, stamped in self._run(statement("audit/recounted"))
        }

    def inner_differences(self, runs: Iterable[RunKey]) -> list[Difference]:
        """What of the counted runs disagrees within the warehouse.

        Keys stored twice, rows without a run, a ledger or `metrics` that say something else than the history holds.
        """
        found = prove(self._connection, EXPECTATIONS.empty_table(), runs, numbered=self.numbered)
        checks = [("wrong_metrics", "metrics"), ("wrong_samples", "run_ledger")]
        for check, name in checks:
            found += self._differences(check, name, statement(f"audit/{check}"))
        for table in TABLES.values():
            if not table.per_run and table.name != "sync_log":
                key = ", ".join(f'"{name}"' for name in table.primary_key)
                text = statement("duplicate_project_keys", table=table.name, key=key)
                found += self._differences("duplicate_keys", table.name, text)
            elif table.numbered and self.numbered:
                text = statement("audit/nameless", table=table.stored.name)
                found += self._differences("nameless", table.name, text)
        return found

    def wrong_keys(self, expected: pa.Table) -> list[Difference]:
        """Runs of which the history has other numbers of values of a key than expected, shape `EXPECTED_KEYS`."""
        self._connection.register("expected", expected.cast(EXPECTED_KEYS))
        try:
            return self._differences("wrong_keys", "history", statement("audit/wrong_keys"))
        finally:
            self._connection.unregister("expected")

    def digests(self, name: str, runs: Iterable[RunKey], rows: pa.Table | None = None) -> Digests:
        """Digests of a table's rows by run; of `rows` in the shape of that table where they are given.

        Of a table whose rows belong to projects: by project, of all there are.
        """
        table = TABLES[name]
        per = "run" if table.per_run else "project"
        if table.per_run:
            register_runs(self._connection, runs)
        return {
            (str(e), str(p), str(r)): (int(count), int(low), int(high))
            for e, p, r, count, low, high in self._over(name, rows, f"audit/{per}_digests")
        }

    def key_digests(self, name: str, run: RunKey) -> dict[str, tuple[int, int, int]]:
        """Digests of one run's rows by key, in a table that has keys."""
        found = self._over(name, None, "audit/key_digests", parameters=list(run))
        return {str(key): (int(count), int(low), int(high)) for key, count, low, high in found}

    def rows(self, name: str, run: RunKey, key: str | None = None) -> list[dict[str, Any]]:
        """Rows of one run or project, in the order of their primary key; of one `key` where it is given."""
        table = TABLES[name]
        places = dict(zip(RUN_KEY if table.per_run else RUN_KEY[:2], run, strict=False))
        if key is not None:
            places["key"] = key
        columns = ", ".join(f'"{column}"' for column in _compared(table))
        where = " AND ".join(f"{place} = ?" for place in places)
        text = statement("audit/rows", columns=columns, source=_source(name), where=where)
        return in_order(name, self._connection.sql(text, params=list(places.values())).to_arrow_table())

    def samples(self, runs: Iterable[RunKey]) -> tuple[pa.Table, dict[RunKey, str]]:
        """Sampled values of some runs, and how many each has of every key."""
        register_runs(self._connection, runs)
        rows = self._connection.sql(statement("audit/of_runs", table="history_sampled")).to_arrow_table()
        counts = self._run(statement("audit/key_counts", table="history_sampled"))
        return rows, {(str(e), str(p), str(r)): str(text) for e, p, r, text in counts}

    def not_in_history(self, samples: pa.Table, runs: Iterable[RunKey]) -> list[Difference]:
        """Those of some sampled values that the history here does not have."""
        register_runs(self._connection, runs)
        self._connection.register("samples", samples)
        try:
            return self._differences("content", "history_sampled", statement("audit/not_in_history"))
        finally:
            self._connection.unregister("samples")

    def read_all(self) -> dict[str, int]:
        """Read every block of every table that is stored, and give their rows by name."""
        names = [name for (name,) in self._run(statement("audit/stored_tables")) if name not in _READINGS]
        return {name: int(self._run(statement("audit/read_all", table=name))[0][0]) for name in names}

    def missing_views(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are no view or macro here."""
        present = {name for (name,) in self._run(statement("audit/stored_views"))}
        return [name for name in names if name not in present]

    def _over(
        self, name: str, rows: pa.Table | None, text: str, parameters: list[str] | None = None
    ) -> list[tuple[Any, ...]]:
        table = TABLES[name]
        row = row_text(column for column in table.columns if column.name in _compared(table))
        if rows is not None:
            self._connection.register("expected_rows", rows)
        try:
            source = _source(name) if rows is None else "expected_rows"
            query = self._connection.execute(statement(text, source=source, row=row), parameters or [])
            return list(query.fetchall())
        finally:
            if rows is not None:
                self._connection.unregister("expected_rows")

    def _differences(self, check: str, table: str, text: str) -> list[Difference]:
        return [Difference(check, table, *row) for row in sorted(self._run(text))]

    def _run(self, text: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(text).fetchall())


_READINGS = {"config_values", "summary_values", "history_points"}
"""Views of ours with a row for each of a table: their bytes are the table's, and each value takes time to be shown."""

_ONLY = {"metrics": ("entity", "project", "run_id", "key", "types", "count")}
"""Columns that come from the server, where others tell what is stored."""

_OF_OUR_WORK = {"projects": {"run_count"}}
"""Columns that speak of one sync: the runs it counted."""


def _compared(table: Table) -> tuple[str, ...]:
    """Columns by which rows are compared."""
    left_out = {*table.volatile, *_OF_OUR_WORK.get(table.name, ())}
    return _ONLY.get(table.name, tuple(name for name in table.names if name not in left_out))


def _source(name: str) -> str:
    return _INDEXED if name == "metrics" else f'"{name}"'


def in_order(name: str, rows: pa.Table) -> list[dict[str, Any]]:
    """Rows of a table as records, in the order of their primary key."""
    keys = [(column, "ascending") for column in TABLES[name].primary_key]
    return records(rows.sort_by(keys))


def first_difference(
    name: str, stored: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]
) -> str:
    """Say in which row two lists of rows of one table differ first: its key, and which columns.

    Values are not told: a report goes where the warehouse may not.
    """
    table = TABLES[name]
    places = [place for place in table.primary_key if place not in RUN_KEY]
    names = _compared(table)

    def place(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[column] for column in places)

    def text(key: tuple[Any, ...]) -> str:
        return ", ".join(f"{column} {value}" for column, value in zip(places, key, strict=True)) or "its row"

    ours: dict[tuple[Any, ...], Mapping[str, Any]] = {place(row): row for row in stored}
    theirs: dict[tuple[Any, ...], Mapping[str, Any]] = {place(row): row for row in expected}
    for key in dict.fromkeys([*theirs, *ours]):
        if key not in ours:
            return f"{text(key)} is missing"
        if key not in theirs:
            return f"{text(key)} is not at the server"
        differing = [n for n in names if repr(ours[key].get(n)) != repr(theirs[key].get(n))]
        if differing:
            return f"{text(key)} differs in {', '.join(differing)}"
    return f"{len(stored)} rows are stored instead of {len(expected)}"
