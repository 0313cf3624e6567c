"""Functions of two elements that SQL can mean: comparators of `sort`, and what `reduce` makes of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s

if TYPE_CHECKING:
    from wandb_warehouse.operations.language.resolver import Closure, Resolver

__all__ = ["reduced", "sort_keys"]

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_SAME = "\0element"


def sort_keys(r: Resolver, closure: Closure, variable: t.Variable) -> tuple[tuple[t.Node, bool], ...]:
    """The keys a comparator orders by, each with whether it descends."""
    arrow = closure.arrow
    body = _body(arrow)
    if len(arrow.parameters) != 2 or body is None:
        raise r.refuse(arrow.span, "sort compares two elements", "write sort((a, b) => f(a) - f(b))")
    return tuple(key for part in _alternatives(body) for key in _keys(r, closure, part, variable))


def _body(arrow: s.Arrow) -> s.Expression | None:
    """What a function gives, where that is all it does."""
    match arrow.body:
        case (s.Return(expression),):
            return expression
        case tuple():
            return None
        case expression:
            return expression


def _alternatives(body: s.Expression) -> list[s.Expression]:
    if isinstance(body, s.Binary) and body.operator == "||":
        return [*_alternatives(body.left), *_alternatives(body.right)]
    return [body]


def _keys(
    r: Resolver, closure: Closure, body: s.Expression, variable: t.Variable, *, flipped: bool = False
) -> list[tuple[t.Node, bool]]:
    first, second = closure.arrow.parameters
    match body:
        case s.Unary("-", operand):
            return _keys(r, closure, operand, variable, flipped=not flipped)
        case s.Binary("-", left, right):
            operator, by_difference = "<", True
        case s.Conditional(s.Binary("<" | "<=" | ">" | ">=" as operator, left, right), then, _) if _sign(
            then
        ):
            operator = operator if _sign(then) < 0 else _FLIPPED[operator]
            by_difference = False
        case _:
            mend = "write f(a) - f(b), or f(a) < f(b) ? -1 : 1"
            raise r.refuse(body.span, "SQL cannot order by this function", mend)
    if s.shape(left, {first: _SAME}) == s.shape(right, {second: _SAME}):
        descends, parameter = operator in (">", ">="), first
    elif s.shape(left, {second: _SAME}) == s.shape(right, {first: _SAME}):
        descends, parameter = operator in ("<", "<="), second
    else:
        raise r.refuse(body.span, "the two sides are not the same of both elements", "write f(a) - f(b)")
    node = r.expression(left, {**closure.names, parameter: variable})
    keys = [r.number(node)] if by_difference or node.type != t.TEXT else [node]
    if not by_difference and node.type == t.VALUE:
        keys.append(r.scalar_text(node))
    return [(key, descends != flipped) for key in keys]


def _sign(expression: s.Expression) -> int:
    match expression:
        case s.Literal(float() as value):
            return (value > 0) - (value < 0)
        case s.Unary("-", s.Literal(float() as value)):
            return (value < 0) - (value > 0)
        case _:
            return 0


def reduced(r: Resolver, of: t.Node, closure: Closure, start: t.Node | None, span: s.Span) -> t.Node:
    """What a reduction gives: the element with the largest or smallest value, or a sum."""
    arrow = closure.arrow
    if len(arrow.parameters) != 2:
        raise r.refuse(arrow.span, "reduce takes a function of two", "write (best, x) => ...")
    gathered, element = arrow.parameters
    body = _body(arrow)
    match body:
        case s.Conditional(s.Binary(comparison, left, right), s.Name(then), s.Name(otherwise)) if (
            comparison in _FLIPPED and {then, otherwise} == {gathered, element}
        ):
            if start is not None:
                raise r.refuse(
                    span, "the search for the best element starts with the first", "leave the start out"
                )
            # Brought into the form: the new element is taken where f(new) <operator> f(best).
            if s.shape(left, {element: _SAME}) == s.shape(right, {gathered: _SAME}):
                value, operator = left, comparison
            elif s.shape(left, {gathered: _SAME}) == s.shape(right, {element: _SAME}):
                value, operator = right, _FLIPPED[comparison]
            else:
                raise r.refuse(body.span, "the two sides are not the same of both elements")
            if then == gathered:
                operator = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[operator]
            return _best(r, of, closure, value, operator, span)
        case s.Binary("+", s.Name(name), added) if name == gathered and start is not None:
            return _total(r, of, closure, added, start, span)
        case s.Binary("+", added, s.Name(name)) if name == gathered and start is not None:
            return _total(r, of, closure, added, start, span)
        case _:
            mend = "write (best, x) => f(x) > f(best) ? x : best, or an aggregate such as max()"
            raise r.refuse(arrow.span, "SQL cannot reduce by this function", mend)


def _best(
    r: Resolver, of: t.Node, closure: Closure, value: s.Expression, operator: str, span: s.Span
) -> t.Node:
    element = closure.arrow.parameters[1]
    type_ = t.element_of(of.type)
    # Whether texts are compared as texts depends on all elements; that is asked of a list that stands by itself.
    by_itself = isinstance(_root(of), t.AllRuns)

    def keys(variable: t.Variable) -> list[t.Node]:
        node = r.expression(value, {**closure.names, element: variable})
        if node.type == t.VALUE and by_itself:
            return [
                t.Apply("order_number", (node,), type=t.NUMBER, span=span),
                t.Apply("order_text", (node,), type=t.TEXT, span=span),
            ]
        return [node if node.type == t.TEXT else r.number(node)]

    def present(variable: t.Variable) -> t.Node:
        node = r.expression(value, {**closure.names, element: variable})
        tests = [node] if node.type == t.TEXT else [r.number(node)]
        tests += [r.scalar_text(node)] if node.type == t.VALUE and by_itself else []
        there = [
            t.Apply(
                "not", (t.Apply("missing", (test,), type=t.BOOLEAN, span=span),), type=t.BOOLEAN, span=span
            )
            for test in tests
        ]
        return there[0] if len(there) == 1 else t.Apply("or", tuple(there), type=t.BOOLEAN, span=span)

    kept, sorted_by = (t.Variable(element, type=type_, span=span) for _ in range(2))
    elements: t.Node = t.Filter(of, kept, present(kept), type=t.list_of(type_), span=span)
    if operator in ("<=", ">="):
        elements = t.Reverse(elements, type=elements.type, span=span)
    descends = operator in (">", ">=")
    ordered = tuple((key, descends) for key in keys(sorted_by))
    return t.First(t.Sort(elements, sorted_by, ordered, type=elements.type, span=span), type=type_, span=span)


def _root(of: t.Node) -> t.Node:
    while isinstance(of, t.Filter | t.Sort | t.Reverse | t.Slice | t.Unique):
        of = of.of
    return of


def _total(
    r: Resolver, of: t.Node, closure: Closure, added: s.Expression, start: t.Node, span: s.Span
) -> t.Node:
    gathered, element = closure.arrow.parameters
    if start.type != t.NUMBER:
        raise r.refuse(start.span, "a sum starts with a number", "write , 0)")
    variable = t.Variable(element, type=t.element_of(of.type), span=span)
    names = {name: node for name, node in closure.names.items() if name != gathered}
    value = r.expression(added, {**names, element: variable})
    if value.type == t.TEXT:
        raise r.refuse(span, "texts are joined, not added up", "write map(x => ...).join('')")
    zero = t.Constant(0.0, type=t.NUMBER, span=span)
    number = t.Apply("add", (zero, value), type=t.NUMBER, span=span)
    numbers = t.Each(of, variable, number, type=t.list_of(t.NUMBER), span=span)
    total = t.Fold("total", numbers, type=t.NUMBER, span=span)
    return t.Apply("add", (start, total), type=t.NUMBER, span=span)
