"""Connections to the published warehouse, and queries over them that can only read.

A reader attaches the file (or makes the views of a lake) in an instance of its own in memory. So two readers in one
process may differ in their settings, and a reader opened after a publish sees the new state even while an older reader
holds the old one (DuckDB shares instances by path otherwise). The published warehouse is the default catalog: `select *
from runs` works.
"""

import re
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import QueryError, StoreError
from wandb_warehouse.warehouse.confinement import confined
from wandb_warehouse.warehouse.instance import damage, open_file
from wandb_warehouse.warehouse.lake.reading import open_lake
from wandb_warehouse.warehouse.lake.storage import find_lake, local_path
from wandb_warehouse.warehouse.lending import lend_views

__all__ = ["Answer", "open_hardened", "open_readonly", "reading", "run_query", "stream_query", "unreadable"]


def open_readonly(warehouse: Path | str) -> duckdb.DuckDBPyConnection:
    """Open a published warehouse for reading; times are shown in UTC and no extension is ever fetched.

    Args:
        warehouse: a DuckDB file, or the directory or address of a lake.

    Raises:
        StoreError: there is no warehouse, it may not be read, or a newer DuckDB or wandb-warehouse wrote it.
        CorruptStoreError: it is no warehouse, or damaged.
        BusyError: another program has it open for writing.
    """
    return _open(warehouse)[0]


@contextmanager
def reading(warehouse: Path | str, *, tables_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published warehouse for statements of our own, and close it; errors as `open_readonly`.

    A block that is damaged shows when it is read: that is an error of the file, too.

    Args:
        warehouse: as `open_readonly` takes it.
        tables_only: the statements read tables alone, which saves a lake most of its opening.
    """
    connection = _open(warehouse, tables_only=tables_only)[0]
    try:
        yield connection
    except duckdb.Error as error:
        raise unreadable(warehouse, error) from error
    finally:
        connection.close()


def unreadable(warehouse: Path | str, error: duckdb.Error) -> StoreError:
    """The error to raise for what DuckDB said of a statement of ours over a published warehouse."""
    return damage(warehouse, error, reading=True) or StoreError(
        f"{warehouse} cannot be read: {str(error).splitlines()[0]}",
        mend="free memory or disk space, and run it again",
    )


def _open(warehouse: Path | str, *, tables_only: bool = False) -> tuple[duckdb.DuckDBPyConnection, list[str]]:
    """Open a warehouse, and tell which files its tables are read from beside the attached one."""
    lake = find_lake(warehouse)
    if lake is None:
        return open_file(local_path(warehouse)), []
    return open_lake(lake, tables_only=tables_only)


def open_hardened(
    path: Path | str, *, memory: str | None = None, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a published warehouse for SQL of unknown origin: no files, no network, no writes, no settings.

    It is a safety belt for one's own statements, not a boundary between tenants.

    Args:
        path: the published file.
        memory: DuckDB's memory limit, e.g. `"2GB"`; by default DuckDB's own (80 % of the machine).
        threads: worker threads; by default all cores.

    Raises:
        StoreError: as `open_readonly`.
        QueryError: a limit is not one DuckDB understands.
    """
    connection, files = _open(path)
    try:
        if memory is not None:
            connection.execute("SET memory_limit = ?", [memory])
        if threads is not None:
            connection.execute("SET threads = ?", [threads])
        if files:
            connection.execute("SET allowed_paths = ?", [files])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise QueryError(
            f"limit refused: {str(error).splitlines()[0]}", mend="give e.g. 2GB and 4"
        ) from error
    return connection


@dataclass
class Answer:
    """Rows of one statement: Arrow schema, batches (read once, in order), whether `limit` cut them."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    truncated: bool = False


@contextmanager
def _heeding_signals(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupt what runs on the connection when the process is told to end.

    Python runs a signal's handler between two of its own instructions, so not while DuckDB works.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    incoming, outgoing = socket.socketpair()
    outgoing.settimeout(0)
    over = threading.Event()

    def watch() -> None:
        while number := incoming.recv(1):
            # Again and again: a statement that is about to start forgets an interruption.
            while number[0] in _ENDING and not over.wait(0.05):
                connection.interrupt()

    watcher = threading.Thread(target=watch, name="wandb-warehouse-signals", daemon=True)
    watcher.start()
    previous = signal.set_wakeup_fd(outgoing.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        over.set()
        outgoing.close()
        watcher.join()
        incoming.close()


_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


class _Deadline:
    """Interrupts a connection after some seconds and remembers that it did."""

    def __init__(
        self, warehouse: Path | str, connection: duckdb.DuckDBPyConnection, seconds: float | None
    ) -> None:
        self._warehouse = warehouse
        self.seconds = seconds
        self.passed = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._pass) if seconds is not None else None

    def _pass(self) -> None:
        self.passed = True
        self._connection.interrupt()

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()

    @contextmanager
    def translate(self, sql: str) -> Iterator[None]:
        """Turn what is raised for `sql` into a QueryError; a passed deadline and a damaged file have their own."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:
            if self.passed:
                raise self.error() from error
            if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
                raise QueryError(
                    "the statement needs more memory than it may have", mend="narrow it or raise --memory"
                ) from error
            if damaged := damage(self._warehouse, error):
                raise damaged from error
            raise QueryError(_one_line(str(error), sql), mend="mend the statement") from error

    def error(self) -> QueryError:
        return QueryError(
            f"the statement was stopped after {self.seconds:g} s", mend="narrow it or raise the timeout"
        )


_EXCERPT = re.compile(r"\n\nLINE (\d+): (.*)\n([ ]*)\^", re.DOTALL)


def _one_line(message: str, sql: str) -> str:
    """DuckDB's message in one line, its drawing of the place replaced by line and column (both from 1)."""
    text = message.strip()
    drawn = _EXCERPT.search(text)
    text = _EXCERPT.split(text)[0]
    if drawn is None:
        return text
    line = int(drawn[1])
    lines = sql.splitlines()
    excerpt, shift = drawn[2], len(drawn[3]) - len(f"LINE {line}: ")
    if line <= len(lines) and excerpt.startswith("..."):
        # A long line is drawn in part; the column counts in the whole line.
        shift += max(lines[line - 1].find(excerpt.removeprefix("...").removesuffix("...")), 0) - len("...")
    return f"{text} (line {line}, column {shift + 1})"


_READING = frozenset({("SELECT",), ("EXPLAIN",), ("MULTI",)})
"""Kinds of statements that may run; MULTI is a PIVOT, which finds its columns first."""


def _admit(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse all but one reading statement, by DuckDB's own parser."""
    statements = connection.extract_statements(sql)
    try:
        kinds = tuple(statement.type.name for statement in statements)
    except ValueError:  # a kind for which DuckDB's Python has no name yet, as UPDATE EXTENSIONS
        kinds = ("such",)
    if not kinds:
        raise QueryError("there is no statement", mend="give one SELECT")
    if kinds in _READING:
        return
    if kinds[-1] == "SELECT" and all(s.type.name == "CREATE" and not s.query for s in statements[:-1]):
        return  # what DuckDB 1.5 makes of a PIVOT: types without a text of their own, then the SELECT
    if len(kinds) > 1:
        raise QueryError("there is more than one statement", mend="give them one by one")
    raise QueryError(
        f"{kinds[0]} statements are refused, a warehouse is only read",
        mend="use SELECT, WITH, FROM, VALUES, PIVOT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN",
    )


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    try:
        return connection.sql(sql).to_arrow_reader(65_536)
    except (duckdb.BinderException, duckdb.CatalogException):
        # A relation's binding errors lack the place; binding once more as a statement gives it.
        connection.execute(sql)
        raise


@contextmanager
def stream_query(
    path: Path | str,
    sql: str,
    *,
    timeout: float | None = None,
    limit: int | None = None,
    memory: str | None = None,
    threads: int | None = None,
    confine: bool = False,
    views: Collection[str] = (),
) -> Iterator[Answer]:
    """Run one reading statement and give its rows as they come.

    Args:
        path: the published file.
        sql: one SELECT, WITH, FROM, VALUES, PIVOT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement.
        timeout: seconds for the statement and the reading of its rows.
        limit: rows at most; `Answer.truncated` says after the last batch whether there were more.
        memory: as in `open_hardened`.
        threads: as in `open_hardened`.
        confine: bound the memory and time of the whole process too, see `confinement`; for a process of its own.
        views: names of views of ours that the statement reads, which an older warehouse may not have.

    Raises:
        QueryError: the statement is refused, wrong or too slow.
        StoreError: as `open_readonly`.
    """
    connection = open_hardened(path, memory=memory, threads=threads)
    try:
        bounds = confined(_memory_limit(connection), timeout) if confine else nullcontext()
        with bounds, _heeding_signals(connection), _Deadline(path, connection, timeout) as deadline:
            with deadline.translate(sql):
                _admit(connection, sql)
                lend_views(connection, views)
                reader = _run(connection, sql)
            answer = Answer(reader.schema, iter(()))
            answer.batches = _pull(reader, deadline, sql, limit, answer)
            try:
                yield answer
            finally:
                reader.close()
    finally:
        connection.close()


def _memory_limit(connection: duckdb.DuckDBPyConnection) -> str:
    return str(connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0])


def _pull(
    reader: pa.RecordBatchReader, deadline: _Deadline, sql: str, limit: int | None, answer: Answer
) -> Iterator[pa.RecordBatch]:
    left = limit
    while True:
        with deadline.translate(sql):
            batch = next(reader, None)
        if deadline.passed:
            raise deadline.error()
        if batch is None:
            return
        if left is not None and batch.num_rows > left:
            answer.truncated = True
            if left:
                yield batch.slice(0, left)
            return
        if left is not None:
            left -= batch.num_rows
        if batch.num_rows:
            yield batch


def run_query(
    path: Path | str,
    sql: str,
    *,
    timeout: float | None = None,
    limit: int | None = None,
    memory: str | None = None,
    threads: int | None = None,
) -> pa.Table:
    """Run one reading statement and give all its rows; arguments and errors as `stream_query`."""
    with stream_query(path, sql, timeout=timeout, limit=limit, memory=memory, threads=threads) as answer:
        return pa.Table.from_batches(answer.batches, answer.schema)
