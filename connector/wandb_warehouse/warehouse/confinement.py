"""Bounds of the process around one statement, for what DuckDB itself does not bound.

A single call of a function is neither interrupted nor counted by DuckDB: `repeat('a', 2000000000)` ran 22 s under a
timeout of one second, in 4 GB under a limit of 500 MB. So the kernel bounds the memory, and a watchdog the time.
"""

import contextlib
import os
import re
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wandb_warehouse.errors import QueryError

__all__ = ["GRACE", "confined"]

GRACE = 2.0
"""Seconds that a statement has to heed an interruption before the process ends."""
_HEADROOM = 512 * 2**20
"""Bytes beside DuckDB's own: batches on their way out, stacks of threads."""
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@contextmanager
def confined(memory: str, seconds: float | None) -> Iterator[None]:
    """Bound the whole process; for a process that does nothing else than run one statement.

    Args:
        memory: DuckDB's limit as it tells it, e.g. `18.8 GiB`; the process may hold that, and half a gigabyte more.
        seconds: time of the statement; the process ends with exit code 2 where it does not end by itself soon after.
    """
    with _bounded_memory(memory), _bounded_time(seconds):
        yield


@contextmanager
def _bounded_memory(memory: str) -> Iterator[None]:
    number, _, unit = memory.partition(" ")
    held = _data_bytes()
    if held is None or unit not in _UNITS:
        yield
        return
    most = held + int(float(number) * _UNITS[unit]) + _HEADROOM
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    within = [each for each in (most, soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(within), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int | None:
    """What of this process counts against RLIMIT_DATA; None where the system does not tell."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmData:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None


@contextmanager
def _bounded_time(seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        if not over.wait(seconds + GRACE):
            error = QueryError(
                f"the statement was stopped after {seconds:g} s", mend="narrow it or raise the timeout"
            )
            os.write(sys.stderr.fileno(), f"error: {error}\n".encode())
            os._exit(error.exit_code)

    watcher = threading.Thread(target=watch, name="wandb-warehouse-watchdog", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
