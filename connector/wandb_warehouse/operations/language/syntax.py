"""The syntax tree of an operation: what was written, each part with its place in the text."""

from dataclasses import dataclass
from typing import Final

__all__ = [
    "Array",
    "Arrow",
    "Assignment",
    "Binary",
    "Call",
    "Conditional",
    "Evaluation",
    "Expression",
    "If",
    "Index",
    "Literal",
    "Member",
    "Name",
    "New",
    "Object",
    "Return",
    "Span",
    "Statement",
    "Template",
    "Unary",
    "shape",
]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text, by the offsets of its first character and of the one behind its last."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or an operation such as `run-config`."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, a truth value, or None for `null` and `undefined`."""

    value: float | str | bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Template:
    """A template literal: its texts and expressions in order."""

    parts: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`."""

    of: "Expression"
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    """`of[at]`."""

    of: "Expression"
    at: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: "Expression"
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class New:
    """`new name(arguments)`."""

    name: str
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Arrow:
    """`(parameters) => body`; a body in braces is a tuple of statements."""

    parameters: tuple[str, ...]
    body: "Expression | tuple[Statement, ...]"
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`! + - typeof` before an operand."""

    operator: str
    operand: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands."""

    operator: str
    left: "Expression"
    right: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? then : otherwise`."""

    condition: "Expression"
    then: "Expression"
    otherwise: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Object:
    """`{name: expression, ...}`."""

    entries: tuple[tuple[str, "Expression"], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Array:
    """`[expression, ...]`."""

    items: tuple["Expression", ...]
    span: Span


Expression = (
    Name
    | Literal
    | Template
    | Member
    | Index
    | Call
    | New
    | Arrow
    | Unary
    | Binary
    | Conditional
    | Object
    | Array
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = value`."""

    name: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An expression that stands as a statement."""

    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Return:
    """`return expression`, in a function's braces."""

    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    """`if (condition) { then } else { otherwise }`."""

    condition: Expression
    then: tuple["Statement", ...]
    otherwise: tuple["Statement", ...]
    span: Span


Statement = Assignment | Evaluation | Return | If

_PLACE: Final = Span(0, 0)


def shape(part: object, renamed: dict[str, str]) -> object:
    """What an expression says, whatever its place and the names of its variables: equal shapes mean the same.

    Args:
        part: an expression, or a part of one.
        renamed: the common name of each variable.
    """
    match part:
        case Name(name):
            return ("name", renamed.get(name, name))
        case Span():
            return _PLACE
        case tuple():
            return tuple(shape(item, renamed) for item in part)
        case str() | float() | int() | bool() | None:
            return part
        case _:
            fields = (getattr(part, field) for field in part.__dataclass_fields__)  # type: ignore[attr-defined]
            return (type(part).__name__, *(shape(field, renamed) for field in fields))
