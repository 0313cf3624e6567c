"""The comparison itself: what it calls equal, and that it lets nothing pass."""

import math

import pytest

from real_client.compare import ABSENT, Allowed, Comparison, dotted, explain, same


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (0.0, -0.0, False),
        (0, -0.0, False),
        (math.nan, math.nan, True),
        (math.nan, "NaN", False),
        (2**53 + 1, float(2**53), False),
        (2**53, float(2**53), True),
        (None, ABSENT, False),
        (None, 0, False),
        ([1, {"a": math.nan}], [1.0, {"a": math.nan}], True),
        ([1, 2], [1], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({}, [], False),
        ("1", 1, False),
    ],
)
def test_what_is_the_same(one: object, other: object, equal: bool) -> None:
    """Numbers are compared by exact value, everything else by kind and value, in both directions."""
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_nested_objects_become_dotted_keys() -> None:
    """Paths that collide stand in the order of the paths; lists, empty and typed objects stay whole."""
    nested = {"a.b": 1, "a": {"b": 2, "c": {}}, "h": {"_type": "x", "y": {"z": 1}}, "l": [{"a": 1}]}
    assert dotted(nested) == {
        "a.b": [2, 1], "a.c": [{}], "h": [{"_type": "x", "y": {"z": 1}}], "l": [[{"a": 1}]],
    }  # fmt: skip


def test_differences_must_be_listed_and_listed_ones_must_occur() -> None:
    """A difference no entry matches fails, and so does an entry that no difference matches."""
    entry = Allowed("quoted", "why", lambda difference: difference.theirs == "NaN")
    comparison = Comparison()
    comparison.look("run", "history", ("k", 0), "NaN", math.nan)
    assert explain(comparison, [entry]) == {"quoted": 1}
    with pytest.raises(AssertionError, match="never seen"):
        explain(Comparison(), [entry])
    comparison.look("run", "history", ("k", 1), 1, 2)
    with pytest.raises(AssertionError, match="1 differences"):
        explain(comparison, [entry])
