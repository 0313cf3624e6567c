"""What a failing server costs: the runs it cannot serve, or the whole sync, but never the published file."""

import asyncio
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import wandb_warehouse.sync.orchestration as room
from lengths import short_or_all
from support import options, query, training, wrong_histories
from wandb_warehouse.errors import PartialError, ProofError, RemoteError
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sync import sync
from wandb_warehouse.warehouse import Build, content_digest

SLOW = pytest.mark.slow
GRAPHQL = ("ListRuns", "RunDetails", "ParquetExports", "HistoryWindows")


def fill(box: Sandbox, runs: int = 12) -> None:
    """Runs with names that no other part of a request contains; every third is exported to its middle."""
    for number in range(runs):
        run_id = f"run-{number:02}-id"
        box.add_run("e", "p", run_id, rows=training(30, seed=number), config={"n": number})
        if number % 3 == 0:
            box.export("e", "p", run_id, 15)


REFUSED, UNREACHABLE = Fault("graphql_error", times=-1), Fault("status", value=502, times=-1)


@pytest.mark.parametrize(
    ("request_name", "strike"),
    short_or_all(
        [("RunDetails", REFUSED), ("ParquetExports", UNREACHABLE)],
        list(product(["RunDetails", "ParquetExports"], [REFUSED, UNREACHABLE])),
    ),
    ids=lambda each: each if isinstance(each, str) else each.kind,
)
def test_one_run_that_cannot_be_served_is_left_out(
    box: Sandbox, warehouse: Path, strike: Fault, request_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others land and are published, the run is quarantined with its reason, and the next sync brings it."""
    poison = "run-00-id"  # the first one: every smaller request for it fails before any other succeeds
    fill(box)
    _strike_only(monkeypatch, box, request_name, poison, strike)
    report = sync(options(box, warehouse))
    assert list(report.quarantined) == [f"e/p/{poison}"]
    assert (report.generation, report.runs_quarantined) == (1, 1)
    with pytest.raises(PartialError, match=poison) as raised:
        report.raise_if_partial()
    assert raised.value.exit_code == 6
    assert list(wrong_histories(box, warehouse)) == [poison]
    (state, error), = query(warehouse, f"SELECT state, error FROM run_ledger WHERE run_id = '{poison}'")  # fmt: skip
    assert state == "quarantined"
    assert error == report.quarantined[f"e/p/{poison}"]
    assert query(warehouse, "SELECT count(*), count(*) FILTER (state = 'ok') FROM run_ledger") == [(12, 11)]
    assert query(warehouse, "SELECT count(*), count(DISTINCT name) FROM runs") == [(12, 12)]

    again = sync(options(box, warehouse))
    assert list(again.quarantined) == [f"e/p/{poison}"]
    monkeypatch.undo()
    box.faults.clear()
    healed = sync(options(box, warehouse))
    assert (healed.quarantined, healed.runs_changed, healed.rows) == ({}, 1, 30)
    assert not wrong_histories(box, warehouse)
    assert query(warehouse, "SELECT count(*) FROM run_config") == [(12,)]
    assert query(warehouse, "SELECT DISTINCT state, error FROM run_ledger") == [("ok", None)]


def _strike_only(
    monkeypatch: pytest.MonkeyPatch, box: Sandbox, request_name: str, run_id: str, fault: Fault
) -> None:
    """Let a fault strike the requests of one name that speak of one run."""
    take = box.faults.take

    def choose(path: str, text: str) -> Fault | None:
        return fault if request_name in text and run_id in text else take(path, text)

    monkeypatch.setattr(box.faults, "take", choose)
    box.inject(Fault("slow", match="never", times=-1))  # with nothing waiting the queue is not even asked


def test_a_held_run_that_cannot_be_served_stays_as_it_is(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stored of a run stays while the server cannot serve it; then its new rows come."""
    fill(box)
    sync(options(box, warehouse))
    stored = content_digest(warehouse)["history"]
    box.append_rows("e", "p", "run-03-id", training(10, seed=50, first=30))
    _strike_only(monkeypatch, box, "HistoryWindows", "run-03-id", Fault("graphql_error", times=-1))
    report = sync(options(box, warehouse))
    assert list(report.quarantined) == ["e/p/run-03-id"]
    assert content_digest(warehouse)["history"] == stored
    assert query(warehouse, "SELECT state FROM run_ledger WHERE run_id = 'run-03-id'") == [("partial",)]
    box.faults.clear()
    monkeypatch.undo()
    assert not sync(options(box, warehouse)).quarantined
    assert not wrong_histories(box, warehouse)


def test_an_incomplete_run_stays_so_in_a_sync_without_history(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync without history does not make a run whole whose history is missing: the next one reads it."""
    fill(box, 3)
    _strike_only(monkeypatch, box, "ParquetExports", "run-01-id", Fault("graphql_error", times=-1))
    assert sync(options(box, warehouse)).quarantined
    box.edit("e", "p", "run-01-id", tags=["x"])
    sync(options(box, warehouse, history="none"))
    assert query(warehouse, "SELECT run_id FROM run_ledger WHERE state <> 'ok' AND error <> ''") == [
        ("run-01-id",)
    ]
    box.faults.clear()
    monkeypatch.undo()
    assert not sync(options(box, warehouse)).quarantined
    assert not wrong_histories(box, warehouse)


def test_rows_short_of_the_count_are_reported(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server counts more rows than it gives, those it gives are kept and the run is partial."""
    fill(box, 3)
    kept = box.store.projects["e", "p"].runs["run-01-id"].history
    window = kept.window
    monkeypatch.setattr(kept, "window", lambda *bounds: [number for number in window(*bounds) if number < 20])
    report = sync(options(box, warehouse))
    assert report.quarantined == {"e/p/run-01-id": "20 history rows could be read, the server counts 30"}
    assert query(warehouse, "SELECT state, stored_rows FROM run_ledger WHERE run_id = 'run-01-id'") == [
        ("partial", 20)
    ]
    monkeypatch.undo()
    assert not sync(options(box, warehouse)).quarantined
    assert not wrong_histories(box, warehouse)


def test_a_server_that_dies_leaves_the_old_file(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the server goes down, the sync ends with a remote error; the published file is untouched."""
    fill(box, 3)
    sync(options(box, warehouse))
    box.append_rows("e", "p", "run-01-id", training(10, seed=50, first=30))
    before, digest = warehouse.stat(), content_digest(warehouse)
    stopped: list[str] = []

    class Doomed(room.WandbClient):  # type: ignore[misc, name-defined] # the fixture's client, looked up late
        def __getattribute__(self, name: str) -> Any:
            if name == method:
                stopped.append(name)
                box.stop()
            return super().__getattribute__(name)

    monkeypatch.setattr(room, "WandbClient", Doomed)
    for method in ("list_runs", "run_details", "exports", "history_rows"):
        with pytest.raises(RemoteError):
            sync(options(box, warehouse))
        assert stopped.pop() == method
        after = warehouse.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert content_digest(warehouse) == digest
        assert sorted(path.name for path in warehouse.parent.iterdir()) == [
            warehouse.name,
            f"{warehouse.name}.lock",
        ]
        box.start()


def test_what_fails_the_proof_is_not_published(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows that should have gone are still there, the sync ends with a proof error; the file is untouched."""
    fill(box, 3)
    sync(options(box, warehouse))
    before = warehouse.read_bytes()
    box.rewind("e", "p", "run-01-id", 10)
    with monkeypatch.context() as broken:
        broken.setattr(Build, "delete_runs", lambda *_: None)
        with pytest.raises(ProofError, match="run-01-id"):
            sync(options(box, warehouse))
    assert warehouse.read_bytes() == before
    sync(options(box, warehouse))
    assert not wrong_histories(box, warehouse)


PASSING = [Fault("reset"), Fault("truncate")]
MORE = [Fault("status", value=502), Fault("rate_limit", value=0), Fault("gzip_cut")]


@pytest.mark.parametrize(
    "fault",
    [*PASSING, *(pytest.param(fault, marks=SLOW) for fault in MORE)],
    ids=lambda fault: str(fault.kind),
)
def test_what_passes_is_tried_again(box: Sandbox, warehouse: Path, fault: Fault) -> None:
    """A fault that strikes every kind of request once, downloads too, costs retries and nothing else."""
    fill(box, 6)
    for match in (*GRAPHQL, ".parquet"):
        box.inject(Fault(fault.kind, match, value=fault.value))
    report = sync(options(box, warehouse))
    assert len(box.faults.struck) == 5
    assert report.retries >= 4  # a damaged file may show only when it is read
    assert not report.quarantined
    assert not wrong_histories(box, warehouse)


def test_an_expired_address_is_asked_for_anew(box: Sandbox, warehouse: Path) -> None:
    """A download refused because its address is too old is tried again at a new one."""
    fill(box, 1)
    box.inject(Fault("expired_url", ".parquet"))
    report = sync(options(box, warehouse))
    asked = [request.operation for request in box.requests]
    assert (asked.count("ParquetExports"), report.quarantined) == (2, {})
    assert not wrong_histories(box, warehouse)


def test_an_export_that_never_arrives_costs_one_run(box: Sandbox, warehouse: Path) -> None:
    """A file that is always cut, or always refused, quarantines its run; the others land; it heals later."""
    fill(box, 9)
    struck = {"run-03-id": "truncate", "run-06-id": "expired_url"}
    for run_id, kind in struck.items():
        box.inject(Fault(kind, f"{run_id}-0.parquet", times=-1))
    report = sync(options(box, warehouse))
    assert report.quarantined.keys() == {f"e/p/{run_id}" for run_id in struck}
    assert sorted(wrong_histories(box, warehouse)) == sorted(struck)
    box.faults.clear()
    assert not sync(options(box, warehouse)).quarantined
    assert not wrong_histories(box, warehouse)


def test_a_run_that_cannot_be_understood_is_left_out(box: Sandbox, warehouse: Path) -> None:
    """A run whose config is no JSON object does not keep the others from landing."""
    fill(box, 5)
    box.add_run("e", "p", "odd", config="[1, 2]", rows=training(3))
    report = sync(options(box, warehouse))
    assert list(report.quarantined) == ["e/p/odd"]
    assert list(wrong_histories(box, warehouse)) == ["odd"]
    assert query(warehouse, "SELECT count(*) FROM runs WHERE config IS NULL") == [(1,)]


def test_nothing_is_left_running(box: Sandbox, warehouse: Path) -> None:
    """After a failed sync no thread and no event loop of it is left in the process."""
    import threading  # noqa: PLC0415 -- only here

    fill(box, 3)
    before = {thread.name for thread in threading.enumerate()}
    box.inject(Fault("html", "HistoryWindows", times=-1))
    box.inject(Fault("html", "Viewer", times=-1))
    with pytest.raises(RemoteError):
        sync(options(box, warehouse))
    assert not any(
        name.startswith("wandb-warehouse") for name in {t.name for t in threading.enumerate()} - before
    )
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert not warehouse.exists()
