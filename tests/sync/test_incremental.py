"""A sync fetches what moved since the last one, and only that."""

from dataclasses import replace
from pathlib import Path

import pytest

from support import options, query, training, wrong_histories
from wandb_warehouse.client import Window
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync

P = ("e", "p")
QUARTER = 16 * 60.0
"""Seconds after which nothing late is waited for any more."""
REPEATED = {"as-far": 60, "farther": 90, "one-more": 61}
"""Rows of a run that was logged again, by how far it went."""


def test_appended_rows_are_fetched_alone(box: Sandbox, warehouse: Path, windows: list[Window]) -> None:
    """Of a run that went on, the rows past its last step are asked for; other runs are left alone."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(50, seed=number))
    box.export(*P, "r1", 29)
    box.export(*P, "r2")
    sync(options(box, warehouse))
    assert not wrong_histories(box, warehouse)
    for run_id in ("r1", "r2"):
        box.append_rows(*P, run_id, training(20, seed=9, first=50))
    windows.clear()
    report = sync(options(box, warehouse))
    # The row at step 49 is read once more, to see that it is still the one stored.
    assert {(w.run_id, w.min_step, w.max_step) for w in windows} == {("r1", 49, 70), ("r2", 49, 70)}
    assert (report.rows, report.runs_changed, report.generation) == (40, 2, 2)
    assert not wrong_histories(box, warehouse)


def test_a_rewound_run_is_replaced_whole(box: Sandbox, warehouse: Path) -> None:
    """Rows that a rewind took back go, whether or not the run has gone on since; other runs stay."""
    for run_id in ("rewound", "rewound-and-on", "untouched"):
        box.add_run(*P, run_id, rows=training(60, seed=1))
        box.export(*P, run_id, 40)
    sync(options(box, warehouse))
    box.rewind(*P, "rewound", 20)
    box.rewind(*P, "rewound-and-on", 20)
    box.append_rows(*P, "rewound-and-on", training(25, seed=2, first=21, started=1_700_001_000.0))
    report = sync(options(box, warehouse))
    assert (report.runs_changed, report.rows) == (2, 21 + 46)
    assert not wrong_histories(box, warehouse)
    assert query(warehouse, "SELECT run_id, max(step) FROM history GROUP BY 1 ORDER BY 1") == [
        ("rewound", 20), ("rewound-and-on", 45), ("untouched", 59)
    ]  # fmt: skip


@pytest.mark.parametrize("served", [True, False])
def test_a_rewind_shows_however_far_the_run_has_gone_on(box: Sandbox, warehouse: Path, served: bool) -> None:
    """A run rewound and logged again as far as before, or farther, is replaced: its last stored row is another.

    However much of it was exported, and whether or not the server gives exported rows with the others.
    """
    box.switches = replace(box.switches, history_includes_exported=served)
    exported = {"nothing": None, "before": 10, "behind": 40, "all": 59}
    again = {f"{how}-{upto}": rows for how, rows in REPEATED.items() for upto in exported}
    longer = [f"longer-{upto}" for upto in exported]
    for run_id in (*again, *longer):
        box.add_run(*P, run_id, rows=training(60, seed=1))
        if (last := exported[run_id.rpartition("-")[2]]) is not None:
            box.export(*P, run_id, last)
    sync(options(box, warehouse))
    box.advance(5)
    for run_id, rows in again.items():
        box.rewind(*P, run_id, 20)
        box.append_rows(*P, run_id, training(rows - 21, seed=2, first=21, started=1_700_001_000.0))
        box.finish(*P, run_id)
    for run_id in longer:
        box.append_rows(*P, run_id, training(5, seed=3, first=60))
        box.export(*P, run_id.replace("longer", "farther"), 70)
    assert sync(options(box, warehouse)).rows == sum(again.values()) + 5 * len(longer)
    assert not wrong_histories(box, warehouse)
    box.advance(5)
    for run_id in longer:
        box.finish(*P, run_id)
    assert sync(options(box, warehouse)).rows == 0
    assert not wrong_histories(box, warehouse)


def test_a_resumed_run_grows_again(box: Sandbox, warehouse: Path) -> None:
    """A finished run that is resumed shows as running with its new rows, then as finished again."""
    box.add_run(*P, "r", rows=training(30))
    sync(options(box, warehouse))
    for state, rows, finished in (("running", 45, False), ("finished", 60, True)):
        box.append_rows(*P, "r", training(15, seed=rows, first=rows - 15))
        if finished:
            box.finish(*P, "r")
        assert sync(options(box, warehouse)).rows == 15
        assert query(warehouse, "SELECT state, history_line_count FROM runs") == [(state, rows)]
        assert not wrong_histories(box, warehouse)


def test_a_late_summary_is_seen_after_the_lag(box: Sandbox, warehouse: Path) -> None:
    """What arrives after the last heartbeat shows in no list; the run is looked at once more after the lag."""
    run = box.add_run(*P, "r", rows=[{"loss": 0.5}], heartbeat_at=box.store.now())
    sync(options(box, warehouse))
    run.write_summary({"late": 7})
    assert not sync(options(box, warehouse)).published
    box.advance(QUARTER)
    assert sync(options(box, warehouse)).runs_changed == 1
    assert query(warehouse, "SELECT value FROM run_summary WHERE key = 'late'") == [(7.0,)]
    assert not sync(options(box, warehouse)).published


def test_edits_show_without_a_heartbeat(box: Sandbox, warehouse: Path) -> None:
    """An edit that leaves the heartbeat alone is seen by what the list says of the run; gone entries go."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=[{"loss": 1.0}], config={"lr": 1}, tags=["old", "older"])
    sync(options(box, warehouse))
    before = box.store.projects[P].runs["r1"].heartbeat_at
    box.edit(*P, "r1", config={"lr": 2}, summary={"best": 3}, tags=["new"], notes="mended")
    assert box.store.projects[P].runs["r1"].heartbeat_at == before
    box.edit(*P, "r2", tags=[])
    report = sync(options(box, warehouse))
    assert (report.runs_changed, report.rows) == (2, 0)
    assert query(warehouse, "SELECT run_id, value FROM run_config ORDER BY 1") == [
        ("r0", 1.0), ("r1", 2.0), ("r2", 1.0)
    ]  # fmt: skip
    assert query(warehouse, "SELECT value FROM run_summary WHERE run_id = 'r1' AND key = 'best'") == [(3.0,)]
    assert query(warehouse, "SELECT run_id, tag FROM run_tags ORDER BY run_id, position") == [
        ("r0", "old"), ("r0", "older"), ("r1", "new")
    ]  # fmt: skip
    assert query(warehouse, "SELECT notes FROM runs WHERE run_id = 'r1'") == [("mended",)]


def test_new_and_deleted_runs(box: Sandbox, warehouse: Path) -> None:
    """A new run comes in with its history; one that is deleted on the server does not make the sync fail."""
    box.add_run(*P, "kept", rows=training(5))
    box.add_run(*P, "deleted", rows=training(5))
    sync(options(box, warehouse))
    box.delete(*P, "deleted")
    box.add_run(*P, "new", rows=training(8))
    report = sync(options(box, warehouse))
    assert (report.runs_listed, report.runs_changed, report.rows) == (2, 1, 8)
    assert query(warehouse, "SELECT run_id FROM runs ORDER BY 1") == [("deleted",), ("kept",), ("new",)]
    assert not wrong_histories(box, warehouse)
