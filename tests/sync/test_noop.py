"""A sync that finds nothing new leaves the warehouse as it is."""

from pathlib import Path

from support import options, query, training
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync
from wandb_warehouse.warehouse import content_digest


def _identity(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def test_nothing_new_costs_three_requests_for_a_thousand_runs(box: Sandbox, warehouse: Path) -> None:
    """Nothing is published: the same file with the same content, and a list is all that is asked for."""
    for number in range(1000):
        box.add_run(
            "e", "p", f"r{number}", rows=[{"loss": number}], config={"n": number}, created_at="2026-01-01"
        )
    first = sync(options(box, warehouse))
    assert (first.runs_listed, first.rows, first.generation) == (1000, 1000, 1)
    assert query(warehouse, "SELECT count(*), sum(value) FROM history WHERE key = 'loss'") == [
        (1000, sum(range(1000)))
    ]
    identity, digest = _identity(warehouse), content_digest(warehouse)
    box.clear_requests()
    report = sync(options(box, warehouse))
    assert (report.generation, report.runs_changed, report.runs_unchanged) == (None, 0, 1000)
    assert len(box.requests) == report.requests <= 3
    assert _identity(warehouse) == identity
    assert content_digest(warehouse) == digest
    assert sorted(path.name for path in warehouse.parent.iterdir()) == [
        warehouse.name,
        f"{warehouse.name}.lock",
    ]


def test_a_second_look_after_the_lag_changes_no_content(box: Sandbox, warehouse: Path) -> None:
    """A run looked at once more after the lag is noted as looked at; the content stays, and then there is peace."""
    box.add_run("e", "p", "r", rows=training(20), heartbeat_at=box.store.now())
    sync(options(box, warehouse))
    digest = content_digest(warehouse)
    box.advance(16 * 60)
    assert sync(options(box, warehouse)).generation == 2
    assert content_digest(warehouse) == digest
    identity = _identity(warehouse)
    assert sync(options(box, warehouse)).generation is None
    assert _identity(warehouse) == identity


def test_two_warehouses_of_one_server_have_the_same_content(box: Sandbox, warehouse: Path) -> None:
    """What a warehouse holds does not depend on how many syncs brought it."""
    for number in range(3):
        box.add_run("e", "p", f"r{number}", rows=training(20, seed=number), config={"a": {"b": number}})
    sync(options(box, warehouse))
    box.append_rows("e", "p", "r1", training(10, seed=5, first=20))
    box.export("e", "p", "r1")
    box.edit("e", "p", "r2", tags=["x"], config={"c": 1})
    sync(options(box, warehouse))
    other = warehouse.with_name("other.duckdb")
    sync(options(box, other))
    assert content_digest(warehouse) == content_digest(other)
