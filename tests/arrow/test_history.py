"""History rows to chunks."""

import json
import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.strategies import objects, same, wire, wire_raw
from arrow.test_values import flat
from lengths import examples
from wandb_warehouse.arrow.history import Chunk, HistoryBatch, RunRef, key_types
from wandb_warehouse.arrow.rows import chunks_from_rows
from wandb_warehouse.arrow.text import unescape
from wandb_warehouse.arrow.values import restore
from wandb_warehouse.errors import FatalRemoteError

RUN = RunRef("team", "project", "r1")

Value = tuple[str, int, int, Any]


def kinds(chunk: Chunk) -> list[str]:
    """Give the kind of every value."""
    return [chunk.type] * len(chunk) if isinstance(chunk.type, str) else chunk.type.to_pylist()


def texts(chunk: Chunk) -> list[str | None]:
    """Give the exact text of every value of a chunk, as it will be written: negative zeros get theirs then."""
    known: list[str | None] = (
        [None] * len(chunk) if chunk.value_json is None else chunk.value_json.to_pylist()
    )
    return [
        "-0.0" if text is None and value == 0 and math.copysign(1, value) < 0 else text
        for text, value in zip(known, chunk.value.to_pylist(), strict=True)
    ]


def stored(*batches: HistoryBatch) -> list[Value]:
    """Give (key, step, seq, value) of every value in batches, as a reader of the table would restore it."""
    found = []
    for batch in batches:
        for chunk in batch.chunks:
            seqs = [0] * len(chunk) if chunk.seq is None else chunk.seq.to_pylist()
            places = list(zip(chunk.step.to_pylist(), seqs, strict=True))
            assert places == sorted(places)
            columns = zip(places, kinds(chunk), chunk.value.to_pylist(), texts(chunk), strict=True)
            for (step, seq), kind, value, text in columns:
                found.append((unescape(chunk.key), step, seq, restore(kind, value, text)))
    return found


def expected(rows: list[dict[str, Any]]) -> list[Value]:
    """Give the same from row objects, by the definition of the table."""
    times: Counter[tuple[str, int]] = Counter()
    values = []
    for row in rows:
        step = row.get("_step", -1)
        leaves = flat({key: row[key] for key in row if key != "_step"})
        if len(dict(leaves)) < len(leaves):
            leaves = flat_sorted({key: row[key] for key in row if key != "_step"})
        for key, value in leaves:
            values.append((key, step, times[key, step], value))
            times[key, step] += 1
    return values


def flat_sorted(row: dict[str, Any]) -> list[tuple[str, Any]]:
    """Flatten with the keys of every object sorted."""

    def ordered(value: dict[str, Any]) -> dict[str, Any]:
        members = sorted(value.items())
        return {
            key: ordered(item) if type(item) is dict and "_type" not in item else item
            for key, item in members
        }

    return flat(ordered(row))


def check(found: list[Value], wanted: list[Value]) -> None:
    """Assert that both hold the same values, in any order."""
    assert [value[:3] for value in sorted(found, key=place)] == [
        value[:3] for value in sorted(wanted, key=place)
    ]
    for one, other in zip(sorted(found, key=place), sorted(wanted, key=place), strict=True):
        assert same(one[3], other[3]), one


def place(value: Value) -> tuple[str, int, int]:
    """Give what names a value within its run."""
    return value[:3]


rows_strategy = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(-1, 6), st.integers(0, 2**62)), objects), max_size=8
).map(
    lambda rows: [row | ({} if step is None else {"_step": step}) for step, row in rows if "_step" not in row]
)


@settings(max_examples=examples(100), deadline=None)
@given(rows_strategy, st.booleans())
def test_any_rows_come_back_value_by_value(rows: list[dict[str, Any]], raw: bool) -> None:
    """Whatever the rows hold, each value stands under its key, step and occurrence, exactly."""
    lines = [(wire_raw if raw else wire)(row) for row in rows]
    batch = chunks_from_rows(RUN, lines, {})
    check(stored(batch), expected([json.loads(line) for line in lines]))
    assert batch.row_count == len(rows)
    assert batch.steps.to_pylist() == sorted(row.get("_step", -1) for row in rows)
    assert batch.value_count == sum(len(flat({k: v for k, v in row.items() if k != "_step"})) for row in rows)


def test_uniform_rows_take_the_shape_of_columns() -> None:
    """Rows of the same keys, in any order of keys, give one chunk a key that shares the steps."""
    rows = ['{"_step":0,"a":1,"b":"x"}', '{"b":"y","a":0.5,"_step":1}']
    batch = chunks_from_rows(RUN, rows, {})
    assert {chunk.key: chunk.type for chunk in batch.chunks} == {"a": "number", "b": "string"}
    assert all(chunk.step is batch.steps for chunk in batch.chunks)
    assert all(chunk.seq is None for chunk in batch.chunks)


def test_rows_without_keys_count() -> None:
    """A row that holds `_step` alone, or nothing, is a row with no values."""
    batch = chunks_from_rows(RUN, ['{"_step":4}', "{}", '{"_step":7}'], {})
    assert (batch.row_count, batch.value_count, batch.last_step) == (3, 0, 7)
    empty = chunks_from_rows(RUN, [], {})
    assert (empty.row_count, empty.chunks, empty.last_step) == (0, [], -1)


def test_after_leaves_out_what_is_stored() -> None:
    """Rows at or before the stored step are left out of values and counts."""
    rows = [f'{{"_step":{step},"a":{step}}}' for step in (5, 3, 4, 9)]
    batch = chunks_from_rows(RUN, rows, {}, after=4)
    assert stored(batch) == [("a", 5, 0, 5), ("a", 9, 0, 9)]
    assert batch.steps.to_pylist() == [5, 9]


def test_repeated_steps_are_numbered_in_line_order() -> None:
    """A run started again without resuming repeats its steps: every value stays, in line order, per key."""
    rows = ['{"_step":0,"a":1}', '{"_step":1,"a":2,"b":7}', '{"_step":0,"a":3,"b":8}', '{"_step":0,"b":9}']
    batch = chunks_from_rows(RUN, rows, {})
    assert sorted(stored(batch)) == [
        ("a", 0, 0, 1),
        ("a", 0, 1, 3),
        ("a", 1, 0, 2),
        ("b", 0, 0, 8),
        ("b", 0, 1, 9),
        ("b", 1, 0, 7),
    ]


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ({"number"}, "number"),
        ({"number", "nil"}, "number"),
        ({"number", "string"}, "string"),
        ({"string"}, "string"),
        (set(), "string"),
    ],
)
def test_quoted_nonfinite_numbers_follow_the_index_of_the_server(types: set[str], kind: str) -> None:
    """A quoted "NaN" is a number where the server counted numbers and no strings under the key."""
    rows = ['{"_step":0,"a":"NaN"}', '{"_step":1,"a":"-Infinity"}', '{"_step":2,"a":"Infinity"}']
    (chunk,) = chunks_from_rows(RUN, rows, {"a": types}).chunks
    assert chunk.type == kind
    if kind == "number":
        assert repr(chunk.value.to_pylist()) == "[nan, -inf, inf]"
    else:
        assert texts(chunk) == ['"NaN"', '"-Infinity"', '"Infinity"']


def test_other_strings_of_a_number_key_stay_strings() -> None:
    """Only the three words are numbers in quotes; keys are matched by their dotted name."""
    types = key_types({"keys": {"a.b": {"typeCounts": [{"type": "number", "count": 3}]}}})
    batch = chunks_from_rows(RUN, ['{"_step":0,"a":{"b":"nan"}}', '{"_step":1,"a":{"b":"NaN"}}'], types)
    (chunk,) = batch.chunks
    assert kinds(chunk) == ["string", "number"]


def test_bare_nonfinite_tokens_are_numbers() -> None:
    """Bare NaN and infinities are numbers whatever the index says."""
    (chunk,) = chunks_from_rows(
        RUN, ['{"_step":0,"a":NaN}', '{"_step":1,"a":-Infinity}'], {"a": {"string"}}
    ).chunks
    assert chunk.type == "number"
    assert repr(chunk.value.to_pylist()) == "[nan, -inf]"


def test_integers_that_a_fast_reader_would_round_are_exact() -> None:
    """Wide integers among floats, in lists and alone keep every digit."""
    rows = [
        f'{{"_step":{step},"n":{n},"l":[{n}]}}'
        for step, n in enumerate((2**64, -(2**63) - 1, 2**64 - 1, 0.5))
    ]
    found = {(key, step): value for key, step, _, value in stored(chunks_from_rows(RUN, rows, {}))}
    assert [found["n", step] for step in range(4)] == [2**64, -(2**63) - 1, 2**64 - 1, 0.5]
    assert [found["l", step] for step in range(4)] == [[2**64], [-(2**63) - 1], [2**64 - 1], [0.5]]


@pytest.mark.parametrize("row", ["[1]", "null", '"text"', '{"_step":1.5}', '{"_step":"1"}', '{"_step":true}'])
def test_rows_of_another_shape_are_refused(row: str) -> None:
    """A row that is no object, or whose step is no whole number, is an error and never a guess."""
    with pytest.raises(FatalRemoteError):
        chunks_from_rows(RUN, ['{"_step":0,"a":1}', row], {})


def test_steps_beyond_64_bits_are_refused() -> None:
    """A step that no bigint holds is an error."""
    with pytest.raises(FatalRemoteError, match="_step"):
        chunks_from_rows(RUN, [f'{{"_step":{2**63}}}'], {})


def test_whole_steps_written_as_floats_are_steps() -> None:
    """Steps may come back as floats."""
    assert chunks_from_rows(RUN, ['{"_step":5.0,"a":1}', '{"_step":1e3}'], {}).steps.to_pylist() == [5, 1000]


def test_one_kind_a_chunk_or_one_a_value() -> None:
    """A key of several kinds has its kinds per value."""
    rows = [
        f'{{"_step":{step},"a":{value}}}' for step, value in enumerate(("1", "true", '"x"', "null", "[]"))
    ]
    (chunk,) = chunks_from_rows(RUN, rows, {}).chunks
    assert kinds(chunk) == ["number", "bool", "string", "null", "json"]
    assert chunk.value.equals(pa.array([1.0, 1.0, None, None, None]))
    assert texts(chunk) == [None, None, '"x"', None, "[]"]


def test_key_types_reads_the_index_and_its_gaps() -> None:
    """Missing parts of the index mean that nothing is known."""
    counts = [{"type": "number", "count": 2}, {"type": "string", "count": 1}]
    assert key_types(None) == {}
    assert key_types({"lastStep": 3}) == {}
    assert key_types({"keys": {"a": {"typeCounts": counts}, "b": {}, "c": {"typeCounts": None}}}) == {
        "a": {"number", "string"},
        "b": set(),
        "c": set(),
    }
