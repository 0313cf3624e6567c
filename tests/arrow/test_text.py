"""Reading and writing JSON text exactly."""

import json
import math
import time
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.strategies import nested_text, objects, same, texts, values, wire, wire_raw
from lengths import examples
from wandb_warehouse.arrow.text import ExactNumber, dumps, escape, loads, loads_rows, undump, unescape
from wandb_warehouse.errors import FatalRemoteError


def check_round_trip(value: Any) -> None:
    """Assert that `value` comes through reading and writing, in every form of its text."""
    for text in (wire(value), wire_raw(value), wire(value).encode()):
        assert same(loads(text), json.loads(text))
    for sort_keys in (False, True):
        stored = dumps(value, sort_keys=sort_keys)
        stored.encode()  # UTF-8 holds it
        assert same(undump(stored), value)
    assert dumps(undump(dumps(value))) == dumps(value)


@settings(max_examples=examples(150))
@given(values)
def test_any_json_value_comes_back_through_dumps_and_undump(value: Any) -> None:
    """What the standard library reads is what we read, and what we write gives the value back."""
    check_round_trip(value)


@settings(max_examples=examples(150))
@given(objects)
def test_rows_are_read_together_as_they_are_one_by_one(value: dict[str, Any]) -> None:
    """Reading many rows gives what the standard library gives for each."""
    rows = ['{"a":1}', wire(value), '{"b":[0.5]}']
    assert same(loads_rows(rows), [json.loads(row) for row in rows])


@given(texts, texts)
def test_escape_is_reversible_and_never_maps_two_texts_to_one(one: str, other: str) -> None:
    """Every text comes back, UTF-8 holds its escape, and different texts have different escapes."""
    for text in (one, other, one + other, one + "\\" + other):
        escape(text).encode()
        assert unescape(escape(text)) == text
    assert (escape(one) == escape(other)) is (one == other)


@given(st.lists(st.sampled_from(["\\", "\ud800", "udc00", "uD8Ff", "u", "d", "x"]), max_size=9).map("".join))
def test_escape_is_reversible_where_it_is_hardest(text: str) -> None:
    """Runs of backslashes before surrogates and before text that looks like an escape come back."""
    assert unescape(escape(text)) == text
    assert same(undump(dumps({text: [text]})), {text: [text]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\ud800", "a\\ud800"),
        ("\\ud800", "\\\\ud800"),
        ("\\uDfFf", "\\\\uDfFf"),
        ("\\u0041", "\\u0041"),
        ("plain 😀", "plain 😀"),
    ],
)
def test_escape_writes_the_declared_forms(text: str, expected: str) -> None:
    """A surrogate becomes six characters; its look-alike one more backslash; all else stays."""
    assert escape(text) == expected


def test_long_runs_of_backslashes_cost_linear_time() -> None:
    """A megabyte of backslashes is escaped within a second: no quadratic matching."""
    start = time.perf_counter()
    assert escape("\\" * 1_000_000 + "uX") == "\\" * 1_000_000 + "uX"
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E+999", "9" * 5000, "-" + "7" * 4301])
def test_numbers_beyond_python_keep_their_text(number: str) -> None:
    """A number no int or float gives back is an ExactNumber, alone and inside of a document."""
    value = loads(f'{{"n":[{number}]}}')["n"][0]
    assert type(value) is ExactNumber
    assert value == number
    assert math.isinf(float(value))
    assert dumps({"n": [value]}) == f'{{"n":[{number}]}}'
    assert type(undump(dumps(value))) is ExactNumber


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 2**64 - 1, 2**200, 10**4000, 2**53 + 1])
def test_integers_of_any_width_are_exact(number: int) -> None:
    """No integer becomes a float on the way."""
    assert loads(f'{{"n":{number}}}') == {"n": number}
    assert type(loads(str(number))) is int
    assert dumps(number) == str(number)


def test_a_string_of_digits_stays_a_string() -> None:
    """Long digits in a string look like a wide integer and are not."""
    assert loads('{"id":"18446744073709551616"}') == {"id": "18446744073709551616"}


@pytest.mark.parametrize("depth", [100, 900, 1200, 30_000])
def test_depth_is_no_limit(depth: int) -> None:
    """Objects and lists nested deeper than the stack are read and written."""
    text = nested_text(depth, '[1,{"x":[true,null,-0.0,"\\ud800",1e400,NaN]},{},[]]')
    stored = dumps(loads(text))
    assert stored.startswith('{"a":{"a":')
    assert same(undump(stored), loads(text))
    inner = loads(text)
    for _ in range(depth):
        inner = inner["a"]
    assert same(inner[0], 1)
    assert same(inner[1]["x"][:4], [True, None, -0.0, "\ud800"])
    brackets = "[" * depth + "]" * depth
    assert dumps(loads(brackets)) == brackets


@settings(max_examples=examples(120))
@given(values)
def test_the_deep_reader_reads_what_the_standard_library_reads(value: Any) -> None:
    """Under a thousand and more levels, any value is the one the standard library reads without them."""
    depth = 1500
    inner = loads(" [\n" * depth + wire_raw(value) + " ] " * depth)
    for _ in range(depth):
        inner = inner[0]
    assert same(inner, value)


BROKEN = [
    "",
    "{",
    '{"a"}',
    '{"a":}',
    "[1,]",
    "[,1]",
    '{"a":1,}',
    '{,"a":1}',
    "[1 2]",
    "{1:2}",
    "tru",
    "[1}",
    '{"a" 1}',
]


@pytest.mark.parametrize("text", [*BROKEN, "1 2", '"open', "[1]]", "01", "+1", ".5", "1."])
def test_what_is_no_json_is_refused_in_one_line(text: str) -> None:
    """A cut or wrong document is a FatalRemoteError that does not repeat the document."""
    with pytest.raises(FatalRemoteError, match="no JSON") as caught:
        loads(text)
    assert "\n" not in str(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize("text", BROKEN)
def test_the_deep_reader_refuses_what_is_no_json(text: str) -> None:
    """The same below the depth of the interpreter's stack."""
    with pytest.raises(FatalRemoteError, match="no JSON"):
        loads("[" * 3000 + text + "]" * 2999)


@pytest.mark.parametrize("extra", ["]", "1", ",", "x"])
def test_the_deep_reader_refuses_text_after_the_value(extra: str) -> None:
    """A deep document ends with its last bracket."""
    with pytest.raises(FatalRemoteError, match="no JSON"):
        loads("[" * 3000 + "]" * 3000 + extra)


def test_control_characters_and_bytes_that_are_no_utf8() -> None:
    """Raw control characters in strings are read; surrogates in bytes too; other bytes are refused."""
    assert loads('{"a":"x\ty\x01"}') == {"a": "x\ty\x01"}
    assert loads(b'"\xed\xa0\x80"') == "\ud800"
    with pytest.raises(FatalRemoteError, match="no JSON"):
        loads(b'"\xff"')


def test_the_last_of_repeated_keys_counts() -> None:
    """As the standard library reads it, in every reader."""
    assert loads('{"a":1,"a":2}') == {"a": 2}
    assert loads('{"a":NaN,"a":2}') == {"a": 2}


@settings(max_examples=examples(120))
@given(objects)
def test_sorted_text_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    """Two orders of the same object give one text with sorted keys."""
    assert dumps(dict(reversed(value.items())), sort_keys=True) == dumps(value, sort_keys=True)


@settings(max_examples=examples(120))
@given(values)
def test_duckdb_takes_every_text_as_json(value: Any) -> None:
    """DuckDB's JSON type accepts what `dumps` writes and gives the text back unchanged."""
    text = dumps(value)
    (stored,) = duckdb.execute("select (?::varchar)::json::varchar", [text]).fetchall()[0]
    assert stored == text
