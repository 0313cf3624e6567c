"""Numbers of numbers, where SQL fails or rounds otherwise than JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations.lowering.building import Sql, equals, is_null, operand, text
from wandb_warehouse.operations.lowering.coercion import as_number, numeric
from wandb_warehouse.operations.lowering.relations import Bound, Scalar, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["add", "arithmetic", "divide", "extreme", "logarithm", "math", "power", "remainder", "root"]


def arithmetic(node: type[exp.Binary]) -> Callable[[Engine, Bound, Bound], Scalar]:
    """An operator between two numbers."""

    def build(engine: Engine, left: Bound, right: Bound) -> Scalar:
        a, b = (_finite_operand(engine, each) for each in (left, right))
        return numeric(node(this=a, expression=b), may_be_nan=True)

    return build


def _finite_operand(engine: Engine, bound: Bound) -> Sql:
    """A number as an operand; NaN within arithmetic stays what it is, as it ends as NaN anyway."""
    sql = bound.sql if isinstance(bound, Scalar) and bound.may_be_nan else as_number(engine, bound)
    # Literals are decimals in SQL, with a precision of their own.
    return engine.double(sql) if isinstance(sql, exp.Literal) else operand(sql)


def add(engine: Engine, left: Bound, right: Bound) -> Scalar:
    """`+` of numbers and values; of values that are texts it would join them, so that is refused when it happens."""
    numbers = arithmetic(exp.Add)(engine, left, right)
    values = [each for each in (left, right) if isinstance(each, Value)]
    if not values:
        return numbers
    joined = exp.or_(
        *(
            exp.In(this=each.kind, expressions=[text("string"), text("list"), text("object")])
            for each in values
        ),
        copy=False,
    )
    message = "+ of a text joins texts; write Number(x) to add, or a template literal to join"
    refused = engine.refuse(message, "number", values[0].kind)
    return numeric(
        exp.Case().when(joined, refused, copy=False).else_(numbers.sql, copy=False), may_be_nan=True
    )


def divide(engine: Engine, left: Bound, right: Bound) -> Scalar:
    """`/`: by zero it gives an infinity, or nothing for 0 / 0."""
    a, b = (_finite_operand(engine, each) for each in (left, right))
    quotient = exp.Div(this=engine.double(a), expression=b, typed=False, safe=False)
    if isinstance(right, Scalar) and isinstance(right.sql, exp.Literal) and float(right.sql.this) != 0:
        return numeric(exp.Div(this=a, expression=b, typed=False, safe=False), may_be_nan=True)
    zero = exp.Literal.number(0)
    dividend = operand(as_number(engine, left))  # NaN is larger than zero in SQL
    by_zero = (
        exp.Case()
        .when(exp.GT(this=dividend, expression=zero), engine.number(float("inf")), copy=False)
        .when(exp.LT(this=dividend, expression=zero), engine.number(float("-inf")), copy=False)
    )
    case = (
        exp.Case()
        .when(exp.EQ(this=operand(b), expression=zero), by_zero, copy=False)
        .else_(quotient, copy=False)
    )
    return numeric(case, may_be_nan=True)


def remainder(engine: Engine, left: Bound, right: Bound) -> Scalar:
    """`%`, with the sign of the dividend; nothing by zero."""
    a, b = (_finite_operand(engine, each) for each in (left, right))
    divisor = exp.Nullif(this=b, expression=exp.Literal.number(0))
    return numeric(engine.remainder(a, divisor), may_be_nan=True)


def power(engine: Engine, left: Bound, right: Bound) -> Scalar:
    """`**`; what is NaN is missing here, as SQL takes NaN to the power of 0 and 1 to that of NaN for 1."""
    a, b = (_finite_operand(engine, each) for each in (left, right))
    if not _is_written(right) or _is_written(right, 0):
        a = operand(as_number(engine, left)) if not _is_written(left) else a
    if not _is_written(left) or _is_written(left, 1):
        b = operand(as_number(engine, right)) if not _is_written(right) else b
    return numeric(engine.power(a, b), may_be_nan=True)


def _is_written(bound: Bound, value: float | None = None) -> bool:
    """Whether it is a number that is written out, or that one."""
    if not (isinstance(bound, Scalar) and isinstance(bound.sql, exp.Literal)):
        return False
    return value is None or float(bound.sql.this) == value


def math(build: Callable[[Sql], Sql]) -> Callable[[Engine, Bound], Scalar]:
    """A function of one number."""

    def of(engine: Engine, bound: Bound) -> Scalar:
        may_be_nan = isinstance(bound, Scalar) and bound.may_be_nan
        sql = bound.sql if isinstance(bound, Scalar) and may_be_nan else as_number(engine, bound)
        return numeric(
            build(engine.double(sql) if isinstance(sql, exp.Literal) else sql), may_be_nan=may_be_nan
        )

    return of


def logarithm(base: int | None) -> Callable[[Engine, Bound], Scalar]:
    """Of zero JavaScript gives -Infinity, of less NaN; SQL refuses both."""

    def of(engine: Engine, bound: Bound) -> Scalar:
        sql = engine.double(as_number(engine, bound))
        zero = exp.Literal.number(0)
        case = (
            exp.Case()
            .when(equals(sql, zero), engine.number(float("-inf")), copy=False)
            .when(exp.GT(this=sql, expression=zero), engine.logarithm(sql, base), copy=False)
        )
        return numeric(case)

    return of


def root(engine: Engine, bound: Bound) -> Scalar:
    """The square root; nothing below zero."""
    sql = engine.double(as_number(engine, bound))
    return numeric(
        exp.Case().when(exp.GTE(this=sql, expression=exp.Literal.number(0)), exp.Sqrt(this=sql), copy=False)
    )


def extreme(name: str) -> Callable[..., Scalar]:
    """Of several numbers; missing where one is, which SQL's GREATEST passes over."""

    def of(engine: Engine, *bounds: Bound) -> Scalar:
        numbers = [engine.double(as_number(engine, bound)) for bound in bounds]
        if len(numbers) == 1:
            return numeric(numbers[0])
        missing = exp.or_(*(is_null(number) for number in numbers), copy=False)
        most = engine.extreme(name, numbers)
        return numeric(exp.Case().when(exp.Not(this=exp.Paren(this=missing)), most, copy=False))

    return of
