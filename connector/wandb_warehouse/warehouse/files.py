"""DuckDB files as the disk knows them: made, copied, flushed, and told apart."""

import os
import shutil
from pathlib import Path

import duckdb

from wandb_warehouse.warehouse.instance import SETTINGS, open_file

__all__ = ["STORAGE_VERSION", "Mark", "copy_database", "flush", "log_of", "mark_of", "new_database"]

STORAGE_VERSION = "v1.0.0"
"""Oldest storage DuckDB can write: readers from DuckDB 1.1 on open it, at no cost in size or speed."""

Mark = tuple[int, ...]
"""Device, inode, size and times of a file."""


def mark_of(path: Path) -> Mark:
    """What tells a file from every other one, and from itself once somebody wrote to it."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def log_of(path: Path) -> Path:
    """Where DuckDB keeps the write-ahead log of a file."""
    return path.with_name(f"{path.name}.wal")


def new_database(path: Path) -> None:
    """Make an empty DuckDB file that older readers open, too."""
    connection = duckdb.connect(config=SETTINGS)
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS build (STORAGE_VERSION '{STORAGE_VERSION}')")
    finally:
        connection.close()
    path.chmod(0o600)


def copy_database(published: Path, path: Path) -> None:
    """Copy the published file; while it is open here for reading nobody can open it for writing."""
    reader = open_file(published)
    try:
        for source, copy in ((published, path), (log_of(published), log_of(path))):
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


def flush(path: Path) -> None:
    """Put a file, or the entries of a directory, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
