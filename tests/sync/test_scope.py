"""What a sync is asked to bring: projects, filters, history or none, everything anew."""

from pathlib import Path

import pytest

from lengths import of_a_lake_at_length
from support import options, query, training, wrong_histories
from wandb_warehouse.errors import AuthError, BusyError, ProjectNotFoundError
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync
from wandb_warehouse.warehouse import WarehouseLock, content_digest


def test_history_may_come_later_and_stay(box: Sandbox, warehouse: Path) -> None:
    """Metadata first, history in a later sync; a sync without history leaves what is there."""
    for number in range(3):
        box.add_run("e", "p", f"r{number}", rows=training(20, seed=number), config={"n": number})
    sync(options(box, warehouse, history="none"))
    assert query(warehouse, "SELECT count(*) FROM history") == [(0,)]
    assert query(warehouse, "SELECT count(*), sum(value) FROM run_config") == [(3, 3.0)]
    assert not sync(options(box, warehouse, history="none")).published
    assert sync(options(box, warehouse)).rows == 60
    assert not wrong_histories(box, warehouse)
    box.append_rows("e", "p", "r1", training(5, seed=7, first=20))
    box.finish("e", "p", "r1")
    sync(options(box, warehouse, history="none"))
    assert query(warehouse, "SELECT history_line_count FROM runs WHERE run_id = 'r1'") == [(25,)]
    assert sync(options(box, warehouse)).rows == 5
    assert not wrong_histories(box, warehouse)


@of_a_lake_at_length
def test_filters_choose_runs(box: Sandbox, warehouse: Path) -> None:
    """Only runs that match come in; the others follow when the filter goes."""
    for number in range(6):
        box.add_run("e", "p", f"r{number}", rows=training(5, seed=number), config={"n": number})
    report = sync(options(box, warehouse, filters={"config.n": {"$gte": 4}}))
    assert report.runs_listed == 2
    assert query(warehouse, "SELECT run_id FROM runs ORDER BY 1") == [("r4",), ("r5",)]
    report = sync(options(box, warehouse))
    assert (report.runs_listed, report.runs_changed) == (6, 4)
    assert not wrong_histories(box, warehouse)


def test_a_full_refresh_brings_the_same_content(box: Sandbox, warehouse: Path) -> None:
    """Everything is fetched again and nothing is there twice."""
    for number in range(4):
        box.add_run("e", "p", f"r{number}", rows=training(30, seed=number), config={"n": number}, tags=["t"])
        box.export("e", "p", f"r{number}", 10 * number)
    sync(options(box, warehouse))
    digest = content_digest(warehouse)
    report = sync(options(box, warehouse, full_refresh=True))
    assert (report.generation, report.runs_changed, report.rows) == (2, 4, 120)
    assert content_digest(warehouse) == digest
    assert not wrong_histories(box, warehouse)


def test_projects_keep_apart(box: Sandbox, warehouse: Path) -> None:
    """Two projects with the same run ids in one sync; then one alone, which leaves the other as it is."""
    for project, rows in (("p", 10), ("q", 25)):
        for number in range(3):
            box.add_run("e", project, f"r{number}", rows=training(rows, seed=rows + number), tags=[project])
    report = sync(options(box, warehouse, "e/p", "e/q"))
    assert (report.runs_listed, report.rows) == (6, 3 * 35)
    assert query(warehouse, "SELECT project, run_count FROM projects ORDER BY 1") == [("p", 3), ("q", 3)]
    assert query(warehouse, "SELECT project, tag, count(*) FROM run_tags GROUP BY ALL ORDER BY 1") == [
        ("p", "p", 3), ("q", "q", 3)
    ]  # fmt: skip
    box.append_rows("e", "p", "r0", training(5, seed=1, first=10))
    box.append_rows("e", "q", "r0", training(6, seed=2, first=25))
    assert sync(options(box, warehouse, "e/q")).rows == 6
    assert sync(options(box, warehouse, "e/p", "e/q")).rows == 5
    assert not wrong_histories(box, warehouse)


def test_a_project_without_runs_is_a_project(box: Sandbox, warehouse: Path) -> None:
    """An empty project has its row and no runs; the next sync finds nothing new."""
    box.add_project("e", "p")
    assert sync(options(box, warehouse)).generation == 1
    assert query(warehouse, "SELECT entity, project, run_count FROM projects") == [("e", "p", 0)]
    assert not sync(options(box, warehouse)).published


def test_what_cannot_be_read_makes_no_warehouse(box: Sandbox, warehouse: Path) -> None:
    """An unknown project or a refused key ends the sync before a file appears."""
    box.add_run("e", "p", "r")
    with pytest.raises(ProjectNotFoundError, match="did you mean p"):
        sync(options(box, warehouse, "e/P"))
    box.store.keys.clear()
    with pytest.raises(AuthError):
        sync(options(box, warehouse))
    assert not warehouse.exists()


def test_one_sync_at_a_time(box: Sandbox, warehouse: Path) -> None:
    """While another sync holds the warehouse, nothing is asked of the server."""
    with WarehouseLock(warehouse), pytest.raises(BusyError):
        sync(options(box, warehouse))
    assert not box.requests


@of_a_lake_at_length
def test_metric_names_that_are_no_unicode(box: Sandbox, warehouse: Path) -> None:
    """A lone surrogate in a metric's name costs neither the run nor the key: it is stored as its escape."""
    box.add_run("e", "p", "odd", lines=[r'{"_step":0,"\ud800key":1,"plain":2}'])
    sync(options(box, warehouse, "e/p")).raise_if_partial()
    assert query(warehouse, "SELECT key, value FROM history ORDER BY value") == [
        (r"\ud800key", 1.0),
        ("plain", 2.0),
    ]
