"""A small warehouse to test with: rows by hand, everything else of them null."""

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Build, insert_rows

Rows = dict[str, list[dict[str, Any]]]

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def run(run_id: str, **fields: Any) -> dict[str, Any]:
    """A row of any per-run table of the project acme/vision."""
    return {"entity": "acme", "project": "vision", "run_id": run_id, **fields}


def logged(run_id: str, key: str, step: int, value: float | None, **fields: Any) -> dict[str, Any]:
    """A row of `history`."""
    return run(run_id, key=key, step=step, seq=0, type="number", value=value) | fields


ROWS: Rows = {
    "projects": [{"entity": "acme", "project": "vision", "project_id": "p1", "run_count": 2}],
    "runs": [
        run(
            "r1",
            name="amber-lake-1",
            state="finished",
            project_id="p1",
            config='{"lr":0.1}',
            heartbeat_at=START,
        ),
        run("r2", name="blue-moon-2", state="running", project_id="p1", tags='["a"]'),
    ],
    "run_config": [run("r1", key="lr", seq=0, type="number", value=0.1)],
    "run_summary": [run("r1", key="loss", seq=0, type="number", value=0.25)],
    "run_tags": [run("r2", tag="a", position=0)],
    "metrics": [run("r1", key="loss", types='["number"]', count=3)],
    "history": [
        logged("r1", "loss", 0, 1.0),
        logged("r1", "loss", 1, float("nan")),
        logged("r1", "loss", 2, 0.25),
        logged("r2", "acc", 0, 0.5),
    ],
    "history_sampled": [logged("r1", "loss", 0, 1.0, samples=1)],
    "system_metrics": [run("r1", key="system.cpu", seq=0, type="number", value=12.5, runtime=15.0)],
    "run_artifacts": [run("r1", direction="logged", artifact_id="a1", collection="model", version_index=0)],
    "files": [run("r1", name="output.log", size=7)],
    "run_metadata": [run("r1", source="config", os="Linux")],
    "console_logs": [run("r1", line=0, text="started")],
    "artifacts": [
        {
            "entity": "acme",
            "project": "vision",
            "collection": "model",
            "artifact_id": "a1",
            "version_index": 0,
        }
    ],
    "artifact_aliases": [
        {"entity": "acme", "project": "vision", "collection": "model", "alias": "latest", "artifact_id": "a1"}
    ],
    "sweeps": [{"entity": "acme", "project": "vision", "sweep_id": "s1", "method": "grid"}],
    "users": [{"entity": "acme", "project": "vision", "username": "ada"}],
    "reports": [{"entity": "acme", "project": "vision", "report_id": "v1", "spec": "{}"}],
    "run_ledger": [
        run("r1", state="ok", expected_rows=3, stored_rows=3, stored_values=3, stored_keys=1, last_step=2),
        run(
            "r2",
            state="partial",
            stored_rows=1,
            stored_values=1,
            stored_keys=1,
            last_step=0,
            error="read cut short",
        ),
    ],
}


def _insert(path: Path, rows: Rows) -> None:
    """Insert rows into a build file, the columns that a row leaves out as null."""
    with duckdb.connect(str(path)) as connection:
        for table, content in rows.items():
            connection.register("incoming", pa.Table.from_pylist(content, schema=TABLES[table].arrow))
            insert_rows(connection, table)


def _fill(workdir: Path, rows: Rows) -> Build:
    """Make a new build with `rows` in `workdir`."""
    workdir.mkdir()
    made = Build.create(None, workdir)
    made.prepare_tables()
    _insert(made.path, rows)
    return made


def _log_sync(build: Build) -> int:
    """Write a row of the sync log."""
    return build.write_sync_log(
        started_at=START,
        finished_at=START,
        package_version="0.1.0",
        projects=[{"entity": "acme", "project": "vision", "cursor": "2026-03-01T12:00:00"}],
        report={"runs": 2},
    )


@pytest.fixture
def rows() -> Rows:
    """The sample rows, free to be changed."""
    return copy.deepcopy(ROWS)


@pytest.fixture
def insert() -> Callable[[Path, Rows], None]:
    """Insert rows into a build file, the columns that a row leaves out as null."""
    return _insert


@pytest.fixture
def fill() -> Callable[[Path, Rows], Build]:
    """Make a new build with rows in a directory that is not there yet."""
    return _fill


@pytest.fixture
def log_sync() -> Callable[[Build], int]:
    """Write a row of the sync log."""
    return _log_sync


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A build with `ROWS`, not yet published."""
    return _fill(tmp_path / "work", ROWS)


@pytest.fixture(scope="session")
def published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ROWS`, published as generation 1 with views; not to be changed."""
    folder = tmp_path_factory.mktemp("published")
    build = _fill(folder / "work", ROWS)
    _log_sync(build)
    build.create_views()
    build.publish(folder / "wandb.duckdb")
    return folder / "wandb.duckdb"


@pytest.fixture
def published(published_once: Path, tmp_path: Path) -> Path:
    """A copy of the published warehouse, to read or to damage."""
    return Path(shutil.copy(published_once, tmp_path / "wandb.duckdb"))


@pytest.fixture
def foreign_writer(published: Path) -> Iterator[int]:
    """Another process that has the published file open for writing: its pid."""
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        yield writer.pid
    finally:
        writer.kill()
        writer.communicate()
