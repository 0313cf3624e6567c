"""One value of many rows: the aggregates, with the rules for what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, both, equals, text
from wandb_warehouse.operations.lowering.coercion import as_text
from wandb_warehouse.operations.lowering.functions import STRICT
from wandb_warehouse.operations.lowering.relations import Bound, Key, Scalar, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["chain", "driving_key", "fold"]

_SKIPPING = ("avg", "max", "min", "sum", "stddev")
"""Aggregates to which an element without the value is nothing."""


def chain(node: t.Node) -> t.Variable | None:
    """The variable whose list is filtered and mapped, where nothing else is done to it."""
    while isinstance(node, t.Filter | t.Each):
        node = node.of
    return node if isinstance(node, t.Variable) else None


def driving_key(node: t.Fold) -> str | None:
    """The key without which a history row adds nothing to an aggregate, None where there is none."""
    if node.function not in _SKIPPING or not isinstance(node.of, t.Each):
        return None
    key = _strict_key(node.of.body, node.of.variable)
    below = node.of.of
    while isinstance(below, t.Filter):
        below = below.of
    return key if isinstance(below, t.History) else None


def _strict_key(body: t.Node, variable: t.Variable) -> str | None:
    match body:
        case t.Entry(of=of, key=key) if of is variable:
            return key
        case t.Apply(function=function, arguments=arguments) if function in STRICT:
            found = (_strict_key(each, variable) for each in arguments)
            return next((each for each in found if each is not None), None)
        case _:
            return None


def fold(
    engine: Engine, node: t.Fold, element: Bound, order: Sequence[Key], conditions: Sequence[Sql]
) -> Scalar:
    """The aggregate of an element over the rows of a SELECT, of those that meet conditions."""

    def kept(sql: Sql) -> Sql:
        return exp.Case().when(both(conditions), sql, copy=False) if conditions else sql

    function = node.function
    if function == "count":
        counted = exp.Count(this=kept(exp.Literal.number(1)) if conditions else exp.Star())
        return Scalar(t.NUMBER, counted)
    if function == "some":
        counted = exp.Count(this=kept(exp.Literal.number(1)) if conditions else exp.Star())
        return Scalar(t.BOOLEAN, exp.GT(this=counted, expression=exp.Literal.number(0)))
    if function == "join":
        words = as_text(element)
        return Scalar(t.TEXT, engine.joined(kept(words), node.separator, [key.ordered for key in order]))
    if isinstance(element, Scalar) and element.type == t.DATE:
        aggregate = exp.Max if function == "max" else exp.Min
        return Scalar(t.DATE, aggregate(this=kept(element.sql)))
    number = kept(_numbers(engine, element))
    return Scalar(
        t.NUMBER, _AGGREGATES[function](engine, number), may_be_nan=function in ("avg", "sum", "total")
    )


def _numbers(engine: Engine, element: Bound) -> Sql:
    """Numbers alone: no texts that read as one, no booleans, no NaN."""
    if isinstance(element, Value):
        if isinstance(element.kind, exp.Literal):
            return element.number
        return exp.Case().when(equals(element.kind, text("number")), element.number, copy=False)
    if isinstance(element, Scalar):
        sql = engine.without_nan(element.sql) if element.may_be_nan else element.sql
        return engine.double(sql) if isinstance(sql, exp.Literal | exp.Null) else sql
    raise OperationError("only numbers have an aggregate", mend="map the list to numbers")


def _stddev(engine: Engine, number: Sql) -> Sql:
    """Of the population; NULL where an element is infinite, which engines refuse."""
    infinite = exp.EQ(this=exp.Max(this=exp.Abs(this=number)), expression=engine.number(float("inf")))
    finite = exp.LT(this=exp.Abs(this=number), expression=engine.number(float("inf")))
    deviation = exp.StddevPop(this=exp.Case().when(finite, number, copy=False))
    return exp.Case().when(exp.Not(this=exp.Paren(this=infinite)), deviation, copy=False)


def _total(engine: Engine, number: Sql) -> Sql:
    """A sum that is missing where an element is."""
    _ = engine
    all_there = exp.EQ(this=exp.Count(this=exp.Star()), expression=exp.Count(this=number))
    return exp.Case().when(
        all_there,
        exp.Coalesce(this=exp.Sum(this=number), expressions=[exp.Literal.number(0)]),
        copy=False,
    )


_AGGREGATES = {
    "avg": lambda _, number: exp.Avg(this=number),
    "max": lambda _, number: exp.Max(this=number),
    "min": lambda _, number: exp.Min(this=number),
    "sum": lambda _, number: exp.Sum(this=number),
    "stddev": _stddev,
    "total": _total,
}
