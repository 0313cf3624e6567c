"""Connections to the published file, and queries over them that can only read.

A reader attaches the file to an instance of its own in memory. So two readers in one process may differ in
their settings, and a reader opened after a publish sees the new file even while an older reader holds the
old one (DuckDB shares instances by path otherwise). The published file is the default catalog: `select *
from runs` works.
"""

import itertools
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import BusyError, CorruptStoreError, QueryError, StoreError
from wandb_warehouse.schema import SCHEMA_VERSION

__all__ = ["Answer", "open_hardened", "open_private", "open_readonly", "run_query", "stream_query"]

CATALOG = "warehouse"
"""Name of the published file's catalog in a reader's instance."""

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    # DuckDB would otherwise load an extension for what a file looks like, from the network if it has to.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    # Otherwise `select * from name` reads a Python variable of the caller.
    "python_enable_replacements": "false",
}

MEMORY_LIMIT = f"{128 + 64 * (os.cpu_count() or 1)}MB"
"""Memory of DuckDB while a build is written: its cache would else grow with the file. What exceeds it is spilled."""

_READER_NUMBER = itertools.count()

_OPEN_FAILURES: tuple[tuple[str, type[StoreError], str, str], ...] = (
    (
        r"Trying to read a database file with version",
        StoreError,
        "{path} was written by a newer DuckDB",
        "upgrade the duckdb package",
    ),
    (
        r"not a valid DuckDB database file",
        CorruptStoreError,
        "{path} is not a DuckDB file",
        "choose another --warehouse, or move the file away and sync again",
    ),
    (r"Permission denied", StoreError, "{path} may not be read", "mend the file's permissions"),
)


def _open_failure(path: Path, error: duckdb.Error) -> StoreError | BusyError:
    """The error to raise for what DuckDB said on opening `path`."""
    text = str(error)
    holder = re.search(r"Conflicting lock is held.*?\(PID (\d+)\)", text)
    if holder:
        return BusyError(f"{path} is open for writing in pid {holder[1]}", mend="close it there and repeat")
    for pattern, kind, what, mend in _OPEN_FAILURES:
        if re.search(pattern, text):
            return kind(what.format(path=path), mend=mend)
    return CorruptStoreError(
        f"{path} cannot be opened: {text.splitlines()[0]}", mend="restore it, or move it away and sync again"
    )


def open_private(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a private build file for writing; the caller closes it before the loader opens it."""
    try:
        connection = duckdb.connect(str(path), config={**_SETTINGS, "memory_limit": MEMORY_LIMIT})
    except duckdb.Error as error:
        raise _open_failure(path, error) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def open_readonly(path: Path | str) -> duckdb.DuckDBPyConnection:
    """Open a published warehouse for reading; times are shown in UTC and no extension is ever fetched.

    Raises:
        StoreError: there is no file, it may not be read, or a newer DuckDB or wandb-warehouse wrote it.
        CorruptStoreError: the file is no DuckDB file, no warehouse, or damaged.
        BusyError: another program has it open for writing.
    """
    path = Path(path)
    if not path.exists():
        raise StoreError(f"no warehouse at {path}", mend="run `wandb-warehouse sync`")
    if not path.is_file():
        raise StoreError(f"{path} is not a file", mend="choose another --warehouse")
    resolved = path.resolve()
    # Spilled data must not lie in the current directory (DuckDB's default here), nor be shared by readers.
    spill = f"{resolved}.spill-{os.getpid()}-{next(_READER_NUMBER)}"
    connection = duckdb.connect(config={**_SETTINGS, "temp_directory": spill})
    try:
        quoted = str(resolved).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {CATALOG} (READ_ONLY, TYPE duckdb)")
        connection.execute(f"USE {CATALOG}")
        connection.execute("SET TimeZone = 'UTC'")
        _check_version(path, connection)
    except duckdb.Error as error:
        connection.close()
        raise _open_failure(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    try:
        found = connection.execute("SELECT max(schema_version) FROM sync_log").fetchall()[0][0]
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise CorruptStoreError(
            f"{path} is a DuckDB file but no warehouse of wandb-warehouse", mend="choose another --warehouse"
        ) from error
    if found is not None and found > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {found}, this wandb-warehouse knows up to {SCHEMA_VERSION}",
            mend="upgrade wandb-warehouse",
        )


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
    connection = open_readonly(path)
    try:
        if memory is not None:
            connection.execute("SET memory_limit = ?", [memory])
        if threads is not None:
            connection.execute("SET threads = ?", [threads])
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

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float | None) -> None:
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
        """Turn what DuckDB or Arrow raise for `sql` into a QueryError, and a passed deadline into its own."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if self.passed:
                raise self.error() from error
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
    kinds = tuple(statement.type.name for statement in statements)
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
) -> Iterator[Answer]:
    """Run one reading statement and give its rows as they come.

    Args:
        path: the published file.
        sql: one SELECT, WITH, FROM, VALUES, PIVOT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement.
        timeout: seconds for the statement and the reading of its rows.
        limit: rows at most; `Answer.truncated` says after the last batch whether there were more.
        memory: as in `open_hardened`.
        threads: as in `open_hardened`.

    Raises:
        QueryError: the statement is refused, wrong or too slow.
        StoreError: as `open_readonly`.
    """
    connection = open_hardened(path, memory=memory, threads=threads)
    try:
        with _heeding_signals(connection), _Deadline(connection, timeout) as deadline:
            with deadline.translate(sql):
                _admit(connection, sql)
                reader = _run(connection, sql)
            answer = Answer(reader.schema, iter(()))
            answer.batches = _pull(reader, deadline, sql, limit, answer)
            try:
                yield answer
            finally:
                reader.close()
    finally:
        connection.close()


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
