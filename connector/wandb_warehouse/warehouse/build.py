"""The private database of one sync: made beside the published file, filled, proven, then published.

Every method opens the file and closes it again; a `session` keeps it open over several, since opening takes longer
than most of them. The loader works over the session's connection: DuckDB admits one configuration of a file in a
process. A build that is never published is thrown away with its directory.
"""

import json
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
from wandb_warehouse.warehouse.files import Mark, copy_database, flush, log_of, mark_of, new_database
from wandb_warehouse.warehouse.instance import damage, open_private
from wandb_warehouse.warehouse.numbering import insert_rows, unnumbered_tables, write_numbers
from wandb_warehouse.warehouse.proof import Difference, prove, prove_table, register_runs, statement
from wandb_warehouse.warehouse.renaming import mark_deleted, rename_projects
from wandb_warehouse.warehouse.views import create_views

__all__ = ["Build"]


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
        self._in_session = False
        self._deleted = 0
        # A write-ahead log that was copied as well may hold anything.
        self._views_stand = (
            copied is not None
            and _PUBLISHED.get(copied.resolve()) == mark_of(copied)
            and not log_of(path).exists()
        )

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
                copy_database(copied, path)
            else:
                new_database(path)
        except (OSError, duckdb.IOException) as error:
            raise StoreError(
                f"cannot make the build at {path}: {error}", mend="free disk space or mend the permissions"
            ) from error
        return cls(path, copied)

    @contextmanager
    def session(self, *, stays_open: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Keep the file open over several methods.

        Args:
            stays_open: leave it open for the session that follows; a failure closes it all the same.
        """
        if self._in_session:
            if self._connection is None:
                raise StoreError(f"{self.path} was published already", mend="begin another build")
            yield self._connection
            return
        self._in_session, left_open = True, False
        try:
            self._connection = self._connection or open_private(self.path)
            yield self._connection
            left_open = stays_open
            if not left_open:
                self.close()
        except duckdb.Error as error:
            if damaged := damage(self._copied or self.path, error):
                raise damaged from error
            if not isinstance(error, _OF_THE_DISK):
                raise
            raise StoreError(
                f"the build at {self.path} failed: {str(error).splitlines()[0]}",
                mend="free disk space or memory",
            ) from error
        finally:
            self._in_session = False
            if not left_open:
                self.close()

    def close(self) -> None:
        """Close the file, where it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def prepare_tables(self, numbers: Mapping[str, pa.Table] | None = None) -> None:
        """Create the tables and columns that the build lacks, with the schema's meanings as comments.

        Args:
            numbers: what new numbers of runs and keys stand for; an older version's rows are numbered after them.

        Raises:
            CorruptStoreError: a column exists with another type.
        """
        with self.session() as connection:
            present: dict[str, dict[str, Present]] = {}
            for table, column, kind, meaning in connection.execute(statement("present_columns")).fetchall():
                present.setdefault(table, {})[column] = Present(kind, meaning)
            connection.begin()
            stored = [*NUMBER_TABLES.values(), *(table.stored for table in TABLES.values())]
            lacking = [ddl for t in stored for ddl in table_ddl(t, present.get(t.name))]
            connection.execute(";\n".join(lacking))
            write_numbers(connection, numbers or {})
            for name in list(unnumbered_tables(connection)):
                insert_rows(connection, name, rows=name)
                connection.execute(f'DROP TABLE "{name}"')
            self._views_stand = self._views_stand and not lacking
            if not self._views_stand:
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
        with self.session() as connection:
            register_runs(connection, runs)
            connection.begin()
            for table in map(TABLES.__getitem__, tables):
                text = "delete_numbered" if table.numbered else "delete_runs"
                self._note_deleted(connection.execute(statement(text, table=table.stored.name)))
            connection.commit()

    def mark_deleted(self, runs: Mapping[tuple[str, str, str], datetime]) -> None:
        """Note of `runs` (entity, project, run_id) when each was proven gone; their rows stay in every table."""
        with self.session() as connection:
            mark_deleted(connection, runs)

    def rename_projects(self, names: Mapping[tuple[str, str], tuple[str, str]]) -> None:
        """Put the rows of projects under other names: `names` has the new (entity, project) of each old one."""
        with self.session() as connection:
            rename_projects(connection, names)

    def delete_projects(self, projects: Iterable[tuple[str, str]]) -> None:
        """Delete the rows of `projects` (entity, project) from `projects`; their runs stay."""
        with self.session() as connection:
            connection.executemany(
                statement("delete_project"), [list(pair) for pair in projects] or [["", ""]]
            )

    def delete_project_rows(self, table: str, projects: Iterable[tuple[str, str]]) -> None:
        """Delete the rows of `projects` (entity, project) from a table that is replaced by project."""
        pairs = [list(pair) for pair in projects]
        if pairs:
            with self.session() as connection:
                connection.executemany(statement("delete_project_rows", table=table), pairs)

    def delete_keys(self, table: str, keys: pa.Table) -> None:
        """Delete the rows that have the primary key of one of `keys`, or those columns of it that `keys` has."""
        with self.session() as connection:
            connection.register("incoming", keys)
            same = " AND ".join(f'kept."{name}" = incoming."{name}"' for name in keys.column_names)
            self._note_deleted(connection.execute(statement("delete_keys", table=table, same=same)))

    def _note_deleted(self, answer: duckdb.DuckDBPyConnection) -> None:
        self._deleted += int(answer.fetchall()[0][0])

    def make_room(self) -> None:
        """Give the space of rows that were deleted to those that are loaded next: DuckDB does so at a checkpoint."""
        if self._deleted >= _MANY:
            with self.session() as connection:
                connection.execute("CHECKPOINT")
            self._deleted = 0

    def refresh_metrics(self, runs: Iterable[tuple[str, str, str]]) -> None:
        """Recompute what `metrics` says of the stored history of `runs`; keys the index lacks are added.

        `stored_count` is 0 for indexed keys without stored values. `last_value` is the value of the key's
        last row and null unless that is a number.
        """
        with self.session() as connection:
            register_runs(connection, runs)
            connection.begin()
            for name in ("stored_metrics", "update_metrics", "insert_metrics"):
                connection.execute(statement(name))
            connection.commit()

    def stored_counts(self, runs: Iterable[tuple[str, str, str]]) -> pa.Table:
        """Give what the refreshed `metrics` says is stored of `runs`.

        Columns: the run's key, stored_values, stored_keys, last_step (-1 where nothing is stored).
        """
        with self.session() as connection:
            register_runs(connection, runs)
            return connection.sql(statement("stored_counts")).to_arrow_table()

    def write_ledger(self, rows: pa.Table) -> None:
        """Replace the ledger rows of the runs in `rows`, shape `TABLES["run_ledger"].arrow`."""
        rows = rows.select(TABLES["run_ledger"].names).cast(TABLES["run_ledger"].arrow)
        with self.session() as connection:
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
        with self.session() as connection:
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
        with self.session() as connection:
            return prove(connection, expectations, touched)

    def prove_table(self, name: str, rows: Mapping[tuple[str, str, str], int] | None) -> list[Difference]:
        """Prove one table alone, by the rows each run must have; None for one whose rows belong to projects."""
        with self.session() as connection:
            return prove_table(connection, name, rows)

    @property
    def views_stand(self) -> bool:
        """Whether every view is there already: this process published the file that the build is a copy of."""
        return self._views_stand

    def create_views(self) -> list[str]:
        """Create or replace every view and macro of `sql/`; gives their names in order of creation."""
        with self.session() as connection:
            connection.begin()  # one transaction: each statement would be flushed by itself
            names = create_views(connection)
            connection.commit()
            self._views_stand = True
            return names

    def drop_loader_tables(self) -> None:
        """Drop what the loader keeps for itself (`_dlt_*`, its staging): no sync builds on an earlier load's state."""
        with self.session() as connection:
            connection.begin()
            connection.execute('DROP SCHEMA IF EXISTS "main_staging" CASCADE')
            rows = connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' AND starts_with(table_name, '_dlt_')"
            ).fetchall()
            for (name,) in rows:
                connection.execute(f'DROP TABLE "{name}"')
            connection.commit()

    def publish(self, target: Path, mode: int = 0o600) -> None:
        """Put the build in place of `target` in one rename, after all of it is on the disk; ends its session.

        Readers that hold the old file keep it; a symbolic link at `target` stays and its file is replaced.

        Raises:
            StoreError: the disk is full, or `target` lies on another file system.
        """
        with self.session() as connection:
            connection.execute("CHECKPOINT")
        self.close()
        target = target.resolve()
        try:
            if log_of(self.path).exists():
                raise StoreError(f"{self.path} is open elsewhere", mend="close it before publishing")
            self.path.chmod(mode)
            flush(self.path)
            # A write-ahead log beside the old file would be applied to the new one.
            log_of(target).unlink(missing_ok=True)
            self.path.replace(target)
            _PUBLISHED.pop(target, None)
            if self._views_stand:
                _PUBLISHED[target] = mark_of(target)
            flush(target.parent)
        except OSError as error:
            raise StoreError(
                f"cannot publish {target}: {error.strerror}", mend="free disk space or mend the permissions"
            ) from error


_MANY = 10_000
"""Rows whose space is worth a checkpoint of its own."""

_OF_THE_DISK = (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)


def _run_keys(rows: pa.Table) -> list[tuple[str, str, str]]:
    return list(zip(*(rows[name].to_pylist() for name in ("entity", "project", "run_id")), strict=True))


_PUBLISHED: dict[Path, Mark] = {}
"""Files that this process published with every view, as they were then: whoever writes to one leaves another mark."""
