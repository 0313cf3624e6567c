"""Texts of texts and of other values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, equals, negated, operand, text
from wandb_warehouse.operations.lowering.coercion import as_number, as_text, as_value, numeric, textual
from wandb_warehouse.operations.lowering.relations import Bound, Scalar, Value

if TYPE_CHECKING:
    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = [
    "character",
    "concat",
    "index_of",
    "length",
    "lines",
    "of_no_list",
    "replace",
    "replace_all",
    "slice_of",
    "typeof",
    "written",
]


_PATTERN = re.compile(r"\$[$&`']")
"""What a replacement means something else by than what it says."""


def concat(engine: Engine, *bounds: Bound) -> Scalar:
    """Texts one after the other."""
    parts = [as_text(bound) for bound in bounds]
    if not parts:
        return textual(text(""))
    joined = operand(parts[0])
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=operand(part))
    _ = engine
    return textual(joined)


def written(engine: Engine, bound: Bound) -> Scalar:
    """What JavaScript's String() gives."""
    match bound:
        case Scalar(t.TEXT, sql):
            return textual(exp.Coalesce(this=sql, expressions=[text("undefined")]))
        case Scalar(t.BOOLEAN, sql):
            return textual(
                exp.Case()
                .when(sql, text("true"), copy=False)
                .when(negated(sql), text("false"), copy=False)
                .else_(text("undefined"), copy=False)
            )
        case Scalar(t.NUMBER, sql):
            if isinstance(sql, exp.Literal) and sql.this.isdigit():
                return textual(text(sql.this))
            number = as_number(engine, bound)
            words = _infinities(engine, number)
            absent = "NaN" if bound.may_be_nan else "undefined"
            return textual(exp.Coalesce(this=words, expressions=[text(absent)]))
        case Value(kind, number, words, json, is_object):
            message = "a list or an object has no text that SQL could write as JavaScript does"
            refused = engine.refuse(message, "text", kind)
            case = (
                exp.Case(this=kind)
                .when(text("string"), words, copy=False)
                .when(
                    text("number"),
                    exp.Coalesce(this=_infinities(engine, number), expressions=[text("NaN")]),
                    copy=False,
                )
                .when(text("bool"), json, copy=False)
                .when(text("list"), refused, copy=False)
                .when(text("object"), refused, copy=False)
            )
            if is_object:
                case = exp.Case().when(is_object(), refused, copy=False).else_(case, copy=False)
            return textual(exp.Coalesce(this=case, expressions=[text("undefined")]))
        case _:
            return textual(text("undefined"))


def _infinities(engine: Engine, number: Sql) -> Sql:
    return (
        exp.Case()
        .when(exp.EQ(this=number, expression=engine.number(float("inf"))), text("Infinity"), copy=False)
        .when(exp.EQ(this=number, expression=engine.number(float("-inf"))), text("-Infinity"), copy=False)
        .else_(engine.number_text(number), copy=False)
    )


def typeof(engine: Engine, bound: Bound) -> Scalar:
    """JavaScript's name for the kind of a value."""
    value = as_value(engine, bound)
    words = {"bool": "boolean", "list": "object", "null": "undefined"}
    case = exp.Case(this=value.kind)
    for ours, theirs in words.items():
        case = case.when(text(ours), text(theirs), copy=False)
    case = case.else_(exp.Coalesce(this=value.kind, expressions=[text("undefined")]), copy=False)
    return textual(
        exp.Case().when(value.is_object(), text("object"), copy=False).else_(case, copy=False)
        if value.is_object
        else case
    )


def lines(engine: Engine, *bounds: Bound) -> Scalar:
    """Texts below each other, those that are missing left out."""
    return textual(engine.lines([as_text(bound) for bound in bounds]))


def length(engine: Engine, bound: Bound) -> Scalar:
    """Characters of a text, items of a list."""
    if isinstance(bound, Value):
        return numeric(
            exp.Case(this=bound.kind)
            .when(text("string"), engine.length(bound.text), copy=False)
            .when(text("list"), engine.json_length(bound.json), copy=False)
        )
    return numeric(engine.length(as_text(bound)))


def index_of(engine: Engine, bound: Bound, wanted: Bound) -> Scalar:
    """Where a text first occurs in another, from 0; -1 where it does not."""
    return numeric(
        exp.Sub(this=engine.position(as_text(bound), as_text(wanted)), expression=exp.Literal.number(1))
    )


def slice_of(engine: Engine, bound: Bound, start: Bound, stop: Bound | None = None) -> Scalar:
    """`slice(start, stop)`: places below zero count from the end."""
    words = as_text(bound)
    length = engine.length(words)

    def place(given: Bound) -> Sql:
        sql = as_number(engine, given)
        if isinstance(sql, exp.Literal):
            return exp.Literal.number(str(int(float(sql.this))))
        if isinstance(sql, exp.Neg) and isinstance(sql.this, exp.Literal):
            back = exp.Literal.number(str(int(float(sql.this.this))))
            return engine.extreme("greatest", [exp.Sub(this=length, expression=back), exp.Literal.number(0)])
        raise engine.unknown("slice with a place that is not written out")

    first = place(start)
    begin: Sql = exp.Add(this=first, expression=exp.Literal.number(1))
    if isinstance(first, exp.Literal):
        begin = exp.Literal.number(int(first.this) + 1)
    if stop is None:
        return textual(exp.Substring(this=words, start=begin))
    width = exp.Sub(this=place(stop), expression=operand(first))
    count: Sql = engine.extreme("greatest", [width, exp.Literal.number(0)])
    if isinstance(width.this, exp.Literal) and isinstance(first, exp.Literal):
        count = exp.Literal.number(max(0, int(width.this.this) - int(first.this)))
    return textual(exp.Substring(this=words, start=begin, length=count))


def character(engine: Engine, bound: Bound, place: Bound) -> Scalar:
    """One character of a text."""
    number = as_number(engine, place)
    if not isinstance(number, exp.Literal):
        return textual(exp.cast(exp.Null(), exp.DataType.build("TEXT"), copy=False))
    begin = exp.Literal.number(int(float(number.this)) + 1)
    one = exp.Substring(this=as_text(bound), start=begin, length=exp.Literal.number(1))
    return textual(exp.Nullif(this=one, expression=text("")))


def replace(engine: Engine, bound: Bound, wanted: Bound, by: Bound) -> Scalar:
    """Only the first occurrence."""
    words, sought, new = as_text(bound), as_text(wanted), as_text(by)
    if not isinstance(new, exp.Literal) or _PATTERN.search(new.this):
        raise engine.unknown("replace by a text with $&, $$, $` or $', or one that is not written out")
    found = engine.position(words, sought)
    before = exp.Substring(
        this=words,
        start=exp.Literal.number(1),
        length=exp.Sub(this=found, expression=exp.Literal.number(1)),
    )
    after = exp.Substring(this=words, start=exp.Add(this=found, expression=engine.length(sought)))
    spliced = exp.DPipe(this=exp.DPipe(this=before, expression=new), expression=after)
    return textual(
        exp.Case()
        .when(exp.GT(this=found, expression=exp.Literal.number(0)), spliced, copy=False)
        .else_(words, copy=False)
    )


def replace_all(engine: Engine, bound: Bound, wanted: Bound, by: Bound) -> Scalar:
    """Every occurrence."""
    words, sought, new = as_text(bound), as_text(wanted), as_text(by)
    plain = isinstance(new, exp.Literal) and not _PATTERN.search(new.this)
    if not plain or not isinstance(sought, exp.Literal) or not sought.this:
        raise engine.unknown("replaceAll of texts that are not written out, or of an empty one")
    return textual(exp.Replace(this=words, expression=sought, replacement=new))


def of_no_list(engine: Engine, bound: Bound) -> Scalar:
    """The text of a value, for methods of which lists have their own."""
    if not isinstance(bound, Value):
        return textual(as_text(bound))
    message = "a list has this method, too, which SQL cannot say; in JavaScript it gives a list"
    refused = engine.refuse(message, "text", bound.kind)
    return textual(
        exp.Case().when(equals(bound.kind, text("list")), refused, copy=False).else_(bound.text, copy=False)
    )
