"""Bombs, seen from the outside: the memory and the time of a whole process."""

import io
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.commands import COMMAND
from support import query, training
from wandb_warehouse.sandbox import Fault, Sandbox

MEGABYTES = 900
"""A sync of a small project takes 260; unbounded, these bombs took 4,100."""


def _parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _list_of(count: int) -> pa.ListArray:
    return pa.ListArray.from_arrays([0, count], pa.array(np.zeros(count)))


BOMBS: dict[str, Callable[[], bytes]] = {
    "one-text-id": lambda: _parquet(_step=[0], k=["x" * 200_000_000]),
    "same-text-id": lambda: _parquet(_step=list(range(400)), k=["x" * 1_000_000] * 400),
    "list-id": lambda: _parquet(_step=[0], k=_list_of(50_000_000)),
    "rows-id": lambda: _parquet(_step=np.zeros(20_000_000, "int64")),
}


@pytest.fixture
def armed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A server whose exports are bombs, but for one run."""
    with Sandbox() as box:
        box.add_run("e", "p", "good-id", rows=training(10))
        for name, make in BOMBS.items():
            run = box.add_run("e", "p", name, rows=training(10))
            run.exports, run.exported = [box.store.blobs.put(f"{name}.parquet", make())], 10
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        yield box


def _measured(*arguments: object) -> tuple[int, str, float]:
    """Exit code and stderr of a command, and the most memory it had, in MB, as the kernel counts it.

    It is looked up while the process lives: what is told afterwards includes the process that started it.
    """
    most = 0
    with subprocess.Popen([COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None:
            with suppress(OSError, AttributeError):
                status = Path(f"/proc/{running.pid}/status").read_text()
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                most = int(found[1]) if found else most
            time.sleep(0.02)
        assert running.stderr is not None
        said = running.stderr.read()
    assert most
    return running.returncode, said, most / 1024


@pytest.mark.slow
def test_bombs_cost_no_memory(armed: Sandbox, place: Path) -> None:
    """Exports of some kilobytes that unpack to gigabytes cost their own runs only, in bounded memory."""
    code, said, megabytes = _measured("sync", "e/p", "-w", place)
    assert code == 6, said
    assert "Traceback" not in said
    assert megabytes < MEGABYTES
    states = dict(query(place, "SELECT run_id, state FROM run_ledger"))
    assert states == {"good-id": "ok", **dict.fromkeys(BOMBS, "quarantined")}


@pytest.mark.slow
def test_a_gzip_bomb_costs_no_memory(armed: Sandbox, place: Path) -> None:
    """A small answer that unpacks to 256 MiB ends the sync, in bounded memory."""
    armed.inject(Fault("gzip_bomb", "ListRuns", times=-1, value=2**28))
    code, said, megabytes = _measured("sync", "e/p", "-w", place)
    assert code == 4, said
    assert "exceeds" in said
    assert megabytes < MEGABYTES
    assert not place.exists()
