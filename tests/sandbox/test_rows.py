"""Stored lines: what is kept, what is indexed, and what is served of them, against the standard library's JSON."""

import json
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_warehouse.sandbox.rows import Rows, clean_line, flatten, history_keys, quote_constants

NUMBERS = st.one_of(st.integers(), st.floats())
KEYS = st.sampled_from(["a", "b", "c.d", "NaN", 'say "Infinity"'])
LEAVES = st.one_of(
    NUMBERS, st.booleans(), st.none(), st.text(max_size=8), st.sampled_from(["NaN", '"-Infinity\\'])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
ROWS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=6)
STEPS = st.lists(st.integers(0, 12), max_size=20)
BOUND = st.none() | st.integers(-2, 14)


def quoted(value: Any) -> Any:
    """The value with non-finite floats spelled as strings, by walking it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, list):
        return [quoted(item) for item in value]
    return {key: quoted(item) for key, item in value.items()} if isinstance(value, dict) else value


def stored(lines: list[str]) -> Rows:
    """Rows written in one go."""
    rows = Rows()
    rows.write(0, [clean_line(line) for line in lines])
    return rows


@given(VALUES)
def test_constants_are_quoted_outside_strings_only(value: Any) -> None:
    """Bare NaN and infinities become strings; the same words inside strings and keys stay."""
    assert json.loads(quote_constants(json.dumps(value).encode())) == quoted(value)


@given(ROWS)
def test_lines_are_served_as_they_came(values: list[dict[str, Any]]) -> None:
    """In bare mode the strings served are the lines themselves, whatever they hold."""
    lines = [json.dumps(value) for value in values]
    assert json.loads(stored(lines).texts(range(len(lines)), bare=True)) == lines


@given(ROWS)
def test_projection_on_all_keys_loses_nothing(values: list[dict[str, Any]]) -> None:
    """Rows projected on every dotted key are the flattened rows, and numbers keep their spelling."""
    lines = [json.dumps(value) for value in values]
    keys = {key for value in values for key, _ in flatten(value.items())}
    got = json.loads(
        stored(lines).objects(range(len(lines)), sorted(keys), need_all=False, bare=False),
        parse_float=str, parse_int=str,
    )  # fmt: skip
    want = [
        dict(flatten(json.loads(quote_constants(line.encode()), parse_float=str, parse_int=str).items()))
        for line in lines
    ]
    assert [dict(flatten(row.items())) for row in got] == [row for row in want if row]


@given(STEPS, BOUND, BOUND, st.integers(0, 5))
def test_windows_against_a_scan(steps: list[int], low: int | None, high: int | None, start: int) -> None:
    """A window holds the lines with low <= step < high, ascending steps or not."""
    rows = stored([json.dumps({"_step": step}) for step in steps])
    want = [
        number
        for number, step in enumerate(steps)
        if number >= start and (low is None or step >= low) and (high is None or step < high)
    ]
    assert list(rows.window(start, low, high)) == want


@given(STEPS, st.integers(0, 20))
def test_writing_twice_changes_nothing(steps: list[int], cut: int) -> None:
    """A chunk that is sent again leaves the lines as they are, at any overlap."""
    lines = [clean_line(json.dumps({"_step": step})) for step in steps]
    rows = Rows()
    rows.write(0, lines)
    assert rows.steps == steps
    cut = min(cut, len(lines))
    rows.write(cut, lines[cut:])
    assert (rows.lines, rows.steps) == (lines, steps)


def test_rewritten_lines_are_indexed_anew() -> None:
    """A line that is overwritten by another one is served and counted as the new one."""
    rows = stored(['{"_step":0,"a":1}', '{"_step":1,"a":2}'])
    assert json.loads(rows.texts(range(2), bare=True))[1] == '{"_step":1,"a":2}'
    rows.write(1, [b'{"_step":7,"b":"x"}'])
    assert rows.steps == [0, 7]
    assert json.loads(rows.texts(range(2), bare=True))[1] == '{"_step":7,"b":"x"}'
    assert history_keys(rows) is not None
    assert {key for key, _ in flatten(history_keys(rows)["keys"].items())}  # type: ignore[index]  # not None, above


def test_exact_numbers_in_projections() -> None:
    """Numbers no double holds come through a projection of nested rows unchanged."""
    line = '{"_step":3,"m":{"big":12345678901234567890123,"far":1e400,"zero":-0.0},"x":0.10}'
    got = stored([line]).objects(range(1), ["_step", "m.big", "m.far", "m.zero"], need_all=True, bare=False)
    assert got == b'[{"_step":3,"m.big":12345678901234567890123,"m.far":1e400,"m.zero":-0.0}]'


def test_rows_lacking_keys() -> None:
    """With all keys needed a row lacking one is left out, otherwise only a row lacking all of them."""
    rows = stored(['{"_step":0,"a":1}', '{"_step":1,"b":2}', '{"_step":2,"a":3,"b":4}', '{"c":1}'])
    both = json.loads(rows.objects(range(4), ["a", "b"], need_all=True, bare=False))
    either = json.loads(rows.objects(range(4), ["a", "b"], need_all=False, bare=False))
    assert both == [{"a": 3, "b": 4}]
    assert either == [{"a": 1}, {"b": 2}, {"a": 3, "b": 4}]
    assert list(rows.having(range(4), ["a", "b"])) == [2]


def test_a_lone_surrogate_becomes_its_escape() -> None:
    """A line with a raw lone surrogate, which UTF-8 cannot hold, keeps its meaning as JSON."""
    text = '{"k":"\ud800x"}'
    assert json.loads(clean_line(text)) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, "number"), (0.5, "number"), (math.nan, "number"), ("NaN", "string"), (True, "bool"), (None, "nil"),
        ({}, "map"), ([1, 2], "list"), ({"_type": "histogram", "bins": [1]}, "histogram"),
        ({"_type": "image-file", "path": "x"}, "image-file"),
    ],
)  # fmt: skip
def test_kinds_in_the_index(value: Any, kind: str) -> None:
    """The index names a value's kind as W&B does."""
    keys = history_keys(stored([json.dumps({"_step": 4, "k": value})]))
    assert keys is not None
    (entry,) = keys["keys"]["k"]["typeCounts"]
    assert (entry["type"], entry["count"], keys["lastStep"]) == (kind, 1, 4)


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=2), max_size=3), max_size=9
    )
)
def test_index_counts_against_a_count(values: list[dict[str, Any]]) -> None:
    """Type counts by key are those of a plain count, also when the lines come in two parts."""
    lines = [clean_line(json.dumps(value | {"_step": n})) for n, value in enumerate(values)]
    rows = Rows()
    rows.write(0, lines[:3])
    history_keys(rows)
    rows.write(3, lines[3:])
    want = Counter(
        (key, "number" if isinstance(v, int) else "string") for row in values for key, v in row.items()
    )
    got = history_keys(rows)
    if got is None:
        assert not lines
        return
    counted = {
        (key, entry["type"]): entry["count"]
        for key, info in got["keys"].items()
        for entry in info["typeCounts"]
    }
    assert counted.pop(("_step", "number")) == len(lines)
    assert counted == want
