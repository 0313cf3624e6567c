"""What a published warehouse says of itself: for planning the next sync, and for people."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wandb_warehouse.schema import NUMBER_TABLES, TABLES
from wandb_warehouse.warehouse.connection import reading
from wandb_warehouse.warehouse.lake.reading import read_manifest
from wandb_warehouse.warehouse.lake.storage import find_lake, local_path, shown
from wandb_warehouse.warehouse.numbering import numbers_of
from wandb_warehouse.warehouse.proof import statement

__all__ = [
    "STORED_RUNS",
    "HeldRows",
    "LastSync",
    "ProjectStatus",
    "ShortTable",
    "Status",
    "TroubledRun",
    "columns",
    "held_rows",
    "held_tables",
    "last_sync",
    "records",
    "status",
    "stored_runs",
]

STORED_RUNS = pa.schema(
    [
        pa.field("entity", pa.string()),
        pa.field("project", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("project_id", pa.string()),
        pa.field("storage_id", pa.string()),
        pa.field("run_state", pa.string()),
        pa.field("heartbeat_at", pa.timestamp("us", tz="UTC")),
        pa.field("history_line_count", pa.int64()),
        pa.field("deleted_at", pa.timestamp("us", tz="UTC")),
        pa.field("state", pa.string()),
        pa.field("error", pa.string()),
        pa.field("source", pa.string()),
        pa.field("expected_rows", pa.int64()),
        pa.field("stored_rows", pa.int64()),
        pa.field("stored_values", pa.int64()),
        pa.field("last_step", pa.int64()),
        pa.field("expected_last_step", pa.int64()),
        pa.field("last_timestamp", pa.float64()),
        pa.field("listing_digest", pa.string()),
        pa.field("detail_digest", pa.string()),
        pa.field("synced_at", pa.timestamp("us", tz="UTC")),
        pa.field("details_as", pa.string()),
        pa.field("history_as", pa.string()),
        pa.field("sampled_as", pa.string()),
        pa.field("sampled_rows", pa.int64()),
        pa.field("sampled_values", pa.int64()),
    ]
)
"""What planning needs of a run: the server's view (`run_state`, ...) and our ledger's (`state`, ...)."""


def stored_runs(path: Path | str) -> pa.Table:
    """Every run of the warehouse with its ledger row, shape `STORED_RUNS`; no rows when there is no file yet.

    A run stands here when `runs` or `run_ledger` has it: a quarantined run may never have reached `runs`.

    Raises:
        StoreError: as `open_readonly`, except for a missing file.
    """
    if not _is_there(path):
        return STORED_RUNS.empty_table()
    with reading(path, tables_only=True) as connection:
        return _stored_runs(connection)


def _stored_runs(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    return connection.sql(statement("stored_runs")).to_arrow_table().cast(STORED_RUNS)


def held_tables(path: Path | str) -> list[dict[str, Any]]:
    """Every logged table of the warehouse: its run, key, path and sha256, its cells, and whether it is complete.

    Raises:
        StoreError: as `open_readonly`, except for a missing file.
    """
    if not _is_there(path):
        return []
    with reading(path, tables_only=True) as connection:
        rows: list[dict[str, Any]] = []
        if connection.sql(statement("table_exists", table="logged_tables")).fetchall() == [(True,)]:
            rows = connection.sql(statement("held_tables")).to_arrow_table().to_pylist()
        return rows


@dataclass(frozen=True)
class LastSync:
    """The newest row of the sync log; `projects` as it was written (the projects and their cursors)."""

    generation: int
    started_at: datetime
    finished_at: datetime
    schema_version: int
    package_version: str
    projects: Any
    report: Any


def records(table: pa.Table) -> list[dict[str, Any]]:
    """Give the rows of a table as records, its times as datetimes in UTC."""
    values = columns(table)
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def columns(table: pa.Table) -> dict[str, list[Any]]:
    """Give the columns of a table as lists, its times as datetimes in UTC.

    pyarrow's `to_pylist` imports pandas for times, where it is installed: as long as a sync with nothing new takes.
    """
    return {
        name: [
            None if moment is None else _EPOCH + timedelta(microseconds=moment)
            for moment in column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
        ]
        if pa.types.is_timestamp(column.type)
        else column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def last_sync(path: Path | str) -> LastSync | None:
    """The newest published sync, or None where there is no file or no sync yet.

    Raises:
        StoreError: as `open_readonly`, except for a missing file.
    """
    if not _is_there(path):
        return None
    with reading(path, tables_only=True) as connection:
        return _last_sync(connection)


def _last_sync(connection: duckdb.DuckDBPyConnection) -> LastSync | None:
    for row in records(connection.sql(statement("last_sync")).to_arrow_table()):
        return LastSync(
            **{**row, "projects": json.loads(row["projects"]), "report": json.loads(row["report"])}
        )
    return None


@dataclass(frozen=True)
class HeldRows:
    """What the next sync has to know of a warehouse: its newest sync, its runs, and what its numbers stand for."""

    last_sync: LastSync
    runs: pa.Table
    """Shape `STORED_RUNS`."""
    numbers: dict[str, pa.Table]
    """Rows of `run_numbers` and `key_numbers` by name; a lake has none, as its files hold the names."""
    projects: list[dict[str, Any]]
    """Entity, project and creation time of each project."""


def held_rows(path: Path | str) -> HeldRows | None:
    """What a sync reads before it asks the server, at one opening; None where there is no file or no sync yet.

    Raises:
        StoreError: as `open_readonly`, except for a missing file.
    """
    if not _is_there(path):
        return None
    with reading(path, tables_only=True) as connection:
        newest = _last_sync(connection)
        if newest is None:
            return None
        numbers = (
            {name: table.arrow.empty_table() for name, table in NUMBER_TABLES.items()}
            if find_lake(path)
            else numbers_of(connection)
        )
        projects = records(connection.sql(statement("held_projects")).to_arrow_table())
        return HeldRows(newest, _stored_runs(connection), numbers, projects)


@dataclass(frozen=True)
class TroubledRun:
    """A run that did not land whole, and why."""

    run_id: str
    state: str
    error: str


@dataclass(frozen=True)
class ShortTable:
    """A table beside runs and histories that is not whole, of one run or (None) of the project, and why."""

    table: str
    run_id: str | None
    reason: str


@dataclass(frozen=True)
class ProjectStatus:
    """One project: runs by their state at W&B (deleted ones apart), stored history, what is in trouble."""

    entity: str
    project: str
    runs: dict[str, int]
    deleted_runs: int
    history_rows: int
    history_values: int
    troubled: tuple[TroubledRun, ...]
    short: tuple[ShortTable, ...] = ()


@dataclass(frozen=True)
class Status:
    """A warehouse: its path (or address) and size in bytes, the newest sync, the projects, the rows of every table."""

    path: Path | str
    size: int
    last_sync: LastSync | None
    projects: tuple[ProjectStatus, ...]
    tables: dict[str, int]

    @property
    def schema_version(self) -> int | None:
        """Version of the vocabulary the file was written with; None before the first published sync."""
        return self.last_sync.schema_version if self.last_sync else None

    @property
    def generation(self) -> int:
        """Number of published syncs, 0 before the first."""
        return self.last_sync.generation if self.last_sync else 0


def status(path: Path | str) -> Status:
    """Describe a published warehouse.

    Raises:
        StoreError: as `open_readonly`.
    """
    with reading(path, tables_only=True) as connection:

        def rows(name: str, **identifiers: str) -> list[dict[str, Any]]:
            return records(connection.sql(statement(name, **identifiers)).to_arrow_table())

        lake = find_lake(path)
        tables = {
            name: int(rows("count_rows", table=name if lake else table.stored.name)[0]["rows"])
            for name, table in TABLES.items()
        }
        newest = _last_sync(connection)
        totals = rows("project_totals")
        states = rows("project_states")
        troubled = rows("troubled_runs")
    projects = []
    for total in totals:
        key = (total["entity"], total["project"])
        mine = [row for row in states if (row["entity"], row["project"]) == key]
        projects.append(
            ProjectStatus(
                entity=key[0],
                project=key[1],
                runs={row["state"]: row["runs"] for row in mine if not row["deleted"]},
                deleted_runs=sum(row["runs"] for row in mine if row["deleted"]),
                history_rows=total["history_rows"],
                history_values=total["history_values"],
                troubled=tuple(
                    TroubledRun(row["run_id"], row["state"], row["error"])
                    for row in troubled
                    if (row["entity"], row["project"]) == key
                ),
                short=_short_tables(newest, *key),
            )
        )
    return Status(*_place(path), newest, tuple(projects), tables)


def _short_tables(newest: LastSync | None, entity: str, project: str) -> tuple[ShortTable, ...]:
    """What the newest sync knows of the tables of a project that are not whole."""
    return tuple(
        ShortTable(table, None if run_id == "*" else run_id, reason)
        for known in (newest.projects if newest else ())
        if (known["entity"], known["project"]) == (entity, project)
        for table, reasons in known.get("short", {}).items()
        for run_id, reason in reasons.items()
    )


def _is_there(warehouse: Path | str) -> bool:
    """Whether something is published at a path or an address; a directory without a manifest is no lake yet."""
    lake = find_lake(warehouse)
    if lake is None:
        return local_path(warehouse).exists() and not local_path(warehouse).is_dir()
    return read_manifest(lake) is not None


def _place(warehouse: Path | str) -> tuple[Path | str, int]:
    """Path or address of a published warehouse, and its size in bytes."""
    lake = find_lake(warehouse)
    manifest = read_manifest(lake) if lake else None
    if lake is None or manifest is None:
        return local_path(warehouse), local_path(warehouse).stat().st_size
    return shown(warehouse), sum(file.bytes for file in manifest.files)
