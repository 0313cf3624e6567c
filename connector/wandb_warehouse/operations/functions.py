"""Scalar functions: what each makes of its arguments, with JavaScript's rules for what is missing or of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.relations import (
    ArtifactValue,
    Bound,
    DocumentValue,
    RowValue,
    RunValue,
    Scalar,
    Value,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.engines import Engine

__all__ = ["FUNCTIONS", "STRICT", "as_number", "as_text", "as_value", "sure"]

_NULL = exp.Null()


def _boolean(sql: exp.Expression) -> Scalar:
    return Scalar(t.BOOLEAN, sql)


def _number(sql: exp.Expression, *, may_be_nan: bool = False) -> Scalar:
    return Scalar(t.NUMBER, sql, may_be_nan)


def _string(sql: exp.Expression) -> Scalar:
    return Scalar(t.TEXT, sql)


def _is_null(sql: exp.Expression) -> exp.Expression:
    return exp.Is(this=_operand(sql), expression=exp.Null())


def _operand(sql: exp.Expression) -> exp.Expression:
    """An expression as an operand: in brackets where it is none of one piece."""
    loose = (exp.Binary, exp.Unary, exp.Connector, exp.Between, exp.In)
    bare = (exp.Column, exp.Literal, exp.Func, exp.Paren, exp.Dot)
    return exp.paren(sql.copy()) if isinstance(sql, loose) and not isinstance(sql, bare) else sql.copy()


def sure(sql: exp.Expression) -> exp.Expression:
    """A condition that is FALSE where SQL would not know."""
    if isinstance(
        sql, exp.Boolean | exp.Is | exp.Coalesce | exp.NullSafeEQ | exp.NullSafeNEQ | exp.Paren | exp.Not
    ):
        return sql
    return exp.Coalesce(this=sql, expressions=[exp.false()])


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
    kind = {t.NUMBER: "number", t.TEXT: "string", t.BOOLEAN: "bool"}[bound.type]
    known = (
        text(kind)
        if isinstance(bound.sql, exp.Literal | exp.Boolean)
        else (exp.Case().when(_is_null(bound.sql).not_(), text(kind)))
    )
    number = as_number(engine, bound) if bound.type != t.TEXT else exp.Null()
    words = bound.sql if bound.type == t.TEXT else exp.Null()
    json = {
        t.NUMBER: lambda: engine.digits(bound.sql),
        t.TEXT: lambda: engine.quoted(bound.sql),
        t.BOOLEAN: lambda: (
            exp.Case().when(bound.sql.copy(), text("true")).when(_not(bound.sql), text("false"))
        ),
    }[bound.type]()
    return Value(known, number, words, json)


def json_value(engine: Engine, json: exp.Expression) -> Value:
    """JSON as a value."""
    kind = engine.kind(json)

    def where(ours: str, sql: exp.Expression) -> exp.Expression:
        return exp.Case(this=kind.copy()).when(text(ours), sql)

    truth = exp.Case().when(
        exp.cast(json.copy(), exp.DataType.build("TEXT")).eq(text("true")), exp.Literal.number(1)
    )
    number = (
        where("number", engine.without_nan(engine.json_number(json)))
        .when(text("bool"), truth.else_(exp.Literal.number(0)))
        .when(text("string"), engine.parsed_number(engine.unquoted(json)))
    )
    return Value(
        kind,
        number,
        where("string", engine.unquoted(json)),
        exp.cast(json.copy(), exp.DataType.build("TEXT")),
    )


def as_number(engine: Engine, bound: Bound) -> exp.Expression:
    """What JavaScript's Number() gives, NULL for NaN."""
    if isinstance(bound, Value):
        return bound.number.copy()
    if not isinstance(bound, Scalar):
        raise TypeError("no number")
    sql = bound.sql
    if bound.type == t.DATE:
        return engine.milliseconds(sql)
    if bound.type == t.BOOLEAN:
        return exp.Case().when(sql.copy(), exp.Literal.number(1)).when(_not(sql), exp.Literal.number(0))
    if bound.type == t.TEXT:
        return engine.parsed_number(sql)
    return engine.without_nan(sql) if bound.may_be_nan else sql.copy()


def as_text(bound: Bound) -> exp.Expression:
    """The text, NULL where it is none."""
    if isinstance(bound, Value):
        return bound.text.copy()
    if isinstance(bound, Scalar) and bound.type in (t.TEXT, t.MISSING):
        return bound.sql.copy()
    raise TypeError("no text")


def _not(sql: exp.Expression) -> exp.Expression:
    return exp.Not(this=_operand(sql))


def _truth(engine: Engine, bound: Bound) -> exp.Expression:
    """Whether JavaScript takes it for true."""
    match bound:
        case Value(kind, number, words, _, is_object):
            truth = (
                exp.Case(this=kind.copy())
                .when(text("string"), exp.NEQ(this=words.copy(), expression=text("")))
                .when(text("number"), exp.NEQ(this=number.copy(), expression=exp.Literal.number(0)))
                .when(text("bool"), exp.NEQ(this=number.copy(), expression=exp.Literal.number(0)))
                .when(text("list"), exp.true())
                .when(text("object"), exp.true())
            )
            known = exp.Coalesce(this=truth, expressions=[exp.false()])
            return exp.or_(known, is_object()) if is_object else known
        case Scalar(t.NUMBER):
            number = as_number(engine, bound)
            return sure(exp.NEQ(this=_operand(number), expression=exp.Literal.number(0)))
        case Scalar(t.TEXT, sql):
            return sure(exp.NEQ(this=_operand(sql), expression=text("")))
        case Scalar(t.BOOLEAN, sql):
            return sure(sql.copy())
        case _:
            return exp.Not(this=_missing(engine, bound))


def _missing(engine: Engine, bound: Bound) -> exp.Expression:
    match bound:
        case Value(kind, _, _, _, is_object):
            absent = exp.Coalesce(this=kind.copy(), expressions=[text("null")]).eq(text("null"))
            return exp.and_(absent, exp.Not(this=exp.paren(is_object()))) if is_object else absent
        case Scalar():
            return _is_null(engine.without_nan(bound.sql) if bound.may_be_nan else bound.sql)
        case RunValue() as run:
            return _is_null(run.column("run_id"))
        case RowValue(_, alias):
            return _is_null(exp.column("step", table=alias))
        case ArtifactValue(columns):
            return _is_null(columns["artifact_id"])
        case DocumentValue(sql):
            return _is_null(sql)
        case _:
            return exp.false()


def _exists(engine: Engine, bound: Bound) -> exp.Expression:  # noqa: ARG001  (every builder is called alike)
    if not isinstance(bound, Value):
        raise TypeError("no value")
    present = exp.Not(this=_is_null(bound.kind))
    return exp.or_(present, bound.is_object()) if bound.is_object else present


def _equal(engine: Engine, left: Bound, right: Bound) -> exp.Expression:
    """`===`: the same kind and the same value; missing equals missing."""
    if isinstance(right, Value) and not isinstance(left, Value):
        left, right = right, left
    match left, right:
        case Value(), Value():
            return _equal_values(engine, left, right)
        case Value(kind, number), Scalar(t.NUMBER):
            both = exp.and_(
                kind.copy().eq(text("number")), number.copy().eq(_operand(as_number(engine, right)))
            )
            return sure(both)
        case Value(kind, number), Scalar(t.BOOLEAN):
            truth = as_number(engine, right)
            if isinstance(right.sql, exp.Boolean):
                truth = exp.Literal.number(int(right.sql.this))
            return sure(exp.and_(kind.copy().eq(text("bool")), number.copy().eq(truth)))
        case Value(_, _, words), Scalar(t.TEXT, sql):
            if isinstance(sql, exp.Literal):
                return sure(words.copy().eq(sql.copy()))
            neither = exp.and_(_is_null(sql), _missing(engine, left))
            return exp.or_(sure(words.copy().eq(_operand(sql))), neither)
        case Scalar(t.TEXT, a), Scalar(t.TEXT, b):
            if isinstance(a, exp.Literal) or isinstance(b, exp.Literal):
                return sure(exp.EQ(this=_operand(a), expression=_operand(b)))
            return exp.NullSafeEQ(this=_operand(a), expression=_operand(b))
        case Scalar(t.BOOLEAN, a), Scalar(t.BOOLEAN, b):
            return sure(exp.EQ(this=_operand(a), expression=_operand(b)))
        case _:
            return sure(
                exp.EQ(this=_operand(as_number(engine, left)), expression=_operand(as_number(engine, right)))
            )


def _equal_values(engine: Engine, a: Value, b: Value) -> exp.Expression:
    kinds = []
    for each in (a, b):
        kind: exp.Expression = exp.Nullif(this=each.kind.copy(), expression=text("null"))
        if each.is_object:
            kind = exp.Case().when(each.is_object(), text("object")).else_(kind)
        kinds.append(kind)
    refused = engine.refuse("=== of two lists or objects asks for their identity, which SQL does not know")
    same = (
        exp.Case(this=kinds[0].copy())
        .when(text("number"), exp.EQ(this=a.number.copy(), expression=b.number.copy()))
        .when(text("list"), refused)
        .when(text("object"), refused.copy())
        .else_(exp.NullSafeEQ(this=a.json.copy(), expression=b.json.copy()))
    )
    # JSON null and a key that is not there are one; their texts differ.
    neither = exp.and_(*(_is_null(kind) for kind in kinds))
    alike = exp.NullSafeEQ(this=kinds[0].copy(), expression=kinds[1].copy())
    return exp.Case().when(neither, exp.true()).when(alike, sure(same)).else_(exp.false())


def _comparison(node: type[exp.Binary]) -> Callable[[Engine, Bound, Bound], exp.Expression]:
    def build(engine: Engine, left: Bound, right: Bound) -> exp.Expression:
        def numbers() -> exp.Expression:
            return node(this=_operand(as_number(engine, left)), expression=_operand(as_number(engine, right)))

        def texts() -> exp.Expression:
            return node(this=_operand(as_text(left)), expression=_operand(as_text(right)))

        if any(isinstance(each, Scalar) and each.type == t.MISSING for each in (left, right)):
            return exp.false()
        is_text = [isinstance(each, Scalar) and each.type == t.TEXT for each in (left, right)]
        values = [each for each in (left, right) if isinstance(each, Value)]
        if all(is_text):
            return sure(texts())
        if not values or (len(values) == 1 and not any(is_text)):
            return sure(numbers())
        strings = exp.and_(*(each.kind.copy().eq(text("string")) for each in values))
        other = next((each for each in (left, right) if isinstance(each, Scalar)), None)
        if other is not None and isinstance(other.sql, exp.Literal) and not _reads_as_number(other.sql.this):
            return sure(texts())
        return sure(exp.Case().when(strings, texts()).else_(numbers()))

    return build


def _reads_as_number(literal: str) -> bool:
    try:
        float(literal.strip() or "0")
    except ValueError:
        return False
    return True


def _arithmetic(node: type[exp.Binary]) -> Callable[[Engine, Bound, Bound], Scalar]:
    def build(engine: Engine, left: Bound, right: Bound) -> Scalar:
        a, b = (_finite_operand(engine, each) for each in (left, right))
        return _number(node(this=a, expression=b), may_be_nan=True)

    return build


def _finite_operand(engine: Engine, bound: Bound) -> exp.Expression:
    """A number as an operand; NaN within arithmetic stays what it is, as it ends as NaN anyway."""
    sql = bound.sql.copy() if isinstance(bound, Scalar) and bound.may_be_nan else as_number(engine, bound)
    # Literals are decimals in SQL, with a precision of their own.
    return engine.double(sql) if isinstance(sql, exp.Literal) else _operand(sql)


def _add(engine: Engine, left: Bound, right: Bound) -> Scalar:
    numbers = _arithmetic(exp.Add)(engine, left, right)
    values = [each for each in (left, right) if isinstance(each, Value)]
    if not values:
        return numbers
    joined = exp.or_(
        *(each.kind.copy().isin(text("string"), text("list"), text("object")) for each in values)
    )
    refused = engine.refuse("+ of a text joins texts; write Number(x) to add, or a template literal to join")
    return _number(exp.Case().when(joined, refused).else_(numbers.sql), may_be_nan=True)


def _divide(engine: Engine, left: Bound, right: Bound) -> Scalar:
    a, b = (_finite_operand(engine, each) for each in (left, right))
    quotient = exp.Div(this=engine.double(a), expression=b.copy(), typed=False, safe=False)
    if isinstance(right, Scalar) and isinstance(right.sql, exp.Literal) and float(right.sql.this) != 0:
        return _number(exp.Div(this=a, expression=b, typed=False, safe=False), may_be_nan=True)
    zero = exp.Literal.number(0)
    by_zero = (
        exp.Case()
        .when(exp.GT(this=_operand(a), expression=zero.copy()), engine.number(float("inf")))
        .when(exp.LT(this=_operand(a), expression=zero.copy()), engine.number(float("-inf")))
    )
    case = exp.Case().when(exp.EQ(this=_operand(b), expression=zero), by_zero).else_(quotient)
    return _number(case, may_be_nan=True)


def _remainder(engine: Engine, left: Bound, right: Bound) -> Scalar:
    a, b = (_finite_operand(engine, each) for each in (left, right))
    divisor = exp.Nullif(this=b.copy(), expression=exp.Literal.number(0))
    return _number(engine.remainder(a, divisor), may_be_nan=True)


def _power(engine: Engine, left: Bound, right: Bound) -> Scalar:
    a, b = (_finite_operand(engine, each) for each in (left, right))
    return _number(engine.power(a, b), may_be_nan=True)


def _math(build: Callable[[exp.Expression], exp.Expression]) -> Callable[[Engine, Bound], Scalar]:
    def of(engine: Engine, bound: Bound) -> Scalar:
        may_be_nan = isinstance(bound, Scalar) and bound.may_be_nan
        sql = bound.sql.copy() if isinstance(bound, Scalar) and may_be_nan else as_number(engine, bound)
        return _number(
            build(engine.double(sql) if isinstance(sql, exp.Literal) else sql), may_be_nan=may_be_nan
        )

    return of


def _logarithm(base: int | None) -> Callable[[Engine, Bound], Scalar]:
    """Of zero JavaScript gives -Infinity, of less NaN; SQL refuses both."""

    def of(engine: Engine, bound: Bound) -> Scalar:
        sql = engine.double(as_number(engine, bound))
        zero = exp.Literal.number(0)
        case = (
            exp.Case()
            .when(sql.copy().eq(zero.copy()), engine.number(float("-inf")))
            .when(exp.GT(this=sql.copy(), expression=zero), engine.logarithm(sql, base))
        )
        return _number(case)

    return of


def _root(engine: Engine, bound: Bound) -> Scalar:
    sql = engine.double(as_number(engine, bound))
    return _number(
        exp.Case().when(exp.GTE(this=sql.copy(), expression=exp.Literal.number(0)), exp.Sqrt(this=sql.copy()))
    )


def _extreme(function: type[exp.Func], comparison: type[exp.Binary]) -> Callable[..., Scalar]:
    """Of several numbers; missing where one is, which SQL's GREATEST passes over."""

    def of(engine: Engine, *bounds: Bound) -> Scalar:
        numbers = [engine.double(as_number(engine, bound)) for bound in bounds]
        if len(numbers) == 1:
            return _number(numbers[0])
        missing = exp.or_(*(_is_null(number) for number in numbers))
        most = function(this=numbers[0].copy(), expressions=[each.copy() for each in numbers[1:]])
        return _number(exp.Case().when(exp.Not(this=exp.paren(missing)), most))

    _ = comparison
    return of


def _if(engine: Engine, condition: Bound, then: Bound, otherwise: Bound) -> Bound:
    assert isinstance(condition, Scalar)  # noqa: S101  (the resolver made it a condition)

    def case(a: exp.Expression, b: exp.Expression) -> exp.Expression:
        made = exp.Case().when(condition.sql.copy(), a.copy())
        return made if isinstance(b, exp.Null) else made.else_(b.copy())

    scalars = [each for each in (then, otherwise) if isinstance(each, Scalar)]
    types = {each.type for each in scalars if each.type != t.MISSING}
    if len(scalars) == 2 and len(types) < 2:
        may_be_nan = any(each.may_be_nan for each in scalars)
        return Scalar(types.pop() if types else t.MISSING, case(scalars[0].sql, scalars[1].sql), may_be_nan)
    a, b = as_value(engine, then), as_value(engine, otherwise)
    objects = [each.is_object for each in (a, b)]
    is_object = None
    if any(objects):
        is_object = lambda: case(*(each() if each else exp.false() for each in objects))  # noqa: E731
    return Value(
        case(a.kind, b.kind), case(a.number, b.number), case(a.text, b.text), case(a.json, b.json), is_object
    )


def _concat(engine: Engine, *bounds: Bound) -> Scalar:
    parts = [as_text(bound) for bound in bounds]
    if not parts:
        return _string(text(""))
    joined = _operand(parts[0])
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=_operand(part))
    _ = engine
    return _string(joined)


def _written(engine: Engine, bound: Bound) -> Scalar:
    """What JavaScript's String() gives."""
    match bound:
        case Scalar(t.TEXT, sql):
            return _string(exp.Coalesce(this=sql.copy(), expressions=[text("undefined")]))
        case Scalar(t.BOOLEAN, sql):
            return _string(
                exp.Case()
                .when(sql.copy(), text("true"))
                .when(_not(sql), text("false"))
                .else_(text("undefined"))
            )
        case Scalar(t.NUMBER, sql):
            if isinstance(sql, exp.Literal) and sql.this.isdigit():
                return _string(text(sql.this))
            number = as_number(engine, bound)
            words = _infinities(engine, number)
            absent = "NaN" if bound.may_be_nan else "undefined"
            return _string(exp.Coalesce(this=words, expressions=[text(absent)]))
        case Value(kind, number, words, json, is_object):
            refused = engine.refuse("a list or an object has no text that SQL could write as JavaScript does")
            case = (
                exp.Case(this=kind.copy())
                .when(text("string"), words.copy())
                .when(
                    text("number"), exp.Coalesce(this=_infinities(engine, number), expressions=[text("NaN")])
                )
                .when(text("bool"), json.copy())
                .when(text("list"), refused)
                .when(text("object"), refused.copy())
            )
            if is_object:
                case = exp.Case().when(is_object(), refused.copy()).else_(case)
            return _string(exp.Coalesce(this=case, expressions=[text("undefined")]))
        case _:
            return _string(text("undefined"))


def _infinities(engine: Engine, number: exp.Expression) -> exp.Expression:
    return (
        exp.Case()
        .when(exp.EQ(this=number.copy(), expression=engine.number(float("inf"))), text("Infinity"))
        .when(exp.EQ(this=number.copy(), expression=engine.number(float("-inf"))), text("-Infinity"))
        .else_(engine.number_text(number))
    )


def _typeof(engine: Engine, bound: Bound) -> Scalar:
    value = as_value(engine, bound)
    words = {"bool": "boolean", "list": "object", "null": "undefined"}
    case = exp.Case(this=value.kind.copy())
    for ours, theirs in words.items():
        case = case.when(text(ours), text(theirs))
    case = case.else_(exp.Coalesce(this=value.kind.copy(), expressions=[text("undefined")]))
    return _string(
        exp.Case().when(value.is_object(), text("object")).else_(case) if value.is_object else case
    )


def _lines(engine: Engine, *bounds: Bound) -> Scalar:
    """Texts below each other, those that are missing left out."""
    _ = engine
    parts = [as_text(bound) for bound in bounds]
    return _string(exp.ConcatWs(expressions=[text("\n"), *parts], safe=False, coalesce=False))


def _length(engine: Engine, bound: Bound) -> Scalar:
    if isinstance(bound, Value):
        return _number(
            exp.Case(this=bound.kind.copy())
            .when(text("string"), engine.length(bound.text))
            .when(text("list"), engine.json_length(bound.json))
        )
    return _number(engine.length(as_text(bound)))


def _index_of(engine: Engine, bound: Bound, wanted: Bound) -> Scalar:
    return _number(
        exp.Sub(this=engine.position(as_text(bound), as_text(wanted)), expression=exp.Literal.number(1))
    )


def _slice(engine: Engine, bound: Bound, start: Bound, stop: Bound | None = None) -> Scalar:
    """`slice(start, stop)`: places below zero count from the end."""
    words = as_text(bound)
    length = engine.length(words)

    def place(given: Bound) -> exp.Expression:
        sql = as_number(engine, given)
        if isinstance(sql, exp.Literal):
            return exp.Literal.number(str(int(float(sql.this))))
        if isinstance(sql, exp.Neg) and isinstance(sql.this, exp.Literal):
            back = exp.Literal.number(str(int(float(sql.this.this))))
            return exp.Greatest(
                this=exp.Sub(this=length.copy(), expression=back), expressions=[exp.Literal.number(0)]
            )
        raise engine.unknown("slice with a place that is not written out")

    first = place(start)
    begin = exp.Add(this=first.copy(), expression=exp.Literal.number(1))
    if isinstance(first, exp.Literal):
        begin = exp.Literal.number(int(first.this) + 1)
    if stop is None:
        return _string(exp.Substring(this=words, start=begin))
    width = exp.Sub(this=place(stop), expression=_operand(first))
    count = exp.Greatest(this=width, expressions=[exp.Literal.number(0)])
    if isinstance(width.this, exp.Literal) and isinstance(first, exp.Literal):
        count = exp.Literal.number(max(0, int(width.this.this) - int(first.this)))
    return _string(exp.Substring(this=words, start=begin, length=count))


def _character(engine: Engine, bound: Bound, place: Bound) -> Scalar:
    number = as_number(engine, place)
    if not isinstance(number, exp.Literal):
        return _string(exp.cast(exp.Null(), exp.DataType.build("TEXT")))
    begin = exp.Literal.number(int(float(number.this)) + 1)
    one = exp.Substring(this=as_text(bound), start=begin, length=exp.Literal.number(1))
    return _string(exp.Nullif(this=one, expression=text("")))


def _replace(engine: Engine, bound: Bound, wanted: Bound, by: Bound) -> Scalar:
    """Only the first occurrence."""
    words, sought, new = as_text(bound), as_text(wanted), as_text(by)
    if not isinstance(new, exp.Literal) or "$" in new.this:
        raise engine.unknown("replace by a text with $ or one that is not written out")
    found = engine.position(words, sought)
    before = exp.Substring(
        this=words.copy(),
        start=exp.Literal.number(1),
        length=exp.Sub(this=found.copy(), expression=exp.Literal.number(1)),
    )
    after = exp.Substring(
        this=words.copy(), start=exp.Add(this=found.copy(), expression=engine.length(sought))
    )
    spliced = exp.DPipe(this=exp.DPipe(this=before, expression=new), expression=after)
    return _string(
        exp.Case().when(exp.GT(this=found, expression=exp.Literal.number(0)), spliced).else_(words)
    )


def _replace_all(engine: Engine, bound: Bound, wanted: Bound, by: Bound) -> Scalar:
    words, sought, new = as_text(bound), as_text(wanted), as_text(by)
    plain = isinstance(new, exp.Literal) and "$" not in new.this
    if not plain or not isinstance(sought, exp.Literal) or not sought.this:
        raise engine.unknown("replaceAll of texts that are not written out, or of an empty one")
    return _string(exp.Replace(this=words, expression=sought, replacement=new))


def _same_run(engine: Engine, left: Bound, right: Bound) -> exp.Expression:
    assert isinstance(left, RunValue)  # noqa: S101  (the resolver saw to it)
    assert isinstance(right, RunValue)  # noqa: S101
    _ = engine
    pairs = (
        exp.EQ(this=left.column(name), expression=right.column(name))
        for name in ("run_id", "project", "entity")
    )
    return sure(exp.and_(*pairs))


def _moment(build: str) -> Callable[[Engine, Bound], Scalar]:
    def of(engine: Engine, bound: Bound) -> Scalar:
        assert isinstance(bound, Scalar)  # noqa: S101  (the resolver saw to it)
        return _string(getattr(engine, build)(bound.sql))

    return of


def _part(name: str) -> Callable[[Engine, Bound], Scalar]:
    def of(engine: Engine, bound: Bound) -> Scalar:
        assert isinstance(bound, Scalar)  # noqa: S101  (the resolver saw to it)
        part = engine.part(bound.sql, name)
        return _number(exp.Sub(this=part, expression=exp.Literal.number(1)) if name == "month" else part)

    return of


FUNCTIONS: dict[str, Callable[..., Bound | exp.Expression]] = {
    # Conditions: never NULL, so that NOT means what it says.
    "and": lambda e, a, b: exp.and_(a.sql.copy(), b.sql.copy()),
    "or": lambda e, a, b: exp.paren(exp.or_(a.sql.copy(), b.sql.copy())),
    "not": lambda e, a: exp.Not(this=exp.paren(sure(a.sql.copy()))),
    "truth": _truth,
    "missing": _missing,
    "exists": _exists,
    "equal": _equal,
    "same_run": _same_run,
    "less": _comparison(exp.LT),
    "less_equal": _comparison(exp.LTE),
    "greater": _comparison(exp.GT),
    "greater_equal": _comparison(exp.GTE),
    "is_nan": lambda e, a: _is_null(as_number(e, a)),
    "starts_with": lambda e, a, b: _boolean(e.starts_with(as_text(a), as_text(b))),
    "ends_with": lambda e, a, b: _boolean(e.ends_with(as_text(a), as_text(b))),
    "contains": lambda e, a, b: _boolean(
        exp.GT(this=e.position(as_text(a), as_text(b)), expression=exp.Literal.number(0))
    ),
    "matches": lambda e, a, b: sure(e.matches(as_text(a), as_text(b).this)),
    # Numbers
    "add": _add,
    "subtract": _arithmetic(exp.Sub),
    "multiply": _arithmetic(exp.Mul),
    "divide": _divide,
    "remainder": _remainder,
    "power": _power,
    "negate": lambda e, a: _number(
        exp.Neg(this=_operand(as_number(e, a))), may_be_nan=isinstance(a, Scalar) and a.may_be_nan
    ),
    "number": lambda e, a: _number(as_number(e, a)),
    "abs": _math(lambda x: exp.Abs(this=x)),
    "ceil": _math(lambda x: exp.Ceil(this=x)),
    "floor": _math(lambda x: exp.Floor(this=x)),
    "exp": _math(lambda x: exp.Exp(this=x)),
    "sign": _math(lambda x: exp.Sign(this=x)),
    "trunc": lambda e, a: _number(e.truncated(e.double(as_number(e, a)))),
    # Halves are rounded up, below zero too.
    "round": _math(lambda x: exp.Floor(this=exp.Add(this=_operand(x), expression=exp.Literal.number("0.5")))),
    "sqrt": _root,
    "log": _logarithm(None),
    "log2": _logarithm(2),
    "log10": _logarithm(10),
    "largest": _extreme(exp.Greatest, exp.GT),
    "smallest": _extreme(exp.Least, exp.LT),
    # Any
    "if": _if,
    "kind": lambda e, a: _string(as_value(e, a).kind.copy()),
    "typeof": _typeof,
    # Texts
    "text": lambda e, a: _string(as_text(a)),
    "string": _written,
    "concat": _concat,
    "lines": _lines,
    "length": _length,
    "index_of": _index_of,
    "lower": lambda e, a: _string(exp.Lower(this=as_text(a))),
    "upper": lambda e, a: _string(exp.Upper(this=as_text(a))),
    "trim": lambda e, a: _string(e.trimmed(as_text(a))),
    "slice": _slice,
    "character": _character,
    "replace": _replace,
    "replace_all": _replace_all,
    # Dates
    "now": lambda e: _number(e.now()),
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
