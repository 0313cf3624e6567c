"""What the views leave to the scan: a filter on a key is applied there, and columns nobody asks for are not read."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wandb_warehouse.warehouse import Build

SCANNED = {"config_values": "run_config", "summary_values": "run_summary", "history_points": "key_numbers"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with enough rows that DuckDB reads them by a scan."""
    build = Build.create(None, tmp_path_factory.mktemp("plans"))
    build.prepare_tables()
    with duckdb.connect(str(build.path)) as connection:
        for table in ("run_config", "run_summary"):
            connection.execute(
                f"INSERT INTO {table} SELECT 'e', 'p', 'r', 'k' || i, 0, 'number', i, NULL FROM range(5000) AS t(i)"
            )
        connection.execute("INSERT INTO run_numbers VALUES (1, 'e', 'p', 'r')")
        connection.execute("INSERT INTO key_numbers SELECT i, 'k' || i FROM range(100) AS t(i)")
        connection.execute(
            "INSERT INTO history_values SELECT 1, i % 100, i, 0, 'number', i, NULL FROM range(5000) AS t(i)"
        )
    build.create_views()
    return build.path


def _nodes(plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for each in plan for node in (each, *_nodes(each["children"]))]


@pytest.mark.parametrize("view", SCANNED)
def test_a_filter_on_a_key_reaches_the_scan(view: str, filled: Path) -> None:
    """Who asks for one key reads one key, and no column that the answer does not need."""
    table = SCANNED[view]
    with duckdb.connect(str(filled), read_only=True) as connection:
        asked = f"EXPLAIN (FORMAT json) SELECT run_id, number FROM {view} WHERE key = 'k7'"
        plan = json.loads(connection.execute(asked).fetchall()[0][1])
    scans = [
        node["extra_info"] for node in _nodes(plan) if node["extra_info"].get("Table", "").endswith(table)
    ]
    assert [scan["Filters"].strip("()").replace(" ", "") for scan in scans] == ["key='k7'"]
    assert "entity" not in str(scans)
