"""A lake holds after every sync what a DuckDB file holds, and others read it without us."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from support import options, plain_reader, query, training, wrong_histories
from wandb_warehouse.arrow import Selection
from wandb_warehouse.errors import AuthError, RemoteError
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync import sync
from wandb_warehouse.warehouse import content_digest, status

P = ("e", "p")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Where a lake may be made."""
    return tmp_path / "lake"


def fill(box: Sandbox) -> None:
    """Three runs with everything that a training logs."""
    for number in range(3):
        rows = training(40, seed=number)
        box.add_run(*P, f"r{number}", rows=rows, config={"n": number, "deep": {"x": [1, None]}}, tags=["a"])
    box.export(*P, "r2")


def test_a_lake_and_a_file_hold_the_same(box: Sandbox, warehouse: Path, lake: Path) -> None:
    """Whatever happens between syncs, the digests of every table are equal, and a quiet sync publishes to neither."""
    fill(box)
    nothing: list[Callable[[], object]] = []
    changes: list[list[Callable[[], object]]] = [
        nothing,
        [
            lambda: box.append_rows(*P, "r1", training(10, seed=5, first=40)),
            lambda: box.edit(*P, "r2", tags=["b"], config={"n": 9}, summary={"best": 1.5}),
        ],
        [lambda: box.add_run(*P, "late", rows=training(5)), lambda: box.delete(*P, "r0")],
        nothing,
    ]
    for deeds in changes:
        for deed in deeds:
            deed()
        into_file = sync(options(box, warehouse))
        into_lake = sync(options(box, lake))
        assert content_digest(lake) == content_digest(warehouse)
        assert (into_lake.generation, into_lake.rows) == (into_file.generation, into_file.rows)
    assert into_lake.generation is None
    assert not wrong_histories(box, lake)
    assert status(lake).tables == status(warehouse).tables


def test_a_quiet_sync_writes_nothing(box: Sandbox, lake: Path) -> None:
    """Nothing new: every file of the lake is the one that was there."""

    def files() -> dict[str, tuple[int, int]]:
        found = (path for path in lake.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    fill(box)
    sync(options(box, lake))
    before = files()
    assert sync(options(box, lake)).generation is None
    assert files() == before


def test_a_sync_that_fails_leaves_the_lake(box: Sandbox, lake: Path) -> None:
    """A refused key, and a server that answers no more, change no file and leave no working directory."""
    fill(box)
    sync(options(box, lake))
    digest, names = content_digest(lake), sorted(lake.rglob("*"))
    before = {path: path.stat().st_mtime_ns for path in lake.rglob("*") if path.is_file()}
    del before[lake / ".lock"]
    box.append_rows(*P, "r1", training(10, first=40))
    failures: list[tuple[Fault, type[Exception]]] = [
        (Fault("status", value=401), AuthError),
        (Fault("status", "ListRuns", times=-1, value=500), RemoteError),
    ]
    for fault, error in failures:
        box.inject(fault)
        with pytest.raises(error):
            sync(options(box, lake))
        assert content_digest(lake) == digest
        assert sorted(lake.rglob("*")) == names
        assert {path: path.stat().st_mtime_ns for path in before} == before


def test_excluded_keys_are_in_no_file(box: Sandbox, lake: Path) -> None:
    """What is excluded from the start stands in no file; what is excluded later leaves with the generation before."""
    secret = {"token": "hidden-in-config", "plain": 1}
    box.add_run(*P, "r", rows=[{"_step": 0, "token": "hidden-in-history", "loss": 1.0}], config=secret)

    def hidden() -> set[str]:
        held = "\n".join(str(pq.read_table(path).to_pylist()) for path in lake.rglob("*.parquet"))
        return {word for word in ("hidden-in-config", "hidden-in-history") if word in held}

    chosen = {"selection": Selection((), ("token",))}
    sync(options(box, lake, **chosen))
    assert hidden() == set()
    sync(options(box, lake))
    assert hidden() == {"hidden-in-config", "hidden-in-history"}
    sync(options(box, lake, **chosen))
    assert not query(lake, "FROM history WHERE key = 'token'")
    box.edit(*P, "r", tags=["moved"])
    sync(options(box, lake, **chosen))
    assert hidden() == set()


def test_others_read_the_same_rows(box: Sandbox, lake: Path, warehouse: Path) -> None:
    """Polars and pyarrow by the manifest, DuckDB without us by the views: the rows of the DuckDB file, cell by cell."""
    fill(box)
    for target in (lake, warehouse):
        sync(options(box, target))
        box.append_rows(*P, "r1", training(3, seed=1, first=40 if target == lake else 43))
    sync(options(box, lake))
    sync(options(box, warehouse))
    manifest = json.loads((lake / "manifest.json").read_text())
    for name, table in TABLES.items():
        held = manifest["tables"][name]
        stable = [column for column in table.names if column not in table.volatile] or ["generation"]
        files = [lake / file["path"] for file in held["files"]]
        arrow = ds.dataset(files, format="parquet").to_table(columns=stable)
        frame = pl.read_parquet(files, columns=stable, hive_partitioning=False).select(stable)
        asked = ", ".join(f'"{column}"' for column in stable)
        with plain_reader(warehouse) as reader:
            want = reader.sql(f'SELECT {asked} FROM "{name}"').to_arrow_table()
        want = pa.table({column: want[column].cast(table.arrow.field(column).type) for column in stable})
        assert _rows(arrow.to_pylist()) == _rows(want.to_pylist()), name
        assert _rows(frame.to_dicts()) == _rows(want.to_pylist()), name
        assert held["primary_key"] == list(table.primary_key)
        assert sum(file["rows"] for file in held["files"]) == want.num_rows


def _rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(list(row.values())).replace("zoneinfo.ZoneInfo(key='UTC')", "<UTC>") for row in rows)


_ALONE = """
import sys
sys.path.append(sys.argv[1])
import duckdb
try:
    import wandb_warehouse.warehouse
    sys.exit("our package is there")
except ImportError:
    pass
reader = duckdb.connect("views.duckdb", read_only=True)
print(reader.execute("SELECT count(*), sum(step), count(*) FILTER (isnan(value)) FROM history").fetchone())
print(reader.execute("SELECT config->>'$.deep.x' FROM runs WHERE run_id = 'r1'").fetchone())
print(reader.execute("SELECT count(*) FROM run_curves('loss')").fetchone())
"""


def test_duckdb_alone_reads_the_views(box: Sandbox, lake: Path) -> None:
    """A process that knows DuckDB only, in the lake's directory: tables, JSON and our macros work."""
    fill(box)
    sync(options(box, lake))
    import duckdb  # noqa: PLC0415 - for its place

    packages = str(Path(duckdb.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _ALONE, packages],
        cwd=lake,
        capture_output=True,
        text=True,
        check=True,
    )
    counted = query(lake, "SELECT count(*), sum(step), count(*) FILTER (isnan(value)) FROM history")[0]
    (curve,) = query(lake, "SELECT count(*) FROM run_curves('loss')")
    assert done.stdout.splitlines() == [str(counted), "('[1,null]',)", str(curve)]


@pytest.fixture
def address() -> Iterator[str]:
    """An address in fsspec's store in memory."""
    import fsspec  # noqa: PLC0415 - only here

    yield "memory://bucket/lake"
    fsspec.filesystem("memory").store.clear()


def test_a_lake_elsewhere(box: Sandbox, warehouse: Path, address: str) -> None:
    """A store that fsspec reaches holds the same, sync after sync."""
    fill(box)
    for more in (0, 10, 0):
        if more:
            box.append_rows(*P, "r1", training(more, seed=5, first=40))
        expected = sync(options(box, warehouse)).generation
        elsewhere = options(box, warehouse)
        report = sync(type(elsewhere)(elsewhere.projects, elsewhere.connection, address))
        assert report.generation == expected
        assert report.warehouse == address
        assert content_digest(address) == content_digest(warehouse)
    assert status(address).path == address


_DYING = """
import os, sys
from pathlib import Path
from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sync import SyncOptions, sync
from wandb_warehouse.warehouse.lake.storage import LocalStorage
deadly, put = sys.argv[4], LocalStorage.add

def dying(self, source, path):
    if path.startswith(deadly):
        os._exit(9)
    put(self, source, path)

LocalStorage.add = LocalStorage.replace = dying
connection = Connection(sys.argv[1], Secret(sys.argv[2]), "argument")
sync(SyncOptions((ProjectPath("e", "p"),), connection, Path(sys.argv[3])))
"""


@pytest.mark.slow
def test_a_process_that_dies_while_it_publishes(box: Sandbox, lake: Path, warehouse: Path) -> None:
    """Wherever it dies the lake is whole, the next sync makes it good, and nothing of the dead one stays."""
    fill(box)
    sync(options(box, lake))
    for number, place in enumerate(("history/", "manifest.json", "views.duckdb")):
        before = content_digest(lake)
        box.append_rows(*P, "r1", training(10, seed=number, first=40 + 10 * number))
        arguments = [sys.executable, "-c", _DYING, box.base_url, box.key, str(lake), place]
        assert subprocess.run(arguments, check=False, env=os.environ).returncode == 9
        sync(options(box, warehouse))
        after = content_digest(warehouse)
        assert content_digest(lake) == (after if place == "views.duckdb" else before), place
        assert list(lake.glob(".work-*")), place
        sync(options(box, lake))
        assert content_digest(lake) == after, place
        assert query(lake, "SELECT count(*) FROM history") == query(warehouse, "SELECT count(*) FROM history")
        assert not list(lake.glob(".work-*")), place
