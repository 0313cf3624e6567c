"""What was changed of a document: entries that are new, others, or gone."""

from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

__all__ = ["apply_changes", "same"]


def apply_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], theirs: MutableMapping[str, Any] | Any
) -> None:
    """Do to `theirs` what was done to `before` to make it `now`; entries that are as before stay theirs.

    >>> theirs = {"lr": 0.1, "secret": 1, "old": 2}
    >>> apply_changes({"lr": 0.1, "old": 2}, {"lr": 0.2, "new": 3}, theirs)
    >>> theirs
    {'lr': 0.2, 'secret': 1, 'new': 3}
    """
    for key in before.keys() - now.keys():
        with suppress(KeyError):  # another one deleted it, too
            del theirs[key]
    for key, value in now.items():
        if key not in before or not same(before[key], value):
            theirs[key] = value


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same in JSON: NaN is NaN, True is not 1, a tuple is a list.

    >>> same({"a": (1, float("nan"))}, {"a": [1.0, float("nan")]}), same([True], [1])
    (True, False)
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    try:
        return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124 - NaN
    except (TypeError, ValueError):  # arrays, which have no one answer
        return False
