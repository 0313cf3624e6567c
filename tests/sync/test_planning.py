"""A plan before a sync: counts that are the sync's own, estimates that are not far off, nothing fetched or written."""

from collections import Counter
from pathlib import Path

import pytest

from support import connection, options, training
from wandb_warehouse.errors import ProjectNotFoundError
from wandb_warehouse.planning import VALUES_PER_SECOND, plan
from wandb_warehouse.resources import COVERAGE, OPT_IN, RESOURCES, parse_projects
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sandbox.tables import log_table
from wandb_warehouse.sync import SyncOptions, sync

RECKONED = tuple(name for name in RESOURCES if name not in COVERAGE)
"""Tables whose requests a plan reckons exactly."""


def fill(box: Sandbox, project: str = "p", runs: int = 60, rows: int = 40) -> None:
    """Runs with histories of one shape."""
    for number in range(runs):
        box.add_run("e", project, f"r{number:02}", rows=training(rows, seed=number), config={"n": number})


def test_a_plan_is_what_the_sync_does(box: Sandbox, warehouse: Path) -> None:
    """Runs and rows are exact, values and requests as the sync then counts them, bytes of its order of magnitude."""
    fill(box)
    made = plan(options(box, warehouse, resources=RECKONED))
    assert not warehouse.exists()
    asked = Counter(request.operation for request in box.requests)
    assert asked == {"ListRuns": 1, "RunDetails": 1}
    report = sync(options(box, warehouse, resources=RECKONED))
    assert (
        (made.total("runs"), made.total("runs_to_fetch"))
        == (report.runs_listed, report.runs_changed)
        == (60, 60)
    )
    assert made.total("rows") == report.rows == 60 * 40
    assert made.total("values") == report.values  # every run has the same shape, so the probe tells exactly
    assert made.total("requests") == report.requests
    assert 0.3 < made.total("bytes") / report.bytes < 3
    pace = made.total("requests") * made.seconds_per_request / 4 + report.values / VALUES_PER_SECOND
    assert made.minutes == pytest.approx(pace / 60)


def test_requests_of_every_table_are_planned(box: Sandbox, warehouse: Path) -> None:
    """With all tables the requests planned are those sent, give or take a tenth; after a sync, those of what moved."""
    fill(box)
    for number in range(60):
        run = box.store.projects["e", "p"].runs[f"r{number:02}"]
        run.events.write(0, [b'{"_timestamp":1,"system.cpu":1}'] * (200 + number))
        for name in range(3):
            box.store.save(run, f"media/{name}.txt", b"x")
        if number % 2:
            log_table(box, f"e/p/r{number:02}", "t", ["a"], [[number]])
    everything = options(box, warehouse, opt_in=OPT_IN)
    made = plan(everything)
    assert not warehouse.exists()
    sent = sync(everything).requests
    assert sent > 50
    assert made.total("requests") == pytest.approx(sent, rel=0.1)
    assert plan(everything).total("requests") == 1
    for number in (3, 5):
        box.append_rows("e", "p", f"r{number:02}", training(7, seed=9, first=50))
        box.finish("e", "p", f"r{number:02}")
    made = plan(everything)
    sent = sync(everything).requests
    assert made.total("requests") == pytest.approx(
        sent, abs=4
    )  # what is held of logged tables is not known here


def test_only_what_moved_is_planned(box: Sandbox, warehouse: Path) -> None:
    """After a sync nothing is left to fetch but what moved since, and only the rows past those held."""
    fill(box, runs=5)
    sync(options(box, warehouse))
    made = plan(options(box, warehouse))
    assert (made.total("runs"), made.total("runs_to_fetch"), made.total("rows"), made.total("requests")) == (
        5,
        0,
        0,
        1,
    )
    box.append_rows("e", "p", "r03", training(7, seed=9, first=40))
    made = plan(options(box, warehouse))
    assert (made.total("runs_to_fetch"), made.total("rows")) == (1, 7)
    assert plan(options(box, warehouse, full_refresh=True)).total("rows") == 207
    assert plan(options(box, warehouse, history="none")).total("rows") == 0
    sampled = plan(options(box, warehouse, history="sampled", samples=10))
    assert (sampled.total("rows"), sampled.total("runs_to_fetch")) == (50, 5)


def test_many_projects_and_one_that_fails(box: Sandbox, warehouse: Path) -> None:
    """Projects are told apart and summed; one that cannot be listed is named."""
    fill(box, "a", runs=2)
    fill(box, "b", runs=3, rows=10)
    box.add_project("e", "bad")
    box.inject(Fault("status", '"project":"bad"', times=-1, value=403))
    asked = SyncOptions(tuple(parse_projects(["e"])), connection(box), warehouse)
    made = plan(asked)
    assert {project.project: project.rows for project in made.projects} == {"e/a": 80, "e/b": 30}
    assert made.total("rows") == made.to_dict()["rows"] == 110
    assert "403" in made.failed["e/bad"]
    with pytest.raises(ProjectNotFoundError):
        plan(options(box, warehouse, "e/none"))
