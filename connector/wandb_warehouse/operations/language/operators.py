"""What operators mean: arithmetic, comparisons, choices."""

import math
from collections.abc import Callable

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.members import member
from wandb_warehouse.operations.language.resolver import Names, Resolver

__all__ = ["binary", "unary"]

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


def unary(r: Resolver, operator: str, operand: s.Expression, span: s.Span, names: Names) -> t.Node:
    """An operator before an operand."""
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


def binary(
    r: Resolver, operator: str, left: s.Expression, right: s.Expression, span: s.Span, names: Names
) -> t.Node:
    """An operator between two operands."""
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
        return _joined(r, a, b, span)
    if operator == "+" and t.DATE in (a.type, b.type):
        raise r.refuse(span, "a date and something are text in JavaScript", "use getTime() for milliseconds")
    return _arithmetic(r, operator, a, b, span)


def _joined(r: Resolver, a: t.Node, b: t.Node, span: s.Span) -> t.Node:
    """`+` of texts: where no side turns out to be one, JavaScript adds up what is missing, to nothing."""
    both = t.Apply("concat", (r.string(a), r.string(b)), type=t.TEXT, span=span)
    if any(side.type == t.TEXT and _never_missing(side) for side in (a, b)):
        return both
    texts = [r.scalar_text(side) for side in (a, b) if side.type in (t.TEXT, t.VALUE)]
    there = [t.Apply("not", (_missing(text, span),), type=t.BOOLEAN, span=span) for text in texts]
    known = there[0] if len(there) == 1 else t.Apply("or", tuple(there), type=t.BOOLEAN, span=span)
    return t.Apply("if", (known, both, t.Constant(None, type=t.MISSING, span=span)), type=t.TEXT, span=span)


def _never_missing(node: t.Node) -> bool:
    return isinstance(node, t.Constant) or (
        isinstance(node, t.Apply) and node.function in ("concat", "string")
    )


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
            if not isinstance(folded, complex) and math.isfinite(folded):
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
        if isinstance(a, t.Constant) or isinstance(b, t.Constant):
            return t.Constant(False, type=t.BOOLEAN, span=span)
        # What is missing equals what is missing, whatever either would be.
        return t.Apply("and", (_missing(a, span), _missing(b, span)), type=t.BOOLEAN, span=span)
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
