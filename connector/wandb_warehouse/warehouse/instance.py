"""DuckDB instances as this project makes them: nothing is fetched, times are in UTC, spilled data has its place."""

import itertools
import os
import re
from pathlib import Path

import duckdb

from wandb_warehouse.errors import BusyError, CorruptStoreError, StoreError
from wandb_warehouse.schema import SCHEMA_VERSION

__all__ = [
    "CATALOG",
    "MEMORY_LIMIT",
    "SETTINGS",
    "damage",
    "open_failure",
    "open_file",
    "open_private",
    "reader_instance",
    "refuse_newer",
]

CATALOG = "warehouse"
"""Name of the published file's catalog in a reader's instance."""

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
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


def open_failure(path: Path, error: duckdb.Error) -> StoreError | BusyError:
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


_DAMAGE = re.compile(r"corrupt|checksum|not read enough bytes|Failed to deserialize", re.IGNORECASE)
"""What DuckDB says where bytes of a file are not those it wrote; damage shows only where a block is read."""

_NOT_OURS = (duckdb.CatalogException, duckdb.BinderException)


def damage(warehouse: Path | str, error: BaseException, *, reading: bool = False) -> CorruptStoreError | None:
    """The error to raise where what DuckDB said means a damaged file; None where it means something else.

    Args:
        warehouse: path or address of the file.
        error: what was raised.
        reading: the statement was one of ours, so that a table or column it lacks means another kind of file.
    """
    first = str(error).split("\n", maxsplit=1)[0]
    if reading and isinstance(error, _NOT_OURS):
        return CorruptStoreError(
            f"{warehouse} lacks what a warehouse of wandb-warehouse has: {first}",
            mend="choose another --warehouse; if an older wandb-warehouse wrote it, sync into it once",
        )
    if isinstance(error, duckdb.Error) and _DAMAGE.search(first):
        return CorruptStoreError(
            f"{warehouse} is damaged: {first}", mend="restore it, or move it away and sync again"
        )
    return None


def open_private(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a private build file for writing; the caller closes it before the loader opens it."""
    try:
        connection = duckdb.connect(str(path), config={**SETTINGS, "memory_limit": MEMORY_LIMIT})
    except duckdb.Error as error:
        raise open_failure(path, error) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def reader_instance(beside: str) -> duckdb.DuckDBPyConnection:
    """A new instance in memory, for reading; what it spills lies beside the path `beside`.

    Spilled data must not lie in the current directory (DuckDB's default here), nor be shared by readers.
    """
    spill = f"{beside}.spill-{os.getpid()}-{next(_READER_NUMBER)}"
    connection = duckdb.connect(config={**SETTINGS, "temp_directory": spill})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def open_file(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a published DuckDB file for reading, as the default catalog of an instance of its own.

    Raises:
        StoreError: there is no file, it may not be read, or a newer DuckDB or wandb-warehouse wrote it.
        CorruptStoreError: the file is no DuckDB file, no warehouse, or damaged.
        BusyError: another program has it open for writing.
    """
    if not path.exists():
        raise StoreError(f"no warehouse at {path}", mend="run `wandb-warehouse sync`")
    if not path.is_file():
        raise StoreError(f"{path} is not a file", mend="choose another --warehouse")
    resolved = path.resolve()
    connection = reader_instance(str(resolved))
    try:
        quoted = str(resolved).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {CATALOG} (READ_ONLY, TYPE duckdb)")
        connection.execute(f"USE {CATALOG}")
        _check_version(path, connection)
    except duckdb.Error as error:
        connection.close()
        raise open_failure(path, error) from error
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
    refuse_newer(path, found)


def refuse_newer(warehouse: Path | str, version: int | None) -> None:
    """Raise StoreError where a newer wandb-warehouse wrote the warehouse."""
    if version is not None and version > SCHEMA_VERSION:
        raise StoreError(
            f"{warehouse} has schema version {version}, this wandb-warehouse knows up to {SCHEMA_VERSION}",
            mend="upgrade wandb-warehouse",
        )
