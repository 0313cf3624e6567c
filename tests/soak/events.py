"""Counts what a sync does to the disk and to DuckDB, and strikes the process at one of these points.

A point lies before or after an event: a file opened for writing, a rename, a removal, a directory made, an fsync, a
statement, a commit, a write to a parquet file. Files and directories are watched by an audit hook, which sees them
before they happen, whoever does them; what comes after, and DuckDB's and Arrow's own work, by wrapping functions.
"""

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import duckdb
import pyarrow.parquet as pq

from wandb_warehouse.sync.report import PhaseClock

__all__ = ["Points", "watch"]

_AUDITED = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "remove",
    "os.mkdir": "mkdir",
    "os.truncate": "truncate",
    "os.link": "link",
}
_OS = {
    "rename": "rename",
    "replace": "rename",
    "remove": "remove",
    "unlink": "remove",
    "rmdir": "remove",
    "mkdir": "mkdir",
    "link": "link",
}
_UNAUDITED = {"fsync": "fsync", "pwrite": "write", "copy_file_range": "write", "ftruncate": "truncate"}
_CONNECTION = ("execute", "executemany", "sql", "begin", "commit", "rollback", "close")


class Points:
    """The points of one process, in the order in which they come."""

    def __init__(
        self, *, at: int | None = None, sent: int = signal.SIGKILL, delay: float | None = None, told: int = -1
    ) -> None:
        """Count; strike at a point.

        Args:
            at: number of the point, from 1; None only counts.
            sent: the signal.
            delay: seconds after the point at which it is sent, while the process goes on; None sends it right there.
            told: descriptor to which the point is written before the strike.
        """
        self.found: list[tuple[str, str, str]] = []
        self.phase = "other"
        self._at = at
        self._sent = sent
        self._delay = delay
        self._told = told
        self._lock = threading.Lock()
        self._busy = threading.local()

    def point(self, kind: str, side: str) -> None:
        """Count a point."""
        if getattr(self._busy, "yes", False):
            return
        self._busy.yes = True
        try:
            with self._lock:
                self.found.append((self.phase, kind, side))
                struck = len(self.found) == self._at
            if struck:
                self._strike(kind, side)
        finally:
            self._busy.yes = False

    def _strike(self, kind: str, side: str) -> None:
        side = side if self._delay is None else "during"
        os.write(self._told, json.dumps([self.phase, kind, side]).encode())
        if self._delay is None:
            os.kill(os.getpid(), self._sent)
            return
        delay = self._delay

        def later() -> None:
            time.sleep(delay)
            os.kill(os.getpid(), self._sent)

        threading.Thread(target=later, daemon=True).start()


def watch(points: Points) -> None:
    """Count the points of this process from now on; there is no way back."""
    import sys  # noqa: PLC0415 - for the hook alone

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writing = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR)) or bool(set(mode or "") & set("wax+"))
            if writing and isinstance(path, str | bytes | os.PathLike) and not str(path).startswith("/dev/"):
                points.point("open", "before")
        elif event in _AUDITED:
            points.point(_AUDITED[event], "before")

    def around(function: Callable[..., Any], kind: Callable[..., str], *, before: bool) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            name = kind(*arguments)
            if before:
                points.point(name, "before")
            result = function(*arguments, **named)
            points.point(name, "after")
            return result

        return wrapper

    def constant(name: str) -> Callable[..., str]:
        return lambda *_: name

    for name, kind in _OS.items():
        setattr(os, name, around(getattr(os, name), constant(kind), before=False))
    for name, kind in _UNAUDITED.items():
        if hasattr(os, name):
            setattr(os, name, around(getattr(os, name), constant(kind), before=True))
    _watch_opening(points)
    for name in _CONNECTION:
        method = getattr(duckdb.DuckDBPyConnection, name)
        setattr(duckdb.DuckDBPyConnection, name, around(method, _statement_kind(name), before=True))
    for name in ("write_table", "write_batch", "close"):
        method = getattr(pq.ParquetWriter, name)
        setattr(pq.ParquetWriter, name, around(method, constant("parquet"), before=True))
    _watch_phases(points)
    sys.addaudithook(hook)


def _statement_kind(name: str) -> Callable[..., str]:
    def kind(*arguments: Any) -> str:
        if name in {"commit", "close"}:
            return name
        text = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], str) else name
        word = text.split(maxsplit=1)[0].lower() if text.split() else ""
        return word.strip(";") if word.strip(";") in {"commit", "checkpoint"} else "sql"

    return kind


def _watch_opening(points: Points) -> None:
    opening = io.open

    @wraps(opening)
    def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        found = opening(file, mode, *arguments, **named)
        if set(mode) & set("wax+"):
            points.point("open", "after")
        return found

    io.open = opened


def _watch_phases(points: Points) -> None:
    phase = PhaseClock.phase

    @contextmanager
    def watched(clock: PhaseClock, name: str) -> Iterator[None]:
        before, points.phase = points.phase, name
        try:
            with phase(clock, name):
                yield
        finally:
            points.phase = before

    PhaseClock.phase = watched  # type: ignore[method-assign,assignment]
