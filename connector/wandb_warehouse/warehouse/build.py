"""The private database of one sync: made beside the published file, filled, proven, then published.

Every method opens the file and closes it again, so that the loader can open it between them (DuckDB admits
one configuration of a file in a process); a `session` keeps it open over several. A build that is never
published is thrown away with its directory.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import StoreError
from wandb_warehouse.schema import NUMBER_TABLES, SCHEMA_VERSION, TABLES
from wandb_warehouse.warehouse.ddl import Present, table_ddl
from wandb_warehouse.warehouse.instance import SETTINGS, damage, open_file, open_private
from wandb_warehouse.warehouse.numbering import insert_rows, unnumbered_tables, write_numbers
from wandb_warehouse.warehouse.proof import Difference, prove, prove_table, register_runs, statement
from wandb_warehouse.warehouse.renaming import mark_deleted, rename_projects
from wandb_warehouse.warehouse.views import create_views

__all__ = ["STORAGE_VERSION", "Build"]

STORAGE_VERSION = "v1.0.0"
"""Oldest storage DuckDB can write: readers from DuckDB 1.1 on open it, at no cost in size or speed."""


class Build:
    """The private database of one sync, at `path`.

    Example:
        >>> import tempfile
        >>> from wandb_warehouse.warehouse import run_query
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     build = Build.create(None, Path(folder))
        ...     build.prepare_tables()
        ...     target = Path(folder) / "wandb.duckdb"
        ...     build.publish(target)
        ...     run_query(target, "select count(*) as runs from runs").to_pylist()
        [{'runs': 0}]
    """

    def __init__(self, path: Path, copied: Path | None = None) -> None:
        self.path = path
        self._copied = copied
        """The file it is a copy of: damage in it came from there."""
        self._connection: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def create(cls, published: Path | None, workdir: Path) -> Self:
        """Make the build in `workdir`: a copy of the published file, or a new file when there is none.

        Args:
            published: the published warehouse, whether it exists yet or not; None for a fresh start.
            workdir: an existing private directory on the file system of the published file.

        Raises:
            StoreError: the published file cannot be read or copied; CorruptStoreError and BusyError likewise.
        """
        path = workdir / "build.duckdb"
        try:
            copied = published if published is not None and published.exists() else None
            if copied is not None:
                _copy_database(copied, path)
            else:
                _new_database(path)
        except (OSError, duckdb.IOException) as error:
            raise StoreError(
                f"cannot make the build at {path}: {error}", mend="free disk space or mend the permissions"
            ) from error
        return cls(path, copied)

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Keep the file open over several methods: opening it takes longer than most of them."""
        with self._open() as connection:
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._connection is not None:
            yield self._connection
            return
        connection = open_private(self.path)
        try:
            with connection:
                yield connection
        except duckdb.Error as error:
            if damaged := damage(self._copied or self.path, error):
                raise damaged from error
            if not isinstance(error, _OF_THE_DISK):
                raise
            raise StoreError(
                f"the build at {self.path} failed: {str(error).splitlines()[0]}",
                mend="free disk space or memory",
            ) from error

    def prepare_tables(self, numbers: Mapping[str, pa.Table] | None = None) -> None:
        """Create the tables and columns that the build lacks, with the schema's meanings as comments.

        Args:
            numbers: what new numbers of runs and keys stand for; an older version's rows are numbered after them.

        Raises:
            CorruptStoreError: a column exists with another type.
        """
        with self._open() as connection:
            present: dict[str, dict[str, Present]] = {}
            for table, column, kind, meaning in connection.execute(statement("present_columns")).fetchall():
                present.setdefault(table, {})[column] = Present(kind, meaning)
            connection.begin()
            stored = [*NUMBER_TABLES.values(), *(table.stored for table in TABLES.values())]
            connection.execute(";\n".join(ddl for t in stored for ddl in table_ddl(t, present.get(t.name))))
            write_numbers(connection, numbers or {})
            for name in list(unnumbered_tables(connection)):
                insert_rows(connection, name, rows=name)
                connection.execute(f'DROP TABLE "{name}"')
            create_views(connection, only={table.name for table in TABLES.values() if table.numbered})
            connection.commit()

    def delete_runs(self, tables: Sequence[str], runs: Iterable[tuple[str, str, str]]) -> None:
        """Delete the rows of `runs` (entity, project, run_id) from per-run tables, in one transaction.

        Raises:
            StoreError: a table is not one whose rows belong to runs.
        """
        wrong = [name for name in tables if name not in TABLES or not TABLES[name].per_run]
        if wrong:
            raise StoreError(
                f"rows of {', '.join(wrong)} do not belong to runs", mend="name per-run tables only"
            )
        runs = set(runs)
        if not runs:
            return
        with self._open() as connection:
            register_runs(connection, runs)
            connection.begin()
            for table in map(TABLES.__getitem__, tables):
                text = "delete_numbered" if table.numbered else "delete_runs"
                connection.execute(statement(text, table=table.stored.name))
            connection.commit()

    def mark_deleted(self, runs: Mapping[tuple[str, str, str], datetime]) -> None:
        """Note of `runs` (entity, project, run_id) when each was proven gone; their rows stay in every table."""
        with self._open() as connection:
            mark_deleted(connection, runs)

    def rename_projects(self, names: Mapping[tuple[str, str], tuple[str, str]]) -> None:
        """Put the rows of projects under other names: `names` has the new (entity, project) of each old one."""
        with self._open() as connection:
            rename_projects(connection, names)

    def delete_projects(self, projects: Iterable[tuple[str, str]]) -> None:
        """Delete the rows of `projects` (entity, project) from `projects`; their runs stay."""
        with self._open() as connection:
            connection.executemany(
                statement("delete_project"), [list(pair) for pair in projects] or [["", ""]]
            )

    def delete_project_rows(self, table: str, projects: Iterable[tuple[str, str]]) -> None:
        """Delete the rows of `projects` (entity, project) from a table that is replaced by project."""
        pairs = [list(pair) for pair in projects]
        if pairs:
            with self._open() as connection:
                connection.executemany(statement("delete_project_rows", table=table), pairs)

    def delete_keys(self, table: str, keys: pa.Table) -> None:
        """Delete the rows that have the primary key of one of `keys`, or those columns of it that `keys` has."""
        with self._open() as connection:
            connection.register("incoming", keys)
            same = " AND ".join(f'kept."{name}" = incoming."{name}"' for name in keys.column_names)
            connection.execute(statement("delete_keys", table=table, same=same))

    def refresh_metrics(self, runs: Iterable[tuple[str, str, str]]) -> None:
        """Recompute what `metrics` says of the stored history of `runs`; keys the index lacks are added.

        `stored_count` is 0 for indexed keys without stored values. `last_value` is the value of the key's
        last row and null unless that is a number.
        """
        with self._open() as connection:
            register_runs(connection, runs)
            connection.begin()
            for name in ("stored_metrics", "update_metrics", "insert_metrics"):
                connection.execute(statement(name))
            connection.commit()

    def stored_counts(self, runs: Iterable[tuple[str, str, str]]) -> pa.Table:
        """Give what the refreshed `metrics` says is stored of `runs`.

        Columns: the run's key, stored_values, stored_keys, last_step (-1 where nothing is stored).
        """
        with self._open() as connection:
            register_runs(connection, runs)
            return connection.sql(statement("stored_counts")).to_arrow_table()

    def write_ledger(self, rows: pa.Table) -> None:
        """Replace the ledger rows of the runs in `rows`, shape `TABLES["run_ledger"].arrow`."""
        rows = rows.select(TABLES["run_ledger"].names).cast(TABLES["run_ledger"].arrow)
        with self._open() as connection:
            register_runs(connection, _run_keys(rows))
            connection.register("incoming", rows)
            connection.begin()
            connection.execute(statement("delete_runs", table="run_ledger"))
            insert_rows(connection, "run_ledger")
            connection.commit()

    def write_sync_log(
        self,
        *,
        started_at: datetime,
        finished_at: datetime,
        package_version: str,
        projects: object,
        report: Mapping[str, object],
    ) -> int:
        """Add this sync to the log and give its generation, one more than the last one's.

        Args:
            started_at: server time at the start of the sync.
            finished_at: local time of publishing.
            package_version: version of wandb-warehouse.
            projects: the projects synced and their cursors, as JSON can hold them.
            report: the sync's report, as JSON can hold it.
        """
        with self._open() as connection:
            last = connection.execute("SELECT coalesce(max(generation), 0) FROM sync_log").fetchall()[0][0]
            row = {
                "generation": int(last) + 1,
                "started_at": started_at,
                "finished_at": finished_at,
                "schema_version": SCHEMA_VERSION,
                "package_version": package_version,
                "projects": json.dumps(projects, ensure_ascii=False, allow_nan=False),
                "report": json.dumps(report, ensure_ascii=False, allow_nan=False),
            }
            connection.register("incoming", pa.Table.from_pylist([row], schema=TABLES["sync_log"].arrow))
            insert_rows(connection, "sync_log")
            return int(last) + 1

    def prove(self, expectations: pa.Table, touched: Iterable[tuple[str, str, str]]) -> list[Difference]:
        """Compare the build with what was sent; see `proof.prove`. An empty list is the proof."""
        with self._open() as connection:
            return prove(connection, expectations, touched)

    def prove_table(self, name: str, rows: Mapping[tuple[str, str, str], int] | None) -> list[Difference]:
        """Prove one table alone, by the rows each run must have; None for one whose rows belong to projects."""
        with self._open() as connection:
            return prove_table(connection, name, rows)

    def create_views(self) -> list[str]:
        """Create or replace every view and macro of `sql/`; gives their names in order of creation."""
        with self._open() as connection:
            connection.begin()  # one transaction: each statement would be flushed by itself
            names = create_views(connection)
            connection.commit()
            return names

    def drop_loader_tables(self) -> None:
        """Drop what the loader keeps for itself (`_dlt_*`, its staging): no sync builds on an earlier load's state."""
        with self._open() as connection:
            connection.execute('DROP SCHEMA IF EXISTS "main_staging" CASCADE')
            rows = connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' AND starts_with(table_name, '_dlt_')"
            ).fetchall()
            for (name,) in rows:
                connection.execute(f'DROP TABLE "{name}"')

    def publish(self, target: Path, mode: int = 0o600) -> None:
        """Put the build in place of `target` in one rename, after all of it is on the disk.

        Readers that hold the old file keep it; a symbolic link at `target` stays and its file is replaced.

        Raises:
            StoreError: the disk is full, or `target` lies on another file system.
        """
        with self._open() as connection:
            connection.execute("CHECKPOINT")
        target = target.resolve()
        try:
            if _wal(self.path).exists():
                raise StoreError(f"{self.path} is open elsewhere", mend="close it before publishing")
            self.path.chmod(mode)
            _sync(self.path)
            # A write-ahead log beside the old file would be applied to the new one.
            _wal(target).unlink(missing_ok=True)
            self.path.replace(target)
            _sync(target.parent)
        except OSError as error:
            raise StoreError(
                f"cannot publish {target}: {error.strerror}", mend="free disk space or mend the permissions"
            ) from error


_OF_THE_DISK = (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _run_keys(rows: pa.Table) -> list[tuple[str, str, str]]:
    return list(zip(*(rows[name].to_pylist() for name in ("entity", "project", "run_id")), strict=True))


def _new_database(path: Path) -> None:
    connection = duckdb.connect(config=SETTINGS)
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS build (STORAGE_VERSION '{STORAGE_VERSION}')")
    finally:
        connection.close()
    path.chmod(0o600)


def _copy_database(published: Path, path: Path) -> None:
    """Copy the published file; while it is open here for reading nobody can open it for writing."""
    reader = open_file(published)
    try:
        for source, copy in ((published, path), (_wal(published), _wal(path))):
            if source.exists():
                _copy_file(source, copy)
    finally:
        reader.close()


def _copy_file(source: Path, copy: Path) -> None:
    """Copy bytes, sharing blocks where the file system can (btrfs, XFS), else inside the kernel on Linux."""
    copy_range = getattr(os, "copy_file_range", None)
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        left = os.fstat(reading.fileno()).st_size if copy_range else 0
        try:
            while copy_range and left > 0:
                done = copy_range(reading.fileno(), writing.fileno(), left)
                if done == 0:
                    break
                left -= done
        except OSError:
            # Not every file system can; the ordinary copy tells what is really wrong, if anything.
            reading.seek(0)
            writing.seek(0)
            writing.truncate()
        shutil.copyfileobj(reading, writing, 1 << 20)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
