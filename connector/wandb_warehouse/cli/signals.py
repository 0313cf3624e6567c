"""How signals end a command: unwound by an exception, and at the latest after some seconds without it."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["STOPPED", "ending_in_time", "unwinding"]

STOPPED: dict[int, tuple[str, int]] = {
    signal.SIGINT: ("interrupted; what was published before stands", 130),
    signal.SIGTERM: ("terminated; what was published before stands", 143),
}
"""What to say after a signal, and the exit code."""

GRACE = 5.0
"""Seconds in which a command may unwind."""

_SHOW_CURSOR = "\x1b[?25h"


class _Terminated(BaseException):
    """SIGTERM arrived: unwind, so that locks and working directories are let go, then exit 143."""


@contextmanager
def unwinding() -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM unwind the command, and note which arrived; what is ignored stays ignored."""
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else _Terminated

    previous = {
        number: signal.signal(number, stop)
        for number in STOPPED
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def ending_in_time(abandon: Callable[[], None]) -> Iterator[None]:
    """End the process some seconds after a signal, where what runs inside has not ended by then.

    Python runs a signal's handler between two of its own instructions, so not while a long statement of DuckDB runs;
    and leaving waits for other threads. A sync may be dropped at any moment; `abandon` removes what it leaves.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    incoming, outgoing = socket.socketpair()
    outgoing.settimeout(0)
    over = threading.Event()

    def watch() -> None:
        while arrived := incoming.recv(1):
            heeded = signal.getsignal(arrived[0]) is not signal.SIG_IGN
            if arrived[0] in STOPPED and heeded and not over.wait(GRACE):
                abandon()
                said, code = STOPPED[arrived[0]]
                shown = _SHOW_CURSOR if sys.stderr.isatty() else ""
                os.write(2, f"{shown}error: {said}\n".encode())
                os._exit(code)

    watcher = threading.Thread(target=watch, name="wandb-warehouse-signals", daemon=True)
    watcher.start()
    previous = signal.set_wakeup_fd(outgoing.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(previous)
        outgoing.close()
        watcher.join()
        incoming.close()
