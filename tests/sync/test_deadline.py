"""A sync with its time limited: what it took up is whole and published, the next one goes on."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support import options, query, training, wrong_histories
from wandb_warehouse.resources import details, history, reading
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import SyncReport, sync

AT_ONCE = 1e-9
"""Minutes that are over before the first request."""
BESIDE = ("files", "run_metadata")
"""Tables beside runs and history."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details and histories are taken up a few runs at a time."""
    monkeypatch.setattr(details, "_RUNS_PER_REQUEST", 10)
    monkeypatch.setattr(history, "_RUNS_PER_GROUP", 4)


def limited(box: Sandbox, warehouse: Path, *projects: str, **more: Any) -> SyncReport:
    """Sync with no time at all."""
    return sync(options(box, warehouse, *projects, max_minutes=AT_ONCE, **more))


def fill(box: Sandbox, project: str, runs: int) -> None:
    """Runs with histories."""
    for number in range(runs):
        box.add_run("e", project, f"r{number:02}", rows=training(5, seed=number), config={"n": number})


def test_what_is_begun_is_published_and_the_rest_follows(box: Sandbox, warehouse: Path) -> None:
    """Without any time one batch of details and one group of histories go through; no run in part, none left behind."""
    fill(box, "p", 13)
    report = limited(box, warehouse)
    assert (report.generation, report.rows, report.runs_left) == (1, 4 * 5, 3 + 6)
    assert not report.quarantined
    report.raise_if_partial()
    assert query(warehouse, "SELECT state, count(*) FROM run_ledger GROUP BY 1 ORDER BY 1") == [
        ("ok", 4), ("pending", 6)
    ]  # fmt: skip
    whole = set(query(warehouse, "SELECT run_id, count(DISTINCT step) FROM history GROUP BY 1"))
    assert whole == {(f"r{number:02}", 5) for number in range(4)}
    rounds = 1
    while report.runs_left:
        report = limited(box, warehouse)
        assert report.published
        rounds += 1
    assert rounds == 4  # 13 runs, 4 at a time
    assert not wrong_histories(box, warehouse)
    assert query(warehouse, "SELECT DISTINCT state FROM run_ledger") == [("ok",)]
    while limited(box, warehouse).tables_left:
        rounds += 1
        assert rounds < 60
    assert not sync(options(box, warehouse)).published


def test_a_sync_without_limit_finishes_what_was_left(box: Sandbox, warehouse: Path) -> None:
    """What is held is not fetched again; what was left comes."""
    fill(box, "p", 25)
    limited(box, warehouse)
    report = sync(options(box, warehouse))
    assert (report.rows, report.runs_changed, report.runs_left) == (21 * 5, 21, 0)
    assert not wrong_histories(box, warehouse)


def test_every_project_has_its_turn(box: Sandbox, warehouse: Path) -> None:
    """The project that was read longest ago goes first, so that no order of arguments starves one."""
    projects = ["a", "b", "c"]
    paths = [f"e/{project}" for project in projects]
    for project in projects:
        fill(box, project, 3)
    for left in (["e/b", "e/c"], ["e/c", "e/a"], ["e/a", "e/b"]):
        box.advance(60)
        assert sorted(limited(box, warehouse, *paths).projects_left) == sorted(left)
    assert not wrong_histories(box, warehouse)


def test_a_rewind_that_is_left_is_not_forgotten(box: Sandbox, warehouse: Path) -> None:
    """A run as long as before, with other rows, that the time did not suffice for, is read by the next sync."""
    fill(box, "p", 8)
    sync(options(box, warehouse))
    box.advance(3600)
    for number in range(8):
        box.rewind("e", "p", f"r{number:02}", 1)
        box.append_rows("e", "p", f"r{number:02}", training(3, seed=77, first=2, started=1_800_000_000.0))
    assert limited(box, warehouse).runs_left == 4
    assert len(wrong_histories(box, warehouse)) == 4
    assert sync(options(box, warehouse)).runs_changed == 4
    assert not wrong_histories(box, warehouse)


def test_no_table_of_a_run_is_read_twice(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a new project too, which takes many syncs to be read to its end, each run's files are asked for once."""
    monkeypatch.setattr(reading, "_RUNS_PER_GROUP", 1)
    monkeypatch.setattr(reading, "_GROUPS_AT_ONCE", 1)
    monkeypatch.setattr(details, "_RUNS_PER_REQUEST", 2)
    monkeypatch.setattr(details, "_REQUESTS_AT_ONCE", 1)
    fill(box, "p", 4)
    rounds = 0
    while limited(box, warehouse, resources=("files",), history="none").published:
        rounds += 1
        assert rounds < 20
    asked = Counter(request.operation for request in box.requests)
    assert asked["RunFiles"] == 4


def test_enough_time_changes_nothing(box: Sandbox, warehouse: Path) -> None:
    """A limit that is not reached leaves nothing."""
    fill(box, "p", 12)
    report = sync(options(box, warehouse, max_minutes=60))
    assert (report.rows, report.runs_left, report.projects_left) == (60, 0, [])
    assert not wrong_histories(box, warehouse)


def test_samples_are_left_too(box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples go through group by group as well."""
    from wandb_warehouse.resources import sampling  # noqa: PLC0415 - the room's inside, for this test alone

    monkeypatch.setattr(sampling, "_ROWS_PER_GROUP", 1)
    fill(box, "p", 3)
    sampled = "SELECT count(DISTINCT run_id) FROM history_sampled"
    asked = {"history": "sampled", "resources": ("history_sampled", *BESIDE)}
    for done in (1, 2, 3):
        assert limited(box, warehouse, **asked).runs_left == 3 - done
        assert query(warehouse, sampled) == [(done,)]
    for _ in BESIDE:  # a table a time
        limited(box, warehouse, **asked)
    assert not limited(box, warehouse, **asked).published
