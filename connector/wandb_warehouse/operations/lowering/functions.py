"""Scalar functions: what computes each, with JavaScript's rules for what is missing or of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering import arithmetic as numbers
from wandb_warehouse.operations.lowering import conditions, texts
from wandb_warehouse.operations.lowering.building import Sql, is_null, operand, text
from wandb_warehouse.operations.lowering.coercion import (
    as_number,
    as_text,
    as_value,
    logical,
    numeric,
    sure,
    textual,
)
from wandb_warehouse.operations.lowering.relations import Bound, Scalar, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["FUNCTIONS", "STRICT"]


def _if(engine: Engine, condition: Bound, then: Bound, otherwise: Bound) -> Bound:
    assert isinstance(condition, Scalar)

    def case(a: Sql, b: Sql) -> Sql:
        made = exp.Case().when(condition.sql, a, copy=False)
        return made if isinstance(b, exp.Null) else made.else_(b, copy=False)

    scalars = [each for each in (then, otherwise) if isinstance(each, Scalar)]
    types = {each.type for each in scalars if each.type != t.MISSING}
    if len(scalars) == 2 and len(types) < 2:
        may_be_nan = any(each.may_be_nan for each in scalars)
        return Scalar(types.pop() if types else t.MISSING, case(scalars[0].sql, scalars[1].sql), may_be_nan)
    a, b = (as_value(engine, each) for each in (then, otherwise))
    parts = (case(a.kind, b.kind), case(a.number, b.number), case(a.text, b.text), case(a.json, b.json))
    if a.is_object is None and b.is_object is None:
        return Value(*parts)
    return Value(
        *parts,
        lambda: case(*(each.is_object() if each.is_object else exp.false() for each in (a, b))),
        lambda: case(*(each.object_json() if each.object_json else exp.Null() for each in (a, b))),
    )


def _order_number(engine: Engine, bound: Bound) -> Scalar:
    """What elements are compared by: numbers, where one of them is a number or a boolean."""
    number = as_number(engine, bound)
    return numeric(exp.Case().when(_numeric_among(bound), number, copy=False))


def _order_text(engine: Engine, bound: Bound) -> Scalar:
    """What elements are compared by where all of them are texts."""
    return textual(
        exp.Case().when(exp.Not(this=exp.Paren(this=_numeric_among(bound))), as_text(bound), copy=False)
    )


def _numeric_among(bound: Bound) -> Sql:
    assert isinstance(bound, Value)
    numbers_ = exp.In(this=bound.kind, expressions=[text("number"), text("bool")])
    counted = exp.Count(this=exp.Case().when(numbers_, exp.Literal.number(1), copy=False))
    return exp.GT(this=exp.Window(this=counted), expression=exp.Literal.number(0))


def _rank(engine: Engine, bound: Bound) -> Scalar:
    """Where a value stands by its kind, as MongoDB orders kinds; NaN above every number."""
    value = as_value(engine, bound)
    nan = exp.Is(this=value.number, expression=exp.Null())
    case = exp.Case(this=value.kind)
    number = exp.Case().when(nan, exp.Literal.number(2), copy=False).else_(exp.Literal.number(1), copy=False)
    case = case.when(text("number"), number, copy=False)
    for place, kind in ((3, "string"), (5, "list"), (6, "bool")):
        case = case.when(text(kind), exp.Literal.number(place), copy=False)
    if value.is_object:
        case = exp.Case().when(value.is_object(), exp.Literal.number(4), copy=False).else_(case, copy=False)
    return numeric(case)


def _own_number(engine: Engine, bound: Bound) -> Scalar:
    """The number that a value is, not one that its text reads as."""
    value = as_value(engine, bound)
    is_text = exp.EQ(this=value.kind, expression=text("string"))
    return numeric(exp.Case().when(exp.Not(this=exp.Paren(this=is_text)), value.number, copy=False))


def _among(engine: Engine, bound: Bound, *words: Bound) -> Sql:
    return sure(exp.In(this=as_text(bound), expressions=[as_text(word) for word in words]))


def _moments(node: type[exp.Binary]) -> Callable[[Engine, Bound, Bound], Sql]:
    """Two timestamps, to the microsecond."""

    def of(engine: Engine, left: Bound, right: Bound) -> Sql:
        assert isinstance(left, Scalar)
        assert isinstance(right, Scalar)
        return sure(node(this=left.sql, expression=right.sql))

    return of


def _moment(build: str) -> Callable[[Engine, Bound], Scalar]:
    def of(engine: Engine, bound: Bound) -> Scalar:
        assert isinstance(bound, Scalar)
        return textual(getattr(engine, build)(bound.sql))

    return of


def _part(name: str) -> Callable[[Engine, Bound], Scalar]:
    def of(engine: Engine, bound: Bound) -> Scalar:
        assert isinstance(bound, Scalar)
        part = engine.part(bound.sql, name)
        return numeric(exp.Sub(this=part, expression=exp.Literal.number(1)) if name == "month" else part)

    return of


FUNCTIONS: dict[str, Callable[..., Bound | Sql]] = {
    # Conditions: never NULL, so that NOT means what it says.
    "and": lambda e, a, b: exp.and_(sure(a.sql), sure(b.sql), copy=False),
    "or": lambda e, a, b: exp.Paren(this=exp.or_(sure(a.sql), sure(b.sql), copy=False)),
    "not": lambda e, a: exp.Not(this=exp.Paren(this=sure(a.sql))),
    "truth": conditions.truth,
    "missing": conditions.missing,
    "exists": conditions.exists,
    "equal": conditions.equal,
    "same_run": conditions.same_run,
    "less": conditions.comparison(exp.LT),
    "less_equal": conditions.comparison(exp.LTE),
    "greater": conditions.comparison(exp.GT),
    "greater_equal": conditions.comparison(exp.GTE),
    "is_nan": lambda e, a: is_null(as_number(e, a)),
    "starts_with": lambda e, a, b: logical(e.starts_with(as_text(a), as_text(b))),
    "ends_with": lambda e, a, b: logical(e.ends_with(as_text(a), as_text(b))),
    "contains": lambda e, a, b: logical(
        exp.GT(this=e.position(as_text(a), as_text(b)), expression=exp.Literal.number(0))
    ),
    "matches": lambda e, a, b: sure(e.matches(as_text(a), as_text(b).this)),
    # Numbers
    "add": numbers.add,
    "subtract": numbers.arithmetic(exp.Sub),
    "multiply": numbers.arithmetic(exp.Mul),
    "divide": numbers.divide,
    "remainder": numbers.remainder,
    "power": numbers.power,
    "negate": lambda e, a: numeric(
        exp.Neg(this=operand(as_number(e, a))), may_be_nan=isinstance(a, Scalar) and a.may_be_nan
    ),
    "number": lambda e, a: numeric(as_number(e, a)),
    "abs": numbers.math(lambda x: exp.Abs(this=x)),
    "ceil": numbers.math(lambda x: exp.Ceil(this=x)),
    "floor": numbers.math(lambda x: exp.Floor(this=x)),
    "exp": numbers.math(lambda x: exp.Exp(this=x)),
    "sign": lambda e, a: numeric(exp.Sign(this=e.double(as_number(e, a)))),  # SQL has NaN's, and says 0
    "trunc": lambda e, a: numeric(e.truncated(e.double(as_number(e, a)))),
    # Halves are rounded up, below zero too.
    "round": numbers.math(
        lambda x: exp.Floor(this=exp.Add(this=operand(x), expression=exp.Literal.number("0.5")))
    ),
    "sqrt": numbers.root,
    "log": numbers.logarithm(None),
    "log2": numbers.logarithm(2),
    "log10": numbers.logarithm(10),
    "largest": numbers.extreme("greatest"),
    "smallest": numbers.extreme("least"),
    # Any
    "if": _if,
    "order_number": _order_number,
    "order_text": _order_text,
    "rank": _rank,
    "own_number": _own_number,
    "among": _among,
    "moment": lambda e, a: Scalar(t.DATE, e.moment(as_text(a))),
    "moment_equal": _moments(exp.EQ),
    "moment_less": _moments(exp.LT),
    "moment_less_equal": _moments(exp.LTE),
    "moment_greater": _moments(exp.GT),
    "moment_greater_equal": _moments(exp.GTE),
    "kind": lambda e, a: textual(as_value(e, a).kind),
    "typeof": texts.typeof,
    # Texts
    "text_of_no_list": texts.of_no_list,
    "text": lambda e, a: textual(as_text(a)),
    "string": texts.written,
    "concat": texts.concat,
    "lines": texts.lines,
    "length": texts.length,
    "index_of": texts.index_of,
    "lower": lambda e, a: textual(exp.Lower(this=as_text(a))),
    "upper": lambda e, a: textual(exp.Upper(this=as_text(a))),
    "trim": lambda e, a: textual(e.trimmed(as_text(a))),
    "slice": texts.slice_of,
    "character": texts.character,
    "replace": texts.replace,
    "replace_all": texts.replace_all,
    # Dates
    "now": lambda e: numeric(e.now()),
    "instant": lambda e, a: Scalar(t.DATE, e.instant(as_number(e, a))),
    "day_text": _moment("day_text"),
    "iso_text": _moment("iso_text"),
    **{name: _part(name) for name in ("year", "month", "day", "weekday", "hour", "minute", "second")},
}

"""What computes each function of the tree: of the engine and its arguments, a bound value or a condition."""

STRICT = frozenset(
    {
        "subtract",
        "multiply",
        "divide",
        "remainder",
        "power",
        "negate",
        "number",
        "abs",
        "ceil",
        "floor",
        "exp",
    }
    | {"sign", "trunc", "round", "sqrt", "log", "log2", "log10", "largest", "smallest", "add", "text"}
)

"""Functions that give nothing where one argument is missing."""
