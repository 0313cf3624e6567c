"""One kind of value as another, as JavaScript turns them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, equals, is_null, negated, operand, text
from wandb_warehouse.operations.lowering.numerals import WHITE
from wandb_warehouse.operations.lowering.relations import Bound, DocumentValue, RecordValue, Scalar, Value

if TYPE_CHECKING:
    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = [
    "as_number",
    "as_text",
    "as_value",
    "json_value",
    "logical",
    "merged",
    "numeric",
    "settled",
    "sure",
    "textual",
]

_NULL = exp.Null()


def logical(sql: Sql) -> Scalar:
    """A boolean."""
    return Scalar(t.BOOLEAN, sql)


def numeric(sql: Sql, *, may_be_nan: bool = False) -> Scalar:
    """A number."""
    return Scalar(t.NUMBER, sql, may_be_nan)


def textual(sql: Sql) -> Scalar:
    """A text."""
    return Scalar(t.TEXT, sql)


def sure(sql: Sql) -> Sql:
    """A condition that is FALSE where SQL would not know."""
    return sql if _never_null(sql) else exp.Coalesce(this=sql, expressions=[exp.false()])


def _never_null(sql: Sql) -> bool:
    match sql:
        case exp.Boolean() | exp.Is() | exp.Coalesce() | exp.NullSafeEQ() | exp.NullSafeNEQ() | exp.Exists():
            return True
        case exp.Paren() | exp.Not():
            return _never_null(sql.this)
        case exp.And() | exp.Or():
            return _never_null(sql.left) and _never_null(sql.right)
        case _:
            return False


def settled(value: Value) -> Value:
    """A value that says itself where it is an object."""
    if value.is_object is None or value.object_json is None:
        return value

    def either(then: Sql, otherwise: Sql) -> Sql:
        assert value.is_object is not None
        return exp.Case().when(value.is_object(), then, copy=False).else_(otherwise, copy=False)

    kind, json = either(text("object"), value.kind), either(value.object_json(), value.json)
    return Value(kind, value.number, value.text, json)


def merged(engine: Engine, bound: Bound) -> Bound:
    """A key of groups: what is missing is one kind, JSON null or not there, and NaN is missing."""
    match bound:
        case Value():
            value = settled(bound)
            null = exp.EQ(this=operand(value.kind), expression=text("null"))
            json = exp.Case().when(null, exp.Null(), copy=False).else_(value.json, copy=False)
            return Value(exp.Nullif(this=value.kind, expression=text("null")), value.number, value.text, json)
        case RecordValue(entries):
            return RecordValue({name: merged(engine, entry) for name, entry in entries.items()})
        case Scalar(type_, sql, may_be_nan=True):
            return Scalar(type_, engine.without_nan(sql))
        case _:
            return bound


def as_value(engine: Engine, bound: Bound) -> Value:
    """A scalar as a value of any kind."""
    if isinstance(bound, Value):
        return bound
    if isinstance(bound, DocumentValue):
        return json_value(engine, bound.sql)
    if not isinstance(bound, Scalar) or bound.type == t.DATE:
        raise TypeError("no value")
    if bound.type == t.MISSING:
        return Value(_NULL, _NULL, _NULL, _NULL)
    if bound.may_be_nan:
        bound = Scalar(bound.type, engine.without_nan(bound.sql))
    kind = {t.NUMBER: "number", t.TEXT: "string", t.BOOLEAN: "bool"}[bound.type]
    known = (
        text(kind)
        if isinstance(bound.sql, exp.Literal | exp.Boolean)
        else exp.Case().when(exp.Not(this=is_null(bound.sql)), text(kind), copy=False)
    )
    number = as_number(engine, bound)
    words = bound.sql if bound.type == t.TEXT else exp.Null()
    return Value(known, number, words, _json(engine, bound))


def _json(engine: Engine, bound: Scalar) -> Sql:
    if bound.type == t.NUMBER:
        return engine.number_json(bound.sql)
    if bound.type == t.TEXT:
        return engine.quoted(bound.sql)
    return (
        exp.Case()
        .when(bound.sql, text("true"), copy=False)
        .when(negated(bound.sql), text("false"), copy=False)
    )


def json_value(engine: Engine, json: Sql) -> Value:
    """JSON as a value."""
    kind = engine.kind(json)

    def where(ours: str, sql: Sql) -> exp.Case:
        return exp.Case(this=kind).when(text(ours), sql, copy=False)

    truth = exp.Case().when(
        equals(engine.json_text(json), text("true")),
        exp.Literal.number(1),
        copy=False,
    )
    number = (
        where("number", engine.without_nan(engine.json_number(json)))
        .when(text("bool"), truth.else_(exp.Literal.number(0), copy=False), copy=False)
        .when(text("string"), engine.parsed_number(engine.unquoted(json)), copy=False)
    )
    return Value(
        kind,
        number,
        where("string", engine.unquoted(json)),
        engine.json_text(json),
    )


def as_number(engine: Engine, bound: Bound) -> Sql:
    """What JavaScript's Number() gives, NULL for NaN."""
    if isinstance(bound, Value):
        return bound.number
    if not isinstance(bound, Scalar):
        raise TypeError("no number")
    sql = bound.sql
    if bound.type == t.DATE:
        return engine.milliseconds(sql)
    if bound.type == t.BOOLEAN:
        return (
            exp.Case()
            .when(sql, exp.Literal.number(1), copy=False)
            .when(negated(sql), exp.Literal.number(0), copy=False)
        )
    if bound.type == t.TEXT:
        return _NULL if _is_no_number(sql) else engine.parsed_number(sql)
    return engine.without_nan(sql) if bound.may_be_nan else sql


def _is_no_number(sql: Sql) -> bool:
    """Whether it is surely no number: a text that is written out, most are words, or the state of a run."""
    if isinstance(sql, exp.Column) and sql.name == "state":
        return True
    if not (isinstance(sql, exp.Literal) and sql.is_string):
        return False
    words = sql.this.strip(WHITE)
    return bool(words) and "Infinity" not in words and not re.search("[0-9]", words)


def as_text(bound: Bound) -> Sql:
    """The text, NULL where it is none."""
    if isinstance(bound, Value):
        return bound.text
    if isinstance(bound, Scalar) and bound.type in (t.TEXT, t.MISSING):
        return bound.sql
    raise TypeError("no text")
