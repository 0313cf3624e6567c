"""What holds: truth, equality and order, as JavaScript has them; never NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, equals, is_null, operand, text
from wandb_warehouse.operations.lowering.coercion import as_number, as_text, sure
from wandb_warehouse.operations.lowering.relations import (
    ArtifactValue,
    Bound,
    DocumentValue,
    RowValue,
    RunValue,
    Scalar,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["comparison", "equal", "exists", "missing", "same_run", "truth"]


def truth(engine: Engine, bound: Bound) -> Sql:
    """Whether JavaScript takes it for true."""
    match bound:
        case Value(kind, number, words, _, is_object):
            truth = (
                exp.Case(this=kind)
                .when(text("string"), exp.NEQ(this=words, expression=text("")), copy=False)
                .when(text("number"), exp.NEQ(this=number, expression=exp.Literal.number(0)), copy=False)
                .when(text("bool"), exp.NEQ(this=number, expression=exp.Literal.number(0)), copy=False)
                .when(text("list"), exp.true(), copy=False)
                .when(text("object"), exp.true(), copy=False)
            )
            known = exp.Coalesce(this=truth, expressions=[exp.false()])
            return exp.or_(known, is_object(), copy=False) if is_object else known
        case Scalar(t.NUMBER):
            number = as_number(engine, bound)
            return sure(exp.NEQ(this=operand(number), expression=exp.Literal.number(0)))
        case Scalar(t.TEXT, sql):
            return sure(exp.NEQ(this=operand(sql), expression=text("")))
        case Scalar(t.BOOLEAN, sql):
            return sure(sql)
        case _:
            return exp.Not(this=missing(engine, bound))


def missing(engine: Engine, bound: Bound) -> Sql:
    """Whether a node is missing."""
    match bound:
        case Value(kind, _, _, _, is_object):
            absent = equals(exp.Coalesce(this=kind, expressions=[text("null")]), text("null"))
            return (
                exp.and_(absent, exp.Not(this=exp.Paren(this=is_object())), copy=False)
                if is_object
                else absent
            )
        case Scalar():
            return is_null(engine.without_nan(bound.sql) if bound.may_be_nan else bound.sql)
        case RunValue() as run:
            return is_null(run.column("run_id"))
        case RowValue(_, alias):
            return is_null(exp.column("step", table=alias))
        case ArtifactValue(columns):
            return is_null(columns["artifact_id"])
        case DocumentValue(sql):
            return is_null(sql)
        case _:
            return exp.false()


def exists(engine: Engine, bound: Bound) -> Sql:
    """Whether a key is there, JSON null included."""
    if not isinstance(bound, Value):
        raise TypeError("no value")
    present = exp.Not(this=is_null(bound.kind))
    return exp.or_(present, bound.is_object(), copy=False) if bound.is_object else present


def equal(engine: Engine, left: Bound, right: Bound) -> Sql:
    """`===`: the same kind and the same value; missing equals missing."""
    if isinstance(right, Value) and not isinstance(left, Value):
        left, right = right, left
    match left, right:
        case _, Scalar(t.MISSING):
            return missing(engine, left)
        case Scalar(t.MISSING), _:
            return missing(engine, right)
        case Value(), Value():
            return _equal_values(engine, left, right)
        case Value(kind, number), Scalar(t.NUMBER):
            other = as_number(engine, right)
            both = exp.and_(equals(kind, text("number")), equals(number, operand(other)), copy=False)
            return _or_neither(engine, sure(both), left, other)
        case Value(kind, number), Scalar(t.BOOLEAN):
            truth = as_number(engine, right)
            if isinstance(right.sql, exp.Boolean):
                truth = exp.Literal.number(int(right.sql.this))
            both = exp.and_(equals(kind, text("bool")), equals(number, truth), copy=False)
            return _or_neither(engine, sure(both), left, truth)
        case Value(_, _, words), Scalar(t.TEXT, sql):
            other = sql if _is_constant(sql) else operand(sql)
            return _or_neither(engine, sure(equals(words, other)), left, sql)
        case Scalar(t.TEXT, a), Scalar(t.TEXT, b):
            return _equal_or_missing(a, b)
        case Scalar(a_type), Scalar(b_type) if a_type != b_type:
            return exp.false()
        case Scalar(t.BOOLEAN, a), Scalar(t.BOOLEAN, b):
            return _equal_or_missing(a, b)
        case _:
            return _equal_or_missing(as_number(engine, left), as_number(engine, right))


def _is_constant(sql: Sql) -> bool:
    bare = sql.this if isinstance(sql, exp.Neg) else sql
    return isinstance(bare, exp.Literal | exp.Boolean)


def _equal_or_missing(a: Sql, b: Sql) -> Sql:
    """Whether two of one type are equal, or both missing."""
    if _is_constant(a) or _is_constant(b):
        return sure(exp.EQ(this=operand(a), expression=operand(b)))
    return exp.NullSafeEQ(this=operand(a), expression=operand(b))


def _or_neither(engine: Engine, equal_: Sql, value: Value, other: Sql) -> Sql:
    """Whether a value is equal to a scalar, or missing as that is."""
    if _is_constant(other):
        return equal_
    return exp.or_(equal_, exp.and_(is_null(other), missing(engine, value), copy=False), copy=False)


def _equal_values(engine: Engine, a: Value, b: Value) -> Sql:
    kinds = []
    for each in (a, b):
        kind: Sql = exp.Nullif(this=each.kind, expression=text("null"))
        if each.is_object:
            kind = exp.Case().when(each.is_object(), text("object"), copy=False).else_(kind, copy=False)
        kinds.append(kind)
    message = "=== of two lists or objects asks for their identity, which SQL does not know"
    refused = engine.refuse(message, "boolean", a.kind)
    same = (
        exp.Case(this=kinds[0])
        .when(text("number"), exp.EQ(this=a.number, expression=b.number), copy=False)
        .when(text("list"), refused, copy=False)
        .when(text("object"), refused, copy=False)
        .else_(exp.NullSafeEQ(this=a.json, expression=b.json), copy=False)
    )
    # JSON null and a key that is not there are one; their texts differ.
    neither = exp.and_(*(is_null(kind) for kind in kinds), copy=False)
    alike = exp.NullSafeEQ(this=kinds[0], expression=kinds[1])
    return (
        exp.Case()
        .when(neither, exp.true(), copy=False)
        .when(alike, sure(same), copy=False)
        .else_(exp.false(), copy=False)
    )


def comparison(node: type[exp.Binary]) -> Callable[[Engine, Bound, Bound], Sql]:
    """`<` and its kin: numbers with numbers, texts with texts."""

    def build(engine: Engine, left: Bound, right: Bound) -> Sql:
        def numbers() -> Sql:
            return node(this=operand(as_number(engine, left)), expression=operand(as_number(engine, right)))

        def texts() -> Sql:
            return node(this=operand(as_text(left)), expression=operand(as_text(right)))

        if any(isinstance(each, Scalar) and each.type == t.MISSING for each in (left, right)):
            return exp.false()
        is_text = [isinstance(each, Scalar) and each.type == t.TEXT for each in (left, right)]
        values = [each for each in (left, right) if isinstance(each, Value)]
        if all(is_text):
            return sure(texts())
        if not values or (len(values) == 1 and not any(is_text)):
            return sure(numbers())
        strings = exp.and_(*(equals(each.kind, text("string")) for each in values), copy=False)
        other = next((each for each in (left, right) if isinstance(each, Scalar)), None)
        if other is not None and isinstance(other.sql, exp.Literal) and not _reads_as_number(other.sql.this):
            return sure(texts())
        return sure(exp.Case().when(strings, texts(), copy=False).else_(numbers(), copy=False))

    return build


def _reads_as_number(literal: str) -> bool:
    try:
        float(literal.strip() or "0")
    except ValueError:
        return False
    return True


def same_run(engine: Engine, left: Bound, right: Bound) -> Sql:
    """Whether two runs are one."""
    assert isinstance(left, RunValue)
    assert isinstance(right, RunValue)
    _ = engine
    pairs = (
        exp.EQ(this=left.column(name), expression=right.column(name))
        for name in ("run_id", "project", "entity")
    )
    return sure(exp.and_(*pairs, copy=False))
