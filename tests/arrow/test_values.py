"""Values as columns, objects as dotted keys."""

import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings

from arrow.strategies import nested_text, objects, same, values
from lengths import examples
from wandb_warehouse.arrow.history import column
from wandb_warehouse.arrow.text import ExactNumber, loads
from wandb_warehouse.arrow.values import classify, flatten, restore
from wandb_warehouse.schema import VALUE_TYPES


def flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Flatten by the plain recursive definition."""
    leaves: list[tuple[str, Any]] = []
    for key, item in value.items():
        if isinstance(item, dict) and item and "_type" not in item:
            leaves += flat(item, f"{prefix}{key}.")
        else:
            leaves.append((prefix + key, item))
    return leaves


def check_object(value: dict[str, Any]) -> None:
    """Assert that `value` comes apart as defined and each leaf comes back."""
    leaves = flatten(value)
    expected = flat(value)
    if len(dict(expected)) == len(expected):
        assert [key for key, _ in leaves] == [key for key, _ in expected]
    assert sorted(map(repr, leaves)) == sorted(map(repr, expected))
    for _, leaf in leaves:
        kind, number, text = classify(leaf)
        assert kind in VALUE_TYPES
        assert same(restore(kind, number, text), leaf)


@settings(max_examples=examples(150))
@given(objects)
def test_any_object_comes_back_leaf_by_leaf(value: dict[str, Any]) -> None:
    """Flattening follows the recursive definition, and every leaf comes back from its three columns."""
    check_object(value)


@settings(max_examples=examples(150))
@given(values)
def test_a_column_of_values_is_what_each_value_is_alone(value: Any) -> None:
    """Columns built at once equal the values classified one by one, among numbers and among all kinds."""
    for row in ([value], [value, value], [1.5, value, 2], [value, "text", None, True, [1]]):
        doubles, kinds, texts = column(row)
        each = [kinds] * len(row) if isinstance(kinds, str) else kinds.to_pylist()
        found = zip(each, doubles.to_pylist(), texts.to_pylist() if texts else [None] * len(row), strict=True)
        for item, (kind, number, text) in zip(row, found, strict=True):
            assert same([kind, number, text], list(classify(item)))


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (0.1, ("number", 0.1, None)),
        (3, ("number", 3.0, None)),
        (2**53, ("number", 2.0**53, None)),
        (2**53 + 1, ("number", 2.0**53, "9007199254740993")),
        (2**60, ("number", 2.0**60, None)),
        (10**400, ("number", math.inf, "1" + "0" * 400)),
        (-(10**400), ("number", -math.inf, "-1" + "0" * 400)),
        (ExactNumber("-1e400"), ("number", -math.inf, "-1e400")),
        (-0.0, ("number", -0.0, "-0.0")),
        (math.inf, ("number", math.inf, None)),
        (True, ("bool", 1.0, None)),
        (False, ("bool", 0.0, None)),
        (None, ("null", None, None)),
        ("", ("string", None, '""')),
        ('a"b', ("string", None, '"a\\"b"')),
        ("NaN", ("string", None, '"NaN"')),
        ([], ("json", None, "[]")),
        ({}, ("json", None, "{}")),
        ({"b": 1, "_type": "x"}, ("json", None, '{"_type":"x","b":1}')),
    ],
)
def test_classify_gives_the_declared_columns(value: Any, typed: tuple[Any, ...]) -> None:
    """Every kind of value has its declared type, double and text."""
    assert same(list(classify(value)), list(typed))


def test_nan_is_a_number_without_text() -> None:
    """NaN needs no JSON text: the double says it."""
    kind, number, text = classify(math.nan)
    assert (kind, text) == ("number", None)
    assert number is not None
    assert math.isnan(number)


def test_whole_doubles_come_back_as_int_and_bool_never_does() -> None:
    """The writer turns 1.0 into 1, so both come back as 1; True stays True."""
    assert restore(*classify(1.0)) == 1
    assert type(restore(*classify(1.0))) is int
    assert type(restore(*classify(0.5))) is float
    assert restore(*classify(True)) is True


@pytest.mark.parametrize("depth", [1200, 20_000])
def test_flatten_has_no_depth_limit(depth: int) -> None:
    """An object of thousands of levels is one leaf under a long key."""
    (leaf,) = flatten(loads(nested_text(depth)))
    assert leaf == (".".join("a" * depth), 1)


def test_paths_that_give_one_key_come_in_an_order_of_their_own() -> None:
    """Whatever the order of the keys on the wire, colliding leaves come in the order of their paths."""
    texts = ['{"a.b":1,"a":{"b":2}}', '{"a":{"b":2},"a.b":1}']
    for text in texts:
        assert flatten(json.loads(text)) == [("a.b", 2), ("a.b", 1)]


def test_what_is_kept_whole() -> None:
    """Lists, empty objects and typed objects are leaves; other objects are not."""
    row = {"l": [{"a": 1}], "e": {}, "t": {"_type": 5, "a": {"b": 1}}, "o": {"p": {"q": 1}, "_types": 2}}
    assert flatten(row) == [
        ("l", [{"a": 1}]),
        ("e", {}),
        ("t", {"_type": 5, "a": {"b": 1}}),
        ("o.p.q", 1),
        ("o._types", 2),
    ]


def test_a_column_of_plain_numbers_has_one_kind_and_no_texts() -> None:
    """Integers and floats are one kind, held by the double alone."""
    doubles, kind, texts = column([1, 0.5, 2])
    assert doubles.equals(pa.array([1.0, 0.5, 2.0]))
    assert (kind, texts) == ("number", None)
