"""The digest: the same for the same rows, another for any other value."""

import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Build, content_digest, insert_rows, open_readonly

Rows = dict[str, list[dict[str, Any]]]
Fill = Callable[[Path, Rows], Build]


def _digest(build: Build) -> dict[str, str]:
    with duckdb.connect(str(build.path)) as connection:
        return content_digest(connection)


def test_order_and_file_do_not_matter(tmp_path: Path, fill: Fill, rows: Rows) -> None:
    """Rows in any order, in one load or in several with deletes between, digest alike."""
    first = fill(tmp_path / "first", rows)
    shuffled = {table: random.Random(3).sample(content, len(content)) for table, content in rows.items()}
    second = fill(tmp_path / "second", shuffled)
    second.delete_runs(["history"], [("acme", "vision", "r1")])
    with duckdb.connect(str(second.path)) as connection:
        connection.execute(f"ATTACH '{first.path}' AS first (READ_ONLY)")
        connection.execute("CREATE TEMP VIEW incoming AS FROM first.main.history WHERE run_id = 'r1'")
        insert_rows(connection, "history")
    assert _digest(first) == _digest(second)


def test_connection_and_path_agree(published: Path) -> None:
    """A path and a connection to it digest alike, before and after an empty sync, whatever the time zone."""
    reader = open_readonly(published)
    reader.execute("SET TimeZone = 'Asia/Tokyo'")
    assert content_digest(reader) == content_digest(published)
    reader.close()


def test_log_is_no_content(published: Path) -> None:
    """The sync log counts our own work and has no digest; every other table has one."""
    assert set(content_digest(published)) == set(TABLES) - {"sync_log"}


_OTHER = {
    "text": "'other'",
    "json": "'[\"other\"]'",
    "bigint": "-7",
    "double": "-7.5",
    "bool": "true",
    "timestamp": "'2020-01-01'",
}


@pytest.fixture(scope="module")
def changing(published_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the published warehouse, to be changed in transactions that are rolled back."""
    return Path(shutil.copy(published_once, tmp_path_factory.mktemp("changing")))


@pytest.mark.parametrize("table", [name for name in TABLES if name != "sync_log"])
def test_every_column_counts_but_the_volatile(table: str, changing: Path) -> None:
    """Another value in one column changes the digest of that table alone, unless the column is volatile."""
    with duckdb.connect(str(changing)) as connection:
        before = content_digest(connection)
        for column in TABLES[table].columns:
            connection.begin()
            if TABLES[table].numbered:
                connection.execute(
                    f"ALTER VIEW {table} RENAME TO shown; CREATE VIEW {table} AS "
                    f'SELECT * REPLACE ({_OTHER[column.kind]} AS "{column.name}") FROM shown'
                )
            else:
                connection.execute(f'UPDATE {table} SET "{column.name}" = {_OTHER[column.kind]}')
            after = content_digest(connection)
            connection.rollback()
            changed = {name for name in before if before[name] != after[name]}
            assert changed == (set() if column.name in TABLES[table].volatile else {table}), column.name


def _history(value: float | None, value_json: str | None, key: str = "k") -> Rows:
    row = {"entity": "e", "project": "p", "run_id": "r", "key": key, "step": 0, "seq": 0, "type": "number"}
    return {"history": [row | {"value": value, "value_json": value_json}]}


def test_close_values_are_told_apart(
    tmp_path: Path, fill: Fill, insert: Callable[[Path, Rows], None]
) -> None:
    """Values that are easily taken for each other digest differently."""
    near = [
        _history(None, None),
        _history(0.0, None),
        _history(-0.0, None),
        _history(math.nan, None),
        _history(math.inf, None),
        _history(0.1, None),
        _history(0.1 + 2**-56, None),
        _history(5e-324, None),
        _history(2.0**53, None),
        _history(2.0**53, "9007199254740993"),
        _history(None, '"a"'),
        _history(None, '""'),
        _history(None, None, "k1:x"),
        _history(None, None, "k-"),
        _history(None, None, "K"),
        {"history": [_history(0.0, None)["history"][0]] * 2},
    ]
    build = fill(tmp_path / "build", {})
    digests = []
    for rows in near:
        insert(build.path, rows)
        digests.append(_digest(build)["history"])
        build.delete_runs(["history"], [("e", "p", "r")])
    assert len(set(digests)) == len(near)


def test_values_do_not_slip_between_columns(tmp_path: Path, fill: Fill) -> None:
    """The same text cut elsewhere between two columns is another row."""
    one = fill(tmp_path / "1", {"run_tags": [{"entity": "a", "project": "bc", "run_id": "d", "position": 0}]})
    two = fill(tmp_path / "2", {"run_tags": [{"entity": "ab", "project": "c", "run_id": "d", "position": 0}]})
    assert _digest(one)["run_tags"] != _digest(two)["run_tags"]
