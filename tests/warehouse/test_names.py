"""Names of keys and runs are data: whatever they are made of, no statement changes its shape."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lengths import examples
from wandb_warehouse.warehouse import Build, run_query

Rows = dict[str, list[dict[str, Any]]]

EVIL = [
    'x" , (select 42) as "y',
    "x' OR '1'='1",
    "x'; DROP TABLE runs; --",
    "x); DELETE FROM history; --",
    "/* x */ --",
    "$1",
    "?",
    "{key}",
    "$table",
    "\\'",
    "loss\n; SELECT 1",
    "",
    "\u202e\u0000\ufb01",
    "Loss",
    "loss",
    "*",
]


def _shape(path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as reader:
        return reader.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        ).fetchall()


@settings(
    max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=8))
def test_names_change_no_statement(
    fill: Callable[[Path, Rows], Build],
    log_sync: Callable[[Build], int],
    published_once: Path,
    names: list[str],
) -> None:
    """Evil and random names are stored, viewed, found by a macro and deleted one by one, each exactly."""
    keys = list(dict.fromkeys([*EVIL, *names]))
    runs = [{"entity": name, "project": name, "run_id": name} for name in keys]
    logged = [
        {**run, "key": key, "step": 0, "seq": 0, "type": "number", "value": float(number)}
        for run in runs
        for number, key in enumerate(keys)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "it's.duckdb"
        build = fill(
            Path(folder) / "work",
            {"runs": [{**run, "name": run["run_id"]} for run in runs], "history": logged},
        )
        gone = [(name, name, name) for name in keys[::2]]
        build.delete_runs(["runs", "history"], gone)
        build.refresh_metrics([(name, name, name) for name in keys])
        log_sync(build)
        build.create_views()
        build.publish(path)
        left = keys[1::2]
        with duckdb.connect(str(path), read_only=True) as reader:
            found = reader.execute("SELECT run_id, key, value FROM history").fetchall()
            assert sorted(found) == sorted((run, key, float(n)) for run in left for n, key in enumerate(keys))
            for number, key in enumerate(keys):
                curves = reader.execute("SELECT run_id, value FROM run_curves(?)", [key]).fetchall()
                assert sorted(curves) == sorted((run, float(number)) for run in left)
        assert run_query(path, "SELECT run_id FROM run_overview").num_rows == len(left)
        assert _shape(path) == _shape(published_once)
