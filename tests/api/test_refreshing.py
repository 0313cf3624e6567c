"""One run of a warehouse is brought up to date: as it was asked for, and no other one."""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lengths import short_or_all
from support import contents, options, query, records, training, wrong_histories
from wandb_warehouse.api.changes import refreshing
from wandb_warehouse.api.changes.refreshing import refresh, refresh_artifacts, refresh_project
from wandb_warehouse.api.runs.run import Run
from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import Selection
from wandb_warehouse.errors import (
    BusyError,
    FatalRemoteError,
    ProjectNotFoundError,
    RetriableRemoteError,
    RunNotFoundError,
)
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sync import Held, sync
from wandb_warehouse.warehouse import Reader, open_store

P = ("e", "p")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox with three runs, and one of another project."""
    with Sandbox() as running:
        for number in range(3):
            running.add_run(*P, f"r{number}", rows=training(40, seed=number), config={"lr": 0.1, "secret": 1})
        running.add_run("e", "other", "r9", rows=training(5))
        yield running


@pytest.fixture(params=short_or_all(["wandb.duckdb"], ["wandb.duckdb", "lake"]))
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a warehouse may be made: a DuckDB file, and a lake."""
    return tmp_path / str(request.param)


def session(box: Sandbox, warehouse: Path) -> Session:
    """What an `Api` shares."""
    return Session(Reader(warehouse), box.base_url, box.key)


def change(box: Sandbox, run_id: str) -> None:
    """Change a run so that no listing shows it."""
    box.edit(*P, run_id, config={"lr": 0.5}, summary={"acc": 1.5}, quietly=True)


ASKED: Mapping[str, Mapping[str, Any]] = {
    "everything": {},
    "no history": {"history": "none"},
    "samples": {"history": "sampled", "samples": 50},
    "some metrics": {"selection": Selection(("loss", "opt.*"), ())},
    "without a key": {"selection": Selection((), ("secret", "opt.*"))},
    "some tables": {"resources": ("run_config", "history")},
}


@pytest.mark.slow
@pytest.mark.parametrize("asked", ASKED)
def test_a_run_stays_as_it_was_asked_for(box: Sandbox, warehouse: Path, asked: str) -> None:
    """After the refresh the warehouse is what a new sync with the same options makes, but for the other runs' news."""
    how = replace(options(box, warehouse, "e/p", "e/other"), **ASKED[asked])
    sync(how)
    ledger = (
        "SELECT run_id, details_as, history_as, sampled_as, sampled_rows, state FROM run_ledger ORDER BY 1"
    )
    before = query(warehouse, ledger)
    change(box, "r1")
    refresh(session(box, warehouse), *P, "r1")
    assert query(warehouse, ledger) == before
    new = warehouse.with_name(f"new-{warehouse.name}")
    sync(replace(how, warehouse=new))
    assert contents(warehouse) == contents(new)
    if asked == "everything":
        assert wrong_histories(box, warehouse) == {}


def test_no_other_run_is_asked_for(box: Sandbox, warehouse: Path) -> None:
    """What moved, came and went beside it waits for the next sync, which sees it all."""
    how = options(box, warehouse, "e/p", "e/other")
    sync(how)
    change(box, "r1")
    box.add_run(*P, "came", rows=training(3))
    box.delete(*P, "r2")
    box.edit(*P, "r0", name="another")
    here = session(box, warehouse)
    assert Run(here, *P, "r1", lazy=False).config["lr"] == 0.1
    swept = Held.read(warehouse).swept
    others = "FROM run_ledger WHERE run_id <> 'r1' ORDER BY ALL"
    ledgers = query(warehouse, others)
    box.clear_requests()
    refresh(here, *P, "r1")
    asked = [request.operation or request.path for request in box.requests]
    assert len(asked) == len(set(asked)), asked
    assert query(warehouse, others) == ledgers
    assert Run(here, *P, "r1", lazy=False).config["lr"] == 0.5
    runs = "SELECT run_id, name, deleted_at IS NULL FROM runs WHERE project = 'p' ORDER BY 1"
    before = query(warehouse, runs)
    assert [(run_id, there) for run_id, _, there in before] == [("r0", True), ("r1", True), ("r2", True)]
    assert Held.read(warehouse).swept == swept
    report = sync(how)
    assert (report.runs_deleted, report.runs_changed) == (1, 2)
    assert sync(how).generation is None
    new = warehouse.with_name(f"new-{warehouse.name}")
    sync(replace(how, warehouse=new))
    assert contents(warehouse) == contents(new)


def test_runs_of_one_project_are_fetched_together(box: Sandbox, warehouse: Path) -> None:
    """One sync brings all that were asked for alike."""
    how = options(box, warehouse, "e/p", "e/other")
    sync(how)
    change(box, "r0")
    change(box, "r2")
    syncs, ledger = (
        "SELECT count(*) FROM sync_log",
        "SELECT * EXCLUDE synced_at FROM run_ledger WHERE run_id = 'r1'",
    )
    before = query(warehouse, ledger)
    box.clear_requests()
    refresh(session(box, warehouse), *P, "r0", "r2")
    asked = [request.operation or request.path for request in box.requests]
    assert len(asked) == len(set(asked)), asked
    assert query(warehouse, syncs) == [(2,)]
    assert query(warehouse, ledger) == before
    here = session(box, warehouse)
    assert [Run(here, *P, run_id, lazy=False).config["lr"] for run_id in ("r0", "r1", "r2")] == [
        0.5,
        0.1,
        0.5,
    ]
    new = warehouse.with_name(f"new-{warehouse.name}")
    sync(replace(how, warehouse=new))
    assert contents(warehouse) == contents(new)


@pytest.mark.slow
def test_runs_asked_for_otherwise_stay_so(box: Sandbox, warehouse: Path) -> None:
    """Of several runs that are fetched each keeps its tables, keys and samples."""
    how = options(box, warehouse)
    sync(how)
    sync(replace(how, history="sampled", samples=10, filters={"name": "r2"}))
    told = "SELECT run_id, history_as, sampled_as, sampled_rows, state FROM run_ledger ORDER BY 1"
    before = query(warehouse, told)
    refresh(session(box, warehouse), *P, "r0", "r1", "r2")
    assert query(warehouse, told) == before


def test_artifacts_come_without_runs(box: Sandbox, warehouse: Path) -> None:
    """Versions and aliases, and what some runs logged and used; no run is asked for, and no other table read."""
    first = box.add_artifact(*P, "model", "a", run_id="r0")
    sync(options(box, warehouse))
    others = "FROM run_ledger ORDER BY ALL"
    before = query(warehouse, others)
    box.add_artifact(*P, "model", "b", run_id="r1", aliases=["best"])
    box.edit(*P, "r1", name="another")
    with box.store.lock:
        first.used_by.append(box.store.projects[P].runs["r2"])
    box.clear_requests()
    refresh_artifacts(session(box, warehouse), *P, "r1")
    assert {request.operation for request in box.requests} == {
        "ListRuns", "ArtifactTypes", "ArtifactCollections", "ArtifactVersions", "OutputArtifacts", "InputArtifacts"
    }  # fmt: skip
    assert query(warehouse, others) == before
    assert query(warehouse, "SELECT version FROM artifacts ORDER BY 1") == [("v0",), ("v1",)]
    aliases = "SELECT alias, version_index FROM artifact_aliases ORDER BY 1"
    assert query(warehouse, aliases) == [("best", 1), ("latest", 1)]
    edges = "SELECT run_id, direction, version FROM run_artifacts ORDER BY ALL"
    assert query(warehouse, edges) == [("r0", "logged", "v0"), ("r1", "logged", "v1")]


def test_artifacts_that_were_not_synced_are_not_read(box: Sandbox, warehouse: Path) -> None:
    """A warehouse without their tables stays as it is."""
    sync(options(box, warehouse, resources=("run_config", "history")))
    box.add_artifact(*P, "model", "a", run_id="r0")
    before = query(warehouse, "SELECT count(*) FROM sync_log")
    refresh_artifacts(session(box, warehouse), *P, "r0")
    assert query(warehouse, "SELECT count(*) FROM sync_log") == before


def test_a_deleted_run_is_marked(box: Sandbox, warehouse: Path) -> None:
    """It takes two questions, and the next sync has nothing to say of it."""
    how = options(box, warehouse, "e/p", "e/other")
    sync(how)
    here = session(box, warehouse)
    Run(here, *P, "r1")
    box.delete(*P, "r1")
    box.delete(*P, "r2")
    box.clear_requests()
    refresh(here, *P, "r1", gone=True)
    assert len(box.requests) == 2
    with pytest.raises(RunNotFoundError):
        Run(here, *P, "r1")
    assert Run(here, *P, "r2").id == "r2"
    told = records(warehouse, "SELECT run_count FROM projects WHERE project = 'p'")
    assert told == [{"run_count": 1}]
    report = sync(how)
    assert (report.runs_deleted, report.rows) == (1, 0)
    assert sync(how).generation is None
    assert query(warehouse, "SELECT DISTINCT run_id FROM history WHERE project = 'p' ORDER BY 1") == [
        ("r0",),
        ("r1",),
        ("r2",),
    ]
    new = warehouse.with_name(f"new-{warehouse.name}")
    sync(replace(how, warehouse=new))
    assert contents(warehouse) == contents(new)


def test_what_is_there_is_not_marked_as_deleted(box: Sandbox, warehouse: Path) -> None:
    """Neither a run that the server shows, nor one of a project that cannot be read."""
    sync(options(box, warehouse))
    before = contents(warehouse)
    here = session(box, warehouse)
    with pytest.raises(FatalRemoteError, match="at W&B, and the warehouse does not show it"):
        refresh(here, *P, "r1", gone=True)
    with box.store.lock:
        box.store.projects[P].readers = frozenset()
    with pytest.raises(ProjectNotFoundError):
        refresh(here, *P, "r1", gone=True)
    assert contents(warehouse) == before


def test_another_sync_is_waited_for(box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as patience lasts; then the error says that the change is at W&B."""
    sync(options(box, warehouse))
    change(box, "r1")
    box.delete(*P, "r2")
    here = session(box, warehouse)
    monkeypatch.setattr(refreshing, "PATIENCE", 0.0)
    with open_store(warehouse).lock():
        for run_id, gone in (("r1", False), ("r2", True)):
            with pytest.raises(
                BusyError, match=f"the change of e/p/{run_id} is at W&B, and the warehouse does"
            ):
                refresh(here, *P, run_id, gone=gone)
    assert Run(here, *P, "r1", lazy=False).config["lr"] == 0.1
    monkeypatch.setattr(refreshing, "PATIENCE", 60.0)
    held = open_store(warehouse).lock()
    held.__enter__()
    monkeypatch.setattr("time.sleep", lambda _: held.__exit__(None, None, None))
    refresh(here, *P, "r1")
    assert Run(here, *P, "r1", lazy=False).config["lr"] == 0.5


def test_permissions_stay(box: Sandbox, warehouse: Path) -> None:
    """What was published for others to read stays so."""
    sync(replace(options(box, warehouse), mode=0o640))
    refresh(session(box, warehouse), *P, "r1")
    if warehouse.is_file():
        assert stat.S_IMODE(warehouse.stat().st_mode) == 0o640
    files = [path for path in warehouse.rglob("*.parquet") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} <= {0o640}


def test_who_reads_meanwhile_goes_on(box: Sandbox, warehouse: Path) -> None:
    """Another reader keeps the state it began with, until it is renewed."""
    sync(options(box, warehouse))
    other = session(box, warehouse)
    assert Run(other, *P, "r1", lazy=False).config["lr"] == 0.1
    change(box, "r1")
    refresh(session(box, warehouse), *P, "r1")
    assert Run(other, *P, "r1", lazy=False).config["lr"] == 0.1
    other.renew()
    assert Run(other, *P, "r1", lazy=False).config["lr"] == 0.5


def test_a_server_that_fails_leaves_the_warehouse(box: Sandbox, warehouse: Path) -> None:
    """The message says that the change is at W&B; a sync later brings it."""
    sync(options(box, warehouse))
    before = contents(warehouse)
    change(box, "r1")
    box.inject(Fault("status", "ListRuns", times=-1, value=400))
    with pytest.raises(FatalRemoteError, match="the change of e/p/r1 is at W&B"):
        refresh(session(box, warehouse), *P, "r1")
    assert contents(warehouse) == before


def test_a_history_that_cannot_be_fetched_is_told(box: Sandbox, warehouse: Path) -> None:
    """What was stored of the run stays, as all else does, until a sync can fetch it."""
    box.export(*P, "r1", 30)
    sync(options(box, warehouse))
    before = contents(warehouse)
    box.edit(*P, "r1", name="another")
    box.inject(Fault("status", "/storage/", times=-1, value=404))
    with pytest.raises(
        RetriableRemoteError,
        match="the change of e/p/r1 is at W&B, and the warehouse does not show it yet: e/p/r1 cannot be fetched whole",
    ):
        refresh(session(box, warehouse), *P, "r1")
    assert contents(warehouse) == before
    box.faults.clear()
    sync(options(box, warehouse, sweep=True))
    assert query(warehouse, "SELECT name FROM runs WHERE run_id = 'r1'") == [("another",)]
    assert wrong_histories(box, warehouse).keys() == {"r9"}  # of the project that is not synced


def test_a_new_project_comes_without_its_runs(box: Sandbox, warehouse: Path) -> None:
    """Its row is there, and the next sync of it reads it whole."""
    sync(options(box, warehouse))
    refresh_project(session(box, warehouse), "e", "other")
    assert query(warehouse, "SELECT project FROM projects ORDER BY 1") == [("other",), ("p",)]
    assert query(warehouse, "SELECT count(*) FROM runs WHERE project = 'other'") == [(0,)]
    how = options(box, warehouse, "e/p", "e/other")
    sync(how)
    new = warehouse.with_name(f"new-{warehouse.name}")
    sync(replace(how, warehouse=new))
    assert contents(warehouse) == contents(new)
