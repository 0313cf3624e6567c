"""Verify under what syncs meet: live runs, edits, chosen keys and tables, filters, deleted runs, damaged files."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support import connection, options, query, training
from wandb_warehouse.arrow import Selection
from wandb_warehouse.errors import ConfigError, CorruptStoreError, PartialError, StoreError
from wandb_warehouse.resources import ProjectPath, parse_projects
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sync import sync
from wandb_warehouse.verification import VerifyOptions, VerifyReport, verify
from wandb_warehouse.warehouse import content_digest, examine

P = ("e", "p")
HOUR = 3600.0


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where a warehouse may be made."""
    return tmp_path / "wandb.duckdb"


def ask(box: Sandbox, warehouse: Path, *, deep: bool = False, repair: bool = False) -> VerifyReport:
    """Verify a warehouse against the box."""
    return verify(VerifyOptions(connection(box), warehouse, deep=deep, repair=repair))


def change(warehouse: Path, sql: str) -> None:
    """Write into a DuckDB file past us."""
    with duckdb.connect(str(warehouse)) as writer:
        writer.execute(sql)


def test_a_live_run_is_no_difference(box: Sandbox, warehouse: Path) -> None:
    """A run that goes on, one that ended and one that is new count as moved; what is held of them must fit."""
    for run_id in ("going", "ending", "still"):
        box.add_run(*P, run_id, rows=training(20), state="running")
    sync(options(box, warehouse))
    box.advance(5)
    assert ask(box, warehouse).projects[0].runs_equal == 3
    box.append_rows(*P, "going", training(5, first=20))
    box.finish(*P, "ending")
    box.add_run(*P, "new", rows=training(5), state="running")
    report = ask(box, warehouse, deep=True)
    assert report.differences == []
    assert {run.run_id: run.state for run in report.runs} == {
        "going": "moved", "ending": "moved", "new": "moved", "still": "equal"
    }  # fmt: skip
    assert (report.projects[0].runs_moved, report.projects[0].runs_different) == (3, 0)
    change(warehouse, "DELETE FROM history_values WHERE step = 7")
    assert ask(box, warehouse).differing() == {(*P, run_id) for run_id in ("going", "ending", "still")}


def test_an_edit_without_a_heartbeat_shows_and_is_mended(box: Sandbox, warehouse: Path) -> None:
    """A config edited at W&B, that no list shows, is named with its table and key; --repair fetches that run alone."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(10), config={"lr": 1}, tags=["a"])
    box.advance(HOUR)
    sync(options(box, warehouse))
    box.edit(*P, "r1", config={"lr": 2})
    report = ask(box, warehouse)
    assert {(each.run_id, each.table) for each in report.differences} == {
        ("r1", "runs"),
        ("r1", "run_config"),
    }
    assert "key lr, seq 0 differs in value" in {each.detail for each in report.differences}
    with pytest.raises(PartialError, match=r"1 differ from the server: e/p/r1; .*--repair") as raised:
        report.raise_if_different()
    assert raised.value.exit_code == 6
    before = query(warehouse, "SELECT run_id, synced_at FROM run_ledger WHERE run_id <> 'r1' ORDER BY 1")
    box.advance(60)
    report = ask(box, warehouse, repair=True)
    assert (report.equal, report.repaired, report.generation) == (True, ["e/p/r1"], 2)
    assert query(warehouse, "SELECT value FROM run_config ORDER BY run_id") == [(1.0,), (2.0,), (1.0,)]
    assert (
        query(warehouse, "SELECT run_id, synced_at FROM run_ledger WHERE run_id <> 'r1' ORDER BY 1") == before
    )
    assert not sync(options(box, warehouse)).published


def test_the_last_filters_choose_what_must_be_there(box: Sandbox, warehouse: Path) -> None:
    """Runs that the filters of the last sync leave out are not missing; one that they choose is."""
    for number in range(4):
        box.add_run(*P, f"r{number}", rows=training(5), config={"n": number})
    box.advance(HOUR)
    sync(options(box, warehouse, filters={"config.n": {"$gte": 2}}))
    report = ask(box, warehouse)
    assert (report.equal, report.projects[0].runs_at_server, report.projects[0].runs_stored) == (True, 4, 2)
    for table in ("runs", "run_config", "run_summary", "metrics", "run_ledger", "run_metadata"):
        change(warehouse, f"DELETE FROM {table} WHERE run_id = 'r3'")
    change(
        warehouse, "DELETE FROM history_values WHERE run_number = (SELECT max(run_number) FROM run_numbers)"
    )
    assert {(each.check, each.run_id) for each in ask(box, warehouse).differences} == {("missing", "r3")}


def test_a_run_gone_from_the_server(box: Sandbox, warehouse: Path) -> None:
    """A run gone at W&B is named, and stays through a repair; one marked as deleted is no difference."""
    for run_id in ("kept", "gone"):
        box.add_run(*P, run_id, rows=training(5))
    box.advance(HOUR)
    sync(options(box, warehouse))
    box.delete(*P, "gone")
    digest = content_digest(warehouse)
    for repair in (False, True):
        report = ask(box, warehouse, repair=repair)
        assert [(each.check, each.run_id) for each in report.differences] == [("gone", "gone")]
    assert content_digest(warehouse) == digest
    change(warehouse, "UPDATE runs SET deleted_at = now() WHERE run_id = 'gone'")
    change(warehouse, "UPDATE run_ledger SET state = 'deleted' WHERE run_id = 'gone'")
    report = ask(box, warehouse)
    assert (report.equal, report.projects[0].runs_deleted) == (True, 1)
    box.undelete(*P, "gone")
    assert [each.check for each in ask(box, warehouse).differences] == ["deleted"]
    assert ask(box, warehouse, repair=True).equal
    assert query(warehouse, "SELECT count(*) FROM runs WHERE deleted_at IS NULL") == [(2,)]


def test_projects_are_chosen_and_fail_alone(box: Sandbox, warehouse: Path) -> None:
    """Named projects alone are read; one that cannot be is named, the others verified; wrong names are refused."""
    for project in ("p", "q"):
        box.add_run("e", project, "r", rows=training(5))
    box.advance(HOUR)
    sync(options(box, warehouse, "e/p", "e/q"))
    wanted = VerifyOptions(connection(box), warehouse)
    report = verify(replace(wanted, projects=tuple(parse_projects(["e/p*"]))))
    assert [each.project for each in report.projects] == ["e/p"]
    with pytest.raises(ConfigError, match="the warehouse holds no project e/r; it holds e/p, e/q"):
        verify(replace(wanted, projects=(ProjectPath("e", "r"),)))
    del box.store.projects["e", "q"]
    report = verify(wanted)
    assert ([each.project for each in report.projects], list(report.failed)) == (["e/p"], ["e/q"])
    with pytest.raises(PartialError, match="e/q could not be verified"):
        report.raise_if_different()


def test_an_incomplete_run_is_a_difference_until_it_is_read(box: Sandbox, warehouse: Path) -> None:
    """A run that the last sync could not read whole is named with the reason, and a repair brings it."""
    box.add_run(*P, "r", rows=training(5))
    box.advance(HOUR)
    box.inject(Fault("graphql_error", "HistoryWindows", times=-1))
    box.inject(Fault("graphql_error", "ParquetExports", times=-1))
    assert sync(options(box, warehouse)).quarantined
    box.faults.clear()
    assert "incomplete" in {each.check for each in ask(box, warehouse).differences}
    assert ask(box, warehouse, repair=True).equal
    assert query(warehouse, "SELECT count(DISTINCT step) FROM history") == [(5,)]


CHOICES: dict[str, dict[str, Any]] = {
    "chosen": {"selection": Selection(keys=("loss", "val/*", "opt"), exclude=("opt.group", "n"))},
    "sampled": {"history": "sampled", "samples": 7, "resources": ("history_sampled", "run_tags", "files")},
}


@pytest.mark.slow
def test_what_was_asked_for_is_what_is_compared(box: Sandbox, warehouse: Path) -> None:
    """With chosen and excluded keys, samples and chosen tables only what is changed differs, and is mended."""
    for project, chosen in CHOICES.items():
        for number in range(2):
            rows = training(30, seed=number)
            run = box.add_run("e", project, f"r{number}", rows=rows, config={"n": number, "m": 1}, tags=["a"])
            box.store.save(run, "a.txt", b"x")
        box.advance(HOUR)
        sync(options(box, warehouse, f"e/{project}", **chosen))
    whole = content_digest(warehouse)
    assert ask(box, warehouse).differences == []
    loss = "key_number = (SELECT key_number FROM key_numbers WHERE key = 'loss')"
    runs = "run_number IN (SELECT run_number FROM run_numbers WHERE run_id = 'r1')"
    change(warehouse, f"UPDATE history_values SET value = value + 1e-9 WHERE step = 12 AND {loss} AND {runs}")
    change(warehouse, f"UPDATE history_sampled_values SET value = 0.5 WHERE {loss} AND {runs}")
    assert ask(box, warehouse).differences == []
    tampered = {("e", project, "r1") for project in CHOICES}
    assert ask(box, warehouse, deep=True).differing() == tampered
    change(warehouse, f"DELETE FROM history_values WHERE step = 12 AND {runs}")
    change(warehouse, f"DELETE FROM history_sampled_values WHERE {loss} AND {runs}")
    assert ask(box, warehouse).differing() == tampered
    report = ask(box, warehouse, repair=True)
    assert {*report.repaired} == {"/".join(run) for run in tampered}
    assert report.differences == []
    differing = {name for name, digest in content_digest(warehouse).items() if digest != whole[name]}
    assert differing == {"history_sampled"}, "every sample is another one"


@pytest.mark.slow
def test_after_incremental_syncs_nothing_differs(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows added, taken back, edited, exported between syncs: all is equal, however few runs come together."""
    for number in range(5):
        box.add_run(*P, f"r{number}", rows=training(30, seed=number), config={"n": number}, user=f"u{number}")
    box.export(*P, "r2")
    sync(options(box, warehouse))
    box.append_rows(*P, "r0", training(10, seed=7, first=30))
    box.rewind(*P, "r1", 12)
    box.edit(*P, "r2", tags=["x"], summary={"best": 2})
    box.advance(HOUR)
    box.export(*P, "r3", 15)
    sync(options(box, warehouse))
    monkeypatch.setattr("wandb_warehouse.verification.deep.RUNS_AT_ONCE", 3)
    report = ask(box, warehouse, deep=True)
    assert report.differences == []
    assert report.projects[0].runs_equal == 5
    assert examine(warehouse).findings == []


@pytest.mark.slow
def test_a_lake_is_compared_and_mended(box: Sandbox, tmp_path: Path) -> None:
    """A file of a lake written anew with another value is found by doctor by its size and by --deep, and mended."""
    lake = tmp_path / "lake"
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(30, seed=number))
    box.advance(HOUR)
    sync(options(box, lake))
    whole = content_digest(lake)
    (file,) = (lake / "history").iterdir()
    with duckdb.connect() as writer:
        writer.execute(
            "CREATE TABLE rows AS SELECT * REPLACE (CASE WHEN run_id = 'r1' AND step = 11 AND key = 'loss' "
            f"THEN value + 1e-9 ELSE value END AS value) FROM '{file}'"
        )
        writer.execute(f"COPY rows TO '{file}' (FORMAT parquet)")
    assert {each.check for each in examine(lake).findings} == {"files"}
    assert ask(box, lake).equal
    (difference,) = ask(box, lake, deep=True).differences
    assert (difference.run_id, difference.detail) == ("r1", "key loss, step 11, seq 0 differs in value")
    with duckdb.connect() as writer:
        writer.execute(f"CREATE TABLE rows AS FROM '{file}' WHERE run_id <> 'r1' OR step <> 11")
        writer.execute(f"COPY rows TO '{file}' (FORMAT parquet)")
    report = ask(box, lake, repair=True)
    assert (report.equal, report.repaired) == (True, ["e/p/r1"])
    assert content_digest(lake) == whole
    assert examine(lake).findings == []


def refused(warehouse: Path) -> CorruptStoreError | None:
    """Why doctor refuses a file; None where it reads it to its end."""
    try:
        examine(warehouse).raise_if_unsound()
    except CorruptStoreError as error:
        return error
    return None


def test_damage_is_found_by_reading(box: Sandbox, warehouse: Path) -> None:
    """4 KiB turned around anywhere in the file: doctor refuses the file, or everything in it still reads as before."""
    for number in range(3):
        box.add_run(*P, f"r{number}", rows=training(300, seed=number))
    sync(options(box, warehouse))
    whole, text = content_digest(warehouse), warehouse.read_bytes()
    damaged = 0
    for start in range(3 * 4096 + 512, len(text), 1 << 19):
        part = bytes(byte ^ 0xFF for byte in text[start : start + 4096])
        warehouse.write_bytes(text[:start] + part + text[start + 4096 :])
        error = refused(warehouse)
        if error is None:
            assert content_digest(warehouse) == whole
        else:
            damaged += 1
            assert error.exit_code == 5
            assert "--full-refresh" in error.mend or "sync again" in error.mend
    assert damaged > 2


def test_doctor_tells_what_lies_beside(box: Sandbox, warehouse: Path) -> None:
    """Modes, what a killed sync left, who holds the lock, and a view that is gone; a file that is none is refused."""
    box.add_run(*P, "r", rows=training(5))
    sync(options(box, warehouse))
    found = examine(warehouse)
    assert (found.sound, found.notes, found.generation) == (True, [], 1)
    assert {"duckdb", "dlt"} < found.versions.keys()
    assert found.tables["history_values"] == found.tables["history"] > 0
    warehouse.chmod(0o644)
    (warehouse.parent / "wandb.duckdb.work-old").mkdir()
    notes = examine(warehouse).notes
    assert ["mode 0644" in notes[1], "work-old was left by a sync" in notes[0], len(notes)] == [True, True, 2]
    from wandb_warehouse.warehouse import WarehouseLock  # noqa: PLC0415

    with WarehouseLock(warehouse):
        assert examine(warehouse).notes[0] == f"a sync holds it (pid {os.getpid()})"
    change(warehouse, "DROP VIEW run_overview")
    with pytest.raises(CorruptStoreError, match="run_overview: there is no such view"):
        examine(warehouse).raise_if_unsound()
    with pytest.raises(StoreError, match="no warehouse at"):
        examine(warehouse.with_name("none.duckdb"))
