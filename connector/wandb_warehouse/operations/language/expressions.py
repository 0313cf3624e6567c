"""What each form of expression means."""

from collections.abc import Sequence

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.calls import call, new
from wandb_warehouse.operations.language.members import index, member
from wandb_warehouse.operations.language.messages import did_you_mean
from wandb_warehouse.operations.language.operators import binary, unary
from wandb_warehouse.operations.language.resolver import Closure, Names, Resolver
from wandb_warehouse.operations.language.vocabulary import MATH, NUMBERS

__all__ = ["expression_node"]


def expression_node(r: Resolver, expression: s.Expression, names: Names) -> t.Node:
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
            return index(r, r.expression(of, names), r.expression(place, names), span)
        case s.Call(function, arguments):
            return call(r, function, arguments, span, names)
        case s.New(name, arguments):
            return new(r, name, arguments, span)
        case s.Unary(operator, operand):
            return unary(r, operator, operand, span, names)
        case s.Binary(operator, left, right):
            return binary(r, operator, left, right, span, names)
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


def _member_expression(r: Resolver, of: s.Expression, name: str, span: s.Span, names: Names) -> t.Node:
    if isinstance(of, s.Name) and of.name == "Math" and "Math" not in names:
        if name in NUMBERS:
            return t.Constant(NUMBERS[name], type=t.NUMBER, span=span)
        raise r.refuse(span, f"Math.{name} is not known", did_you_mean(name, [*MATH, *NUMBERS], "see docs"))
    return member(r, r.expression(of, names), name, span)


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
