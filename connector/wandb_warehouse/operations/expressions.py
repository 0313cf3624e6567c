"""What each form of expression means: operators, members, calls."""

import datetime as dt
import math
from collections.abc import Callable, Sequence

from wandb_warehouse.operations import syntax as s
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lists import LIST_METHODS, aggregate
from wandb_warehouse.operations.messages import did_you_mean
from wandb_warehouse.operations.resolving import Closure, Names, Resolver
from wandb_warehouse.operations.vocabulary import (
    AGGREGATES,
    ARTIFACT_FIELDS,
    ARTIFACT_LISTS,
    CONSTANTS,
    DATE_METHODS,
    DOCUMENTS,
    MATH,
    NUMBERS,
    RUN_FIELDS,
    RUN_OPERATIONS,
    TEXT_METHODS,
    Method,
    operation_name,
)

__all__ = ["expression_node"]

_ARITHMETIC: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "+": ("add", lambda a, b: a + b),
    "-": ("subtract", lambda a, b: a - b),
    "*": ("multiply", lambda a, b: a * b),
    "/": ("divide", lambda a, b: a / b),
    "%": ("remainder", math.fmod),
    "**": ("power", lambda a, b: a**b),
}
_COMPARISONS = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
_MISSING_TESTS = {"==": "===", "!=": "!=="}


def expression_node(r: Resolver, expression: s.Expression, names: Names) -> t.Node:  # noqa: PLR0911
    """The node of an expression: one line for each form."""
    span = expression.span
    match expression:
        case s.Literal(value):
            return _literal(value, span)
        case s.Name(name):
            return _name(r, name, span, names)
        case s.Template(parts):
            texts = tuple(r.string(r.expression(part, names)) for part in parts)
            return t.Apply("concat", texts, type=t.TEXT, span=span)
        case s.Member(of, name):
            return _member_expression(r, of, name, span, names)
        case s.Index(of, place):
            return _index(r, r.expression(of, names), r.expression(place, names), span)
        case s.Call(function, arguments):
            return _call(r, function, arguments, span, names)
        case s.New(name, arguments):
            return _new(r, name, arguments, span)
        case s.Unary(operator, operand):
            return _unary(r, operator, operand, span, names)
        case s.Binary(operator, left, right):
            return _binary(r, operator, left, right, span, names)
        case s.Conditional(condition, then, otherwise):
            sides = (r.expression(then, names), r.expression(otherwise, names))
            return r.either(r.condition(condition, names), *sides, span)
        case s.Object(entries):
            return _record(r, entries, span, names)
        case s.Array(items):
            return _array(r, items, span, names)
        case s.Arrow():
            raise r.refuse(span, "a function stands where a value is wanted", "call a list's method with it")


def _literal(value: float | str | bool | None, span: s.Span) -> t.Node:
    match value:
        case None:
            return t.Constant(None, type=t.MISSING, span=span)
        case bool():
            return t.Constant(value, type=t.BOOLEAN, span=span)
        case str():
            return t.Constant(value, type=t.TEXT, span=span)
        case _:
            return t.Constant(value, type=t.NUMBER, span=span)


def _name(r: Resolver, name: str, span: s.Span, names: Names) -> t.Node:
    found = names.get(name)
    if isinstance(found, t.Node):
        return found
    if isinstance(found, Closure):
        raise r.refuse(span, f"{name} is a function", "call a list's method with it")
    if name == "runs":
        return t.AllRuns(r.given.project, type=t.list_of(t.RUN), span=span)
    if (run := r.free_run(name, span)) is not None:
        return run
    raise r.unknown(name, span, names)


# Members


def _member_expression(r: Resolver, of: s.Expression, name: str, span: s.Span, names: Names) -> t.Node:
    if isinstance(of, s.Name) and of.name == "Math" and "Math" not in names:
        if name in NUMBERS:
            return t.Constant(NUMBERS[name], type=t.NUMBER, span=span)
        raise r.refuse(span, f"Math.{name} is not known", did_you_mean(name, [*MATH, *NUMBERS], "see docs"))
    return member(r, r.expression(of, names), name, span)


def member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:  # noqa: PLR0911
    """`of.name`, by the type of `of`."""
    type_ = of.type
    if type_ == t.MISSING:
        return of
    if isinstance(type_, t.ListType | t.GroupType):
        return _list_member(r, of, name, span)
    if name == "length" and type_ in (t.TEXT, t.VALUE):
        return t.Apply("length", (of,), type=t.NUMBER, span=span)
    if type_ == t.RUN:
        operation = name if name in RUN_OPERATIONS else operation_name(name)
        if operation in RUN_OPERATIONS and operation != "loggedArtifactVersion":
            return run_operation(r, operation, of, (), span)
        raise r.refuse(
            span, f"a run has no {name}", did_you_mean(name, RUN_OPERATIONS, "see docs/operations.md")
        )
    if isinstance(of, t.Document):
        return _entry(of, name, span)
    if isinstance(of, t.Entry):
        return t.Entry(of.of, of.source, f"{of.key}.{name}", type=t.VALUE, span=span)
    if type_ == t.VALUE:
        path = (*of.path, name) if isinstance(of, t.Item) else (name,)
        return t.Item(of.of if isinstance(of, t.Item) else of, path, type=t.VALUE, span=span)
    if type_ == t.ROW:
        if name == "_step":
            return t.Attribute(of, "step", type=t.NUMBER, span=span)
        return t.Entry(of, "history", name, type=t.VALUE, span=span)
    if type_ == t.ARTIFACT:
        return _artifact_member(r, of, name, span)
    if isinstance(type_, t.RecordType):
        return _record_member(r, of, name, span)
    raise r.refuse(span, f"{type_} has no {name}")


def _entry(of: t.Document, name: str, span: s.Span) -> t.Node:
    if of.source == "metadata":
        return t.Item(of, (name,), type=t.VALUE, span=span)
    entry = t.Entry(of.of, of.source, name, type=t.VALUE, span=span)
    if (of.source, name) != ("summary", "state"):
        return entry
    # The reference speaks of `run-summary(r).state`, which is a summary's key for nobody.
    known = t.Apply("exists", (entry,), type=t.BOOLEAN, span=span)
    state = t.Attribute(of.of, "state", type=t.TEXT, span=span)
    return t.Apply("if", (known, entry, state), type=t.VALUE, span=span)


def _list_member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    element = t.element_of(of.type)
    if name == "length":
        return t.Fold("count", of, type=t.NUMBER, span=span)
    if isinstance(of.type, t.GroupType) and name in ("key", "groupkey", "groupKey"):
        return t.Attribute(of, "key", type=of.type.key, span=span)
    if name in AGGREGATES and element != t.DICTIONARY:
        return aggregate(r, name, of, span)
    if name in LIST_METHODS and element not in (t.DICTIONARY, t.VALUE):
        if name in ("first", "last", "unique", "flatten", "flat", "reverse"):
            return LIST_METHODS[name](r, of, (), span, {})
        raise r.refuse(span, f"{name} is a method", f"call it: {name}(...)")
    if isinstance(of, t.Each):
        # Of each element's config its entry, not an entry of each config: so it stays a join, and no JSON is searched.
        body = member(r, of.body, name, span)
        return t.Each(of.of, of.variable, body, type=t.list_of(body.type), span=span)
    variable = t.Variable("x", type=element, span=span)
    body = member(r, variable, name, span)
    return t.Each(of, variable, body, type=t.list_of(body.type), span=span)


def _artifact_member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    if name == "metadata":
        return t.Document(of, "metadata", type=t.DICTIONARY, span=span)
    if name == "aliases":
        return t.Tags(of, type=t.list_of(t.TEXT), span=span)
    if name in ARTIFACT_FIELDS:
        column, type_ = ARTIFACT_FIELDS[name]
        return t.Attribute(of, column, type=type_, span=span)
    known = [*ARTIFACT_FIELDS, "aliases", "metadata"]
    raise r.refuse(
        span, f"an artifact version has no {name}", did_you_mean(name, known, f"it has {', '.join(known)}")
    )


def _record_member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    assert isinstance(of.type, t.RecordType)  # noqa: S101  (for the type checker)
    if isinstance(of, t.Record) and name in dict(of.entries):
        return dict(of.entries)[name]
    if name in (types := dict(of.type.entries)):
        return t.Attribute(of, name, type=types[name], span=span)
    raise r.refuse(span, f"the record has no {name}", did_you_mean(name, types, f"it has {', '.join(types)}"))


def _index(r: Resolver, of: t.Node, place: t.Node, span: s.Span) -> t.Node:
    if of.type == t.MISSING:
        return of
    if isinstance(place, t.Constant) and isinstance(place.value, str):
        return member(r, of, place.value, span)
    if not (isinstance(place, t.Constant) and isinstance(place.value, float) and place.value.is_integer()):
        raise r.refuse(place.span, "a place or a key must be written out", "use a number or a text in quotes")
    number = int(place.value)
    if isinstance(of.type, t.ListType | t.GroupType):
        stop = number + 1 if number >= 0 else 0
        part = t.Slice(of, max(number, 0), stop, type=t.list_of(t.element_of(of.type)), span=span)
        return t.First(part, type=t.element_of(of.type), span=span)
    if of.type == t.VALUE:
        path = (*of.path, number) if isinstance(of, t.Item) else (number,)
        return t.Item(of.of if isinstance(of, t.Item) else of, path, type=t.VALUE, span=span)
    if of.type == t.TEXT:
        return t.Apply("character", (of, place), type=t.TEXT, span=span)
    return member(r, of, str(number), span)


# Calls


def _call(
    r: Resolver, function: s.Expression, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    match function:
        case s.Name(name) if isinstance(found := names.get(name), Closure):
            parameters = found.arrow.parameters
            values = {p: r.expression(a, names) for p, a in zip(parameters, arguments, strict=False)}
            return r.body(found, {**found.names, **values})
        case s.Name(name) if name not in names:
            return _named_call(r, name, arguments, span, names)
        case s.Member(s.Name("Math"), name) if name in MATH:
            return _apply(r, MATH[name], [r.expression(each, names) for each in arguments], span)
        case s.Member(s.Name("Date"), "now") if not arguments:
            return t.Apply("now", (), type=t.NUMBER, span=span)
        case s.Member(s.Name("Date"), "parse"):
            return r.number(_new(r, "Date", arguments, span))
        case s.Member(s.Name("Math" | "Date" | "Object" | "JSON" | "console" as name), method, place):
            known = {"Math": MATH, "Date": ["now", "parse"]}.get(name, [])
            raise r.refuse(
                place, f"{name}.{method} is not known", did_you_mean(method, known, "see docs/operations.md")
            )
        case s.Member(of, name):
            return _method(r, r.expression(of, names), name, arguments, span, names)
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
    if operation is None:
        raise r.unknown(name, span, names)
    if operation not in RUN_OPERATIONS:
        operations = [f"run-{each}" for each in RUN_OPERATIONS]
        raise r.refuse(
            span, f"unknown operation {name}", did_you_mean(name, operations, "see docs/operations.md")
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


def run_operation(r: Resolver, operation: str, run: t.Node, more: Sequence[t.Node], span: s.Span) -> t.Node:
    """An operation of a run, or of each run of a list."""
    if isinstance(run.type, t.ListType | t.GroupType) and t.element_of(run.type) == t.RUN:
        variable = t.Variable("r", type=t.RUN, span=span)
        body = run_operation(r, operation, variable, more, span)
        return t.Each(run, variable, body, type=t.list_of(body.type), span=span)
    if run.type != t.RUN:
        raise r.refuse(run.span, f"run-{operation} is of a run, and this is {run.type}")
    wanted = 1 if operation == "loggedArtifactVersion" else 0
    if len(more) != wanted:
        mend = f"write run-{operation}(r{', ' if wanted else ''}{chr(34) + 'name:alias' + chr(34) if wanted else ''})"
        raise r.refuse(span, f"run-{operation} takes {wanted + 1} argument{'s' if wanted else ''}", mend)
    if operation in DOCUMENTS:
        return t.Document(run, DOCUMENTS[operation], type=t.DICTIONARY, span=span)
    if operation in RUN_FIELDS:
        column, type_ = RUN_FIELDS[operation]
        return t.Attribute(run, column, type=type_, span=span)
    if operation in ARTIFACT_LISTS:
        return t.Artifacts(run, ARTIFACT_LISTS[operation], type=t.list_of(t.ARTIFACT), span=span)
    if operation == "tags":
        return t.Tags(run, type=t.list_of(t.TEXT), span=span)
    if operation == "history":
        return t.History(run, type=t.list_of(t.ROW), span=span)
    name = more[0]
    if not (isinstance(name, t.Constant) and isinstance(name.value, str)):
        raise r.refuse(name.span, "the artifact's name must be written out", 'as "name:alias"')
    collection, _, alias = name.value.rpartition(":") if ":" in name.value else (name.value, "", "latest")
    versions = t.Artifacts(run, "logged", collection, alias, type=t.list_of(t.ARTIFACT), span=span)
    return t.First(versions, type=t.ARTIFACT, span=span)


def _method(
    r: Resolver, of: t.Node, name: str, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    if of.type == t.MISSING:
        return of
    if isinstance(of.type, t.ListType | t.GroupType):
        if name in LIST_METHODS:
            return LIST_METHODS[name](r, of, arguments, span, names)
        if name in AGGREGATES:
            return aggregate(r, name, of, span, arguments, names)
        known = [*LIST_METHODS, *AGGREGATES, "forEach"]
        raise r.refuse(
            span, f"a list has no method {name}", did_you_mean(name, known, "see docs/operations.md, Lists")
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
        return _apply(r, TEXT_METHODS[name], values, span, r.scalar_text(of))
    if of.type == t.VALUE and name in {**LIST_METHODS, **dict.fromkeys(AGGREGATES)}:
        return _method(r, r.listed(of, span), name, arguments, span, names)
    known = {t.DATE: DATE_METHODS, t.RUN: RUN_OPERATIONS}.get(of.type, TEXT_METHODS)
    raise r.refuse(
        span, f"{of.type} has no method {name}", did_you_mean(name, known, "see docs/operations.md")
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
    take = {t.NUMBER: r.number, t.TEXT: r.scalar_text}.get(method.argument, lambda node: _scalar(r, node))
    arguments = ([receiver] if receiver is not None else []) + [take(value) for value in values]
    if method.function in ("number", "string", "truth") and arguments[0].type == method.result:
        return arguments[0]
    if method.function == "string":
        return r.string(arguments[0])
    if method.function == "truth":
        return r.truth(arguments[0])
    return t.Apply(method.function, tuple(arguments), type=method.result, span=span)


def _scalar(r: Resolver, node: t.Node) -> t.Node:
    if node.type in (t.NUMBER, t.TEXT, t.BOOLEAN, t.DATE, t.VALUE, t.MISSING):
        return node
    raise r.refuse(node.span, f"a number, text or value is wanted here, not {node.type}")


def _new(r: Resolver, name: str, arguments: Sequence[s.Expression], span: s.Span) -> t.Node:
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


# Operators


def _unary(r: Resolver, operator: str, operand: s.Expression, span: s.Span, names: Names) -> t.Node:
    if operator == "!":
        return t.Apply("not", (r.condition(operand, names),), type=t.BOOLEAN, span=span)
    node = r.expression(operand, names)
    if operator == "typeof":
        return _typeof(r, node, span)
    number = r.number(node)
    if operator == "+":
        return number
    if isinstance(number, t.Constant) and isinstance(number.value, float):
        return t.Constant(-number.value, type=t.NUMBER, span=span)
    return t.Apply("negate", (number,), type=t.NUMBER, span=span)


def _typeof(r: Resolver, node: t.Node, span: s.Span) -> t.Node:
    if node.type == t.VALUE:
        return t.Apply("typeof", (node,), type=t.TEXT, span=span)
    names = {t.NUMBER: "number", t.TEXT: "string", t.BOOLEAN: "boolean", t.MISSING: "undefined"}
    if node.type not in names:
        return t.Constant("object", type=t.TEXT, span=span)
    if node.type == t.MISSING or isinstance(node, t.Constant):
        return t.Constant(names[node.type], type=t.TEXT, span=span)
    missing = t.Apply("missing", (node,), type=t.BOOLEAN, span=span)
    words = (t.Constant(word, type=t.TEXT, span=span) for word in ("undefined", names[node.type]))
    return t.Apply("if", (missing, *words), type=t.TEXT, span=span)


def _binary(
    r: Resolver, operator: str, left: s.Expression, right: s.Expression, span: s.Span, names: Names
) -> t.Node:
    if operator in ("&&", "||", "??"):
        return _chosen(r, operator, left, right, span, names)
    a, b = r.expression(left, names), r.expression(right, names)
    if operator in _MISSING_TESTS:
        if t.MISSING not in (a.type, b.type):
            raise r.refuse(
                span, f"{operator} compares what is of different kinds", f"write {_MISSING_TESTS[operator]}"
            )
        operator = _MISSING_TESTS[operator]
    if operator in ("===", "!=="):
        same = _equal(r, a, b, span)
        return same if operator == "===" else t.Apply("not", (same,), type=t.BOOLEAN, span=span)
    if operator in _COMPARISONS:
        return _compared(r, operator, a, b, span)
    if operator == "in":
        return _within(r, a, b, span)
    if operator == "+" and t.TEXT in (a.type, b.type):
        return t.Apply("concat", (r.string(a), r.string(b)), type=t.TEXT, span=span)
    if operator == "+" and t.DATE in (a.type, b.type):
        raise r.refuse(span, "a date and something are text in JavaScript", "use getTime() for milliseconds")
    return _arithmetic(r, operator, a, b, span)


def _arithmetic(r: Resolver, operator: str, a: t.Node, b: t.Node, span: s.Span) -> t.Node:
    function, compute = _ARITHMETIC[operator]
    # `+` of values joins texts, which only the data tell: `add` looks.
    sides = (a, b) if operator == "+" else (r.number(a), r.number(b))
    for side in sides:
        if side.type not in (t.NUMBER, t.VALUE, t.BOOLEAN, t.MISSING):
            raise r.refuse(side.span, f"{side.type} cannot be added")
    match sides:
        case (t.Constant(value=float() as x), t.Constant(value=float() as y)):
            try:
                folded = compute(x, y)
            except (ArithmeticError, ValueError):
                folded = math.nan
            if isinstance(folded, float) and math.isfinite(folded):
                return t.Constant(folded, type=t.NUMBER, span=span)
    return t.Apply(function, sides, type=t.NUMBER, span=span)


def _chosen(
    r: Resolver, operator: str, left: s.Expression, right: s.Expression, span: s.Span, names: Names
) -> t.Node:
    """`a || b`, `a && b`, `a ?? b`: one of the two, not only whether."""
    a, b = r.expression(left, names), r.expression(right, names)
    if operator == "??":
        return r.either(_missing(a, span), b, a, span)
    if a.type == b.type == t.BOOLEAN:
        return t.Apply("and" if operator == "&&" else "or", (a, b), type=t.BOOLEAN, span=span)
    then, otherwise = (b, a) if operator == "&&" else (a, b)
    return r.either(r.truth(a), then, otherwise, span)


def _missing(node: t.Node, span: s.Span) -> t.Node:
    if isinstance(node.type, t.ListType | t.GroupType | t.RecordType):
        return t.Constant(False, type=t.BOOLEAN, span=span)
    return t.Apply("missing", (node,), type=t.BOOLEAN, span=span)


def _equal(r: Resolver, a: t.Node, b: t.Node, span: s.Span) -> t.Node:
    if t.MISSING in (a.type, b.type):
        return _missing(a if b.type == t.MISSING else b, span)
    scalar = (t.NUMBER, t.TEXT, t.BOOLEAN, t.VALUE)
    if a.type in scalar and b.type in scalar:
        if t.VALUE in (a.type, b.type) or a.type == b.type:
            return t.Apply("equal", (a, b), type=t.BOOLEAN, span=span)
        return t.Constant(False, type=t.BOOLEAN, span=span)
    if a.type == b.type == t.RUN:
        return t.Apply("same_run", (a, b), type=t.BOOLEAN, span=span)
    mend = "compare getTime() of both" if t.DATE in (a.type, b.type) else "compare a field of theirs"
    raise r.refuse(span, f"SQL knows no identity of {a.type} and {b.type}", mend)


def _compared(r: Resolver, operator: str, a: t.Node, b: t.Node, span: s.Span) -> t.Node:
    texts = (a.type == t.TEXT) + (b.type == t.TEXT)
    others = [each for each in (a, b) if each.type not in (t.TEXT, t.VALUE)]
    for each in (a, b):
        if each.type not in (t.NUMBER, t.TEXT, t.BOOLEAN, t.DATE, t.VALUE, t.MISSING):
            raise r.refuse(each.span, f"{each.type} cannot be ordered")
    if texts == 1 and others and others[0].type != t.MISSING:
        mend = "write Number(...)" if others[0].type != t.DATE else 'write new Date("...")'
        raise r.refuse(span, f"text is compared with {others[0].type}", mend)
    return t.Apply(_COMPARISONS[operator], (a, b), type=t.BOOLEAN, span=span)


def _within(r: Resolver, a: t.Node, b: t.Node, span: s.Span) -> t.Node:
    if isinstance(a, t.Constant) and isinstance(a.value, str) and b.type in (t.DICTIONARY, t.VALUE, t.ROW):
        found = member(r, b, a.value, span)
        entry = found.arguments[1] if isinstance(found, t.Apply) and found.function == "if" else found
        return t.Apply("exists", (entry,), type=t.BOOLEAN, span=span)
    raise r.refuse(
        span, "`in` looks for a key in a dictionary", 'as "lr" in run-config(r); for lists use includes'
    )


def _record(r: Resolver, entries: Sequence[tuple[str, s.Expression]], span: s.Span, names: Names) -> t.Node:
    nodes: list[tuple[str, t.Node]] = []
    seen: set[str] = set()
    for name, value in entries:
        node = r.expression(value, names)
        if name.casefold() in seen:
            raise r.refuse(
                value.span, f"the record has two entries {name}", "SQL's columns are the same in any case"
            )
        if isinstance(node.type, t.RecordType | t.GroupType) or node.type in (t.RUN, t.ROW, t.ARTIFACT):
            raise r.refuse(value.span, f"{node.type} is no single column", "name the fields that are wanted")
        seen.add(name.casefold())
        nodes.append((name, node))
    if not nodes:
        raise r.refuse(span, "the record is empty", "give it an entry")
    types = tuple((name, node.type) for name, node in nodes)
    return t.Record(tuple(nodes), type=t.RecordType("a record", types), span=span)


def _array(r: Resolver, items: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    nodes = [r.expression(item, names) for item in items]
    constants = [node for node in nodes if isinstance(node, t.Constant)]
    if len(constants) < len(nodes) or not nodes:
        raise r.refuse(span, "a list is written of numbers, texts and booleans", "take other lists from runs")
    types = {node.type for node in constants}
    return t.Listed(tuple(constants), type=t.list_of(types.pop() if len(types) == 1 else t.VALUE), span=span)
