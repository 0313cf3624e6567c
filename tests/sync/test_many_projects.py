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


SCOPES: list[tuple[list[str], set[str]]] = [
    (["e/vision-[a-z]"], {"e/vision-a"}),
    (["e/vision-*"], {"e/vision-a", "e/vision-B"}),
    (["e/?ext", "f/vision-?", "e/text"], {"e/text", "f/vision-c"}),
    (["f/x[1]"], {"f/x[1]", "f/x1"}),
    (["e"], {"e/vision-a", "e/vision-B", "e/text"}),
    (["e/*"], {"e/vision-a", "e/vision-B", "e/text"}),
    (["f", "e/text"], {"f/vision-c", "f/x[1]", "f/x1", "e/text"}),
]
"""Scopes and what they mean; the narrower come first, so that what the wider mean is held already."""


def test_scopes_name_projects(box: Sandbox, warehouse: Path) -> None:
    """An entity means all its projects, a glob those whose name matches; nothing is brought twice."""
    fill(box, *ALL)
    held: set[str] = set()
    for scopes, meant in SCOPES:
        report = run(box, warehouse, *scopes)
        assert set(report.projects) == meant, scopes
        assert (report.failed, report.runs_listed) == ({}, 2 * len(meant)), scopes
        assert report.runs_changed == 2 * len(meant - held), scopes
        held |= meant
        assert stored(warehouse) == held, scopes
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
    "gone": (Fault("project_null", '"project":"gone"', times=-1), "no project 'e/gone'"),
    "forbidden": (Fault("status", '"project":"forbidden"', times=-1, value=403), "403"),
    "broken": (Fault("status", '"project":"broken"', times=-1, value=500), "500"),
    "refused": (Fault("graphql_error", '"project":"refused"', times=-1), "an injected error"),
}
"""What befalls the project of that name."""


def test_failing_projects_do_not_stop_the_others(box: Sandbox, warehouse: Path) -> None:
    """The others are published, each failing one is named with its reason and stays as it was, the exit code is 6."""
    bad = [f"e/{project}" for project in FAULTS]
    fill(box, "e/a", *bad, "e/z")
    run(box, warehouse, *bad)
    rows = "SELECT history::VARCHAR FROM history WHERE project NOT IN ('a', 'z') ORDER BY ALL"
    before = query(warehouse, rows)
    for place, (project, (injected, _reason)) in enumerate(FAULTS.items(), 1):
        box.append_rows("e", project, "r0", training(5, seed=1, first=10 + place))
        box.inject(injected)
    report = run(box, warehouse, "e/a", *bad, "e/z")
    assert (report.generation, report.runs_changed) == (2, 4)
    assert sorted(report.failed) == sorted(bad)
    for project, (_injected, reason) in FAULTS.items():
        assert reason in report.failed[f"e/{project}"]
    assert query(warehouse, rows) == before
    with pytest.raises(PartialError, match=r"4 of 6 projects could not be read .e/\w+: ") as raised:
        report.raise_if_partial()
    assert raised.value.exit_code == 6
    box.faults.clear()
    assert run(box, warehouse, "e/a", *bad, "e/z").rows == 5 * len(bad)
    assert not wrong_histories(box, warehouse)


def test_one_failing_project_is_named(box: Sandbox, warehouse: Path) -> None:
    """One of three: the message says so, and why."""
    fill(box, "e/a", "e/gone", "e/z")
    box.inject(FAULTS["gone"][0])
    report = run(box, warehouse, "e/a", "e/gone", "e/z")
    with pytest.raises(PartialError, match=r"1 of 3 projects could not be read .e/gone: ") as raised:
        report.raise_if_partial()
    assert raised.value.exit_code == 6


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
