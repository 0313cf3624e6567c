"""One logged value as the three columns `type`, `value`, `value_json`, and nested objects as dotted keys."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wandb_warehouse.arrow.text import ExactNumber, dumps, undump

__all__ = ["Typed", "classify", "flatten", "leaves_by_key", "restore"]

Typed = tuple[str, float | None, str | None]
"""Type, value and value_json of one value."""


def classify(value: Any) -> Typed:
    """Give (type, value, value_json) of a JSON value; `value_json` only where the double alone is not enough.

    Keys of JSON documents are sorted: the server sends them in random order.

    >>> classify(0.5), classify(2**53 + 1), classify("a"), classify([1, 2])
    (('number', 0.5, None), ('number', 9007199254740992.0, '9007199254740993'), ('string', None, '"a"'), \
('json', None, '[1,2]'))
    """
    return _BY_TYPE[type(value)](value)


def _float(value: float) -> Typed:
    return "number", value, "-0.0" if value == 0 and math.copysign(1, value) < 0 else None


def _int(value: int) -> Typed:
    try:
        double = float(value)
    except OverflowError:
        double = math.inf if value > 0 else -math.inf
    return "number", double, None if double == value else str(value)


def _json(value: Any) -> Typed:
    return "json", None, dumps(value, sort_keys=True)


_BY_TYPE: dict[type, Callable[[Any], Typed]] = {
    float: _float,
    int: _int,
    ExactNumber: lambda value: ("number", float(value), str(value)),
    bool: lambda value: ("bool", float(value), None),
    str: lambda value: ("string", None, dumps(value)),
    list: _json,
    dict: _json,
    type(None): lambda _: ("null", None, None),
}


def restore(type_: str, value: float | None, value_json: str | None) -> Any:
    """Undo `classify`; a whole number comes back as int, as the W&B writer sends it.

    >>> restore(*classify(3.0)), restore(*classify({"_type": "x"})), restore(*classify(True))
    (3, {'_type': 'x'}, True)
    """
    if value_json is not None:
        return undump(value_json)
    if type_ == "bool":
        return bool(value)
    if value is None or type_ == "null":
        return None
    return int(value) if value.is_integer() else value


def flatten(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """List the leaves of nested objects under dotted keys, in order.

    Lists, empty objects and objects with a `_type` stay whole. Two paths may give one dotted key: then the
    leaves come in the order of their sorted paths, because the server's own order is random.

    >>> flatten({"a": {"b": 1, "c": {}}, "h": {"_type": "histogram"}})
    [('a.b', 1), ('a.c', {}), ('h', {'_type': 'histogram'})]
    """
    leaves = leaves_by_key(mapping)
    return _ordered_leaves(mapping) if leaves is None else list(leaves.items())


def leaves_by_key(mapping: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the leaves under their dotted keys, in order; None where two paths give one key."""
    leaves: dict[str, Any] = {}
    stack: list[tuple[str, Iterator[tuple[str, Any]]]] = [("", iter(mapping.items()))]
    count = 0
    while stack:
        prefix, pairs = stack[-1]
        for key, value in pairs:
            if type(value) is dict and value and "_type" not in value:
                stack.append((f"{prefix}{key}.", iter(value.items())))
                break
            leaves[prefix + key] = value
            count += 1
        else:
            stack.pop()
    return leaves if len(leaves) == count else None


def _ordered_leaves(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Give every leaf, in the order of their sorted paths."""
    leaves = []
    stack = [("", sorted(mapping.items(), reverse=True))]
    while stack:
        prefix, pairs = stack[-1]
        if not pairs:
            stack.pop()
            continue
        key, value = pairs.pop()
        if type(value) is dict and value and "_type" not in value:
            stack.append((f"{prefix}{key}.", sorted(value.items(), reverse=True)))
        else:
            leaves.append((prefix + key, value))
    return leaves
