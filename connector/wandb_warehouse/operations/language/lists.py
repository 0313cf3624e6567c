"""The methods of lists: what each gives of which functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language.orderings import reduced, sort_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wandb_warehouse.operations.language import syntax as s
    from wandb_warehouse.operations.language.resolver import Names, Resolver

    ListMethod = Callable[[Resolver, t.Node, Sequence[s.Expression], s.Span, Names], t.Node]

__all__ = ["LIST_METHODS", "aggregate"]


def _element(of: t.Node) -> t.Type:
    return t.element_of(of.type)


def _one(r: Resolver, arguments: Sequence[s.Expression], span: s.Span, what: str) -> s.Expression:
    if len(arguments) != 1:
        raise r.refuse(span, f"{what} takes one argument, not {len(arguments)}")
    return arguments[0]


def _filtered(
    r: Resolver,
    of: t.Node,
    arguments: Sequence[s.Expression],
    span: s.Span,
    names: Names,
    what: str = "filter",
) -> t.Node:
    argument = _one(r, arguments, span, what)
    closure = r.closure(argument, names)
    variable, inner = r.element(closure, of, argument.span)
    body = closure.arrow.body
    condition = r.condition(body, inner) if not isinstance(body, tuple) else r.truth(r.body(closure, inner))
    if isinstance(of, t.Each) and of.variable is variable:
        kept = t.Filter(of.of, variable, condition, type=of.of.type, span=span)
        return t.Each(kept, variable, of.body, type=of.type, span=span)
    return t.Filter(of, variable, condition, type=t.list_of(_element(of)), span=span)


def _find(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    return t.First(_filtered(r, of, arguments, span, names, "find"), type=_element(of), span=span)


def _some(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    return t.Fold("some", _filtered(r, of, arguments, span, names, "some"), type=t.BOOLEAN, span=span)


def _every(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    kept = _filtered(r, of, arguments, span, names, "every")
    assert isinstance(kept, t.Filter)
    fails = t.Apply("not", (kept.condition,), type=t.BOOLEAN, span=span)
    failing = t.Fold(
        "some", t.Filter(of, kept.variable, fails, type=kept.type, span=span), type=t.BOOLEAN, span=span
    )
    return t.Apply("not", (failing,), type=t.BOOLEAN, span=span)


def _map(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    def build(variable: t.Variable, body: t.Node) -> t.Node:
        elements = of.of if isinstance(of, t.Each) and of.variable is variable else of
        return t.Each(elements, variable, body, type=t.list_of(body.type), span=span)

    return r.over(of, _one(r, arguments, span, "map"), names, build)


def _flat(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    if arguments:
        raise r.refuse(span, "flatten takes no argument", "flatten once for each level")
    if not (isinstance(of, t.Each) and isinstance(of.body.type, t.ListType)):
        raise r.refuse(
            span, f"this is a list of {_element(of)}, not of lists", "flatten what map gave lists of"
        )
    return t.Flat(of.of, of.variable, of.body, type=t.list_of(_element(of.body)), span=span)


def _flat_map(
    r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    return _flat(r, _map(r, of, arguments, span, names), (), span, names)


def _sort(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    variable = t.Variable("x", type=_element(of), span=span)
    if not arguments:
        if _element(of) != t.TEXT:
            raise r.refuse(span, "sort without a function orders by text", "write sort((a, b) => a - b)")
        return t.Sort(of, variable, ((variable, False),), type=t.list_of(_element(of)), span=span)
    closure = r.closure(_one(r, arguments, span, "sort"), names)
    keys = sort_keys(r, closure, variable)
    return t.Sort(of, variable, keys, type=t.list_of(_element(of)), span=span)


def _reverse(
    r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    return t.Reverse(of, type=t.list_of(_element(of)), span=span)


def _integers(r: Resolver, arguments: Sequence[s.Expression], names: Names) -> list[int]:
    numbers = []
    for argument in arguments:
        node = r.expression(argument, names)
        if not (isinstance(node, t.Constant) and isinstance(node.value, float) and node.value.is_integer()):
            raise r.refuse(argument.span, "a whole number that is written out is wanted here")
        numbers.append(int(node.value))
    return numbers


def _slice(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    places = _integers(r, arguments, names)
    if len(places) > 2:
        raise r.refuse(span, "slice takes two places at most")
    start, stop = (*places, None, None)[:2] if places else (0, None)
    return t.Slice(of, start or 0, stop, type=t.list_of(_element(of)), span=span)


def _limit(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    count = _integers(r, (_one(r, arguments, span, "limit"),), names)[0]
    if count < 0:
        raise r.refuse(span, "limit takes a number of elements, which is not below 0")
    return t.Slice(of, 0, count, type=t.list_of(_element(of)), span=span)


def _at(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    place = _integers(r, (_one(r, arguments, span, "at"),), names)[0]
    stop = None if place == -1 else place + 1
    return t.First(
        t.Slice(of, place, stop, type=t.list_of(_element(of)), span=span), type=_element(of), span=span
    )


def _first(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    return t.First(of, type=_element(of), span=span)


def _last(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    return t.First(_reverse(r, of, arguments, span, names), type=_element(of), span=span)


def _reduce(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    if not 1 <= len(arguments) <= 2:
        raise r.refuse(span, "reduce takes a function, and where it starts")
    start = r.expression(arguments[1], names) if len(arguments) == 2 else None
    return reduced(r, of, r.closure(arguments[0], names), start, span)


def _group(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    if _element(of) == t.DICTIONARY:
        raise r.refuse(span, "dictionaries cannot be grouped", "group the runs")

    def build(variable: t.Variable, key: t.Node) -> t.Node:
        scalar = (t.NUMBER, t.TEXT, t.BOOLEAN, t.VALUE, t.MISSING)
        parts = key.type.entries if isinstance(key.type, t.RecordType) else (("key", key.type),)
        for _, type_ in parts:
            if type_ not in scalar:
                raise r.refuse(key.span, f"{type_} is no key of a group", "use a number, a text or a value")
        group = t.GroupType("a group", key.type, _element(of))
        return t.Group(of, variable, key, type=t.list_of(group), span=span)

    return r.over(of, _one(r, arguments, span, "groupBy"), names, build)


def _unique(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    element = _element(of)
    if isinstance(element, t.ListType | t.GroupType) or element in (t.DICTIONARY, t.ROW):
        raise r.refuse(span, f"unique cannot tell {element} from another")
    return t.Unique(of, type=t.list_of(element), span=span)


def _includes(
    r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names
) -> t.Node:
    wanted = r.expression(_one(r, arguments, span, "includes"), names)
    element = _element(of)
    variable = t.Variable("x", type=element, span=span)
    scalar = (t.NUMBER, t.TEXT, t.BOOLEAN, t.VALUE)
    if wanted.type == t.MISSING and element in scalar:
        condition = t.Apply("missing", (variable,), type=t.BOOLEAN, span=span)
    elif (
        element in scalar
        and wanted.type in scalar
        and (t.VALUE in (element, wanted.type) or element == wanted.type)
    ):
        condition = t.Apply("equal", (variable, wanted), type=t.BOOLEAN, span=span)
    elif element == wanted.type == t.RUN:
        condition = t.Apply("same_run", (variable, wanted), type=t.BOOLEAN, span=span)
    else:
        raise r.refuse(span, f"a list of {element} holds no {wanted.type}", "use some(x => ...)")
    kept = t.Filter(of, variable, condition, type=t.list_of(element), span=span)
    return t.Fold("some", kept, type=t.BOOLEAN, span=span)


def _join(r: Resolver, of: t.Node, arguments: Sequence[s.Expression], span: s.Span, names: Names) -> t.Node:
    separator = r.expression(arguments[0], names) if arguments else t.Constant(",", type=t.TEXT, span=span)
    if len(arguments) > 1 or not (isinstance(separator, t.Constant) and isinstance(separator.value, str)):
        raise r.refuse(span, "join takes one text that is written out", 'as join(", ")')
    variable = t.Variable("x", type=_element(of), span=span)
    missing = t.Apply("missing", (variable,), type=t.BOOLEAN, span=span)
    empty = t.Constant("", type=t.TEXT, span=span)
    written = t.Apply("if", (missing, empty, r.string(variable)), type=t.TEXT, span=span)
    texts = t.Each(of, variable, written, type=t.list_of(t.TEXT), span=span)
    joined = t.Fold("join", texts, separator.value, type=t.TEXT, span=span)
    # Of an empty list SQL gives nothing, JavaScript an empty text.
    none = t.Apply("missing", (joined,), type=t.BOOLEAN, span=span)
    return t.Apply("if", (none, empty, joined), type=t.TEXT, span=span)


def aggregate(
    r: Resolver,
    name: str,
    of: t.Node,
    span: s.Span,
    arguments: Sequence[s.Expression] = (),
    names: Names | None = None,
) -> t.Node:
    """One value of a list; over groups, one for each."""
    element = _element(of)
    if isinstance(element, t.GroupType):
        variable = t.Variable("g", type=element, span=span)
        key = t.Attribute(variable, "key", type=element.key, span=span)
        value = aggregate(r, name, variable, span, arguments, names)
        keys = (
            tuple(
                (part, t.Attribute(key, part, type=type_, span=span)) for part, type_ in element.key.entries
            )
            if isinstance(element.key, t.RecordType)
            else (("key", key),)
        )
        record = t.Record(
            (*keys, (name, value)),
            type=t.RecordType("a record", (*((part, node.type) for part, node in keys), (name, value.type))),
            span=span,
        )
        return t.Each(of, variable, record, type=t.list_of(record.type), span=span)
    if arguments:
        method = _filtered if name == "count" else _map
        return aggregate(r, name, method(r, of, arguments, span, names or {}), span)
    if name == "count":
        return t.Fold("count", of, type=t.NUMBER, span=span)
    if element == t.DATE and name in ("max", "min"):
        return t.Fold(name, of, type=t.DATE, span=span)
    if element not in (t.NUMBER, t.VALUE, t.MISSING):
        mend = f"map it to numbers first, as map(x => ...).{name}()"
        raise r.refuse(span, f"{name} is of numbers, and this is a list of {element}", mend)
    return t.Fold(name, of, type=t.NUMBER, span=span)


LIST_METHODS: dict[str, ListMethod] = {
    "filter": _filtered,
    "find": _find,
    "some": _some,
    "every": _every,
    "map": _map,
    "flatMap": _flat_map,
    "flatten": _flat,
    "flat": _flat,
    "sort": _sort,
    "toSorted": _sort,
    "reverse": _reverse,
    "toReversed": _reverse,
    "slice": _slice,
    "limit": _limit,
    "at": _at,
    "first": _first,
    "last": _last,
    "reduce": _reduce,
    "groupBy": _group,
    "unique": _unique,
    "includes": _includes,
    "join": _join,
}
"""Every method of a list but the aggregates."""
