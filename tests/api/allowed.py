"""What the two clients' surfaces do not share, each with its reason: docs/python.md shows this list.

What differs and is not listed fails the comparison, and so does an entry that never occurs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ABSENT", "ALLOWED", "Allowed", "Difference", "count", "differences", "judged"]

ABSENT = ["<absent>", None]
"""Stands for what one side does not have."""

Written = list[Any]
"""A value with its type's name, as `surface.written` gives it."""


@dataclass(frozen=True)
class Difference:
    """One place where the official client and ours gave something else."""

    place: tuple[Any, ...]
    theirs: Any
    ours: Any

    @property
    def last(self) -> Any:
        """Name of the value."""
        return self.place[-1]

    def within(self, *names: str) -> bool:
        """Tell whether the value is part of something of one of these names."""
        return not {*names}.isdisjoint(map(str, self.place))


@dataclass(frozen=True)
class Allowed:
    """A difference with a reason, and how to tell it."""

    what: str
    reason: str
    matches: Callable[[Difference], bool]


def differences(theirs: Any, ours: Any, place: tuple[Any, ...] = ()) -> Iterator[Difference]:
    """Walk two answers and give every place where they are not equal, types included."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from differences(theirs.get(key, ABSENT), ours.get(key, ABSENT), (*place, key))
    elif _is_written(theirs) and _is_written(ours):
        if theirs[0] != ours[0] or not isinstance(theirs[1], dict | list):
            if theirs != ours:
                yield Difference(place, theirs, ours)
        else:
            yield from differences(theirs[1], ours[1], place)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(one, other, (*place, number))
    elif theirs != ours:
        yield Difference(place, theirs, ours)


def _is_written(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def count(answer: Any) -> int:
    """Number of values in an answer."""
    if isinstance(answer, dict):
        return sum(map(count, answer.values()))
    if _is_written(answer):
        return count(answer[1]) if isinstance(answer[1], dict | list) else 1
    return sum(map(count, answer)) if isinstance(answer, list) else 1


def judged(found: Iterable[Difference], allowed: Sequence[Allowed]) -> tuple[Counter[str], list[Difference]]:
    """Count the differences by the entry that allows them, and give those that none does."""
    counts: Counter[str] = Counter()
    rest = []
    for difference in found:
        entry = next((each for each in allowed if each.matches(difference)), None)
        if entry is None:
            rest.append(difference)
        else:
            counts[entry.what] += 1
    return counts, rest


def _raised(difference: Difference, theirs: str, ours: set[str]) -> bool:
    return (
        difference.theirs == ["raises", theirs]
        and difference.ours[0] == "raises"
        and difference.ours[1] in ours
    )


def _nested(difference: Difference) -> bool:
    """An object under its name on one side, its leaf under a dotted one on the other."""
    names = {"nested", "nested.inner.value"}
    if difference.within("columns of histories"):
        return {str(difference.theirs[1]), str(difference.ours[1])} == names
    absent = difference.ours if difference.last == "nested" else difference.theirs
    return difference.last in names and absent == ABSENT


def _rows(difference: Difference) -> bool:
    return any(str(name).startswith("scan") for name in difference.place)


ALLOWED = (
    Allowed(
        "errors are our own",
        "those of `wandb_warehouse.errors`; what is not stored is a `NotStoredError`, which is a ValueError and "
        "has the name `CommError` there, too, so that `except wandb.errors.CommError` catches it",
        lambda d: (
            _raised(d, "CommError", {"ValueError", "RunNotFoundError", "NotStoredError"})
            or _raised(d, "ValueError", {"NotStoredError"})
        ),
    ),
    Allowed(
        "a missing entry of a summary, asked for as an attribute, is an AttributeError, too",
        "so that `hasattr(run.summary, name)` works; it is a KeyError as the official one",
        lambda d: _raised(d, "KeyError", {"MissingEntryError"}),
    ),
    Allowed(
        "nested metrics come under dotted keys",
        "as W&B's own exports, `historyKeys` and sampled history name them: the official client gives objects for rows "
        "that are live, and dotted keys for the same rows once they are exported",
        _nested,
    ),
    Allowed(
        "W&B's own entries are in the `rawconfig` of listed runs",
        "`Runs(lazy=False)` of the official client parses a config twice and loses them",
        lambda d: d.within("attributes, lazy=False") and d.last == "_wandb" and d.theirs == ABSENT,
    ),
    Allowed(
        "a row of a scan has the metrics that were logged in it",
        "the official client gives null for every other metric of the run once rows are exported, and not before",
        lambda d: _rows(d) and d.theirs == ["NoneType", None] and d.ours == ABSENT,
    ),
    Allowed(
        "a whole number of a scan is an int",
        "as the official client has it until the rows are exported, and a float afterwards; the values are equal",
        lambda d: (
            _rows(d) and d.theirs[0] == "float" and d.ours[0] == "int" and float(d.theirs[1]) == d.ours[1]
        ),
    ),
    Allowed(
        "a scan for metrics gives the rows that have them all",
        "as its documentation says; the official client gives rows of exports that lack them, too, without the metric",
        lambda d: (
            d.last == "scan of a key" and not d.ours and all(row[1].keys() == {"_step"} for row in d.theirs)
        ),
    ),
    Allowed(
        "a run without rows has an empty scan",
        "where such a run was exported, the official client fails to scan it for a metric",
        lambda d: _rows(d) and d.theirs == ["raises", "CommError"] and d.ours == ["list", []],
    ),
)
