"""After any changes at W&B, syncs make the warehouse equal the server: what a new warehouse would hold."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support import contents, options, query, training, wrong_histories
from wandb_warehouse.client import Limits, RunPage, WandbClient
from wandb_warehouse.errors import PartialError, WarehouseError
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sync import SyncReport, sync
from wandb_warehouse.warehouse import status

P = ("e", "p")
HOUR = 3600.0
QUARTER = 16 * 60.0
"""Seconds after which nothing late is waited for any more."""
STATES = """SELECT run_id, deleted_at IS NOT NULL, run_ledger.state
FROM runs JOIN run_ledger USING (entity, project, run_id) ORDER BY 1"""
SLOW = pytest.mark.slow


def as_new(box: Sandbox, warehouse: Path, *projects: str) -> None:
    """Hold that the warehouse has what a new one gets from the server as it is now, beside deleted runs."""
    fresh = warehouse.with_name("fresh.duckdb")
    fresh.unlink(missing_ok=True)
    sync(options(box, fresh, *projects))
    assert contents(warehouse) == contents(fresh)
    assert not wrong_histories(box, warehouse)


def test_a_deleted_run_is_marked_and_comes_back(box: Sandbox, warehouse: Path) -> None:
    """A run proven gone is marked with the server's time, views hide it, its rows stay; undeleted, it is whole."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(20, seed=number), config={"n": number}, tags=["t"])
    sync(options(box, warehouse))
    box.delete(*P, "r1")
    box.advance(2 * 24 * HOUR)  # no clock of ours says so
    report = sync(options(box, warehouse))
    assert (report.runs_deleted, report.runs_restored, report.rows) == (1, 0, 0)
    assert query(warehouse, STATES) == [("r0", False, "ok"), ("r1", True, "deleted"), ("r2", False, "ok")]
    told = query(
        warehouse,
        "SELECT deleted_at, started_at FROM runs, sync_log WHERE deleted_at IS NOT NULL AND generation = 2",
    )
    assert told[0][0] == told[0][1]
    assert abs(told[0][0] - datetime.now(UTC) - timedelta(days=2)) < timedelta(minutes=5)
    for table in ("run_config", "run_tags", "run_summary", "history"):
        assert query(warehouse, f"SELECT count(DISTINCT run_id) FROM {table}") == [(3,)]
    for view in ("run_overview", "latest_metrics", "run_curves('loss')"):
        assert query(warehouse, f"SELECT DISTINCT run_id FROM {view} ORDER BY 1") == [("r0",), ("r2",)]
    (project,) = status(warehouse).projects
    assert (project.runs, project.deleted_runs, project.troubled) == ({"finished": 2}, 1, ())
    as_new(box, warehouse)
    box.clear_requests()
    assert not sync(options(box, warehouse)).published
    assert len(box.requests) == 1
    box.undelete(*P, "r1")
    box.append_rows(*P, "r1", training(5, seed=9, first=20))
    report = sync(options(box, warehouse))
    assert (report.runs_deleted, report.runs_restored, report.rows) == (0, 1, 25)
    assert {deleted for _, deleted, _ in query(warehouse, STATES)} == {False}
    as_new(box, warehouse)


DOUBTS = (
    (Fault("status", "LookUpRuns", -1, 500), True),
    (Fault("project_null", "LookUpRuns", -1), False),
    (Fault("status", "LookUpRuns", -1, 403), False),
    (Fault("graphql_error", "LookUpRuns", -1, "partial"), True),
)
"""What keeps a sync from learning whether a run is gone, and whether the others are published."""


def test_no_run_is_deleted_on_doubt(box: Sandbox, warehouse: Path) -> None:
    """Where it cannot be told whether a run is gone, it stays as it was, and this is told."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(5, seed=number))
    sync(options(box, warehouse))
    box.delete(*P, "r1")
    for number, (fault, published) in enumerate(DOUBTS):
        box.edit(*P, "r2", tags=[f"new{number}"])
        box.inject(fault)
        if published:
            report = sync(options(box, warehouse))
            assert (report.runs_deleted, report.runs_changed) == (0, 1), fault
            with pytest.raises(PartialError, match=r"r1: it is not listed any more"):
                report.raise_if_partial()
        else:
            with pytest.raises(WarehouseError):
                sync(options(box, warehouse))
        assert query(warehouse, STATES)[1] == ("r1", False, "ok"), fault
        assert box.faults.struck, fault
        box.faults.clear()
    assert sync(options(box, warehouse)).runs_deleted == 1
    as_new(box, warehouse)


def _listing_without(monkeypatch: pytest.MonkeyPatch, *hidden: str, count_too: bool) -> None:
    """Let listings lack some runs, and let the server count as if they were not there."""

    class Missing(WandbClient):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, limits=Limits(backoff=0.0), **more)

        async def list_runs(self, *arguments: Any, **more: Any) -> AsyncIterator[RunPage]:
            async for page in super().list_runs(*arguments, **more):
                nodes = [node for node in page.nodes if node["name"] not in hidden]
                lost = len(page.nodes) - len(nodes)
                yield replace(page, nodes=nodes, run_count=page.run_count - (lost if count_too else 0))

    monkeypatch.setattr("wandb_warehouse.sync.orchestration.WandbClient", Missing)


def test_a_run_the_listing_misses_is_fetched(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that no list shows and its name does is there: it counts as moved. A list that comes short is refused."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(5, seed=number))
    sync(options(box, warehouse))
    box.edit(*P, "r1", config={"late": 1}, quietly=True)
    with monkeypatch.context() as patched:
        _listing_without(patched, "r1", count_too=True)
        report = sync(options(box, warehouse))
    assert (report.runs_deleted, report.runs_changed) == (0, 1)
    as_new(box, warehouse)
    box.delete(*P, "r2")
    _listing_without(monkeypatch, "r1", count_too=False)
    with pytest.raises(WarehouseError, match="listed 1 runs but counts 2"):
        sync(options(box, warehouse))


def test_filters_delete_nothing(box: Sandbox, warehouse: Path) -> None:
    """A list of some runs says nothing of the others."""
    box.add_run(*P, "a", rows=training(5), tags=["x"])
    box.add_run(*P, "b", rows=training(5))
    sync(options(box, warehouse))
    box.delete(*P, "b")
    assert sync(options(box, warehouse, filters={"tags": "x"})).runs_deleted == 0
    assert sync(options(box, warehouse)).runs_deleted == 1


def test_many_deletions_at_once_are_not_believed(box: Sandbox, warehouse: Path) -> None:
    """More than ten runs and a fifth of a project stay, unless it is said that they are gone; the rest lands."""
    for number in range(30):
        box.add_run(*P, f"r{number:02}", rows=[{"loss": number}])
    sync(options(box, warehouse))
    for number in range(11):
        box.delete(*P, f"r{number:02}")
    box.add_run(*P, "new", rows=[{"loss": 99}])
    report = sync(options(box, warehouse))
    assert (report.runs_deleted, report.runs_changed, report.mass_deletions) == (0, 1, {"e/p": 11})
    with pytest.raises(PartialError, match=r"11 runs of e/p are gone .* --allow-mass-delete") as raised:
        report.raise_if_partial()
    assert raised.value.exit_code == 6
    assert query(warehouse, "SELECT count(*), count(deleted_at) FROM runs") == [(31, 0)]
    box.undelete(*P, "r10")
    assert sync(options(box, warehouse)).runs_deleted == 10  # as many as are believed
    box.delete(*P, "r10")
    for number in range(11, 25):
        box.delete(*P, f"r{number:02}")
    assert sync(options(box, warehouse, allow_mass_delete=True)).runs_deleted == 15
    as_new(box, warehouse)


def test_a_sweep_finds_what_nothing_tells_of(box: Sandbox, warehouse: Path) -> None:
    """Quiet edits and moved aliases are seen every six hours; a sweep that finds nothing publishes nothing."""
    for number in range(3):
        box.add_run(
            *P, f"r{number}", rows=training(5, seed=number), config={"n": number}, created_at="2026-01-01"
        )
    for digest in ("a", "b"):
        box.add_artifact(*P, "model", digest, run_id="r0")
    sync(options(box, warehouse))
    box.edit(*P, "r1", config={"n": 7}, summary={"best": 1}, host="h", quietly=True)
    box.move_alias(*P, "model", "best", 0)
    box.advance(5 * HOUR)
    assert not sync(options(box, warehouse)).published
    box.advance(2 * HOUR)
    assert not sync(options(box, warehouse, sweep=False)).published
    report = sync(options(box, warehouse))
    assert (report.runs_changed, report.rows) == (1, 0)
    as_new(box, warehouse)
    box.move_alias(*P, "model", "best", 1)
    box.advance(7 * HOUR)
    report = sync(options(box, warehouse))
    assert (report.runs_changed, report.published) == (0, True)
    as_new(box, warehouse)
    box.advance(7 * HOUR)
    asked = []
    for _ in range(2):
        box.clear_requests()
        assert not sync(options(box, warehouse)).published
        asked.append(len(box.requests))
    assert asked[0] > asked[1] == 1  # its time is known although it published nothing
    box.edit(*P, "r2", config={"n": 8}, quietly=True)
    assert sync(options(box, warehouse, sweep=True)).runs_changed == 1
    as_new(box, warehouse)


def test_a_sweep_that_was_asked_for_reads_files_again(box: Sandbox, warehouse: Path) -> None:
    """A file added to a run that ended is found by `--sweep`."""
    run = box.add_run(*P, "r", rows=training(5), created_at="2026-01-01")
    sync(options(box, warehouse))
    box.store.save(run, "late.txt", b"late")
    assert not sync(options(box, warehouse)).published
    assert sync(options(box, warehouse, sweep=True)).published
    as_new(box, warehouse)


@pytest.mark.parametrize(
    ("rename", "named"),
    [
        (lambda box: box.rename_project(*P, "q"), "e/q"),
        pytest.param(lambda box: box.rename_project(*P, "p", owner="f", redirects=True), "f/p", marks=SLOW),
    ],
)
def test_a_renamed_project_is_taken_up(
    box: Sandbox, warehouse: Path, rename: Callable[[Sandbox], None], named: str
) -> None:
    """A project with a new name keeps what is held of it: nothing stays under the old one, no history is read again."""
    for number in range(4):
        box.add_run(*P, f"r{number}", rows=training(20, seed=number), config={"n": number})
    box.add_artifact(*P, "model", "a", run_id="r0")
    box.add_run("e", "other", "r0", rows=training(3))
    sync(options(box, warehouse, "e/p", "e/other"))
    box.delete(*P, "r3")
    sync(options(box, warehouse))
    rename(box)
    entity, project = named.split("/")
    box.append_rows(entity, project, "r1", training(5, seed=9, first=20))
    report = sync(options(box, warehouse, named))
    assert (report.rows, report.runs_deleted) == (5, 0)
    box.store.projects.pop(P, None)
    there = f"SELECT run_id FROM runs WHERE entity = '{entity}' AND project = '{project}' ORDER BY 1"
    assert query(warehouse, there) == [
        ("r0",), ("r1",), ("r2",), ("r3",)
    ]  # fmt: skip
    for table in ("projects", "runs", "history", "run_ledger", "metrics", "artifacts", "files"):
        assert query(warehouse, f"SELECT count(*) FROM {table} WHERE entity = 'e' AND project = 'p'") == [
            (0,)
        ]
    as_new(box, warehouse, named, "e/other")
    assert not sync(options(box, warehouse, named)).published


def test_a_renamed_project_without_a_run_of_before_is_the_same(box: Sandbox, warehouse: Path) -> None:
    """Where its last run is deleted or moved before, id and creation time tell that it is the project that is held."""
    box.add_run(*P, "gone", rows=training(3))
    sync(options(box, warehouse))
    box.delete(*P, "gone")
    box.rename_project(*P, "q")
    assert sync(options(box, warehouse, "e/q")).runs_deleted == 1
    assert query(warehouse, "SELECT project, deleted_at IS NOT NULL FROM runs") == [("q", True)]
    assert not sync(options(box, warehouse, "e/q")).published


@SLOW
def test_a_lake_converges_too(box: Sandbox, tmp_path: Path) -> None:
    """Deleted, renamed with rows to come, and undeleted: a lake then has what a new DuckDB file gets."""
    lake = tmp_path / "lake"
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(20, seed=number), config={"n": number})
    box.add_run("e", "other", "r0", rows=training(3))
    sync(options(box, lake, "e/p", "e/other"))
    box.delete(*P, "r2")
    assert sync(options(box, lake)).runs_deleted == 1
    assert query(lake, STATES)[-1] == ("r2", True, "deleted")
    as_new(box, lake, "e/p", "e/other")
    box.rename_project(*P, "q")
    box.append_rows("e", "q", "r1", training(5, seed=9, first=20))
    assert sync(options(box, lake, "e/q")).rows == 5
    assert query(lake, "SELECT count(*) FROM history WHERE project = 'p'") == [(0,)]
    box.undelete("e", "q", "r2")
    assert sync(options(box, lake, "e/q")).runs_restored == 1
    as_new(box, lake, "e/q", "e/other")
    box.advance(7 * HOUR)
    sync(options(box, lake, "e/q"))
    box.advance(7 * HOUR)
    assert not sync(options(box, lake, "e/q")).published
    box.clear_requests()
    assert not sync(options(box, lake, "e/q")).published
    assert len(box.requests) == 1


@SLOW
def test_a_large_project_shows_deletions_when_it_is_swept(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked for what moved says nothing of what is gone or back; a sweep does, and sees quiet edits."""
    monkeypatch.setattr("wandb_warehouse.resources.listing._PAGE", 5)
    for number in range(12):
        box.add_run(*P, f"r{number:02}", rows=training(5, seed=number), created_at="2026-01-01")
    sync(options(box, warehouse))
    box.delete(*P, "r03")
    box.edit(*P, "r04", config={"late": 1}, quietly=True)
    box.append_rows(*P, "r05", training(5, seed=50, first=5))
    box.finish(*P, "r05")
    report = sync(options(box, warehouse))
    assert (report.runs_listed, report.runs_deleted, report.rows) == (1, 0, 5)
    assert query(warehouse, "SELECT run_count FROM projects") == [(11,)]
    box.advance(7 * HOUR)
    report = sync(options(box, warehouse))
    assert (report.runs_listed, report.runs_deleted) == (11, 1)
    as_new(box, warehouse)
    box.undelete(*P, "r03")
    box.advance(7 * HOUR)
    assert sync(options(box, warehouse)).runs_restored == 1
    as_new(box, warehouse)


def test_a_moved_run_is_deleted_here_and_new_there(box: Sandbox, warehouse: Path) -> None:
    """A run that went to another project is marked in the old one and whole in the new one."""
    for number in range(2):
        box.add_run(*P, f"r{number}", rows=training(10, seed=number))
    box.add_run("e", "q", "there", rows=training(3))
    both = ("e/p", "e/q")
    sync(options(box, warehouse, *both))
    box.move_run(*P, "r1", "q")
    report = sync(options(box, warehouse, *both))
    assert (report.runs_deleted, report.rows) == (1, 10)
    fresh = warehouse.with_name("fresh.duckdb")
    sync(options(box, fresh, *both))
    assert contents(warehouse) == contents(fresh)


def test_every_way_a_run_goes_on(box: Sandbox, warehouse: Path) -> None:
    """Rewound, resumed, forked, exported late, crashed, heard of late: the warehouse is always as a new one."""
    for name in ("rewound", "again", "resumed", "parent", "exported", "late"):
        box.add_run(*P, name, rows=training(30, seed=1), config={"from": name})
    box.add_run(*P, "crashes", rows=training(10), state="running")
    sync(options(box, warehouse))
    box.advance(60)
    box.rewind(*P, "rewound", 10)
    box.rewind(*P, "again", 10)
    box.append_rows(*P, "again", training(19, seed=2, first=11, started=1_700_005_000.0))
    box.append_rows(*P, "resumed", training(5, seed=3, first=30))
    box.fork(*P, "parent", "fork", 12)
    box.append_rows(*P, "fork", training(7, seed=4, first=13))
    box.export(*P, "exported")
    as_new_after(box, warehouse)
    box.finish(*P, "again")
    box.finish(*P, "resumed")
    box.finish(*P, "fork")
    box.export(*P, "resumed", 20)
    box.export(*P, "again")
    late = box.store.projects[P].runs["late"]
    late.history.write(30, [b'{"_step":30,"_timestamp":1.7e9,"loss":0.5}'])
    late.heartbeat_at = box.store.now() - 10 * 60  # it arrives ten minutes after it was sent
    box.advance(301)  # longer than the server waits for a sign of life
    assert box.store.projects[P].runs["crashes"].state == "crashed"
    as_new_after(box, warehouse)
    assert query(warehouse, "SELECT state FROM runs WHERE run_id = 'crashes'") == [("crashed",)]
    assert query(warehouse, "SELECT min(step), max(step) FROM history WHERE run_id = 'fork'") == [(13, 19)]
    box.advance(QUARTER)
    sync(options(box, warehouse))
    assert not sync(options(box, warehouse)).published


def as_new_after(box: Sandbox, warehouse: Path) -> SyncReport:
    """Sync, and hold that the warehouse is as a new one."""
    report = sync(options(box, warehouse))
    as_new(box, warehouse)
    return report


def test_the_local_clock_decides_nothing(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock jumps by a day between two syncs fetches what one with a steady clock does."""
    steady = time.time
    monkeypatch.setattr("wandb_warehouse.sandbox.clock.time", SimpleNamespace(time=steady))
    box.add_run(*P, "grows", rows=training(10), state="running")
    box.add_run(*P, "rests", rows=training(10), created_at="2026-01-01")
    sync(options(box, warehouse))
    for rows, days in ((10, 1), (15, -1)):
        ahead = days * 24 * HOUR
        monkeypatch.setattr(time, "time", lambda ahead=ahead: steady() + ahead)
        jumped = SimpleNamespace(now=lambda zone, days=days: datetime.now(zone) + timedelta(days=days))
        monkeypatch.setattr("wandb_warehouse.sync.load.datetime", jumped)
        box.append_rows(*P, "grows", training(5, seed=3, first=rows))
        box.finish(*P, "grows")
        assert sync(options(box, warehouse)).rows == 5
        box.clear_requests()
        assert not sync(options(box, warehouse)).published
        assert len(box.requests) == 1
    assert not wrong_histories(box, warehouse)
