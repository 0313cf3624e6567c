"""A small warehouse for operations: a handful of runs by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Build, insert_rows

Row = dict[str, Any]


def _run(run_id: str, **fields: Any) -> Row:
    return {"entity": "acme", "project": "vision", "run_id": run_id, **fields}


def _entry(run_id: str, key: str, kind: str, value: float | None, json: str | None = None) -> Row:
    return _run(run_id, key=key, seq=0, type=kind, value=value, value_json=json)


def _artifact(collection: str, number: int, size: int) -> Row:
    return {
        "entity": "acme",
        "project": "vision",
        "collection": collection,
        "artifact_id": f"{collection}-{number}",
        "type": "model",
        "version": f"v{number}",
        "version_index": number,
        "size": size,
    }


def _edge(run_id: str, direction: str, collection: str, number: int) -> Row:
    return _run(
        run_id,
        direction=direction,
        artifact_id=f"{collection}-{number}",
        artifact_entity="acme",
        artifact_project="vision",
        collection=collection,
        type="model",
        version=f"v{number}",
        version_index=number,
    )


_DAY = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

ROWS: dict[str, list[Row]] = {
    "runs": [
        _run("r1", name="amber", state="finished", created_at=_DAY, config='{"lr":0.1}', tags='["a","b"]'),
        _run("r2", name="blue", state="failed", created_at=_DAY.replace(day=2), tags="[]"),
        _run("r3", name="coral", state="finished", created_at=_DAY.replace(day=3), tags='["b"]'),
        _run("gone", name="gone", state="finished", created_at=_DAY, deleted_at=_DAY),
    ],
    "run_tags": [
        _run("r1", tag="a", position=0),
        _run("r1", tag="b", position=1),
        _run("r3", tag="b", position=0),
    ],
    "run_config": [
        _entry("r1", "lr", "number", 0.1),
        _entry("r2", "lr", "number", 0.001),
        _entry("r1", "optimizer.name", "string", None, '"adam"'),
        _entry("r2", "layers", "json", None, "[64, 32]"),
        _entry("gone", "lr", "number", 9.0),
    ],
    "run_summary": [
        _entry("r1", "accuracy", "number", 0.9),
        _entry("r2", "accuracy", "number", float("nan")),
        _entry("r3", "accuracy", "string", None, '"high"'),
    ],
    "history": [
        _run("r1", key="loss", step=step, seq=0, type="number", value=value)
        for step, value in ((0, 2.0), (1, 1.0), (2, float("nan")))
    ],
    "artifacts": [_artifact("model", 0, 10), _artifact("model", 1, 20), _artifact("data", 0, 5)],
    "artifact_aliases": [
        {
            "entity": "acme",
            "project": "vision",
            "collection": "model",
            "alias": "latest",
            "type": "model",
            "artifact_id": "model-1",
            "version_index": 1,
        }
    ],
    "run_artifacts": [
        _edge("r1", "logged", "model", 0),
        _edge("r1", "logged", "model", 1),
        _edge("r2", "used", "data", 0),
    ],
}


@pytest.fixture(scope="session")
def small_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with a handful of runs, one of them deleted."""
    build = Build.create(None, tmp_path_factory.mktemp("operations"))
    build.prepare_tables()
    with duckdb.connect(build.path) as connection:
        for table, rows in ROWS.items():
            connection.register("incoming", pa.Table.from_pylist(rows, schema=TABLES[table].arrow))
            insert_rows(connection, table)
    build.create_views()
    return Path(build.path)


@pytest.fixture
def small(small_warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to it, in UTC."""
    with duckdb.connect(small_warehouse, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
