"""Many projects in one sync: globs, whole entities, and a project that fails beside others that do not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support import connection, query, training, wrong_histories
from wandb_warehouse.client import RunPage, WandbClient
from wandb_warehouse.errors import AuthError, PartialError, ProjectNotFoundError, RemoteError, WarehouseError
from wandb_warehouse.resources import parse_projects
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sync import SyncOptions, SyncReport, sync


def run(box: Sandbox, warehouse: Path, *scopes: str) -> SyncReport:
    """Sync what the texts name."""
    return sync(SyncOptions(tuple(parse_projects(scopes)), connection(box), warehouse))


def fill(box: Sandbox, *projects: str) -> None:
    """Two runs a project, told apart by their histories."""
    for place, path in enumerate(projects):
        for number in range(2):
            entity, project = path.split("/")
            box.add_run(entity, project, f"r{number}", rows=training(10 + place, seed=10 * place + number))


def stored(warehouse: Path) -> set[str]:
    """Projects with runs."""
    return {path for (path,) in query(warehouse, "SELECT DISTINCT entity || '/' || project FROM runs")}


ALL = ("e/vision-a", "e/vision-B", "e/text", "f/vision-c", "f/x[1]", "f/x1")


@pytest.mark.parametrize(
    ("scopes", "meant"),
    [
        (["e"], {"e/vision-a", "e/vision-B", "e/text"}),
        (["e/*"], {"e/vision-a", "e/vision-B", "e/text"}),
        (["e/vision-*"], {"e/vision-a", "e/vision-B"}),
        (["e/vision-[a-z]"], {"e/vision-a"}),
        (["e/?ext", "f/vision-?", "e/text"], {"e/text", "f/vision-c"}),
        (["f/x[1]"], {"f/x[1]", "f/x1"}),
        (["f", "e/text"], {"f/vision-c", "f/x[1]", "f/x1", "e/text"}),
    ],
    ids=str,
)
def test_scopes_name_projects(box: Sandbox, warehouse: Path, scopes: list[str], meant: set[str]) -> None:
    """An entity means all its projects, a glob those whose name matches; nothing is brought twice."""
    fill(box, *ALL)
    report = run(box, warehouse, *scopes)
    assert stored(warehouse) == set(report.projects) == meant
    assert (report.failed, report.runs_listed) == ({}, 2 * len(meant))
    assert not run(box, warehouse, *scopes).published


def test_a_new_project_of_an_entity_comes_by_itself(box: Sandbox, warehouse: Path) -> None:
    """A pattern is resolved in every sync anew; what is held is not fetched again."""
    fill(box, "e/a")
    run(box, warehouse, "e")
    fill(box, "e/a2")
    report = run(box, warehouse, "e")
    assert (report.projects, report.runs_changed) == (["e/a", "e/a2"], 2)
    assert not wrong_histories(box, warehouse)


@pytest.mark.parametrize("scopes", [["nobody"], ["e/none-*"], ["e/none"], ["e/none-*", "e/none", "nobody"]])
def test_nothing_that_can_be_read_is_an_error_of_the_command(
    box: Sandbox, warehouse: Path, scopes: list[str]
) -> None:
    """Where no scope names a project that can be read, the first reason is raised and no file appears."""
    fill(box, "e/a")
    with pytest.raises(ProjectNotFoundError) as raised:
        run(box, warehouse, *scopes)
    assert scopes[0].removeprefix("e/") in str(raised.value)
    assert raised.value.exit_code == 2
    assert not warehouse.exists()


FAULTS = {
    "gone": (Fault("project_null", '"project":"bad"', times=-1), "no project 'e/bad'"),
    "forbidden": (Fault("status", '"project":"bad"', times=-1, value=403), "403"),
    "broken": (Fault("status", '"project":"bad"', times=-1, value=500), "500"),
    "refused": (Fault("graphql_error", '"project":"bad"', times=-1), "an injected error"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_failing_project_does_not_stop_the_others(box: Sandbox, warehouse: Path, fault: str) -> None:
    """The others are published, the failing one is named with its reason and stays as it was, the exit code is 6."""
    fill(box, "e/a", "e/bad", "e/c")
    run(box, warehouse, "e/bad")
    rows = "SELECT history::VARCHAR FROM history WHERE project = 'bad' ORDER BY ALL"
    before = query(warehouse, rows)
    box.append_rows("e", "bad", "r0", training(5, seed=1, first=11))
    injected, reason = FAULTS[fault]
    box.inject(injected)
    report = run(box, warehouse, "e/a", "e/bad", "e/c")
    assert (report.generation, report.runs_changed) == (2, 4)
    assert list(report.failed) == ["e/bad"]
    assert reason in report.failed["e/bad"]
    assert query(warehouse, rows) == before
    with pytest.raises(PartialError, match=r"1 of 3 projects could not be read .e/bad: ") as raised:
        report.raise_if_partial()
    assert raised.value.exit_code == 6
    box.faults.clear()
    assert run(box, warehouse, "e/a", "e/bad", "e/c").rows == 5
    assert not wrong_histories(box, warehouse)


def test_a_project_whose_list_keeps_moving_fails_alone(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that never agrees with its count is the failure of that project only."""
    fill(box, "e/a", "e/bad")
    original = WandbClient.list_runs

    async def moving(client: WandbClient, entity: str, project: str, **more: Any) -> AsyncIterator[RunPage]:
        async for page in original(client, entity, project, **more):
            yield replace(page, run_count=page.run_count + (project == "bad"))

    monkeypatch.setattr(WandbClient, "list_runs", moving)
    report = run(box, warehouse, "e")
    assert list(report.failed) == ["e/bad"]
    assert "listed 2 runs but counts 3" in report.failed["e/bad"]
    assert stored(warehouse) == {"e/a"}


def test_a_failing_pattern_is_named(box: Sandbox, warehouse: Path) -> None:
    """A pattern that names nothing is reported beside what the others brought."""
    fill(box, "e/a")
    report = run(box, warehouse, "e/a", "e/zzz*", "nobody/*")
    assert (report.projects, sorted(report.failed)) == (["e/a"], ["e/zzz*", "nobody"])
    assert "its projects are a" in report.failed["e/zzz*"]
    with pytest.raises(PartialError, match="2 of 3 projects could not be read"):
        report.raise_if_partial()
    assert stored(warehouse) == {"e/a"}


def test_when_all_fail_the_first_reason_stands(box: Sandbox, warehouse: Path) -> None:
    """No project could be read: the sync ends as it would for the first alone."""
    fill(box, "e/a", "e/b")
    box.inject(Fault("status", '"project":"a"', times=-1, value=403))
    with pytest.raises(AuthError, match="403"):
        run(box, warehouse, "e/a", "e/none")
    with pytest.raises(ProjectNotFoundError, match="none"):
        run(box, warehouse, "e/none", "e/a")
    assert not warehouse.exists()


@pytest.mark.parametrize(("value", "error"), [(500, RemoteError), (401, AuthError)])
def test_a_server_that_fails_as_a_whole_stops_the_sync(
    box: Sandbox, warehouse: Path, value: int, error: type[WarehouseError]
) -> None:
    """Where the server does not even know the key, no project is to blame and nothing is published."""
    fill(box, "e/a", "e/b", "e/c")
    box.inject(Fault("status", '"project":"b"', times=-1, value=value))
    box.inject(Fault("status", "Viewer", times=-1, value=value))
    with pytest.raises(error):
        run(box, warehouse, "e/a", "e/b", "e/c")
    assert not warehouse.exists()


def test_a_project_that_vanishes_after_its_list_fails_alone(box: Sandbox, warehouse: Path) -> None:
    """Gone between its list and its details: what was held stays, and once it is back it is read to the end."""
    fill(box, "e/a", "e/bad")
    box.inject(Fault("project_null", "RunDetails", times=1))
    report = run(box, warehouse, "e/a", "e/bad")
    (gone,) = report.failed
    (other,) = {"e/a", "e/bad"} - {gone}
    assert stored(warehouse) == {other}
    assert run(box, warehouse, "e/a", "e/bad").runs_changed == 2
    assert not wrong_histories(box, warehouse)


def test_a_project_forbidden_before_its_history_costs_its_runs_only(box: Sandbox, warehouse: Path) -> None:
    """What is refused leaves its runs incomplete, by name, and names the project for its tables beside them."""
    fill(box, "e/a", "e/bad")
    box.inject(Fault("status", '"entity":"e","project":"bad","n0"', times=-1, value=403))
    report = run(box, warehouse, "e/a", "e/bad")
    assert sorted(report.quarantined) == ["e/bad", "e/bad/r0", "e/bad/r1"]
    assert query(warehouse, "SELECT count(DISTINCT run_id) FROM history WHERE project = 'a'") == [(2,)]
    box.faults.clear()
    assert not run(box, warehouse, "e/a", "e/bad").quarantined
    assert not wrong_histories(box, warehouse)
