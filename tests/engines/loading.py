"""Puts the tables of a warehouse into other engines, and asks them, in environments of their own from PyPI."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from operations.world import World
from wandb_warehouse.schema import SCHEMA_VERSION, TABLES, Kind
from wandb_warehouse.warehouse import insert_rows
from wandb_warehouse.warehouse.lake.lake import Lake
from wandb_warehouse.warehouse.lake.storage import LocalStorage

Told = dict[str, Any]

ROOT = Path(__file__).parents[2]
PACKAGES = {"postgres": "psycopg[binary]>=3.2,<4", "spark": "pyspark>=4.0,<5"}

POSTGRES: dict[Kind, str] = {
    "text": "text",
    "json": "text",
    "bigint": "bigint",
    "integer": "integer",
    "double": "double precision",
    "bool": "boolean",
    "timestamp": "timestamp with time zone",
    "value_type": "text",
}
"""Types that columns have in PostgreSQL; docs/dialects.md shows them."""


SPARK: dict[Kind, str] = {
    "text": "string",
    "json": "string",
    "bigint": "bigint",
    "integer": "int",
    "double": "double",
    "bool": "boolean",
    "timestamp": "timestamp",
    "value_type": "string",
}
"""Types that columns have in Spark, for tables of which a lake has no file."""


def make_lake(world: World, root: Path, work: Path) -> None:
    """Publish generated runs as a lake."""
    lake = Lake(LocalStorage(root))
    with lake.lock():
        lake.mend(work)
        moved = [(run["entity"], run["project"], run["run_id"]) for run in world.runs]
        build = lake.begin(work, moved, {})
        world.fill(build.path)
        log = {"generation": 1, "schema_version": SCHEMA_VERSION, "package_version": "0"}
        row = {**log, "started_at": datetime.now(UTC), "finished_at": datetime.now(UTC)}
        with duckdb.connect(build.path) as connection:
            connection.register("incoming", pa.Table.from_pylist([row], schema=TABLES["sync_log"].arrow))
            insert_rows(connection, "sync_log")
        lake.publish(build)


def lake_files(root: Path) -> dict[str, list[str]]:
    """The files of each table, as the manifest names them."""
    tables = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["tables"]
    return {name: [str(root / file["path"]) for file in table["files"]] for name, table in tables.items()}


def export(warehouse: Path, folder: Path) -> None:
    """Write every table as a CSV file, JSON as text."""
    how = "FORMAT csv, HEADER, NULLSTR '\\N'"
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in TABLES.items():
            cells = ", ".join(
                f'CAST("{c.name}" AS VARCHAR) AS "{c.name}"' if c.kind == "json" else f'"{c.name}"'
                for c in table.columns
            )
            connection.execute(f"COPY (SELECT {cells} FROM \"{name}\") TO '{folder / name}.csv' ({how})")


def ask(
    dialect: str, world: World, warehouse: Path, statements: Sequence[str], queries: Sequence[str]
) -> list[Told]:
    """Load an engine, run statements, and give what each query gives: columns and rows, or an error.

    PostgreSQL gets the tables of a warehouse, Spark reads the files of a lake of the same runs.
    """
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    if not Path(uv).exists():
        pytest.skip("there is no uv to make environments with")
    base = [uv, "run", "--quiet", "--no-project", "--no-config", "--with", PACKAGES[dialect], "python"]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    driver = {"postgres": "psycopg", "spark": "pyspark"}[dialect]
    made = subprocess.run(
        [*base, "-c", f"import {driver}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"{driver} cannot be had from PyPI: {made.stderr.strip().splitlines()[-1:]}")
    types, quote = (POSTGRES, '"') if dialect == "postgres" else (SPARK, "`")
    tables = {
        name: ", ".join(f"{quote}{column.name}{quote} {types[column.kind]}" for column in table.columns)
        for name, table in TABLES.items()
    }
    with _serving(dialect) as socket, tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        files: dict[str, list[str]] = {}
        if dialect == "postgres":
            export(warehouse, work)
        else:
            (work / "building").mkdir()
            make_lake(world, work / "lake", work / "building")
            files = lake_files(work / "lake")
        asked = {
            "tables": tables,
            "files": files,
            "statements": list(statements),
            "queries": list(queries),
            "socket": socket,
        }
        (work / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        done = subprocess.run(
            [*base, str(Path(__file__).with_name("answers.py")), dialect, folder],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        told: list[Told] = json.loads((work / "told.json").read_text(encoding="utf-8"))
        return told


@contextmanager
def _serving(dialect: str) -> Iterator[str]:
    """A PostgreSQL of our own behind a socket in a directory; nothing to serve for Spark, which needs Java."""
    if dialect == "spark":
        if shutil.which("java") is None:
            pytest.skip("Spark needs Java, which is not installed")
        yield ""
        return
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    programs = found[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root.
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(programs / program), *arguments],
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-o", settings, "-w", "start")
        try:
            yield str(folder)
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
