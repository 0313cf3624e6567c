"""What calls mean: functions, methods of texts, dates, values and lists, `new Date(...)`."""

import datetime as dt
from collections.abc import Collection, Sequence

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.lists import LIST_METHODS, aggregate
from wandb_warehouse.operations.language.members import run_operation
from wandb_warehouse.operations.language.messages import did_you_mean
from wandb_warehouse.operations.language.resolver import Closure, Names, Resolver
from wandb_warehouse.operations.language.vocabulary import (
    AGGREGATES,
    CONSTANTS,
    DATE_METHODS,
    MATH,
    RUN_OPERATIONS,
    TEXT_METHODS,
    Method,
    operation_name,
)

__all__ = ["call", "new"]


def call(
    r: Resolver, function: s.Expression, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    """A call: of a function, an operation, a method."""
    match function:
        case s.Name(name) if isinstance(found := names.get(name), Closure):
            wanted = arguments[: len(found.arrow.parameters)]
            return r.called(found, [r.expression(each, names) for each in wanted])
        case s.Name(name) if name not in names:
            return _named_call(r, name, arguments, span, names)
        case s.Member(s.Name("Math"), name) if name in MATH:
            return _apply(r, MATH[name], [r.expression(each, names) for each in arguments], span)
        case s.Member(s.Name("Date"), "now") if not arguments:
            return t.Apply("now", (), type=t.NUMBER, span=span)
        case s.Member(s.Name("Date"), "parse"):
            return r.number(new(r, "Date", arguments, span))
        case s.Member(s.Name("Math" | "Date" | "Object" | "JSON" | "console" as name), method, place):
            functions = {"Math": list(MATH), "Date": ["now", "parse"]}.get(name, [])
            raise r.refuse(
                place,
                f"{name}.{method} is not known",
                did_you_mean(method, functions, "see docs/operations.md"),
            )
        case s.Member(of):
            return _method(r, r.expression(of, names), function, arguments, span, names)
        case _:
            raise r.refuse(function.span, "this cannot be called")


def _named_call(
    r: Resolver, name: str, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    if name in CONSTANTS:
        method = CONSTANTS[name]
        return _apply(r, method, [r.expression(each, names) for each in arguments], span)
    if name == "compareConfigs":
        configs = [r.expression(each, names) for each in arguments]
        if len(configs) != 2 or not all(
            isinstance(each, t.Document) and each.source != "metadata" for each in configs
        ):
            raise r.refuse(
                span, "compareConfigs compares two configs", "give run-config(run1), run-config(run2)"
            )
        fields = (("key", t.TEXT), ("left", t.VALUE), ("right", t.VALUE), ("differs", t.BOOLEAN))
        return t.Differences(*configs, type=t.list_of(t.RecordType("a record", fields)), span=span)
    operation = operation_name(name)
    place = s.Span(span.start, span.start + len(name))
    if operation is None:
        raise r.unknown(name, place, names)
    if operation not in RUN_OPERATIONS:
        operations = [f"run-{each}" for each in RUN_OPERATIONS]
        raise r.refuse(
            place, f"unknown operation {name}", did_you_mean(name, operations, "see docs/operations.md")
        )
    if not arguments:
        raise r.refuse(span, f"{name} is of a run", f"write {name}(r)")
    return run_operation(
        r,
        operation,
        r.expression(arguments[0], names),
        [r.expression(each, names) for each in arguments[1:]],
        span,
    )


def _method(
    r: Resolver, of: t.Node, function: s.Member, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    name = function.name
    place = s.Span(function.span.end - len(name), function.span.end)
    if of.type == t.MISSING:
        return of
    if isinstance(of.type, t.ListType | t.GroupType):
        if name in LIST_METHODS:
            return LIST_METHODS[name](r, of, arguments, span, names)
        if name in AGGREGATES:
            return aggregate(r, name, of, span, arguments, names)
        known = [*LIST_METHODS, *AGGREGATES, "forEach"]
        raise r.refuse(
            place, f"a list has no method {name}", did_you_mean(name, known, "see docs/operations.md, Lists")
        )
    if of.type == t.DATE and name in DATE_METHODS:
        return _apply(r, DATE_METHODS[name], [], span, of)
    if of.type == t.RUN and (operation := operation_name(name) or name) in RUN_OPERATIONS:
        return run_operation(r, operation, of, [r.expression(each, names) for each in arguments], span)
    if of.type in (t.TEXT, t.VALUE) and name == "split":
        return _split(r, of, [r.expression(each, names) for each in arguments], span)
    if of.type in (t.NUMBER, t.BOOLEAN, t.TEXT, t.VALUE) and name == "toString" and not arguments:
        return r.string(of)
    if of.type == t.VALUE and name == "includes" and len(arguments) == 1:
        return _value_includes(r, of, arguments[0], span, names)
    if of.type in (t.TEXT, t.VALUE) and name in TEXT_METHODS:
        values = [r.expression(each, names) for each in arguments]
        receiver = r.scalar_text(of)
        if of.type == t.VALUE and name in ("slice", "indexOf"):
            # Lists have them, too, and mean something else by them.
            receiver = t.Apply("text_of_no_list", (of,), type=t.TEXT, span=span)
        return _apply(r, TEXT_METHODS[name], values, span, receiver)
    if of.type == t.VALUE and name in {**LIST_METHODS, **dict.fromkeys(AGGREGATES)}:
        return _method(r, r.listed(of, span), function, arguments, span, names)
    methods: Collection[str] = RUN_OPERATIONS if of.type == t.RUN else TEXT_METHODS
    methods = DATE_METHODS if of.type == t.DATE else methods
    raise r.refuse(
        place, f"{of.type} has no method {name}", did_you_mean(name, methods, "see docs/operations.md")
    )


def _value_includes(r: Resolver, of: t.Node, argument: s.Expression, span: s.Span, names: Names) -> t.Node:
    """A value may be a text or a list: both are asked."""
    wanted = r.expression(argument, names)
    member_of_list = LIST_METHODS["includes"](r, r.listed(of, span), (argument,), span, names)
    if wanted.type != t.TEXT:
        return member_of_list
    within = t.Apply("contains", (r.scalar_text(of), wanted), type=t.BOOLEAN, span=span)
    return t.Apply("or", (within, member_of_list), type=t.BOOLEAN, span=span)


def _split(r: Resolver, of: t.Node, arguments: Sequence[t.Node], span: s.Span) -> t.Node:
    match arguments:
        case [t.Constant(value=str() as separator)] if separator:
            return t.Pieces(r.scalar_text(of), separator, type=t.list_of(t.TEXT), span=span)
        case _:
            raise r.refuse(span, "split takes one text that is written out and not empty", 'as split(",")')


def _apply(
    r: Resolver, method: Method, values: Sequence[t.Node], span: s.Span, receiver: t.Node | None = None
) -> t.Node:
    """A function of the tables, its arguments as it wants them."""
    if not method.least <= len(values) <= method.most:
        count = str(method.least) if method.least == method.most else f"{method.least} to {method.most}"
        raise r.refuse(span, f"this takes {count} arguments, not {len(values)}")
    arguments = ([receiver] if receiver is not None else []) + [_taken(r, method, value) for value in values]
    if method.function in ("number", "string", "truth") and arguments[0].type == method.result:
        return arguments[0]
    if method.function == "string":
        return r.string(arguments[0])
    if method.function == "truth":
        return r.truth(arguments[0])
    return t.Apply(method.function, tuple(arguments), type=method.result, span=span)


def _taken(r: Resolver, method: Method, value: t.Node) -> t.Node:
    if method.argument == t.NUMBER:
        return r.number(value)
    return r.scalar_text(value) if method.argument == t.TEXT else _scalar(r, value)


def _scalar(r: Resolver, node: t.Node) -> t.Node:
    if node.type in (t.NUMBER, t.TEXT, t.BOOLEAN, t.DATE, t.VALUE, t.MISSING):
        return node
    raise r.refuse(node.span, f"a number, text or value is wanted here, not {node.type}")


def new(r: Resolver, name: str, arguments: Sequence[s.Expression], span: s.Span) -> t.Node:
    """`new Date(text)`."""
    match name, arguments:
        case "Date", (s.Literal(str() as text),):
            pass
        case "Date", ():
            return t.Apply("instant", (t.Apply("now", (), type=t.NUMBER, span=span),), type=t.DATE, span=span)
        case _:
            raise r.refuse(span, f"new {name}(...) is not known so", 'write new Date("2026-01-31T12:00:00Z")')
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise r.refuse(
            span, f"{text[:40]} is no ISO 8601 date", 'write it as "2026-01-31T12:00:00Z"'
        ) from error
    moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
    milliseconds = t.Constant(float(moment.timestamp() * 1000 // 1), type=t.NUMBER, span=span)
    return t.Apply("instant", (milliseconds,), type=t.DATE, span=span)
