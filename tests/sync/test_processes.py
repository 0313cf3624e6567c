"""A sync in a process of its own: killed, terminated, and measured."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import heed_interrupts, query, training, wrong_histories
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.warehouse import content_digest

pytestmark = pytest.mark.slow

_SYNC = "from wandb_warehouse.cli import main; main()"
_MEASURED = """
import json, resource, sys
from pathlib import Path
from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sync import SyncOptions, sync
connection = Connection(sys.argv[1], Secret(sys.argv[2]), "argument")
report = sync(SyncOptions((ProjectPath("e", "p"),), connection, Path(sys.argv[3])))
# ru_maxrss would count from the size of the process that forked this one.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({"megabytes": int(peak.split()[1]) / 1024,
    "cpu": resource.getrusage(resource.RUSAGE_SELF).ru_utime, **report.to_dict()}))
"""

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(box: Sandbox, warehouse: Path) -> Iterator[Start]:
    """Start a sync of e/p by the command line; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []
    settings = {"WANDB_API_KEY": box.key, "WANDB_BASE_URL": box.base_url, "WANDB_WAREHOUSE": str(warehouse)}

    def run() -> "subprocess.Popen[str]":
        arguments = [sys.executable, "-W", "error", "-c", _SYNC, "sync", "e/p"]
        process = subprocess.Popen(
            arguments,
            env=os.environ | settings,
            cwd=warehouse.parent,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _wait(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def _workplaces(warehouse: Path) -> list[Path]:
    return list(warehouse.parent.glob(f"{warehouse.name}.work-*"))


def _asked_for_history(box: Sandbox) -> bool:
    return any(request.operation == "HistoryWindows" for request in box.requests)


def _loading(warehouse: Path) -> bool:
    return any((place / "build.duckdb").exists() for place in _workplaces(warehouse))


def _fill(box: Sandbox) -> None:
    for number in range(5):
        box.add_run("e", "p", f"r{number}", rows=training(200, seed=number), config={"n": number})


@pytest.mark.parametrize("stage", ["history", "load"])
def test_a_killed_sync_is_made_good_by_the_next(
    box: Sandbox, warehouse: Path, start: Start, stage: str
) -> None:
    """After SIGKILL readers see the old file; the next sync removes what was left behind and converges."""
    box.add_run("e", "p", "first", rows=training(20))
    assert start().wait(60) == 0
    digest = content_digest(warehouse)
    _fill(box)
    if stage == "history":
        box.inject(Fault("slow", "HistoryWindows", value=60))
    box.clear_requests()
    process = start()
    _wait(lambda: _asked_for_history(box) if stage == "history" else _loading(warehouse))
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    (left,) = _workplaces(warehouse)
    assert content_digest(warehouse) == digest

    assert start().wait(60) == 0
    assert not left.exists()
    assert not _workplaces(warehouse)
    assert not wrong_histories(box, warehouse)
    assert query(warehouse, "SELECT max(generation) FROM sync_log") == [(2,)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_sync_leaves_nothing_behind(
    box: Sandbox, warehouse: Path, start: Start, number: signal.Signals
) -> None:
    """SIGTERM and SIGINT end a sync within ten seconds, with the code of the signal and no directory left."""
    _fill(box)
    box.inject(Fault("slow", "HistoryWindows", value=60))
    process = start()
    _wait(lambda: _asked_for_history(box))
    assert _workplaces(warehouse)
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in said
    assert [path.name for path in warehouse.parent.iterdir()] == [f"{warehouse.name}.lock"]
    assert start().wait(60) == 0
    assert not wrong_histories(box, warehouse)


def test_ten_thousand_runs_fit_in_half_a_gigabyte(box: Sandbox, warehouse: Path) -> None:
    """10,000 runs with 3 config and 5 summary entries each are synced with a peak memory under 500 MB."""
    for number in range(10_000):
        box.add_run(
            "e", "p", f"run{number:05}", created_at="2026-01-01",
            config={"lr": number / 7, "model": {"depth": number % 9, "name": f"model-{number % 50}"}},
            summary={"loss": 1 / (number + 1), "acc": number, "best": {"step": 5}, "tag": "x" * 20, "ok": True},
        )  # fmt: skip
    arguments = [sys.executable, "-W", "error", "-c", _MEASURED, box.base_url, box.key, str(warehouse)]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True, timeout=240)
    measured = json.loads(done.stdout)
    assert measured["runs_listed"] == 10_000
    counts = [f"(SELECT count(*) FROM {name})" for name in ("runs", "run_config", "run_summary")]
    assert query(warehouse, f"SELECT {', '.join(counts)}") == [(10_000, 30_000, 50_000)]
    assert query(warehouse, "SELECT sum(value) FROM run_summary WHERE key = 'acc'") == [(sum(range(10_000)),)]
    assert measured["megabytes"] < 500, measured
    # Pages of the listing, batches of details, and 50 runs a request for each of the five tables beside them.
    assert measured["requests"] <= 10 + 40 + 5 * 200 + 10
