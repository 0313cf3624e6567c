"""The typed tree: what an operation or a filter means, each node with the type of what it gives.

Expressions (`resolving`) and MongoDB's filters (`filters`) both become this tree, and only this tree becomes SQL
(`lowering`). Nodes are compared by identity: a variable is the node that binds it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from wandb_warehouse.operations.language.syntax import Span

__all__ = [
    "ARTIFACT",
    "BOOLEAN",
    "DATE",
    "DICTIONARY",
    "MISSING",
    "NUMBER",
    "ROW",
    "RUN",
    "TEXT",
    "VALUE",
    "AllRuns",
    "Apply",
    "Artifacts",
    "Attribute",
    "Constant",
    "Differences",
    "Document",
    "Each",
    "Entry",
    "Filter",
    "First",
    "Flat",
    "Fold",
    "Group",
    "GroupType",
    "History",
    "Item",
    "Items",
    "ListType",
    "Listed",
    "Node",
    "Pieces",
    "Record",
    "RecordType",
    "Reverse",
    "Slice",
    "Sort",
    "Tags",
    "Type",
    "Unique",
    "Variable",
    "Variables",
    "Written",
    "element_of",
    "list_of",
    "parts",
    "uses",
]


@dataclass(frozen=True, slots=True)
class Type:
    """What a node gives."""

    name: str

    def __str__(self) -> str:
        return self.name


NUMBER = Type("a number")
TEXT = Type("text")
BOOLEAN = Type("a boolean")
DATE = Type("a date")
VALUE = Type("a value")
"""Of any kind JSON knows, or missing; which, only the data tell."""
MISSING = Type("nothing")
"""`null`, `undefined`."""
DICTIONARY = Type("a dictionary")
RUN = Type("a run")
ARTIFACT = Type("an artifact version")
ROW = Type("a history row")


@dataclass(frozen=True, slots=True)
class ListType(Type):
    """A list of elements of one type."""

    element: Type


@dataclass(frozen=True, slots=True)
class GroupType(Type):
    """A group: its key, and the list of its members."""

    key: Type
    member: Type


@dataclass(frozen=True, slots=True)
class RecordType(Type):
    """Named entries, each with its type."""

    entries: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Node:
    """Any part of the tree: its type, and the place in the text it came from."""

    type: Type
    span: Span = field(default_factory=lambda: Span(0, 0))


@dataclass(frozen=True, eq=False, slots=True)
class Constant(Node):
    """A number, a text, a boolean, or None for what is missing."""

    value: float | str | bool | None


@dataclass(frozen=True, eq=False, slots=True)
class Variable(Node):
    """An element that a list's method goes through; the node itself is the binding."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Apply(Node):
    """A scalar function of scalar arguments; `functions` says what each means."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Written(Node):
    """A line that a program writes; as a value it is its text."""

    text: Node


@dataclass(frozen=True, eq=False, slots=True)
class Attribute(Node):
    """A field of a run, an artifact version, a history row, a record, or the key of a group."""

    of: Node
    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Entry(Node):
    """The value under a key of a run's `config` or `summary`, or of a history row (`history`)."""

    of: Node
    source: str
    key: str


@dataclass(frozen=True, eq=False, slots=True)
class Document(Node):
    """A whole config, summary or metadata of an artifact version."""

    of: Node
    source: str


@dataclass(frozen=True, eq=False, slots=True)
class Item(Node):
    """What stands within a value: under names and places of its lists and objects."""

    of: Node
    path: tuple[str | int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Record(Node):
    """Named entries."""

    entries: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, eq=False, slots=True)
class AllRuns(Node):
    """Every run that is not deleted, the oldest first; of one project, or one id, where given."""

    project: tuple[str, str] | None = None
    run_id: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class History(Node):
    """The rows of a run's history in order."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Tags(Node):
    """A run's tags in order."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Artifacts(Node):
    """Versions a run `logged` or `used`; of one collection under one alias or version where given."""

    of: Node
    direction: str
    collection: str | None = None
    alias: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Pieces(Node):
    """The pieces of a text between separators."""

    of: Node
    separator: str


@dataclass(frozen=True, eq=False, slots=True)
class Items(Node):
    """The items of a value that is a list."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Listed(Node):
    """A list of constants as it is written."""

    items: tuple[Constant, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Differences(Node):
    """A record for each key of two configs: `key`, `left`, `right`, `differs`."""

    left: Node
    right: Node


@dataclass(frozen=True, eq=False, slots=True)
class Filter(Node):
    """The elements for which a condition holds."""

    of: Node
    variable: Variable
    condition: Node


@dataclass(frozen=True, eq=False, slots=True)
class Each(Node):
    """What `body` gives for each element."""

    of: Node
    variable: Variable
    body: Node


@dataclass(frozen=True, eq=False, slots=True)
class Flat(Node):
    """The elements of the list that `body` gives for each element, one list after the other."""

    of: Node
    variable: Variable
    body: Node


@dataclass(frozen=True, eq=False, slots=True)
class Sort(Node):
    """The elements in the order of keys, stable; what lacks a key comes last."""

    of: Node
    variable: Variable
    keys: tuple[tuple[Node, bool], ...]
    """Each key, and whether it descends."""
    missing_first: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Reverse(Node):
    """The elements from the last to the first."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Slice(Node):
    """The elements from one place up to another; places below zero count from the end."""

    of: Node
    start: int
    stop: int | None


@dataclass(frozen=True, eq=False, slots=True)
class Unique(Node):
    """Each element once, where it first occurs."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Group(Node):
    """Groups of the elements with the same key, in the order in which the keys first occur."""

    of: Node
    variable: Variable
    key: Node


@dataclass(frozen=True, eq=False, slots=True)
class First(Node):
    """The first element, or what is missing where the list is empty."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Fold(Node):
    """One value of a list: `count`, `avg`, `max`, `min`, `sum`, `stddev`, `some`, `every`, `join`, `total`."""

    function: str
    of: Node
    separator: str = ""


def element_of(type_: Type) -> Type:
    """Type of a list's or a group's elements."""
    if isinstance(type_, ListType):
        return type_.element
    return type_.member if isinstance(type_, GroupType) else VALUE


def list_of(element: Type) -> ListType:
    """Type of a list of such elements."""
    return ListType("a list", element)


def parts(node: Node) -> Iterator[Node]:
    """What a node is made of, without the variable it binds."""
    kind = type(node)
    if kind not in _PARTS:
        _PARTS[kind] = [each.name for each in fields(kind) if each.name not in ("type", "span", "variable")]
    for name in _PARTS[kind]:
        yield from _nodes(getattr(node, name))


_PARTS: dict[type[Node], list[str]] = {}


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _nodes(each)


def uses(root: Node) -> Counter[Node]:
    """Of each node below another, how many places it stands in; what is done for several constants stands in two."""
    found: Counter[Node] = Counter()
    left = [(root, 1)]
    while left:
        node, times = left.pop()
        listed = isinstance(node, Filter) and isinstance(node.of, Listed)
        for part in parts(node):
            many = 2 if listed else times
            if found[part] < many:
                left.append((part, many))
            found[part] += many
    return found


class Variables(dict[Node, frozenset[Variable]]):
    """Of each node that is asked for, the variables that it reads and does not bind."""

    def __missing__(self, node: Node) -> frozenset[Variable]:
        found = frozenset((node,)) if isinstance(node, Variable) else frozenset()
        for part in parts(node):
            found |= self[part]
        bound = getattr(node, "variable", None)
        self[node] = found - {bound} if bound in found else found
        return self[node]
