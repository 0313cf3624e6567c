"""The lock: one holder, named at once, freed by any death."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wandb_warehouse.errors import BusyError, StoreError
from wandb_warehouse.warehouse import WarehouseLock

_HOLD = """
import sys
from wandb_warehouse.warehouse import WarehouseLock
with WarehouseLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_second_process_is_refused_at_once_and_names_the_first(tmp_path: Path) -> None:
    """While one process holds the lock, another is refused within a second with the holder's pid."""
    holder = _holder(tmp_path / "w.duckdb")
    try:
        begun = time.monotonic()
        with pytest.raises(BusyError, match=rf"pid {holder.pid}\b"), WarehouseLock(tmp_path / "w.duckdb"):
            pass
        assert time.monotonic() - begun < 1
    finally:
        _stop(holder)


def test_kill_frees_the_lock(tmp_path: Path) -> None:
    """A holder that dies of SIGKILL leaves its file behind but not its lock."""
    _stop(_holder(tmp_path / "w.duckdb"))
    with WarehouseLock(tmp_path / "w.duckdb") as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_lock_is_taken_again_after_release(tmp_path: Path) -> None:
    """Leaving the context frees the lock, also after an exception, and empties the pid."""
    lock = WarehouseLock(tmp_path / "w.duckdb")
    with pytest.raises(RuntimeError, match="inside"), lock:
        raise RuntimeError("inside")
    assert lock.path.read_text() == ""
    with lock, pytest.raises(BusyError, match=str(os.getpid())), WarehouseLock(tmp_path / "w.duckdb"):
        pass
    with lock, pytest.raises(BusyError), lock:
        pass


def test_link_shares_the_lock_of_its_target(tmp_path: Path) -> None:
    """A warehouse reached through a symbolic link is the same warehouse."""
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "w.duckdb")
    with (
        WarehouseLock(tmp_path / "w.duckdb"),
        pytest.raises(BusyError),
        WarehouseLock(tmp_path / "link.duckdb"),
    ):
        pass


def test_missing_directory_is_a_store_error(tmp_path: Path) -> None:
    """A lock in a directory that is not there names the directory."""
    with (
        pytest.raises(StoreError, match=str(tmp_path / "nowhere")),
        WarehouseLock(tmp_path / "nowhere" / "w"),
    ):
        pass
