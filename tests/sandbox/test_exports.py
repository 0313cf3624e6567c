"""Parquet exports, read back by pyarrow and DuckDB and compared with the lines they were written from."""

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_warehouse.sandbox.exports import empty_export, write_exports


def read(body: bytes) -> pa.Table:
    """Table of a parquet body."""
    return pq.read_table(io.BytesIO(body))


def line(**entries: object) -> bytes:
    """A history line as the client writes it, bare NaN tokens included."""
    return json.dumps(entries).encode()


def collapsed(value: Any) -> Any:
    """What a cell says: unions undone, absent fields dropped, NaN made comparable."""
    if isinstance(value, float) and math.isnan(value):
        return "<nan>"
    if isinstance(value, list):
        return [collapsed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if all(name.startswith("_type_") for name in value):
        (only,) = [field for field in value.values() if field is not None]
        return collapsed(only)
    return {name: collapsed(field) for name, field in value.items() if field is not None}


def cells(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of a table, absent values left out."""
    return [
        {name: collapsed(value) for name, value in row.items() if value is not None}
        for row in table.to_pylist()
    ]


def dotted(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of a row by dotted key, nulls left out."""
    for name, item in value.items():
        if isinstance(item, dict) and "_type" not in item:
            yield from dotted(item, f"{prefix}{name}.")
        elif item is not None:
            yield f"{prefix}{name}", collapsed(item)


scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(st.sampled_from(["histogram", "image-file", "number"]), inner).map(
            lambda pair: {"_type": pair[0], "part": pair[1]}
        ),
    ),
    max_leaves=5,
)
rows = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "c.d", "loss/train", "ümlaut"]),
        st.one_of(st.none(), values, st.dictionaries(st.sampled_from("xy"), values, min_size=1, max_size=2)),
        max_size=4,
    ),
    max_size=6,
)


@settings(deadline=None)  # the first example pays for the imports of the readers
@given(rows, st.integers(1, 3))
def test_every_value_of_every_line_is_in_its_cell(logged: list[dict[str, Any]], files: int) -> None:
    """Whatever mixture of kinds is logged, each cell gives back the value of its line and nothing more."""
    lines = [line(_step=step, **row) for step, row in enumerate(logged)]
    expected = [dict(dotted({"_step": step, **row})) for step, row in enumerate(logged)]
    bodies = write_exports(lines, files=files)
    assert len(bodies) == files
    assert [row for body in bodies for row in cells(read(body))] == expected


def test_mixed_kinds_are_a_struct_with_one_field_set() -> None:
    """A key of several kinds is a struct of `_type_<kind>` fields named after W&B's kinds."""
    lines = [
        line(_step=0, k=1.5),
        line(_step=1, k="x"),
        line(_step=2, k=True),
        line(_step=3, k=[1]),
        line(_step=4, k={"_type": "histogram", "values": [1]}),
        line(_step=5, k=None),
    ]
    column = read(write_exports(lines)[0]).column("k")
    assert {field.name for field in column.type} == {
        "_type_number",
        "_type_string",
        "_type_bool",
        "_type_list",
        "_type_histogram",
    }
    set_fields = [
        [name for name, value in (cell or {}).items() if value is not None] for cell in column.to_pylist()
    ]
    assert set_fields == [
        ["_type_number"],
        ["_type_string"],
        ["_type_bool"],
        ["_type_list"],
        ["_type_histogram"],
        [],
    ]


@pytest.mark.parametrize(
    ("logged", "arrow", "stored"),
    [
        ([1, 2**62], pa.int64(), [1, 2**62]),
        ([-(2**63), 2**63 - 1], pa.int64(), [-(2**63), 2**63 - 1]),
        ([1, 2**63], pa.float64(), [1.0, 2.0**63]),
        ([2**70, 0], pa.float64(), [2.0**70, 0.0]),
        ([2**53 + 1, 0.5], pa.float64(), [2.0**53, 0.5]),
        ([1, 2.5, None], pa.float64(), [1.0, 2.5, None]),
        ([math.inf, -math.inf, 1], pa.float64(), [math.inf, -math.inf, 1.0]),
        ([True, None], pa.bool_(), [True, None]),
        (["NaN", ""], pa.string(), ["NaN", ""]),
        ([[1, 2], []], pa.list_(pa.field("element", pa.int64())), [[1, 2], []]),
        ([[1, 2**63], [None]], pa.list_(pa.field("element", pa.float64())), [[1.0, 2.0**63], [None]]),
        ([[1, {}], [{}]], pa.list_(pa.field("element", pa.int64())), [[1, None], [None]]),
        ([[1, 2.5], None], pa.list_(pa.field("element", pa.float64())), [[1.0, 2.5], None]),
    ],
)
def test_a_column_takes_the_narrowest_type_that_holds_all(
    logged: list[Any], arrow: pa.DataType, stored: list[Any]
) -> None:
    """Integers stay int64 while every one fits; beside a float, or beyond 64 bits, all are doubles."""
    body = write_exports([line(_step=step, k=value) for step, value in enumerate(logged)])[0]
    column = read(body).column("k")
    assert column.type == arrow
    assert column.to_pylist() == stored


def test_what_strict_json_refuses_is_read() -> None:
    """Bare NaN, 1e400, control characters, endless integers and lone surrogates do not stop the export."""
    raw = b'{"_step": 0, "a": NaN, "b": 1e400, "c": "x\ty\\ud83d", "d": %s, "e": %s}' % (
        b"9" * 5000,
        b"9" * 400,
    )
    (row,) = read(write_exports([raw])[0]).to_pylist()
    assert math.isnan(row["a"])
    assert (row["b"], row["c"], row["d"], row["e"]) == (math.inf, "x\ty\ufffd", math.inf, math.inf)


def test_negative_zero_keeps_its_sign() -> None:
    """-0.0 beside other doubles is still negative when read back."""
    body = write_exports([b'{"_step": 0, "k": -0.0}', b'{"_step": 1, "k": 1}'])[0]
    assert math.copysign(1, read(body).column("k")[0].as_py()) == -1


def test_a_file_has_the_columns_of_its_own_rows() -> None:
    """A metric that starts late is missing from earlier files, one that is always null from all."""
    lines = [line(_step=step, a=step, never=None, **({"late": 1} if step >= 7 else {})) for step in range(10)]
    first, second = (read(body) for body in write_exports(lines, files=2))
    assert (first.column_names, second.column_names) == (["_step", "a"], ["_step", "a", "late"])
    assert (first.num_rows, second.num_rows) == (5, 5)


def test_steps_times_and_metadata_are_typed_as_exports_type_them() -> None:
    """`_step` is int64 or double as asked, whole times are doubles, the file says it is compacted."""
    lines = [b'{"_step": 3, "_timestamp": 1700000000, "_runtime": 5}', b'{"_timestamp": 1700000001}']
    cases: list[tuple[Literal["int64", "double"], pa.DataType]] = [
        ("int64", pa.int64()),
        ("double", pa.float64()),
    ]
    for step_type, arrow in cases:
        (body,) = write_exports(lines, step_type=step_type)
        schema = pq.ParquetFile(io.BytesIO(body)).schema_arrow
        assert {field.name: field.type for field in schema} == {
            "_step": arrow,
            "_timestamp": pa.float64(),
            "_runtime": pa.float64(),
        }
        assert schema.metadata == {b"wandb-compacted": b"true"}


def test_rows_stand_by_step_and_repeated_steps_as_logged() -> None:
    """A run that was started again repeats its steps: its file is sorted, equal steps in line order."""
    lines = [line(_step=step, k=part) for part in ("first", "second") for step in range(3)]
    table = read(write_exports(lines)[0])
    assert table.column("_step").to_pylist() == [0, 0, 1, 1, 2, 2]
    assert table.column("k").to_pylist() == ["first", "second"] * 3


def test_nested_and_dotted_spellings_share_a_column() -> None:
    """`{"a": {"b": 1}}` and `{"a.b": 1}` flatten to one key; objects without entries leave no trace."""
    table = read(write_exports([line(a={"b": 1}), line(**{"a.b": 2}), line(a={}), line(c=[{}])])[0])
    assert table.column("a.b").to_pylist() == [1, 2, None, None]
    assert table.column("c").to_pylist() == [None, None, None, [None]]


def test_the_empty_export_is_a_file_without_columns() -> None:
    """It has neither columns nor rows, and it is what files without rows are."""
    file = pq.ParquetFile(io.BytesIO(empty_export()))
    assert (file.metadata.num_columns, file.metadata.num_rows) == (0, 0)
    assert file.schema_arrow.metadata == {b"wandb-compacted": b"true"}
    assert write_exports([]) == [empty_export()]
    bodies = write_exports([line(_step=0)], files=3)
    assert [read(body).num_rows for body in bodies] == [0, 0, 1]


@pytest.mark.parametrize("lines", [[b"[1]"], [b'{"a":1},{"b":2}'], [b"{"], [b"3"]])
def test_a_line_that_is_no_object_is_refused(lines: list[bytes]) -> None:
    """Each line must be one JSON object, however the lines look when put together."""
    with pytest.raises(ValueError):  # noqa: PT011  (several parsers, one kind of error)
        write_exports(lines)


def many_lines() -> list[bytes]:
    """5,000 rows of 12 keys."""
    return [
        line(_step=step, _timestamp=1.7e9 + step, _runtime=step * 0.7, **metrics)
        for step in range(5000)
        for metrics in [{f"m{k}": math.sin(step * k + 0.1) for k in range(9)}]
    ]


def test_duckdb_reads_what_was_logged(tmp_path: Path) -> None:
    """A second engine, given the lines and the export, finds no difference between them."""
    lines = many_lines()
    (tmp_path / "lines.json").write_bytes(b"\n".join(lines))
    for place, body in enumerate(write_exports(lines, files=3)):
        (tmp_path / f"{place}.parquet").write_bytes(body)
    with duckdb.connect() as db:
        db.execute(f"CREATE VIEW logged AS FROM read_json('{tmp_path}/lines.json')")
        db.execute(f"CREATE VIEW exported AS FROM read_parquet('{tmp_path}/*.parquet')")
        differing = db.execute("(FROM logged EXCEPT FROM exported) UNION (FROM exported EXCEPT FROM logged)")
        assert differing.fetchall() == []
        assert db.execute("SELECT count(*) FROM exported").fetchone() == (5000,)
