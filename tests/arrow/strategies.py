"""Hypothesis strategies: any JSON value, in the forms W&B is known to send."""

import json
import math
import re
from typing import Any

from hypothesis import strategies as st

evil_keys = st.sampled_from(
    [
        "",
        " ",
        "a.b",
        "a",
        "b",
        "Loss",
        "loss",
        "LOSS",
        'quo"te',
        "back\\slash",
        "\\ud800",
        "\\\\uDBFF",
        "\\udg",
        "\ud800",
        "\\\ud800",
        "\\\\\udfff",
        "\ud83d",
        "😀",
        "損失",
        "nul\0",
        "k" * 1000,
        "_timestamp",
        "value",
        "desc",
    ]
)
texts = st.one_of(st.text(st.characters(), max_size=8), evil_keys)  # with lone surrogates
keys = st.one_of(evil_keys, texts)
numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**53 + 1, -(2**53) - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**400, 0, 1]),
    st.floats(),
    st.sampled_from([-0.0, math.nan, math.inf, -math.inf, 5e-324, 1e22, 1e16, 2.0**63]),
)
scalars = st.one_of(numbers, st.booleans(), st.none(), texts, st.sampled_from(["NaN", "Infinity"]))


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.builds(
            lambda members: {"_type": "histogram", **members}, st.dictionaries(keys, inner, max_size=2)
        ),
    )


values = st.recursive(scalars, _containers, max_leaves=12)
objects = st.dictionaries(keys, values, max_size=6)


def wire(value: Any) -> str:
    """Write JSON text as a server does: by the standard library, which knows nothing of our forms."""
    return json.dumps(value, separators=(",", ":"))


def wire_raw(value: Any) -> str:
    """Write JSON text with characters as they are, surrogates as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal, NaN equal to NaN, -0.0 apart from 0, bool apart from int."""
    stack = [(one, other)]
    while stack:
        a, b = stack.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            stack += [(a[key], b[key]) for key in a]
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            stack += list(zip(a, b, strict=True))
        elif not _same_scalar(a, b):
            return False
    return True


def _same_scalar(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    if a == 0 and b == 0:
        return math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


def nested_text(depth: int, leaf: str = "1") -> str:
    """Write `depth` objects, one in the other."""
    return '{"a":' * depth + leaf + "}" * depth
