"""Filters in W&B's form over the few objects of a list: sweeps, collections and versions of artifacts."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from wandb_warehouse.errors import OperationError

__all__ = ["matches", "ordered"]

Row = TypeVar("Row")

_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, other: value > other,
    "$gte": lambda value, other: value >= other,
    "$lt": lambda value, other: value < other,
    "$lte": lambda value, other: value <= other,
}


def matches(filters: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> bool:
    """Tell whether an object passes a filter, by the rules of MongoDB.

    Args:
        filters: `$and`, `$or`, `$nor` over filters; a field's value, or its condition of `$eq`, `$ne`, `$gt`, `$gte`,
            `$lt`, `$lte`, `$in`, `$nin`, `$exists`, `$regex`, `$not`.
        fields: what the object has, by W&B's names; a list holds each of its values.

    Raises:
        OperationError: a field or an operator that is not known.

    >>> matches({"$or": [{"state": "RUNNING"}, {"tags": {"$in": ["best"]}}]}, {"state": "FINISHED", "tags": ["best"]})
    True
    """
    return all(_holds(key, wanted, fields) for key, wanted in (filters or {}).items())


def ordered(
    rows: Sequence[Row], order: str | None, fields: Callable[[Row], Mapping[str, Any]]
) -> Sequence[Row]:
    """Give rows in an order as `+createdAt` (`-` descends); as they are where there is none.

    Raises:
        OperationError: the rows have no such field.
    """
    if not order or not rows:
        return rows
    name = _field(order.lstrip("+-"), fields(rows[0]))

    def key(row: Row) -> tuple[bool, Any]:
        value = fields(row)[name]
        return value is not None, value if value is not None else 0

    return sorted(rows, key=key, reverse=order.startswith("-"))


def _holds(key: str, wanted: Any, fields: Mapping[str, Any]) -> bool:
    match key:
        case "$and":
            return all(matches(each, fields) for each in wanted)
        case "$or":
            return any(matches(each, fields) for each in wanted)
        case "$nor":
            return not any(matches(each, fields) for each in wanted)
    value = fields[_field(key, fields)]
    if isinstance(wanted, Mapping) and wanted and all(name.startswith("$") for name in wanted):
        return all(_passes(name, operand, value) for name, operand in wanted.items())
    return _equals(value, wanted)


def _passes(name: str, operand: Any, value: Any) -> bool:
    match name:
        case "$eq" | "$ne":
            found = _equals(value, operand)
        case "$in" | "$nin":
            found = any(_equals(value, each) for each in operand)
        case "$exists":
            found = (value is not None) is bool(operand)
        case "$regex":
            found = any(isinstance(each, str) and re.search(operand, each) for each in _values(value))
        case "$not":
            found = all(_passes(inner, each, value) for inner, each in operand.items())
        case _ if name in _ORDERED:
            found = any(
                _ORDERED[name](each, operand) for each in _values(value) if _kind(each) is _kind(operand)
            )
        case _:
            raise OperationError(
                f"{name} is no operator of these filters", mend="use one of MongoDB's comparisons"
            )
    return found is (name not in {"$ne", "$nin", "$not"})


def _values(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else () if value is None else (value,)


def _equals(value: Any, wanted: Any) -> bool:
    return any(_kind(each) is _kind(wanted) and each == wanted for each in [value, *_values(value)])


def _kind(value: Any) -> type:
    """Kinds that may be compared with one another: numbers, and each other type by itself."""
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _field(name: str, fields: Mapping[str, Any]) -> str:
    """A field by W&B's name or by Python's."""
    head, *rest = name.split("_")
    camel = head + "".join(part.title() for part in rest)
    for each in (name, camel):
        if each in fields:
            return each
    raise OperationError(
        f"{name!r} is no field of these objects", mend=f"use one of {', '.join(sorted(fields))}"
    )
