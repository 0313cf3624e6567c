"""The quick form of the kill harness, and of signals: the same at a few moments; `make soak` runs the long form."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lengths import short_or_all
from soak.kills import Situation, kill_syncs
from support import heed_interrupts, training
from wandb_warehouse.sandbox import Sandbox

pytestmark = pytest.mark.slow

_LONG_PROOF = """
from wandb_warehouse.warehouse.build import Build

def long(self, *_):
    print("begun", flush=True)
    self._connection.execute(
        "select count(*) from range(10000000) a, range(10000000) b where (a.range + b.range) % 7 = 3"
    )

Build.prove = long
from wandb_warehouse.cli import main
main()
"""


def test_a_killed_sync_is_made_good_by_the_next(tmp_path: Path) -> None:
    """Killed anywhere, a sync leaves a whole state and no lock; one more sync makes the warehouse equal the source."""
    chosen = [
        Situation(0, "duckdb", deletes=True),
        Situation(1, "filesystem"),
    ]
    results = kill_syncs(2, seed=11, minutes=3, folder=tmp_path, per_situation=1, chosen=chosen)
    assert results.kills + results.not_reached == 2
    assert set(results.by_destination) == {"duckdb", "filesystem"}
    assert (results.differences, results.torn, results.overlaps, results.left_behind) == ([], [], [], [])


@pytest.mark.parametrize("sent", short_or_all([signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]), ids=str)
def test_a_signal_ends_a_sync_cleanly_at_any_moment(tmp_path: Path, sent: signal.Signals) -> None:
    """SIGTERM and SIGINT leave a whole state and nothing beside it, with the exit code of the signal."""
    results = kill_syncs(
        1,
        seed=12,
        minutes=3,
        folder=tmp_path,
        chosen=[Situation(0, "duckdb", batches=True)],
        sent=(sent,),
    )
    assert results.signalled + results.not_reached == 1
    assert (results.differences, results.torn, results.left_behind) == ([], [], [])


def test_a_signal_ends_a_long_statement(box: Sandbox, tmp_path: Path) -> None:
    """A statement that Python cannot look up from does not keep a terminated sync for more than ten seconds."""
    box.add_run("e", "p", "r0", rows=training(5))
    settings = {"WANDB_API_KEY": box.key, "WANDB_BASE_URL": box.base_url}
    with subprocess.Popen(
        [sys.executable, "-c", _LONG_PROOF, "sync", "e/p", "-w", "wandb.duckdb"],
        env=os.environ | settings,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            time.sleep(1)  # the statement runs
            process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert time.monotonic() - started < 10
    assert process.returncode == 143
    assert said.splitlines()[-1] == "error: terminated; what was published before stands"
    assert [entry.name for entry in tmp_path.iterdir()] == ["wandb.duckdb.lock"]
