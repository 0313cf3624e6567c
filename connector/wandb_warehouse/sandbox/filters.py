"""MongoDB-style run filters and order strings, as W&B's `runs(filters:, order:)` takes them.

A run is seen as a mapping with the snake-case names `name` (the run id), `display_name`, `state`, `tags`,
`created_at`, `heartbeat_at`, `group`, `job_type`, `username`, `host`, `sweep`, `duration`, `config`
(unwrapped), `summary_metrics` and `keys_info`. Camel-case spellings, `config.<path>.value` and keys that
contain dots are understood.

The rules follow MongoDB: a list satisfies an operator when it does itself or when one of its elements does;
values of different kinds are never ordered against each other; `$ne` and `$nin` are the complements of `$eq`
and `$in` and so hold for absent fields. An attribute of the run that is null counts as absent, since a column
has no third state. `$all` and `$size` are refused: the server is known to fail on them.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from operator import ge, gt, le, lt
from typing import Any, Final

__all__ = ["TIMES", "FilterError", "compile_filter", "names_asked", "sort_runs"]

Run = Mapping[str, Any]
Predicate = Callable[[Run], bool]
Test = Callable[[object], bool]


class FilterError(ValueError):
    """The filter or the order is not one the server understands."""


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT

_ALIASES = {
    "displayName": "display_name",
    "createdAt": "created_at",
    "heartbeatAt": "heartbeat_at",
    "updatedAt": "updated_at",
    "jobType": "job_type",
    "summaryMetrics": "summary_metrics",
    "keysInfo": "keys_info",
}
TIMES = frozenset({"created_at", "heartbeat_at", "updated_at"})
"""Names that hold times."""


def _descend(value: object, path: str) -> object:
    """Value under a dotted path; a key that itself holds the dots is preferred to a descent."""
    if not isinstance(value, Mapping):
        return ABSENT
    if path in value:
        return value[path]
    cut = path.rfind(".")
    while cut > 0:
        if path[:cut] in value:
            found = _descend(value[path[:cut]], path[cut + 1 :])
            if found is not ABSENT:
                return found
        cut = path.rfind(".", 0, cut)
    return ABSENT


def _wrapped(value: object, path: str) -> object:
    """Config value under a path that may spell out W&B's `{"value": ...}` wrapper at any one place."""
    found = _descend(value, path)
    if found is not ABSENT:
        return found
    parts = path.split(".")
    for place, part in enumerate(parts):
        if place and part == "value":
            found = _descend(value, ".".join(parts[:place] + parts[place + 1 :]))
            if found is not ABSENT:
                return found
    return ABSENT


def _time(text: object) -> datetime:
    """Moment of an ISO-8601 text, UTC where it has no zone; a moment is one already."""
    if isinstance(text, datetime):
        return text
    if not isinstance(text, str):
        raise FilterError(f"a time must be an ISO-8601 string, not {text!r}")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise FilterError(f"not an ISO-8601 time: {text!r}") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _reader(field: str) -> tuple[Callable[[Run], object], bool]:
    """Function reading a field from a run, and whether the field holds times."""
    head, _, path = field.partition(".")
    name = _ALIASES.get(head, head)
    if not name or (name in {"config", "summary_metrics", "keys_info"} and not path):
        raise FilterError(f"{field!r} names no field")
    if name == "config":
        return lambda run: _wrapped(run.get(name), path), False
    if path:
        return lambda run: _descend(run.get(name), path), False
    if name in TIMES:
        return lambda run: ABSENT if (text := run.get(name)) is None else _time(text), True
    if name == "tags":
        return lambda run: run.get(name) or ABSENT, False  # no tags and an empty list are both "untagged"
    return lambda run: ABSENT if (value := run.get(name)) is None else value, False


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def _same(value: object, other: object) -> bool:
    if other is None:
        return value is None or value is ABSENT
    return _kind(value) == _kind(other) and value == other


def _any_element(test: Test) -> Test:
    """A test that a list passes as a whole or by one of its elements."""

    def check(value: object) -> bool:
        return test(value) or (isinstance(value, list) and any(test(item) for item in value))

    return check


def _operand(operand: object, *, time: bool) -> object:
    return _time(operand) if time and operand is not None else operand


def _eq(operand: object, *, time: bool) -> Test:
    wanted = _operand(operand, time=time)
    return _any_element(lambda value: _same(value, wanted))


def _in(operand: object, *, time: bool) -> Test:
    if not isinstance(operand, list):
        raise FilterError("$in and $nin need a list")
    # Texts are looked up at once: readers ask for hundreds of runs by name.
    texts = frozenset[str]() if time else frozenset(item for item in operand if isinstance(item, str))
    tests = [_eq(item, time=time) for item in operand if not isinstance(item, str) or time]
    if texts:
        tests.append(_any_element(lambda value: isinstance(value, str) and value in texts))
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[..., Test]:
    def build(operand: object, *, time: bool) -> Test:
        wanted = _operand(operand, time=time)
        if not isinstance(wanted, (str, int, float, datetime)):
            raise FilterError(f"cannot order against {operand!r}")
        kind = _kind(wanted)
        return _any_element(lambda value: _kind(value) == kind and compare(value, wanted))

    return build


def _negated(build: Callable[..., Test]) -> Callable[..., Test]:
    def negate(operand: object, *, time: bool) -> Test:
        test = build(operand, time=time)
        return lambda value: not test(value)

    return negate


def _exists(operand: object, *, time: bool) -> Test:  # noqa: ARG001  (every builder is called alike)
    if not isinstance(operand, bool):
        raise FilterError("$exists needs true or false")
    return lambda value: (value is not ABSENT) is operand


# One token of a pattern: an escape, a whole character class, an end anchor, or any other character.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$|.", re.DOTALL)
_LITERAL = re.compile(r"\\[^1-9A-Za-z]|\[.+", re.DOTALL)
_NOT_RE2 = re.compile(r"\(\?(?:[=!>(]|<[=!]|P[=>])|\\[1-9Z]|[*+?}]\+")
_MULTILINE = re.compile(r"\(\?[a-z]*m")


def _re2(pattern: object) -> re.Pattern[str]:
    """Compile a pattern of RE2's syntax; what RE2 refuses (look-around, back references) is refused here."""
    if not isinstance(pattern, str):
        raise FilterError("$regex needs a string")
    multiline = _MULTILINE.search(pattern) is not None
    tokens = _TOKEN.findall(pattern)
    bare = "".join("x" if _LITERAL.fullmatch(token) else token for token in tokens)
    if _NOT_RE2.search(bare):
        raise FilterError(f"not a pattern of RE2: {pattern!r}")
    end = (
        {r"\z": r"\Z"} if multiline else {r"\z": r"\Z", "$": r"\Z"}
    )  # Python's `$` also stops before a last newline
    try:
        return re.compile("".join(end.get(token, token) for token in tokens), re.ASCII)
    except re.error as error:
        raise FilterError(f"bad pattern {pattern!r}: {error}") from error


def _regex(operand: object, *, time: bool) -> Test:
    if time:
        raise FilterError("$regex does not apply to times")
    pattern = _re2(operand)
    return _any_element(lambda value: isinstance(value, str) and pattern.search(value) is not None)


def _contains(operand: object, *, time: bool) -> Test:
    if time or not isinstance(operand, str):
        raise FilterError("$contains needs a string and a field of text")
    return _any_element(lambda value: isinstance(value, str) and operand in value)


def _not(operand: object, *, time: bool) -> Test:
    if not isinstance(operand, Mapping) or not operand or not all(key.startswith("$") for key in operand):
        raise FilterError("$not needs operators")
    test = _field_test(operand, time=time)
    return lambda value: not test(value)


_OPERATORS: dict[str, Callable[..., Test]] = {
    "$eq": _eq,
    "$ne": _negated(_eq),
    "$gt": _ordering(gt),
    "$gte": _ordering(ge),
    "$lt": _ordering(lt),
    "$lte": _ordering(le),
    "$in": _in,
    "$nin": _negated(_in),
    "$exists": _exists,
    "$regex": _regex,
    "$contains": _contains,
    "$not": _not,
}


def _field_test(condition: object, *, time: bool) -> Test:
    """Test of one field: operators that must all hold, or a value the field must equal."""
    if not isinstance(condition, Mapping) or not any(key.startswith("$") for key in condition):
        return _eq(condition, time=time)
    unknown = [key for key in condition if key not in _OPERATORS]
    if unknown:
        raise FilterError(f"unknown operator {unknown[0]!r}")
    tests = [_OPERATORS[key](operand, time=time) for key, operand in condition.items()]
    return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)


def _branches(operand: object) -> list[Predicate]:
    if not isinstance(operand, list):
        raise FilterError("$and, $or and $nor need a list of filters")
    return [compile_filter(item) for item in operand]


def _all(operand: object) -> Predicate:
    parts = _branches(operand)
    return lambda run: all(part(run) for part in parts)


def _some(operand: object) -> Predicate:
    parts = _branches(operand)
    return lambda run: any(part(run) for part in parts)


def _none(operand: object) -> Predicate:
    parts = _branches(operand)
    return lambda run: not any(part(run) for part in parts)


def _complement(operand: object) -> Predicate:
    if not isinstance(operand, Mapping):
        raise FilterError("$not needs a filter")
    part = compile_filter(operand)
    return lambda run: not part(run)


_LOGIC: dict[str, Callable[[object], Predicate]] = {
    "$and": _all,
    "$or": _some,
    "$nor": _none,
    "$not": _complement,
}


def _entry(key: str, condition: object) -> Predicate:
    if key.startswith("$"):
        if key not in _LOGIC:
            raise FilterError(f"unknown operator {key!r}")
        return _LOGIC[key](condition)
    read, time = _reader(key)
    test = _field_test(condition, time=time)
    return lambda run: test(read(run))


def compile_filter(filters: Mapping[str, Any]) -> Predicate:
    """Compile a filter into a predicate on runs; `{}` lets every run pass.

    Raises:
        FilterError: an operator, an operand, a pattern or a field is not one the server understands.

    Example:
        >>> passes = compile_filter({"state": "finished", "config.lr.value": {"$lt": 0.1}})
        >>> passes({"state": "finished", "config": {"lr": 0.01}})
        True
    """
    if not isinstance(filters, Mapping):
        raise FilterError(f"a filter is an object, not {filters!r}")
    parts = [_entry(key, condition) for key, condition in filters.items()]
    return parts[0] if len(parts) == 1 else lambda run: all(part(run) for part in parts)


def names_asked(filters: Mapping[str, Any]) -> frozenset[str] | None:
    """The only run ids a filter can let pass, None where it names none: a server looks them up in an index.

    Example:
        >>> sorted(names_asked({"state": "finished", "name": {"$in": ["a", "b"]}}))
        ['a', 'b']
    """
    found: list[frozenset[str]] = []
    for key, condition in filters.items():
        if key == "$and":
            found += [names for part in condition if (names := names_asked(part)) is not None]
        elif key == "name":
            wanted = condition.get("$in") if isinstance(condition, Mapping) else [condition]
            if isinstance(wanted, list):
                found.append(frozenset(item for item in wanted if isinstance(item, str)))
    return frozenset.intersection(*found) if found else None


_RANKS = {"NoneType": 0, "number": 1, "str": 2, "dict": 3, "list": 4, "bool": 5, "datetime": 6}


def _sort_key(value: object) -> tuple[int, bool, Any]:
    """Total order of values: kinds in MongoDB's order, NaN above every number, lists by their parts."""
    rank = _RANKS[_kind(value)]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return rank, True, 0
    if isinstance(value, list):
        return rank, False, [_sort_key(item) for item in value]
    if isinstance(value, Mapping):
        return rank, False, sorted((key, _sort_key(item)) for key, item in value.items())
    return rank, False, value


def sort_runs(
    runs: Iterable[Run], order: str | None, *, unsigned_descending: bool, null_last: bool
) -> list[Run]:
    """Runs in the asked order; ties keep the order they came in, `None` keeps it throughout.

    `order` is one field with a sign (`+created_at`), or several separated by commas, the first deciding.
    Without a sign the direction is `unsigned_descending`'s; runs that lack the field come last or first
    whatever the direction.

    Raises:
        FilterError: the order names no field.
    """
    result = list(runs)
    for field in reversed(order.split(",") if order else []):
        name = field.strip()
        descending = name.startswith("-") if name[:1] in {"+", "-"} else unsigned_descending
        read, _ = _reader(name.lstrip("+-"))
        keyed = [(read(run), run) for run in result]
        absent = [run for value, run in keyed if value is ABSENT or value is None]
        present = [(_sort_key(value), run) for value, run in keyed if not (value is ABSENT or value is None)]
        present.sort(key=lambda pair: pair[0], reverse=descending)
        ordered = [run for _, run in present]
        result = [*ordered, *absent] if null_last else [*absent, *ordered]
    return result
