"""A long sync publishes at intervals: rounds under one lock, each from a fresh directory to a whole state."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support import options, query, training, wrong_histories
from wandb_warehouse.errors import RemoteError
from wandb_warehouse.resources import details, history
from wandb_warehouse.resources.extraction import Extraction
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sync import SyncReport, orchestration, sync
from wandb_warehouse.warehouse import content_digest

AT_ONCE = 1e-9
"""Seconds that are over before the first request."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details and histories are taken up a few runs at a time, and publishing counts as taking no time."""
    monkeypatch.setattr(details, "_RUNS_PER_REQUEST", 10)
    monkeypatch.setattr(details, "_REQUESTS_AT_ONCE", 1)
    monkeypatch.setattr(history, "_RUNS_PER_GROUP", 4)
    monkeypatch.setattr(orchestration, "_UPKEEP_SHARE", 0)


def in_batches(box: Sandbox, warehouse: Path, *projects: str, **more: Any) -> SyncReport:
    """Sync and publish whatever is whole as soon as possible."""
    return sync(options(box, warehouse, *projects, publish_every=AT_ONCE, **more))


def fill(box: Sandbox, project: str, runs: int, **more: Any) -> None:
    """Runs with histories."""
    for number in range(runs):
        box.add_run(
            "e", project, f"r{number:02}", rows=training(5, seed=number), config={"n": number}, **more
        )


def test_readers_see_whole_growing_states(
    box: Sandbox, warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every round publishes runs with their whole histories; in the end the warehouse is that of one round."""
    fill(box, "p", 13)
    seen: list[int] = []
    end_round = Extraction.end_round

    def look(extraction: Extraction) -> bool:
        counts = query(warehouse, "SELECT count(DISTINCT step) FROM history GROUP BY run_id")
        assert set(counts) == {(5,)}
        assert query(warehouse, "SELECT count(*) FROM run_ledger WHERE state = 'ok'") == [(len(counts),)]
        seen.append(len(counts))
        return end_round(extraction)

    monkeypatch.setattr(Extraction, "end_round", look)
    report = in_batches(box, warehouse, resources=("history", "files", "sweeps"))
    assert seen[:4] == [4, 8, 12, 13]
    assert seen == sorted(seen)
    assert (report.rounds, report.generation) == (len(seen), len(seen))
    monkeypatch.undo()

    assert (report.runs_listed, report.runs_changed, report.rows) == (13, 13, 13 * 5)
    assert (report.runs_left, report.projects_left, report.tables_left) == (0, [], [])
    (stored,) = query(warehouse, "SELECT count(*) FROM history")
    assert report.values == stored[0]
    assert not wrong_histories(box, warehouse)
    other = tmp_path / "other.duckdb"
    assert sync(options(box, other, resources=("history", "files", "sweeps"))).rounds == 1
    assert content_digest(warehouse) == content_digest(other)
    assert not sync(options(box, warehouse, resources=("history", "files", "sweeps"))).published


def test_the_log_tells_each_publishing(box: Sandbox, warehouse: Path) -> None:
    """Each generation has a row, whose report sums over the sync so far, and tells what was left then."""
    fill(box, "p", 9)
    report = in_batches(box, warehouse, history="full", resources=("history",))
    told = query(
        warehouse,
        "SELECT generation, report->'rounds', report->'rows', report->'runs_left' FROM sync_log ORDER BY 1",
    )
    assert [tuple(map(int, row)) for row in told] == [(1, 1, 20, 5), (2, 2, 40, 1), (3, 3, 45, 0)]
    assert (report.rounds, report.generation, report.rows) == (3, 3, 45)


def test_a_run_that_fails_is_tried_once_in_a_sync(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read neither keeps the rounds going nor is asked for in each of them; the next sync tries it."""
    fill(box, "p", 9)
    wrong = Fault("graphql_error", times=-1)
    asked = 0

    def strike(_path: str, text: str) -> Fault | None:
        nonlocal asked
        struck = "ParquetExports" in text and '"r00"' in text
        asked += struck
        return wrong if struck else None

    monkeypatch.setattr(box.faults, "take", strike)
    box.inject(wrong)  # with nothing waiting the queue is not even asked
    counts = []
    for _ in range(2):
        asked = 0
        report = in_batches(box, warehouse, resources=("history",))
        assert (list(report.quarantined), report.runs_left) == (["e/p/r00"], 0)
        counts.append(asked)
    assert counts == [3, 1]  # first among four, among two, and alone, in one round of three
    assert report.rounds == 1


@pytest.mark.slow
def test_a_run_that_goes_on_does_not_keep_the_sync(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that log without end are read once in a sync; what they logged meanwhile is the next sync's."""
    fill(box, "p", 9, state="running")
    end_round = Extraction.end_round
    rounds = 0

    def go_on(extraction: Extraction) -> bool:
        nonlocal rounds
        rounds += 1
        box.advance(1)
        for number in range(9):
            box.append_rows(
                "e", "p", f"r{number:02}", training(1, first=4 + rounds, started=1_700_000_000.0 + rounds)
            )
        assert rounds < 20
        return end_round(extraction)

    monkeypatch.setattr(Extraction, "end_round", go_on)
    assert in_batches(box, warehouse, resources=("history",)).rounds == 3
    monkeypatch.undo()
    assert len(wrong_histories(box, warehouse)) == 9
    sync(options(box, warehouse, resources=("history",)))
    assert not wrong_histories(box, warehouse)


@pytest.mark.slow
def test_a_full_refresh_ends(box: Sandbox, warehouse: Path) -> None:
    """Every run is fetched again once, with all that lies beside it."""
    fill(box, "p", 9)
    sync(options(box, warehouse, resources=("history", "files")))
    digest = content_digest(warehouse)
    box.clear_requests()
    report = in_batches(box, warehouse, full_refresh=True, resources=("history", "files"))
    assert (report.rows, report.runs_changed, report.runs_left) == (45, 9, 0)
    assert report.rounds == 3
    assert Counter(request.operation for request in box.requests)["RunFiles"] == 3
    assert content_digest(warehouse) == digest


def test_finished_projects_are_not_listed_again(box: Sandbox, warehouse: Path) -> None:
    """A project of which nothing is left costs no request in later rounds, and each is listed as often as need be."""
    for project in ("a", "b", "c"):
        fill(box, project, 3)
    report = in_batches(box, warehouse, "e/a", "e/b", "e/c", resources=("history",))
    assert (report.rounds, report.runs_listed, report.rows) == (3, 9, 45)
    listed = Counter(request.operation for request in box.requests)["ListRuns"]
    assert listed == 3
    assert not wrong_histories(box, warehouse)


def test_what_was_published_stands_when_the_server_fails(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in a later round costs that round; the next sync goes on from the last published state."""
    fill(box, "p", 9)
    end_round = Extraction.end_round

    def fail(extraction: Extraction) -> bool:
        box.inject(Fault("graphql_error", times=-1))
        return end_round(extraction)

    monkeypatch.setattr(Extraction, "end_round", fail)
    with pytest.raises(RemoteError):
        in_batches(box, warehouse, resources=("history",))
    assert query(warehouse, "SELECT count(DISTINCT run_id) FROM history") == [(4,)]
    assert sorted(path.name for path in warehouse.parent.iterdir()) == [
        warehouse.name,
        f"{warehouse.name}.lock",
    ]


def test_publishing_at_the_end_only(box: Sandbox, warehouse: Path) -> None:
    """With 0 seconds there is one round, however long it takes."""
    fill(box, "p", 9)
    report = sync(options(box, warehouse, publish_every=0.0))
    assert (report.rounds, report.generation, report.rows) == (1, 1, 45)
