"""The published file and the lake's views open in older DuckDBs, each in an environment of its own from PyPI."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wandb_warehouse.warehouse import Build, create_wide, load_sql_files
from wandb_warehouse.warehouse.lake.lake import Lake
from wandb_warehouse.warehouse.lake.storage import LocalStorage

Rows = dict[str, list[dict[str, Any]]]
LogSync = Callable[[Build], int]

pytestmark = pytest.mark.slow

OLDER = ("1.1.3", "1.4.4", "1.5.5")
ROOT = Path(__file__).parents[2]

ASK = """
import duckdb, json, sys
path, where, questions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
reader = duckdb.connect(path, read_only=True)
reader.execute("SET TimeZone = 'UTC'")
if where:
    reader.execute("SET file_search_path = '" + where + "'")
found = {name: sorted(map(repr, reader.execute(sql).fetchall())) for name, sql in questions.items()}
json.dump([duckdb.__version__, found], sys.stdout)
"""


_ARGUMENTS: dict[str, tuple[str | int, ...]] = {
    "logged_table": ("r1", "t"),
    "run_history": ("r1",),
    "run_logged_artifact_version": ("r1", "model:latest"),
    "run_logged_artifact_versions": ("r1",),
    "run_used_artifact_versions": ("r1",),
    "compare_configs": ("r1", "r2"),
    "best_run": ("loss", "min"),
    "summary_by_config": ("loss", "lr"),
    "lttb": ("loss", 3),
    "metric_buckets": ("loss", 2),
    "moving_average": ("loss", 2),
}
"""What the macros are called with whose parameters are not all metrics."""


def _questions() -> dict[str, str]:
    """Every table, view and macro, every column of them; an enum, JSON and NaN among what is asked."""
    asked = {}
    for file in load_sql_files():
        values = _ARGUMENTS.get(file.name, ("loss",) * len(file.parameters))
        listed = ", ".join(map(repr, values))
        if file.returns:
            key = ", 'lr'" if len(file.parameters) > 1 else ""
            asked[f"{file.name}(run)"] = f'SELECT "{file.name}"(r{key}) FROM runs AS r'
        else:
            asked[file.name] = f'FROM "{file.name}"' + (f"({listed})" if file.kind == "macro" else "")
    asked["json"] = "SELECT config->>'$.lr', json_extract_string(config, '$.lr') FROM runs ORDER BY run_id"
    asked["enum"] = "SELECT type, count(*) FROM history WHERE type = 'number' GROUP BY type"
    asked["nan"] = "SELECT count(*) FROM history WHERE isnan(value)"
    return asked


def _uv() -> str | None:
    own = ROOT / ".tools" / "bin" / "uv"
    return os.environ.get("UV") or shutil.which("uv") or (str(own) if own.exists() else None)


def _ask(
    version: str | None, path: Path, where: str, questions: dict[str, str]
) -> tuple[str, dict[str, list[str]]]:
    """Ask in a DuckDB of a version; in this one where None."""
    uv = _uv()
    if uv is None:
        pytest.skip("there is no uv to make environments with")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    base = [
        uv,
        "run",
        "--quiet",
        "--no-project",
        "--no-config",
        "--with",
        f"duckdb=={version}",
        "--with",
        "pytz",
    ]
    made = subprocess.run(
        [*base, "python", "-c", "import duckdb"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"duckdb {version} cannot be had from PyPI: {made.stderr.strip().splitlines()[-1:]}")
    done = subprocess.run(
        [*base, "python", "-c", ASK, str(path), where, json.dumps(questions)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    found: tuple[str, dict[str, list[str]]] = tuple(json.loads(done.stdout))
    return found


def _here(path: Path, where: str, questions: dict[str, str]) -> dict[str, list[str]]:
    with duckdb.connect(str(path), read_only=True) as reader:
        reader.execute("SET TimeZone = 'UTC'")
        if where:
            reader.execute("SET file_search_path = ?", [where])
        return {name: sorted(map(repr, reader.execute(sql).fetchall())) for name, sql in questions.items()}


@pytest.fixture
def lake(tmp_path: Path, rows: Rows, insert: Callable[[Path, Rows], None], log_sync: LogSync) -> Path:
    """The sample rows as a lake."""
    root, work = tmp_path / "lake", tmp_path / "work"
    work.mkdir()
    made = Lake(LocalStorage(root))
    with made.lock():
        build = made.begin(work, [("acme", "vision", "r1"), ("acme", "vision", "r2")], {})
        insert(build.path, rows)
        log_sync(build)
        made.publish(build)
    return root


@pytest.mark.parametrize("version", OLDER)
def test_older_readers_read_the_same(version: str, published: Path, lake: Path) -> None:
    """Every view and macro of the file and of the lake answers in an older DuckDB what it answers in this one."""
    questions = _questions() | {"wide": "FROM config_wide"}
    for warehouse in (published, lake):
        create_wide(warehouse, ["lr"], of="config")
    for path, where in ((published, ""), (lake / "views.duckdb", str(lake))):
        told, found = _ask(version, path, where, questions)
        assert told == version
        assert found == _here(path, where, questions)
        assert len(found["wide"]) == 2
        assert found["nan"] == ["(1,)"]
        assert found["enum"] == ["('number', 4)"]
