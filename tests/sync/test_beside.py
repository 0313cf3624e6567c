"""Tables beside runs and history under the options of a sync: chosen tables, excluded keys, failing projects, time."""

from dataclasses import replace
from pathlib import Path

import pytest

from support import options, query
from wandb_warehouse.arrow import Selection
from wandb_warehouse.resources import COVERAGE, OPT_IN, UNSIFTED, parse_projects, reading
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sandbox.store import Sweep
from wandb_warehouse.sync import SyncReport, sync
from wandb_warehouse.warehouse import content_digest, status

ASKS = {"EventCounts", "Events", "ArtifactTypes", "OutputArtifacts", "InputArtifacts", "RunFiles", "WriterConfigs"} | {
    "Sweeps", "Members", "Reports", "ConsoleLines",
}  # fmt: skip
"""Operations of requests for tables beside runs and history."""

CANARY = "canary-4711"


def fill(box: Sandbox, project: str) -> None:
    """Three runs with samples of two system metrics, two files each and machine facts; a sweep, a report."""
    for number in range(3):
        run = box.add_run(
            "e", project, f"r{number}", rows=[{"loss": number}], user="ada",
            events=[
                {"_timestamp": 1e9 + n, "_runtime": n, "system.cpu": n, "system.secret": CANARY}
                for n in range(4)
            ],
            config={"_wandb": {"e": {"w": {"writerId": "w", "os": "Linux", "args": [CANARY]}}}},
        )  # fmt: skip
        for name in range(2):
            box.store.save(run, f"media/{name}.txt", b"x")
    box.store.projects["e", project].sweeps["s1"] = Sweep(
        "s1", f"name: {CANARY}", box.store.now(), "FINISHED"
    )
    box.add_report("e", project, CANARY, {"blocks": []})


@pytest.fixture
def box(box: Sandbox) -> Sandbox:
    """A project with something in its tables."""
    fill(box, "p")
    return box


def counts(warehouse: Path) -> dict[str, int]:
    """Rows of each table that has any."""
    found = {name: query(warehouse, f'SELECT count(*) FROM "{name}"')[0][0] for name in COVERAGE}
    return {name: count for name, count in found.items() if count}


EVERYTHING = {
    "system_metrics": 3 * 4 * 2, "files": 3 * 2, "run_metadata": 3, "sweeps": 1, "users": 1, "reports": 1
}  # fmt: skip


def asked(box: Sandbox) -> set[str]:
    """Operations asked for tables beside runs and history, since last time."""
    names = {request.operation for request in box.requests} & ASKS
    box.clear_requests()
    return names


def test_a_table_left_out_sends_no_request_and_catches_up(box: Sandbox, warehouse: Path) -> None:
    """Only the named tables are asked for, also where no history is; the others come once they are not left out."""
    sync(options(box, warehouse, resources=("run_tags",)))
    assert asked(box) == set()
    sync(options(box, warehouse, resources=("files",)))
    assert asked(box) == {"RunFiles"}
    assert counts(warehouse) == {"files": 6}
    sync(options(box, warehouse, resources=("system_metrics",)))
    assert asked(box) == {"EventCounts", "Events"}
    assert query(warehouse, "SELECT count(*) FROM history") == [(0,)]
    sync(options(box, warehouse))
    assert counts(warehouse) == EVERYTHING
    assert "ConsoleLines" not in asked(box)
    sync(options(box, warehouse, opt_in=frozenset({"console_logs"})))
    assert asked(box) == {"ConsoleLines"}
    assert not sync(options(box, warehouse)).published


def test_excluded_keys_leave_out_what_may_repeat_them(box: Sandbox, warehouse: Path) -> None:
    """Excluded system metrics are dropped, tables of documents are left out unless named; without, all comes back."""
    secret = Selection(exclude=("system.secret",), keys=("nothing",))
    sync(options(box, warehouse, selection=secret))
    assert counts(warehouse) == {"system_metrics": 3 * 4, "users": 1}
    assert query(warehouse, "SELECT DISTINCT key FROM system_metrics") == [("system.cpu",)]
    assert asked(box) & {"Sweeps", "Reports", "RunFiles", "WriterConfigs", "ConsoleLines"} == set()
    wanted = replace(secret, exclude=("system.secret", "_wandb*"))
    sync(options(box, warehouse, selection=wanted, resources=("sweeps", "system_metrics")))
    assert counts(warehouse) == {"system_metrics": 3 * 4, "users": 1, "sweeps": 1}
    sync(options(box, warehouse))
    assert counts(warehouse) == EVERYTHING
    sync(options(box, warehouse, selection=secret))
    assert query(warehouse, "SELECT DISTINCT key FROM system_metrics") == [("system.cpu",)]


def test_no_file_holds_what_excluded_samples_say(box: Sandbox, warehouse: Path) -> None:
    """The value of an excluded system metric, and documents that hold it too, are not in the published file."""
    sync(options(box, warehouse, selection=Selection(exclude=("system.secret", "_wandb"))))
    assert CANARY.encode() not in warehouse.read_bytes()
    sync(
        options(
            box, warehouse, selection=Selection(exclude=("system.secret", "_wandb")), resources=("sweeps",)
        )
    )
    assert query(warehouse, "SELECT name FROM sweeps") == [(CANARY,)]


def test_status_names_what_came_short(box: Sandbox, warehouse: Path) -> None:
    """A table of a run that could not be read stands in the status with its reason, until it is read."""
    fill(box, "q")
    box.inject(Fault("status", "RunFiles", times=-1, value=400))
    report = sync(options(box, warehouse, "e/p", resources=("files",)))
    held = status(warehouse).projects[0]
    assert held.project == "p"
    assert {f"e/p/{each.run_id}": f"{each.table}: {each.reason}" for each in held.short} == {
        place: reason for place, reason in report.quarantined.items() if place != "e/p"
    }
    assert len(held.short) == 3
    box.faults.clear()
    sync(options(box, warehouse, "e/q"))  # another project's sync does not forget it
    assert [project.short != () for project in status(warehouse).projects] == [True, False]
    sync(options(box, warehouse, "e/p", resources=("files",)))
    assert not any(project.short for project in status(warehouse).projects)


def test_tables_of_documents_are_tables() -> None:
    """What is left out with excluded keys is named as it is loaded."""
    assert set(COVERAGE) > UNSIFTED
    assert set(COVERAGE) > OPT_IN


def test_a_failing_project_is_not_read_and_loses_nothing(box: Sandbox, warehouse: Path) -> None:
    """A project that cannot be listed is asked for no table beside its runs; once it can, what it missed comes."""
    fill(box, "q")

    def both() -> SyncReport:
        return sync(replace(options(box, warehouse), projects=tuple(parse_projects(["e/p", "e/q"]))))

    both()
    for number in range(3):
        for project in "pq":
            run = box.store.projects["e", project].runs[f"r{number}"]
            box.store.save(run, "late.txt", b"late")
            box.edit("e", project, f"r{number}", tags=["late"])
    box.inject(Fault("project_null", '"project":"q"', times=-1))
    box.clear_requests()
    assert list(both().failed) == ["e/q"]
    late = "SELECT project, count(*) FROM files WHERE name = 'late.txt' GROUP BY 1 ORDER BY 1"
    assert query(warehouse, late) == [("p", 3)]
    box.faults.clear()
    assert not both().failed
    assert query(warehouse, late) == [("p", 3), ("q", 3)]


@pytest.mark.parametrize("run_id", ["r0", "r1", "r2"])
def test_a_project_that_fails_between_its_details_owes_the_rest(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    """Whichever run's details end the project: files of every run that moved are there after the next sync."""
    monkeypatch.setattr("wandb_warehouse.resources.details._RUNS_PER_REQUEST", 1)
    monkeypatch.setattr("wandb_warehouse.resources.details._REQUESTS_AT_ONCE", 1)
    fill(box, "q")
    both = replace(options(box, warehouse), projects=tuple(parse_projects(["e/q", "e/p"])))
    sync(both)
    for number in range(3):
        run = box.store.projects["e", "q"].runs[f"r{number}"]
        box.store.save(run, "late.txt", b"late")
        box.edit("e", "q", f"r{number}", tags=["late"])
    box.clear_requests()
    box.inject(Fault("project_null", rf"[\"{run_id}\"]"))
    report = sync(both)
    assert box.faults.struck
    assert list(report.failed) == ["e/q"]
    assert "RunFiles" not in asked(box)
    sync(both)
    assert query(warehouse, "SELECT count(*) FROM files WHERE name = 'late.txt'") == [(3,)]


def test_time_that_is_up_leaves_tables_for_the_next_sync(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any time every sync gets a piece further and says what is left; in the end all is there, once."""
    monkeypatch.setattr(reading, "_RUNS_PER_GROUP", 2)
    monkeypatch.setattr(reading, "_GROUPS_AT_ONCE", 1)
    whole = warehouse.with_name("whole.duckdb")
    sync(options(box, whole))
    report = sync(options(box, warehouse, max_minutes=1e-9))
    assert report.tables_left
    assert not report.runs_left
    first = counts(warehouse)
    rounds = 1
    while report.tables_left:
        report = sync(options(box, warehouse, max_minutes=1e-9))
        assert report.published
        rounds += 1
        assert rounds < 40
    assert rounds > 6
    assert first != EVERYTHING
    assert counts(warehouse) == EVERYTHING
    assert content_digest(warehouse) == content_digest(whole)
    assert not sync(options(box, warehouse)).published
