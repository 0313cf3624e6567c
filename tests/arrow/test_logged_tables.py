"""Logged tables: references found, files read row by row, cells typed exactly."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.strategies import keys, same, values, wire, wire_raw
from lengths import examples
from wandb_warehouse.arrow import (
    RunRef,
    TableFile,
    TablePlace,
    restore,
    table_cells,
    table_facts,
    table_files,
    table_keys,
    table_refs,
    unescape,
)
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

PLACE = TablePlace(RunRef("e", "p", "r"), "t", "media/table/t.json")


def written(text: str | bytes) -> Path:
    """A file with a text."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return Path(file.name)


def read(text: str | bytes) -> tuple[TableFile, list[list[Any]]]:
    """A file and its rows."""
    path = written(text)
    try:
        file = TableFile(path)
        return file, [row for rows in file.batches() for row in rows]
    finally:
        path.unlink()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Names of columns, which may repeat, and rows of any JSON values."""
    columns = draw(st.lists(keys, max_size=4))
    row = st.tuples(*(values for _ in columns)).map(list)
    return columns, draw(st.lists(row, max_size=5))


@pytest.mark.parametrize("write", [wire, wire_raw], ids=["escaped", "raw"])
@pytest.mark.parametrize("chunk", [1, 7, 2**20])
@settings(max_examples=examples(40), deadline=None)
@given(table=tables())
def test_any_table_comes_back(table: tuple[list[str], list[list[Any]]], write: Any, chunk: int) -> None:
    """Names and cells of any table are given back exactly, wherever the text is cut into pieces."""
    columns, data = table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_files, "_CHUNK", chunk)
        patch.setattr(table_files, "_CELLS_AT_ONCE", 3)
        path = written(write({"columns": columns, "data": data, "ncols": 12345, "x": None}))
        file = TableFile(path)
        found = [
            table_cells(PLACE, file.columns, rows, file.row_count - len(rows)) for rows in file.batches()
        ]
        path.unlink()
    assert file.row_count == len(data)
    assert file.members == {"columns": file.members["columns"], "ncols": 12345, "x": None}
    assert [unescape(name) for name in file.columns] == columns
    cells: dict[tuple[int, int], Any] = {}
    for cell in (row for part in found for row in part.to_pylist()):
        place = (cell["row_index"], cell["column_index"])
        assert place not in cells
        assert unescape(cell["column_name"]) == columns[place[1]]
        cells[place] = restore(cell["type"], cell["value"], cell["value_json"])
    expected = {
        (n, m): cell for n, row in enumerate(json.loads(json.dumps(data))) for m, cell in enumerate(row)
    }
    assert cells.keys() == expected.keys()
    assert all(same(cells[place], expected[place]) for place in expected)
    assert all(part.schema.equals(TABLES["logged_table_cells"].arrow) for part in found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON"),
        ("[]", "no JSON"),
        ('{"columns":["a"],"data":[[1]', "no JSON"),
        ('{"columns":["a"],"data":[[1]]', "no JSON"),
        ('{"columns":["a"],"data":[[1]]} x', "no JSON"),
        ('{"columns":["a"],"data":[[1],]}', "no JSON"),
        ('{"columns":["a"],"data":[[1 2]]}', "no JSON"),
        (b'{"columns":["a"],"data":[["\xff"]]}', "no JSON"),
        ('{"columns":["a"],"data":[[1],[1,2]]}', "row 1 has 2 cells for 1 columns"),
        ('{"columns":["a"],"data":[[]]}', "row 0 has 0 cells"),
        ('{"columns":["a"],"data":[{"a":1}]}', "row 0 has no list of cells"),
        ('{"columns":["a"],"data":{"a":1}}', "no JSON"),
        ('{"data":[[1]],"columns":["a"]}', "no list of names"),
        ('{"columns":"a","data":[]}', "no list of names"),
        ('{"columns":["a"],"data":[[1]],"data":[[2]]}', "a member twice"),
        ('{"columns":["a"],"data":[[' + "[" * 100_000 + "]" * 100_000 + "]]}", "too deep"),
    ],
)
def test_what_is_no_table_is_refused(text: str | bytes, reason: str) -> None:
    """A file cut, malformed, ragged or of another shape is an error that says which."""
    with pytest.raises(FatalRemoteError, match=reason):
        read(text)[0].columns  # noqa: B018 - whichever fails first


def test_a_long_row_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row beyond what is believed ends the reading, before all of it is in memory."""
    monkeypatch.setattr(table_files, "_LONGEST", 1000)
    monkeypatch.setattr(table_files, "_CHUNK", 100)
    read(json.dumps({"columns": ["a"], "data": [["x" * 500]] * 50}))
    with pytest.raises(FatalRemoteError, match="exceeds 1000"):
        read(json.dumps({"columns": ["a"], "data": [["x" * 5000]]}))


def test_numbers_as_names() -> None:
    """A column named by a number has it as text; anything else is no name."""
    assert read('{"columns":[0,1.5,"0"],"data":[[1,2,3]]}')[0].columns == ["0", "1.5", "0"]
    with pytest.raises(FatalRemoteError):
        read('{"columns":[true],"data":[]}')[0].columns  # noqa: B018 - the access fails


def test_facts_of_a_file() -> None:
    """Types of columns are W&B's names of them; columns whose arrays are elsewhere are told."""
    array = {
        "wb_type": "ndarray",
        "params": {"shape": [2, 2], "serialization_path": {"path": "x.npz", "key": "a"}},
    }
    union = {"wb_type": "union", "params": {"allowed_types": [{"wb_type": "number"}, {"wb_type": "none"}]}}
    types = {"wb_type": "typedDict", "params": {"type_map": {"a": array, "n": union}}}
    facts = table_facts(["a", "n", "x"], {"column_types": types, "nrows": 3, "columns": [], "join_key": "a"})
    assert facts.described() == [
        {"name": "a", "types": ["ndarray"]}, {"name": "n", "types": ["none", "number"]}, {"name": "x"}
    ]  # fmt: skip
    assert (facts.elsewhere, facts.row_count, facts.definition) == (("a",), 3, {"join_key": "a"})
    assert table_facts(["a"], {"column_types": [], "nrows": "3"}).described() == [{"name": "a"}]


def value(path: str | None = None, **more: Any) -> dict[str, Any]:
    """What stands for a table."""
    return {"_type": "table-file", "path": path, **more}


def test_keys_that_hold_tables() -> None:
    """Tables alone, in lists and beside other types are found in the index, with all rows of their keys."""
    table, number = {"type": "table-file", "count": 2}, {"type": "number", "count": 3}
    index = {
        "keys": {
            "t": {"typeCounts": [table, number]},
            "l": {"typeCounts": [{"type": "list", "count": 4, "items": [table]}]},
            "j": {"typeCounts": [{"type": "joined-table"}]},
            "loss": {"typeCounts": [number]},
            "odd": {"typeCounts": None},
            "none": None,
        }
    }
    assert table_keys(index) == table_keys(json.dumps(index)) == {"t": 5, "l": 4, "j": 0}
    assert table_keys(None) == table_keys({}) == table_keys("[]") == {}


def test_references_are_told_once() -> None:
    """One file logged at several steps is one table with its span; the summary adds those that it alone has."""
    rows: list[dict[str, Any]] = [
        {"_step": 3, "t": value("a")},
        {"_step": 1.0, "t": value("a", size=4)},
        {"_step": 2, "t": 5},
    ]
    summary = json.dumps(
        {"t": value("a", size=9), "deep": {"er": [value("b"), [value("c")], 1]}, "x": {"_type": "image"}}
    )
    found = {(ref.key, ref.path): ref for ref in table_refs(summary, {"t": rows})}
    assert {place: (ref.step, ref.last_step) for place, ref in found.items()} == {
        ("t", "a"): (1, 3), ("deep.er", "b"): (None, None), ("deep.er", "c"): (None, None)
    }  # fmt: skip
    assert found["t", "a"].size == 9


def test_references_of_odd_shape() -> None:
    """What is no text or number counts as missing; a table without a file has an empty path."""
    (ref,) = table_refs({"t": value(None, sha256=4, size=-1, nrows=True, artifact_path=["x"])}, {})
    assert (ref.path, ref.file_path, ref.artifact_path, ref.sha256, ref.size, ref.row_count) == (
        "",
        *[None] * 5,
    )
    (ref,) = table_refs({"t": value(None, artifact_path="wandb-artifact://ab/c")}, {})
    assert ref.path == ref.artifact_path == "wandb-artifact://ab/c"
    assert table_refs(None, {}) == table_refs("[]", {}) == []
