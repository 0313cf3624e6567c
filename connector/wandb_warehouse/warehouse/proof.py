"""The proof before publishing: the build holds of the touched runs what was sent, once, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from string import Template

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import StoreError
from wandb_warehouse.schema import RUN_KEY, TABLES, Table

__all__ = ["EXPECTATIONS", "Difference", "prove", "prove_table", "register_runs", "statement"]

EXPECTATIONS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in RUN_KEY),
        pa.field("table", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
    ]
)
"""Rows a run must have in a per-run table.

Rows of the same run and table add up (one a part file, say). A table that is named at all is compared for
every touched run: without a row of its own a run must have none.
"""


_NUMBERED = {
    "duplicate_keys": "duplicate_steps",
    "orphans": "orphans_numbered",
}
"""Checks and their statements for tables whose rows are numbered: those are the large ones."""


@dataclass(frozen=True)
class Difference:
    """One finding of the proof: the check, the table, the run, and what differs."""

    check: str
    table: str
    entity: str
    project: str
    run_id: str
    detail: str

    def __str__(self) -> str:
        place = "/".join(part for part in (self.entity, self.project, self.run_id) if part)
        return ": ".join(part for part in (place, self.table, self.detail) if part)


@cache
def _text(name: str) -> Template:
    file = resources.files("wandb_warehouse.warehouse").joinpath("statements", f"{name}.sql")
    return Template(file.read_text(encoding="utf-8"))


def statement(name: str, **identifiers: str) -> str:
    """Text of `statements/<name>.sql` with its parts filled in: names of the schema and of our files, never data."""
    return _text(name).substitute(identifiers)


def register_runs(connection: duckdb.DuckDBPyConnection, runs: Iterable[tuple[str, str, str]]) -> None:
    """Make `runs` the connection's temporary table `touched` (entity, project, run_id), each run once."""
    keys = sorted(set(runs))
    schema = pa.schema([(name, pa.string()) for name in RUN_KEY])
    columns = [pa.array([key[place] for key in keys], pa.string()) for place in range(len(RUN_KEY))]
    connection.register("touched_rows", pa.Table.from_arrays(columns, schema=schema))
    connection.execute("CREATE OR REPLACE TEMP TABLE touched AS FROM touched_rows")
    connection.unregister("touched_rows")


def prove(
    connection: duckdb.DuckDBPyConnection,
    expectations: pa.Table,
    touched: Iterable[tuple[str, str, str]],
    *,
    numbered: bool = True,
) -> list[Difference]:
    """Compare the stored rows of the touched runs with what was expected; no difference is the proof.

    Checked on the touched runs (and those with expectations): every primary key once in every per-run
    table; rows as many as expected; no rows of a run that `runs` lacks; a ledger row that agrees with the
    history.

    Args:
        connection: the build.
        expectations: shape `EXPECTATIONS`.
        touched: (entity, project, run_id) of the runs this sync wrote or deleted.
        numbered: whether the histories stand there with numbers for runs and keys; in a lake they do not.

    Raises:
        StoreError: an expectation names a table whose rows do not belong to runs.
    """
    expectations = expectations.select(EXPECTATIONS.names).cast(EXPECTATIONS)
    expected = set(expectations["table"].to_pylist())
    per_run = [
        table if numbered else replace(table, numbered=False) for table in TABLES.values() if table.per_run
    ]
    unknown = expected - {table.name for table in per_run}
    if unknown:
        raise StoreError(
            f"rows of {', '.join(sorted(unknown))} do not belong to runs", mend="expect per-run tables"
        )
    runs = set(touched) | set(zip(*(expectations[name].to_pylist() for name in RUN_KEY), strict=True))
    register_runs(connection, runs)
    connection.register("expectations", expectations)
    found: list[Difference] = []

    def check(name: str, table: Table) -> None:
        key = ", ".join(f'"{name}"' for name in table.primary_key)
        text = statement(
            _NUMBERED.get(name, name) if table.numbered else name,
            table=table.stored.name if name == "duplicate_keys" else table.name,
            stored=_counts(table),
            key=key,
            **_counted(table),
        )
        found.extend(
            Difference(name, table.name, *row) for row in sorted(connection.execute(text).fetchall())
        )

    filled = _filled(connection, (table.stored.name for table in per_run))
    for table in per_run:
        if table.numbered:
            connection.execute(statement("stored_keys", table=table.stored.name, stored=_counts(table)))
        if table.stored.name in filled:
            check("duplicate_keys", table)
        if table.name in expected:
            check("wrong_counts", table)
        if table.stored.name in filled and table.name != "runs":
            check("orphans", table)
    stored = _counts(TABLES["history"])
    if not numbered:
        connection.execute(statement("audit/stored_keys", stored=stored))
    ledger = connection.execute(statement("wrong_ledger", stored=stored)).fetchall()
    found.extend(Difference("wrong_ledger", "run_ledger", *row) for row in sorted(ledger))
    connection.unregister("expectations")
    return found


def _filled(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> set[str]:
    """Those of the tables that have a row: the others have none twice, and none without a run."""
    asked = (f"SELECT '{name}' WHERE EXISTS (FROM \"{name}\")" for name in tables)
    return {name for (name,) in connection.execute(" UNION ALL ".join(asked)).fetchall()}


def _counts(table: Table) -> str:
    """Name of the temporary table of what a numbered table holds by run and key."""
    return f"stored_in_{table.name}"


def _counted(table: Table) -> dict[str, str]:
    """Where and how to count the rows of a run: counted by key already where the table is numbered."""
    if table.numbered:
        return {"source": _counts(table), "count": '(sum("values") FILTER ("key" IS NOT NULL))::BIGINT'}
    return {"source": table.name, "count": "count(*)"}


def prove_table(
    connection: duckdb.DuckDBPyConnection, name: str, rows: Mapping[tuple[str, str, str], int] | None
) -> list[Difference]:
    """Prove one table that is replaced apart from the others: keys once, rows as many as read, no orphans.

    Args:
        connection: the build.
        name: the table.
        rows: rows that each run read must have; None where the rows belong to projects: their keys alone are checked.
    """
    key = ", ".join(f'"{column}"' for column in TABLES[name].primary_key)
    checks = [("duplicate_project_keys", {"key": key})]
    if not _filled(connection, [name]) and not (rows and any(rows.values())):
        return []
    if rows is not None:
        expected = [
            {**dict(zip(RUN_KEY, run, strict=True)), "table": name, "rows": n} for run, n in rows.items()
        ]
        register_runs(connection, rows)
        connection.register("expectations", pa.Table.from_pylist(expected, EXPECTATIONS))
        checks = [("duplicate_keys", {"key": key}), ("wrong_counts", _counted(TABLES[name])), ("orphans", {})]
    found = [
        Difference(check, name, *row)
        for check, identifiers in checks
        for row in sorted(connection.execute(statement(check, table=name, **identifiers)).fetchall())
    ]
    if rows is not None:
        connection.unregister("expectations")
    return found
