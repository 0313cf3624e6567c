"""MongoDB-style filters of runs, as `Api.runs(filters=...)` takes them, as the typed tree.

The rules are the server's: a list satisfies an operator when it does itself or when one of its items does; values of
different kinds are never ordered against each other; `$ne` and `$nin` are the complements of `$eq` and `$in`, and so
hold where there is nothing. What is not understood is refused by name.
"""

import datetime as dt
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t

__all__ = ["FIELDS", "field_value", "filter_condition", "read_filter"]

FIELDS = {
    "name": ("run_id", t.TEXT),
    "display_name": ("name", t.TEXT),
    "state": ("state", t.TEXT),
    "group": ("run_group", t.TEXT),
    "job_type": ("job_type", t.TEXT),
    "username": ("username", t.TEXT),
    "sweep": ("sweep_id", t.TEXT),
    "host": ("host", t.TEXT),
    "notes": ("notes", t.TEXT),
    "duration": ("runtime", t.NUMBER),
    "created_at": ("created_at", t.DATE),
    "heartbeat_at": ("heartbeat_at", t.DATE),
}
"""Fields that are columns of `runs`; `tags`, `config.*` and `summary_metrics.*` beside."""

_SPELLINGS = {
    "displayName": "display_name",
    "createdAt": "created_at",
    "heartbeatAt": "heartbeat_at",
    "jobType": "job_type",
    "summaryMetrics": "summary_metrics",
    "summary": "summary_metrics",
}
_DOCUMENTS = {"config": "config", "summary_metrics": "summary"}

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_LITERAL = re.compile(r"\\[^1-9A-Za-z]|\[.+", re.DOTALL)
_NOT_RE2 = re.compile(
    r"\(\?(?:[=!>(]|<[=!]|P[=>])|\\[1-9Z]|[*+?}]\+|\{(?:\d+,)?(?!0*1000\D)0*[1-9]\d{3,}(?:,\d*)?\}"
)
"""What RE2, by which the server and DuckDB search, has not: looking around, references back, possessive or over
1000 repetitions; sought among tokens, since an escaped sign or a class of signs is none."""

Test = Callable[[t.Node], t.Node]
"""What an operator makes of a value: a condition."""


def read_filter(text: str) -> Mapping[str, Any]:
    """A filter from its JSON.

    Raises:
        OperationError: it is no JSON object; the error names the place.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"the filter is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise OperationError(what, mend='write it as {"config.lr": {"$gt": 0.01}}') from error
    except RecursionError as error:
        raise OperationError("the filter is nested too deeply", mend="shorten it") from error
    if not isinstance(found, dict):
        raise OperationError("the filter is no JSON object", mend='write it as {"state": "finished"}')
    return found


def filter_condition(filters: Mapping[str, Any], run: t.Node) -> t.Node:
    """The condition of a filter on a run.

    Args:
        filters: the filter; `{}` lets every run pass.
        run: the run.

    Raises:
        OperationError: an operator, an operand, a pattern or a field is not understood.
    """
    if not isinstance(filters, Mapping):
        raise OperationError(f"a filter is an object, not {_shown(filters)}", mend='write {"field": value}')
    if any(not isinstance(key, str) for key in filters):
        raise OperationError("a filter's keys are texts", mend='write {"field": value}')
    try:
        return _all([_entry(key, condition, run) for key, condition in filters.items()])
    except RecursionError as error:
        raise OperationError("the filter is nested too deeply", mend="shorten it") from error


def _entry(key: str, condition: Any, run: t.Node) -> t.Node:
    match key:
        case "$and":
            return _all([filter_condition(part, run) for part in _branches(key, condition)])
        case "$or":
            return _some([filter_condition(part, run) for part in _branches(key, condition)])
        case "$nor":
            return _not(_some([filter_condition(part, run) for part in _branches(key, condition)]))
        case "$not":
            return _not(filter_condition(condition, run))
        case _ if key.startswith("$"):
            raise _unknown(key)
        case _:
            return _field_condition(field_value(key, run), condition, key)


def field_value(field: str, run: t.Node) -> t.Node:
    """What a field names: an attribute of the run, its tags, a value of its config or summary.

    Raises:
        OperationError: it names nothing.
    """
    head, _, path = field.partition(".")
    name = _SPELLINGS.get(head, head)
    if name in _DOCUMENTS and path:
        return _value(run, _DOCUMENTS[name], path)
    if name == "tags" and not path:
        return t.Tags(run, type=t.list_of(t.TEXT))
    if name in FIELDS and not path:
        column, type_ = FIELDS[name]
        return t.Attribute(run, column, type=type_)
    known = ", ".join([*FIELDS, "tags", "config.KEY", "summary_metrics.KEY"])
    raise OperationError(f"{_shown(field)} names no field of a run", mend=f"use one of {known}")


def _value(run: t.Node, source: str, path: str) -> t.Node:
    """A value; a config's path may spell out W&B's `value` around an entry, at any one place."""
    found: t.Node = t.Entry(run, source, path, type=t.VALUE)
    parts = path.split(".")
    if source != "config" or "value" not in parts[1:]:
        return found
    otherwise: t.Node = t.Constant(None, type=t.MISSING)
    for place in reversed([place for place, part in enumerate(parts) if place and part == "value"]):
        entry = t.Entry(run, source, ".".join(parts[:place] + parts[place + 1 :]), type=t.VALUE)
        otherwise = _either(entry, otherwise)
    return _either(found, otherwise)


def _either(entry: t.Node, otherwise: t.Node) -> t.Node:
    return t.Apply("if", (_apply("exists", entry), entry, otherwise), type=t.VALUE)


# Operators


def _field_condition(value: t.Node, condition: Any, field: str) -> t.Node:
    """Operators that must all hold, or a value that the field must equal."""
    if not isinstance(condition, Mapping) or not any(str(key).startswith("$") for key in condition):
        return _equals(value, condition)
    return _all([_operator(key, operand, value, field) for key, operand in condition.items()])


def _operator(key: str, operand: Any, value: t.Node, field: str) -> t.Node:
    match key:
        case "$eq":
            return _equals(value, operand)
        case "$ne":
            return _not(_equals(value, operand))
        case "$in" | "$nin":
            if not isinstance(operand, Sequence) or isinstance(operand, str):
                raise OperationError(f"{key} needs a list, not {_shown(operand)}", mend="write [value, ...]")
            held = _among(value, operand)
            return held if key == "$in" else _not(held)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _ordered(value, _COMPARISONS[key], operand)
        case "$exists":
            if not isinstance(operand, bool):
                raise OperationError(f"$exists needs true or false, not {_shown(operand)}")
            there = _there(value)
            return there if operand else _not(there)
        case "$regex":
            return _text_test(value, "matches", _pattern(operand), key)
        case "$contains":
            if not isinstance(operand, str):
                raise OperationError(f"$contains needs a text, not {_shown(operand)}")
            return _text_test(value, "contains", operand, key)
        case "$not":
            if (
                not isinstance(operand, Mapping)
                or not operand
                or not all(str(k).startswith("$") for k in operand)
            ):
                raise OperationError("$not needs operators", mend='write {"$not": {"$gt": 1}}')
            return _not(_field_condition(value, operand, field))
        case _:
            raise _unknown(key)


_COMPARISONS = {"$gt": "greater", "$gte": "greater_equal", "$lt": "less", "$lte": "less_equal"}


def _equals(value: t.Node, operand: Any) -> t.Node:
    if operand is None:
        return _is_nothing(value)
    if value.type == t.DATE:
        return _apply("moment_equal", value, _moment(operand))
    constant = _constant(operand)
    return _of_any(value, lambda node: _same(node, constant))


def _same(node: t.Node, constant: t.Constant) -> t.Node:
    if node.type not in (t.VALUE, constant.type):
        return t.Constant(False, type=t.BOOLEAN)
    return _apply("equal", node, constant)


def _among(value: t.Node, operands: Sequence[Any]) -> t.Node:
    """`$in`: texts are looked for at once, as callers ask for hundreds of runs by name."""
    texts = [operand for operand in operands if isinstance(operand, str)] if value.type != t.DATE else []
    conditions = [
        _equals(value, operand) for operand in operands if not texts or not isinstance(operand, str)
    ]
    if texts:
        words = tuple(_constant(text) for text in texts)
        conditions.append(_of_any(value, lambda node: _one_of(node, words)))
    return _some(conditions)


def _one_of(node: t.Node, words: tuple[t.Constant, ...]) -> t.Node:
    if node.type not in (t.VALUE, t.TEXT):
        return t.Constant(False, type=t.BOOLEAN)
    return t.Apply("among", (node, *words), type=t.BOOLEAN)


def _ordered(value: t.Node, comparison: str, operand: Any) -> t.Node:
    if value.type == t.DATE:
        return _apply(f"moment_{comparison}", value, _moment(operand))
    if operand is None or isinstance(operand, Mapping | list):
        raise OperationError(f"cannot order against {_shown(operand)}", mend="use a number or a text")
    constant = _constant(operand)

    def test(node: t.Node) -> t.Node:
        if node.type == t.VALUE:
            kind = {t.NUMBER: "number", t.TEXT: "string", t.BOOLEAN: "bool"}[constant.type]
            same_kind = _apply("equal", t.Apply("kind", (node,), type=t.TEXT), t.Constant(kind, type=t.TEXT))
            name, type_ = ("text", t.TEXT) if kind == "string" else ("number", t.NUMBER)
            return _all([same_kind, _apply(comparison, t.Apply(name, (node,), type=type_), constant)])
        if node.type != constant.type:
            return t.Constant(False, type=t.BOOLEAN)
        return _apply(comparison, node, constant)

    return _of_any(value, test)


def _text_test(value: t.Node, function: str, operand: str, key: str) -> t.Node:
    if value.type == t.DATE:
        raise OperationError(f"{key} does not apply to times", mend="use $gt and $lt")
    constant = _constant(operand)

    def test(node: t.Node) -> t.Node:
        if node.type not in (t.VALUE, t.TEXT):
            return t.Constant(False, type=t.BOOLEAN)
        words = t.Apply("text", (node,), type=t.TEXT) if node.type == t.VALUE else node
        return _apply(function, words, constant)

    return _of_any(value, test)


def _of_any(value: t.Node, test: Test) -> t.Node:
    """A test that a list passes by one of its items."""
    if isinstance(value.type, t.ListType):
        return _some_item(value, test)
    if value.type == t.VALUE:
        return _some([test(value), _some_item(t.Items(value, type=t.list_of(t.VALUE)), test)])
    return test(value)


def _some_item(items: t.Node, test: Test) -> t.Node:
    variable = t.Variable("item", type=t.element_of(items.type))
    kept = t.Filter(items, variable, test(variable), type=items.type)
    return t.Fold("some", kept, type=t.BOOLEAN)


def _is_nothing(value: t.Node) -> t.Node:
    if isinstance(value.type, t.ListType):
        return _not(_there(value))
    if value.type == t.VALUE:
        items = t.Items(value, type=t.list_of(t.VALUE))
        return _some([_apply("missing", value), _some_item(items, lambda node: _apply("missing", node))])
    return _apply("missing", value)


def _there(value: t.Node) -> t.Node:
    if isinstance(value.type, t.ListType):  # no tags and an empty list of them are one
        count = t.Fold("count", value, type=t.NUMBER)
        return _apply("greater", count, t.Constant(0.0, type=t.NUMBER))
    return _apply("exists", value) if value.type == t.VALUE else _not(_apply("missing", value))


# Operands


def _constant(operand: Any) -> t.Constant:
    match operand:
        case bool():
            return t.Constant(operand, type=t.BOOLEAN)
        case int() | float():
            try:
                return t.Constant(float(operand), type=t.NUMBER)
            except OverflowError as error:
                raise OperationError(f"{_shown(operand)} is too large a number") from error
        case str():
            return t.Constant(operand, type=t.TEXT)
        case _:
            what = f"a field is not compared with {_shown(operand)}"
            raise OperationError(what, mend="compare with a number, a text, true, false or null")


def _moment(operand: Any) -> t.Node:
    if not isinstance(operand, str):
        raise OperationError(
            f"a time is an ISO 8601 text, not {_shown(operand)}", mend='write "2026-01-31T12:00:00Z"'
        )
    try:
        moment = dt.datetime.fromisoformat(operand)
        moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise OperationError(
            f"{_shown(operand)} is no ISO 8601 time", mend='write "2026-01-31T12:00:00Z"'
        ) from error
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")
    return t.Apply("moment", (t.Constant(text, type=t.TEXT),), type=t.DATE)


def _pattern(operand: Any) -> str:
    if not isinstance(operand, str):
        raise OperationError(f"$regex needs a text, not {_shown(operand)}")
    bare = "".join("x" if _LITERAL.fullmatch(token) else token for token in _TOKEN.findall(operand))
    if _NOT_RE2.search(bare):
        raise OperationError(
            f"{_shown(operand)} is no pattern of RE2", mend="do without looking around and references"
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # of `[[:alpha:]]`, which RE2 knows
            re.compile(operand.replace(r"\z", r"\Z"))
    except re.error as error:
        raise OperationError(f"{_shown(operand)} is no pattern: {error}", mend="mend it") from error
    return operand


def _branches(key: str, operand: Any) -> Sequence[Any]:
    if not isinstance(operand, list):
        raise OperationError(
            f"{key} needs a list of filters, not {_shown(operand)}", mend=f'write {{"{key}": [...]}}'
        )
    return operand


# Conditions


def _apply(function: str, *arguments: t.Node) -> t.Node:
    return t.Apply(function, arguments, type=t.BOOLEAN)


def _not(condition: t.Node) -> t.Node:
    return _apply("not", condition)


def _all(conditions: Sequence[t.Node]) -> t.Node:
    return _joined("and", conditions, empty=True)


def _some(conditions: Sequence[t.Node]) -> t.Node:
    return _joined("or", conditions, empty=False)


def _joined(function: str, conditions: Sequence[t.Node], *, empty: bool) -> t.Node:
    """Conditions in one, halves joined to halves: hundreds of them are no deeper than ten."""
    if not conditions:
        return t.Constant(empty, type=t.BOOLEAN)
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    halves = (_joined(function, part, empty=empty) for part in (conditions[:middle], conditions[middle:]))
    return _apply(function, *halves)


def _unknown(key: str) -> OperationError:
    known = "$and, $or, $nor, $not, $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex, $contains"
    return OperationError(f"unknown operator {_shown(key)}", mend=f"use one of {known}")


def _shown(value: Any) -> str:
    """A part of a filter in a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
