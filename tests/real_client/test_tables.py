"""Tables that the official client logged are stored as it reads them back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from real_client.official import OfficialClient
from support import canonical, options, query
from wandb_warehouse.arrow import restore
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync
from wandb_warehouse.warehouse import content_digest

pytestmark = pytest.mark.slow

MANY = 12_000
"""More rows than the run's own file of a table holds."""
TABLES = frozenset({"logged_tables", "logged_table_cells"})


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def official(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the official client wrote and reads back."""
    client = OfficialClient(box, "t", tmp_path_factory.mktemp("official"))
    answer = tmp_path_factory.mktemp("answer") / "answer.json"
    client.run("table_writer.py", str(MANY))
    client.run("table_reader.py", str(answer))
    return json.loads(answer.read_text())


@pytest.fixture(scope="module")
def warehouse(box: Sandbox, official: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, synced with its tables."""
    assert official
    path = tmp_path_factory.mktemp("synced") / "wandb.duckdb"
    report = sync(options(box, path, "sandbox/t", opt_in=TABLES))
    assert report.quarantined == {}
    return path


def stored(warehouse: Path, where: str) -> list[list[Any]]:
    """Rows of one table, cell by cell in the order of its columns."""
    rows: dict[int, list[Any]] = {}
    for row, kind, value, text in query(
        warehouse,
        "SELECT row_index, type, value, value_json FROM logged_table_cells "
        f"WHERE {where} ORDER BY row_index, column_index",
    ):
        rows.setdefault(row, []).append(restore(kind, value, text))
    assert list(rows) == list(range(len(rows)))
    return list(rows.values())


def forms(rows: list[list[Any]]) -> list[list[tuple[str, str]]]:
    """Rows in a form in which equal values are equal."""
    return [[canonical(cell) for cell in row] for row in rows]


def test_values_are_those_of_the_runs_file(official: Any, warehouse: Path) -> None:
    """Names of columns and every cell, NaN, nested and null ones too, are those the client wrote to the run's files."""
    paths = dict(query(warehouse, "SELECT path, columns FROM logged_tables WHERE path LIKE 'media/%'"))
    assert paths.keys() == official["files"].keys()
    compared = 0
    for path, columns in paths.items():
        if "/media_" in path or "/long_" in path:
            continue  # text in place of media, and not all rows
        file = json.loads(official["files"][path])
        assert [column["name"] for column in json.loads(columns)] == file["columns"]
        place = path.replace("'", "''")
        assert forms(stored(warehouse, f"path = '{place}'")) == (
            forms(file["data"]) if file["columns"] else []
        )
        compared += 1
    assert compared >= 14


def test_values_are_those_of_the_artifact(official: Any, warehouse: Path) -> None:
    """Where the client makes a plain value of an artifact's cell, ours is the same; media are its JSON."""
    found = {
        key: (json.loads(columns), stored(warehouse, f"key = '{key}' AND path = '{path}'"))
        for key, path, columns in query(
            warehouse,
            "SELECT key, path, columns FROM logged_tables WHERE key IN "
            "('same names', 'no rows', 'nest.ed', 'media', 'long', 'final')",
        )
    }
    for key, (columns, rows) in found.items():
        table = official["tables"][key.removeprefix("nest.")]
        assert [column["name"] for column in columns] == table["columns"], key
        assert len(rows) == len(table["data"])
        for ours, theirs in zip(rows, table["data"], strict=True):
            for cell, other in zip(ours, theirs, strict=True):
                if not (isinstance(other, dict) and "odd" in other):
                    assert canonical(cell) == canonical(other)
    raw = next(
        json.loads(text) for name, text in official["entries"].items() if name.endswith(" media.table.json")
    )
    assert forms(found["media"][1]) == forms(raw["data"])
    assert found["media"][1][0][0]["_type"] == "html-file"
    assert [column["types"] for column in found["media"][0]] == [
        ["html-file", "none"],
        ["none", "timestamp"],
    ]
    assert [row[0] for row in found["long"][1]] == list(range(MANY))


def test_tables_made_of_others(official: Any, warehouse: Path) -> None:
    """Parts come together as the client reads them; a joined table has its two; increments read like one table."""
    assert stored(warehouse, "key = 'whole'") == official["tables"]["whole"]["data"]
    assert query(warehouse, "SELECT type, row_count FROM logged_tables WHERE key = 'joined' ORDER BY path") == [
        ("joined-table", 0), ("table", 2), ("table", 1)
    ]  # fmt: skip
    (definition,) = query(warehouse, "SELECT definition FROM logged_tables WHERE type = 'joined-table'")
    assert json.loads(definition[0])["join_key"] == "id"
    pivoted = (
        "PIVOT (FROM logged_table('r', '{}')) ON column_name IN ('k', 'v') USING any_value(value) "
        "GROUP BY row_index ORDER BY row_index"
    )
    whole = [(n, float(n), float(n**2)) for n in range(3)]
    assert query(warehouse, pivoted.format("INCREMENTAL")) == whole
    assert query(warehouse, pivoted.format("MUTABLE")) == whole


def test_where_tables_were_logged(warehouse: Path) -> None:
    """Steps are those of the history; a table set in the summary has none."""
    steps = query(warehouse, "SELECT step FROM logged_tables WHERE key = 'MUTABLE' ORDER BY step")
    logged = query(warehouse, "SELECT step FROM history WHERE key = 'MUTABLE' ORDER BY step")
    assert steps == logged
    assert query(warehouse, "SELECT step, last_step FROM logged_tables WHERE key = 'final'") == [(None, None)]
    assert len(query(warehouse, "FROM logged_tables WHERE key = 'two'")) == 2


def test_loaded_twice(box: Sandbox, warehouse: Path) -> None:
    """Nothing new sends nothing more; from nothing, the same content comes again."""
    digest = content_digest(warehouse)
    box.clear_requests()
    assert sync(options(box, warehouse, "sandbox/t", opt_in=TABLES)).generation is None
    assert len(box.requests) == 1
    sync(options(box, warehouse, "sandbox/t", opt_in=TABLES, full_refresh=True))
    assert content_digest(warehouse) == digest
