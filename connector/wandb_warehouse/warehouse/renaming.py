"""Runs that are gone from the server, and projects that have another name there: what becomes of their rows."""

from collections.abc import Mapping
from datetime import datetime

import duckdb
import pyarrow as pa

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse.proof import statement

__all__ = ["mark_deleted", "rename_projects"]


def mark_deleted(
    connection: duckdb.DuckDBPyConnection, runs: Mapping[tuple[str, str, str], datetime]
) -> None:
    """Note of `runs` (entity, project, run_id) when each was proven gone; their rows stay in every table."""
    if not runs:
        return
    names = ("entity", "project", "run_id", "deleted_at")
    rows = [dict(zip(names, (*run, moment), strict=True)) for run, moment in runs.items()]
    schema = pa.schema([TABLES["runs"].arrow.field(name) for name in names])
    connection.register("incoming", pa.Table.from_pylist(rows, schema=schema))
    connection.execute(statement("mark_deleted"))
    connection.execute(statement("mark_ledger_deleted"))
    connection.unregister("incoming")


def rename_projects(
    connection: duckdb.DuckDBPyConnection, names: Mapping[tuple[str, str], tuple[str, str]]
) -> None:
    """Put the rows of projects under other names: `names` has the new (entity, project) of each old one."""
    if not names:
        return
    connection.begin()
    named = [table.name for table in TABLES.values() if "project" in table.names and not table.numbered]
    for table in (*named, "run_numbers"):
        text = statement("rename_project", table=table)
        connection.executemany(text, [[*new, *old] for old, new in names.items()])
    for table in (table.stored.name for table in TABLES.values() if table.numbered):
        connection.execute(statement("join_run_numbers", table=table))
    connection.execute(statement("drop_run_numbers"))
    connection.commit()
