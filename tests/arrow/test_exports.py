"""Parquet exports to chunks; the files are built by hand."""

import decimal
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.test_history import RUN, check, kinds, stored, texts
from lengths import examples
from wandb_warehouse.arrow import exports
from wandb_warehouse.arrow.exports import chunks_from_export
from wandb_warehouse.errors import FatalRemoteError


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    """Write columns (arrays or lists) as one parquet file."""
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of an export."""
    return tmp_path / "export.parquet"


def read(
    path: Path, types: dict[str, set[str]] | None = None, **bounds: int
) -> list[tuple[str, int, int, Any]]:
    """Give the values of an export."""
    return sorted(stored(*chunks_from_export(RUN, path, types or {}, **bounds)), key=lambda value: value[:3])


def test_plain_columns_come_as_logged(path: Path) -> None:
    """Numbers, bools and strings stand under key and step; null means absent, NaN does not."""
    write(
        path,
        {
            "_step": pa.array([0, 1, 2], pa.int64()),
            "loss": pa.array([0.5, None, math.nan]),
            "n": pa.array([1, 2**53 + 1, None], pa.int64()),
            "ok": pa.array([True, None, False]),
            "text": pa.array(["plain", 'quo"te\\\n', None]),
            "a.b": pa.array([-0.0, math.inf, 0.0]),
            "none": pa.nulls(3),
            "f32": pa.array([0.1, None, None], pa.float32()),
            "u64": pa.array([2**64 - 1, 0, None], pa.uint64()),
        },
    )
    check(
        read(path),
        [
            ("loss", 0, 0, 0.5),
            ("loss", 2, 0, math.nan),
            ("n", 0, 0, 1),
            ("n", 1, 0, 2**53 + 1),
            ("ok", 0, 0, True),
            ("ok", 2, 0, False),
            ("text", 0, 0, "plain"),
            ("text", 1, 0, 'quo"te\\\n'),
            ("a.b", 0, 0, -0.0),
            ("a.b", 1, 0, math.inf),
            ("a.b", 2, 0, 0),
            ("f32", 0, 0, 0.10000000149011612),
            ("u64", 0, 0, 2**64 - 1),
            ("u64", 1, 0, 0),
        ],
    )


columns_strategy = st.dictionaries(
    st.sampled_from(["a", "A", "a.b", 'q"', "😀", "k" * 1000, "\\ud800"]),
    st.one_of(
        st.lists(st.one_of(st.none(), st.floats()), min_size=9, max_size=9).map(
            lambda v: pa.array(v, pa.float64())
        ),
        st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=9, max_size=9).map(
            lambda v: pa.array(v, pa.int64())
        ),
        st.lists(st.one_of(st.none(), st.booleans()), min_size=9, max_size=9).map(
            lambda v: pa.array(v, pa.bool_())
        ),
        st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=9, max_size=9).map(
            lambda v: pa.array(v, pa.string())
        ),
        st.lists(st.one_of(st.none(), st.lists(st.floats(), max_size=3)), min_size=9, max_size=9).map(
            lambda v: pa.array(v, pa.list_(pa.float64()))
        ),
    ),
)


@settings(max_examples=examples(80), deadline=None)
@given(columns_strategy, st.permutations(range(9)), st.integers(1, 40))
def test_any_columns_come_back_whatever_the_batches(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, pa.Array], steps: list[int], cells: int
) -> None:
    """Every non-null cell of every column comes back under its step, for any order of rows and size of batch."""
    path = write(
        tmp_path_factory.mktemp("x") / "x.parquet", {"_step": pa.array(steps), **columns}, row_group_size=4
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "CELLS", cells)
        patch.setattr(exports, "LONG_CELLS", cells)
        batches = list(chunks_from_export(RUN, path, {}))
    wanted = [
        (key, step, 0, value)
        for key, cells_ in columns.items()
        for step, value in zip(steps, cells_.to_pylist(), strict=True)
        if value is not None
    ]
    check(stored(*batches), wanted)
    assert sum(batch.row_count for batch in batches) == 9


def test_unordered_and_repeated_steps(path: Path) -> None:
    """Rows in line order with repeated steps are all read, numbered per key in line order across batches."""
    write(path, {"_step": [0, 1, 2, 0, 1, 0], "a": [1, 2, None, 4, None, 6], "b": [None, None, 7, 8, 9, 10]})
    wanted = [
        ("a", 0, 0, 1),
        ("a", 0, 1, 4),
        ("a", 0, 2, 6),
        ("a", 1, 0, 2),
        ("b", 0, 0, 8),
        ("b", 0, 1, 10),
        ("b", 1, 0, 9),
        ("b", 2, 0, 7),
    ]
    assert read(path) == wanted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "CELLS", 3)
        assert len(list(chunks_from_export(RUN, path, {}))) == 6
        assert read(path) == wanted


@pytest.mark.parametrize("cells", [1, 1000])
def test_bounds_leave_rows_out(path: Path, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only rows strictly between the bounds are read and counted."""
    monkeypatch.setattr(exports, "CELLS", cells)
    write(path, {"_step": [4, 0, 1, 2, 3], "a": [14, 10, 11, 12, 13]})
    assert read(path, after=0, before=4) == [("a", step, 0, 10 + step) for step in (1, 2, 3)]
    assert read(path, before=1) == [("a", 0, 0, 10)]
    assert sum(batch.row_count for batch in chunks_from_export(RUN, path, {}, after=2)) == 2
    assert list(chunks_from_export(RUN, path, {}, after=4)) == []


@pytest.mark.parametrize(
    "steps", [pa.array([0.0, 1.0]), pa.array([0, 1], pa.uint32()), pa.array([0, 1], pa.int8())]
)
def test_steps_of_other_number_types(path: Path, steps: pa.Array) -> None:
    """Steps may be doubles or narrower integers."""
    write(path, {"a": [1.5, 2.5], "_step": steps})
    assert read(path) == [("a", 0, 0, 1.5), ("a", 1, 0, 2.5)]


def test_rows_without_steps(path: Path) -> None:
    """A null step, or no step column at all, is step -1."""
    write(path, {"_step": [None, 3], "a": [1, 2]})
    assert read(path) == [("a", -1, 0, 1), ("a", 3, 0, 2)]
    write(path, {"a": [1, 2]})
    assert read(path) == [("a", -1, 0, 1), ("a", -1, 1, 2)]


def test_steps_with_a_fraction_are_refused(path: Path) -> None:
    """A step that is no whole number is an error."""
    write(path, {"_step": [0.5], "a": [1]})
    with pytest.raises(FatalRemoteError, match="_step"):
        read(path)


def test_a_file_without_columns_gives_nothing(path: Path) -> None:
    """The empty export that exists in production has neither columns nor rows."""
    pq.write_table(pa.table({}), path)
    assert list(chunks_from_export(RUN, path, {})) == []


def test_rows_with_steps_alone_count(path: Path) -> None:
    """Rows without any key are rows."""
    write(path, {"_step": [3, 5]})
    (batch,) = chunks_from_export(RUN, path, {})
    assert (batch.row_count, batch.value_count, batch.last_step) == (2, 0, 5)


def test_objects_with_a_type_stay_whole_and_others_are_flattened(path: Path) -> None:
    """A struct with `_type` is one JSON value, a plain one dotted keys; null fields and structs are absent."""
    image = {"_type": "image-file", "path": "x.png", "size": 3, "caption": None}
    histogram = {"_type": "histogram", "bins": [0.0, 0.5, 1.0], "values": [3, None]}
    write(
        path,
        {
            "_step": [0, 1],
            "img": [image, None],
            "hist": [None, histogram],
            "nest": [{"a": 1, "b": {"c": "x", "d": None}}, {"a": None, "b": {"c": None, "d": 2.5}}],
            "void": pa.array([{"a": None}, {"a": None}], pa.struct({"a": pa.int64()})),
        },
    )
    check(
        read(path),
        [
            ("img", 0, 0, {"_type": "image-file", "path": "x.png", "size": 3}),
            ("hist", 1, 0, histogram),
            ("nest.a", 0, 0, 1),
            ("nest.b.c", 0, 0, "x"),
            ("nest.b.d", 1, 0, 2.5),
        ],
    )


def test_a_key_of_several_types_is_one_key(path: Path) -> None:
    """The union struct gives each row the one member that is set, in line order even where steps repeat."""
    fields = {
        "_type_number": pa.float64(),
        "_type_string": pa.string(),
        "_type_bool": pa.bool_(),
        "_type_list": pa.list_(pa.int64()),
        "_type_histogram": pa.struct({"_type": pa.string(), "values": pa.list_(pa.int64())}),
    }
    cells: list[dict[str, Any] | None] = [
        {"_type_string": "x"},
        {"_type_number": 1.5},
        {"_type_bool": False},
        None,
        {"_type_list": []},
        {"_type_histogram": {"_type": "histogram", "values": [1]}},
        {},
    ]
    write(path, {"_step": [0, 0, 1, 2, 3, 4, 5], "mixed": pa.array(cells, pa.struct(fields))})
    check(
        read(path),
        [
            ("mixed", 0, 0, "x"),
            ("mixed", 0, 1, 1.5),
            ("mixed", 1, 0, False),
            ("mixed", 3, 0, []),
            ("mixed", 4, 0, {"_type": "histogram", "values": [1]}),
        ],
    )


def test_lists_keep_their_nulls_and_nonfinite_numbers(path: Path) -> None:
    """Within a list, null is a value; NaN is kept exactly, and a whole number reads as from a live row."""
    cells = [[1.0, 2.5, 0.0, -0.0, None, math.nan], [], None]
    write(path, {"_step": [0, 1, 2], "l": pa.array(cells, pa.list_(pa.float64()))})
    (batch,) = chunks_from_export(RUN, path, {})
    (chunk,) = batch.chunks
    assert texts(chunk) == ["[1,2.5,0,-0.0,null,NaN]", "[]"]


def test_a_list_of_several_kinds_reads_as_it_was_logged(path: Path) -> None:
    """Within a list, a union of kinds gives its one member, and what it holds is read the same way."""
    union = pa.struct([("_type_number", pa.float64()), ("_type_list", pa.list_(pa.float64()))])
    cells = [[{"_type_number": 1.0, "_type_list": None}, {"_type_number": None, "_type_list": [2.0, 0.5]}]]
    write(path, {"_step": [0], "l": pa.array(cells, pa.list_(union))})
    (batch,) = chunks_from_export(RUN, path, {})
    (chunk,) = batch.chunks
    assert texts(chunk) == ["[1,[2,0.5]]"]


def test_quoted_nonfinite_numbers_follow_the_index_of_the_server(path: Path) -> None:
    """A string column of a number key holds numbers in quotes; other strings stay."""
    write(path, {"_step": [0, 1, 2], "a": ["NaN", "-Infinity", "x"], "b": ["NaN", "NaN", "NaN"]})
    (batch,) = chunks_from_export(RUN, path, {"a": {"number"}, "b": {"string"}})
    a, b = batch.chunks
    assert kinds(a) == ["number", "number", "string"]
    assert repr(a.value.to_pylist()) == "[nan, -inf, None]"
    assert kinds(b) == ["string"] * 3


def test_two_columns_that_give_one_key_are_numbered(path: Path) -> None:
    """A struct that flattens to a flat column's key, and columns of one name, lose nothing."""
    table = pa.Table.from_arrays(
        [pa.array([0, 1]), pa.array([{"b": 1}, None]), pa.array([2, 3]), pa.array([None, 4])],
        names=["_step", "a", "a.b", "a.b"],
    )
    pq.write_table(table, path)
    assert read(path) == [("a.b", 0, 0, 1), ("a.b", 0, 1, 2), ("a.b", 1, 0, 3), ("a.b", 1, 1, 4)]


def test_rarer_column_types(path: Path) -> None:
    """Dictionaries, large strings, bytes, decimals, times and maps become JSON values without loss."""
    exact = decimal.Decimal("0.1")
    write(
        path,
        {
            "_step": [0],
            "dict": pa.array(["x"]).dictionary_encode(),
            "large": pa.array(["y"], pa.large_string()),
            "bytes": pa.array([b"ok\xff"]),
            "dec": pa.array([decimal.Decimal("0.5")], pa.decimal128(10, 3)),
            "dec2": pa.array([exact], pa.decimal128(10, 3)),
            "time": pa.array([1_716_208_496_000_000_001], pa.timestamp("ns", tz="UTC")),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        },
    )
    found = {key: value for key, _, _, value in read(path)}
    assert found["dict"] == "x"
    assert found["large"] == "y"
    assert found["bytes"] == "ok\udcff"
    assert found["dec"] == 0.5
    assert found["dec2"] == 0.1
    assert found["time"] == "2024-05-20 12:34:56.000000001Z"
    assert found["map.k"] == 1


def test_strings_that_are_no_utf8_are_kept(path: Path) -> None:
    """A string column of invalid bytes is read, its bytes as surrogates."""
    raw = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"], pa.binary()).buffers())
    pq.write_table(pa.table({"_step": [0], "s": raw}), path)
    assert read(path) == [("s", 0, 0, "a\udcff")]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"<html>denied</html>" * 20])
def test_what_is_no_parquet_is_refused_in_one_line(path: Path, content: bytes) -> None:
    """A file that is no export is a FatalRemoteError."""
    path.write_bytes(content)
    with pytest.raises(FatalRemoteError, match="no readable parquet") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_or_damaged_inside_is_refused(path: Path) -> None:
    """Damage behind a whole footer shows when the pages are read."""
    write(path, {"_step": list(range(5000)), "a": [f"{n * 0.1}" for n in range(5000)]})
    content = bytearray(path.read_bytes())
    content[200:2000] = bytes(1800)
    path.write_bytes(content)
    with pytest.raises(FatalRemoteError):
        read(path)


def test_a_small_file_of_many_cells_is_read_in_bounded_memory(path: Path) -> None:
    """A file of kilobytes that unpacks to hundreds of megabytes never stands in memory whole."""
    rows, columns = 400_000, 100
    one = pa.array([1.5] * rows)
    write(
        path, {"_step": pa.array(range(rows)), **{f"k{n}": one for n in range(columns)}}, compression="zstd"
    )
    assert path.stat().st_size < 3_000_000
    pool = pa.default_memory_pool()
    base, peak, count = pool.bytes_allocated(), 0, 0
    for batch in chunks_from_export(RUN, path, {}):
        count += batch.value_count
        peak = max(peak, pool.bytes_allocated() - base)
    assert count == rows * columns  # 640 MB as steps and values
    assert peak < 100_000_000


def test_long_cells_are_read_in_bounded_memory(path: Path) -> None:
    """A small file whose strings unpack to a gigabyte is read a few rows at a time, and given up before it hurts."""
    text = pa.array([0] * 1000, pa.int32())
    column = pa.DictionaryArray.from_arrays(text, pa.array(["x" * 1_000_000]))
    write(path, {"_step": list(range(1000)), "s": column}, store_schema=False)
    assert path.stat().st_size < 1_000_000
    pool = pa.default_memory_pool()
    base, peak, count = pool.bytes_allocated(), 0, 0
    batches = chunks_from_export(RUN, path, {})
    with pytest.raises(FatalRemoteError, match="unpacks to"):  # noqa: PT012 -- what comes before is looked at
        for batch in batches:
            count += batch.value_count
            peak = max(peak, pool.bytes_allocated() - base)
    assert 0 < count < 200
    assert peak < 400_000_000
