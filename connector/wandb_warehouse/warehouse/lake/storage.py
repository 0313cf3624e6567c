"""Where a lake lies: a local directory, or any store that fsspec reaches; files come and go whole."""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

from wandb_warehouse.errors import ConfigError, StoreError
from wandb_warehouse.warehouse.files import flush
from wandb_warehouse.warehouse.lake.manifest import MANIFEST

if TYPE_CHECKING:
    import duckdb
    from fsspec import AbstractFileSystem

__all__ = [
    "PRIVATE",
    "LocalStorage",
    "RemoteStorage",
    "Storage",
    "find_lake",
    "is_address",
    "local_path",
    "shown",
    "storage_at",
]


PRIVATE = 0o600
"""Permissions of what is published unless a sync is asked for others: its owner reads it."""


class Storage(Protocol):
    """Files below one root, by their relative paths."""

    @property
    def name(self) -> str:
        """The root, as people may see it: without credentials."""

    def beside(self, name: str) -> Path:
        """A local path of our own for this lake: its lock, its working directories."""

    def read(self, path: str) -> bytes | None:
        """Contents of a small file, None where there is none."""

    def add(self, source: Path, path: str) -> None:
        """Put a new file, moving or copying `source`; it is durable when this returns."""

    def replace(self, source: Path, path: str) -> None:
        """Put a file in place of another of that name, in one step for readers."""

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder below the root; none where the folder is not there."""

    def remove(self, path: str) -> None:
        """Remove a file."""

    def address(self, path: str) -> str:
        """Path of a file as DuckDB reads it once `prepare` was called."""

    def view_path(self, path: str) -> str:
        """Path of a file as `views.duckdb` names it."""

    def prepare(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Let a DuckDB instance read `address` and `view_path`."""

    def told(self, error: Exception) -> str:
        """What may be told of an error of DuckDB over these files, in one line."""


def is_address(warehouse: Path | str) -> bool:
    """Whether a warehouse is named by an address (`s3://...`) rather than a local path."""
    return isinstance(warehouse, str) and "://" in warehouse and not warehouse.startswith("file://")


def shown(warehouse: Path | str) -> str:
    """A warehouse's name for reports and messages: an address without user, password and query.

    Example:
        >>> shown("sftp://ada:secret@host/lake?key=1")
        'sftp://host/lake'
    """
    if not is_address(warehouse):
        return str(warehouse)
    parts = urlsplit(str(warehouse))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def find_lake(warehouse: Path | str) -> Storage | None:
    """The storage of a lake that is there, or that an address names; None for a local path without a manifest."""
    if is_address(warehouse):
        return storage_at(warehouse)
    storage = LocalStorage(local_path(warehouse))
    return storage if storage.read(MANIFEST) is not None else None


def storage_at(warehouse: Path | str) -> Storage:
    """The storage at a path or an address, whether a lake lies there or not.

    Raises:
        ConfigError: the address cannot be used, or what it needs is not installed.
    """
    if not is_address(warehouse):
        return LocalStorage(local_path(warehouse))
    # dlt takes a second to load, and only addresses need it.
    from wandb_warehouse.warehouse.destinations import remote_filesystem  # noqa: PLC0415

    return RemoteStorage(shown(warehouse), *remote_filesystem(str(warehouse)))


def local_path(warehouse: Path | str) -> Path:
    """The local path that a path or a `file://` address means; StoreError where it can be none."""
    text = str(warehouse)
    path = Path(url2pathname(urlsplit(text).path)) if text.startswith("file://") else Path(warehouse)
    try:
        path.stat()
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        if not isinstance(error, OSError) or error.errno in _NO_PATH:
            what = f"{text[:100]!r} cannot be a path ({getattr(error, 'strerror', None) or error})"
            raise StoreError(what, mend="choose another --warehouse") from error
    return path


_NO_PATH = frozenset({errno.ELOOP, errno.ENAMETOOLONG})
"""What no look at a path can tell more of: links that lead in a circle, names that are too long."""


class LocalStorage:
    """A local directory."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self.root = root.resolve()
        self.mode = PRIVATE
        """Permissions of files that are added; their directories can be entered by who may read them."""

    def share(self, paths: Iterable[str]) -> None:
        """Give files that are there, and the directories they lie in, the permissions of files that are added."""
        with self._as_store_error("its permissions"):
            for path in paths:
                if (self.root / path).exists():
                    (self.root / path).chmod(self.mode)
                    self._open_folder((self.root / path).parent)
            self._open_folder(self.root)

    def _open_folder(self, folder: Path) -> None:
        readable = self.mode & 0o444
        wanted = stat.S_IMODE(folder.stat().st_mode) | readable | readable >> 2
        if wanted != stat.S_IMODE(folder.stat().st_mode):
            folder.chmod(wanted)

    def beside(self, name: str) -> Path:
        """See `Storage`: inside the directory, which may be a mount of its own, and hidden from readers."""
        return self.root / f".{name}"

    def read(self, path: str) -> bytes | None:
        """See `Storage`."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(
                f"{self.root / path} cannot be read: {error.strerror}", mend="mend the permissions"
            ) from error

    def add(self, source: Path, path: str) -> None:
        """See `Storage`: flushed, then renamed."""
        target = self.root / path
        with self._as_store_error(path):
            target.parent.mkdir(mode=0o700, exist_ok=True)
            if self.mode != PRIVATE:
                self._open_folder(target.parent)
            source.chmod(self.mode)
            flush(source)
            source.replace(target)
            flush(target.parent)
            flush(self.root)

    replace = add

    def list(self, folder: str) -> list[str]:
        """See `Storage`."""
        place = self.root / folder
        return [entry.name for entry in place.iterdir() if entry.is_file()] if place.is_dir() else []

    def remove(self, path: str) -> None:
        """See `Storage`."""
        (self.root / path).unlink(missing_ok=True)

    def address(self, path: str) -> str:
        """See `Storage`."""
        return str(self.root / path)

    def view_path(self, path: str) -> str:
        """See `Storage`: relative, so that the directory can be moved as a whole."""
        return path

    def prepare(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """See `Storage`; DuckDB looks relative paths up below the root."""
        if any(sign in str(self.root) for sign in "*?["):
            raise ConfigError(
                f"{self.root} has one of *?[ in it", mend="choose another directory for the lake"
            )
        connection.execute("SET file_search_path = ?", [str(self.root)])

    def told(self, error: Exception) -> str:
        """See `Storage`: what it says."""
        return str(error).splitlines()[0]

    @contextmanager
    def _as_store_error(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write {path} in {self.name}: {error.strerror}",
                mend="free disk space or mend the permissions",
            ) from error


class RemoteStorage:
    """A folder of a file system that fsspec reaches, an object store above all."""

    def __init__(self, name: str, filesystem: "AbstractFileSystem", root: str) -> None:
        self.name = name
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def beside(self, name: str) -> Path:
        """See `Storage`: in a private directory among the system's temporary ones."""
        folder = Path(tempfile.gettempdir()) / f"wandb-warehouse-{os.getuid()}"
        with self._as_store_error("work for", "the lake"):
            folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise StoreError(f"others may write to {folder}", mend="set TMPDIR to a directory of your own")
        digest = hashlib.sha256(self.address("").encode()).hexdigest()[:16]
        return folder / f"{digest}.{name}"

    def read(self, path: str) -> bytes | None:
        """See `Storage`."""
        with self._as_store_error("read", path):
            try:
                return bytes(self._filesystem.cat_file(self._at(path)))
            except FileNotFoundError:
                return None

    def add(self, source: Path, path: str) -> None:
        """See `Storage`: one upload, which object stores show when it is whole."""
        with self._as_store_error("write", path):
            self._filesystem.makedirs(self._at(path).rpartition("/")[0], exist_ok=True)
            self._filesystem.put_file(str(source), self._at(path))
        source.unlink()

    replace = add

    def list(self, folder: str) -> list[str]:
        """See `Storage`."""
        with self._as_store_error("list", folder):
            try:
                found = self._filesystem.ls(self._at(folder), detail=False)
            except FileNotFoundError:
                return []
        return [name.rstrip("/").rpartition("/")[2] for name in found]

    def remove(self, path: str) -> None:
        """See `Storage`."""
        with self._as_store_error("remove", path):
            self._filesystem.rm_file(self._at(path))

    def address(self, path: str) -> str:
        """See `Storage`."""
        return str(self._filesystem.unstrip_protocol(self._at(path)))

    def view_path(self, path: str) -> str:
        """See `Storage`: whole addresses, DuckDB has no others outside of the local disk."""
        return self.address(path)

    def prepare(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """See `Storage`; DuckDB reads through fsspec, so no extension of its own is needed."""
        connection.register_filesystem(self._filesystem)

    def told(self, error: Exception) -> str:
        """See `Storage`: its kind alone, because a store's words may hold addresses with signatures."""
        return type(error).__name__

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextmanager
    def _as_store_error(self, doing: str, path: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - as many kinds of errors as there are stores
            # Every store has errors of its own, and their texts may hold addresses with signatures.
            raise StoreError(
                f"cannot {doing} {path} in {self.name}: {type(error).__name__}",
                mend="mend the address, the credentials or the permissions, or run the sync again",
            ) from None
