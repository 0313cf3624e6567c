"""One sync at a time: an advisory lock beside the warehouse, freed by the kernel after any kind of death."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from wandb_warehouse.errors import BusyError, StoreError

__all__ = ["WarehouseLock"]


class WarehouseLock:
    """Context manager that holds the exclusive lock of one warehouse, or raises BusyError at once.

    The lock is `flock` on `<warehouse>.lock`, or on `path`; the file holds the pid for the message and is never
    removed, because a removed lock file can be locked by two processes at once. Symbolic links to the warehouse
    share its lock.

    Raises:
        BusyError: another process (or another lock object of this one) holds it.
        StoreError: the lock file cannot be made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with WarehouseLock(Path(folder) / "wandb.duckdb") as lock:
        ...         lock.path.name
        'wandb.duckdb.lock'
    """

    def __init__(self, warehouse: Path | str, path: Path | None = None) -> None:
        self.warehouse = warehouse
        resolved = Path(warehouse).resolve()
        self.path = resolved.with_name(f"{resolved.name}.lock") if path is None else path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        if self._descriptor is not None:
            raise self._busy()
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(
                f"cannot make the lock file {self.path}: {error.strerror}",
                mend="create the directory or choose another --warehouse",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise self._busy() from error
        except OSError as error:
            os.close(descriptor)
            raise StoreError(
                f"cannot lock {self.path}: {error.strerror}",
                mend="put the warehouse on a file system with locks",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            # Emptied first: a pid left behind would name a process that holds nothing.
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def held_by(self) -> int | None:
        """Pid of who holds the lock, 0 where it is not written yet; None where nobody does. Nothing is made for it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return self._holder() or 0
        finally:
            os.close(descriptor)
        return None

    def _busy(self) -> BusyError:
        holder = self._holder()
        return BusyError(
            f"another sync ({f'pid {holder}' if holder else 'pid not yet written'}) holds {self.warehouse}",
            mend="wait until it ends, or stop it",
        )

    def _holder(self) -> int | None:
        """Pid in the lock file; the holder writes it just after locking, so an empty file is read again."""
        for _ in range(20):
            text = self.path.read_text(encoding="ascii", errors="replace").strip()
            if text.isdecimal():
                return int(text)
            time.sleep(0.01)
        return None
