"""Execution of queries as functions made once for a document: what graphql-core answers, in a tenth of its time.

W&B's own server lists a thousand runs without effort. An executor in Python that looks at the selection anew for each
field of each run does not, and whoever measures a client against it measures the executor. So here the selection is
looked at once, and a run is then read by a list of functions.

graphql-core stays in charge: it parses and validates documents, coerces variables and arguments, serialises the
built-in scalars. It also executes whatever is declined here: mutations, directives, interfaces, unions, introspection,
and every query in which anything fails, for it finds the words and the place of an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    get_variable_values,
    is_specified_scalar_type,
)

from wandb_warehouse.sandbox.context import Context

__all__ = ["Resolvers", "Selection", "plan", "run"]

Resolvers = Mapping[tuple[str, str], Callable[..., Any]]
"""`(source, context, **arguments) -> value` by type and field; other fields are read from their source."""

_Read = Callable[[Any], Any]


class _DeclinedError(Exception):
    """This is for graphql-core to execute."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a selection; without a definition it is the name of the type."""

    key: str
    node: FieldNode
    type_name: str
    definition: GraphQLField | None
    resolver: Callable[..., Any] | None
    fields: "tuple[_Field, ...]"


@dataclass(frozen=True, slots=True)
class Selection:
    """A query's operation and the fields it selects."""

    operation: OperationDefinitionNode
    fields: tuple[_Field, ...]


def plan(schema: GraphQLSchema, document: DocumentNode, resolvers: Resolvers) -> Selection | None:
    """Look at a valid document once; None where it is not one plain query."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if (
        len(operations) != 1
        or operations[0].operation is not OperationType.QUERY
        or schema.query_type is None
    ):
        return None
    planner = _Planner(document, resolvers)
    try:
        return Selection(operations[0], planner.fields(schema.query_type, [operations[0].selection_set]))
    except _DeclinedError:
        return None


class _Planner:
    """Selections of one document, fragments put in their places and fields of one key merged."""

    def __init__(self, document: DocumentNode, resolvers: Resolvers) -> None:
        self._resolvers = resolvers
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def fields(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> tuple[_Field, ...]:
        """The fields of an object, in the order of the answer."""
        nodes: dict[str, list[FieldNode]] = {}
        for selection in selections:
            self._collect(kind, selection, nodes, set())
        return tuple(self._field(kind, key, same) for key, same in nodes.items())

    def _collect(
        self,
        kind: GraphQLObjectType,
        selection: SelectionSetNode,
        nodes: dict[str, list[FieldNode]],
        spread: set[str],
    ) -> None:
        for node in selection.selections:
            if node.directives:
                raise _DeclinedError
            if isinstance(node, FieldNode):
                nodes.setdefault((node.alias or node.name).value, []).append(node)
                continue
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in spread:
                    continue
                spread.add(node.name.value)
                inner: FragmentDefinitionNode | InlineFragmentNode = self._fragments[node.name.value]
            elif isinstance(node, InlineFragmentNode):
                inner = node
            else:
                raise _DeclinedError
            if inner.directives or (inner.type_condition and inner.type_condition.name.value != kind.name):
                raise _DeclinedError
            self._collect(kind, inner.selection_set, nodes, spread)

    def _field(self, kind: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> _Field:
        name = nodes[0].name.value
        if name == "__typename":
            return _Field(key, nodes[0], kind.name, None, None, ())
        if name not in kind.fields:
            raise _DeclinedError
        definition = kind.fields[name]
        inner = get_named_type(definition.type)
        fields: tuple[_Field, ...] = ()
        if isinstance(inner, GraphQLObjectType):
            fields = self.fields(inner, [node.selection_set for node in nodes if node.selection_set])
        elif not isinstance(inner, GraphQLScalarType):
            raise _DeclinedError
        return _Field(key, nodes[0], kind.name, definition, self._resolvers.get((kind.name, name)), fields)


def run(
    schema: GraphQLSchema, selection: Selection, context: Context, variables: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The data of the answer; None where graphql-core has to execute the query."""
    coerced = get_variable_values(schema, selection.operation.variable_definitions or (), dict(variables))
    if isinstance(coerced, list):
        return None
    try:
        found: dict[str, Any] = _object(selection.fields, context, coerced)(None)
    except Exception:  # noqa: BLE001 - whatever it is, graphql-core meets it again and tells of it
        return None
    return found


def _object(fields: tuple[_Field, ...], context: Context, variables: Any) -> _Read:
    readers = [(field.key, _reader(field, context, variables)) for field in fields]
    return lambda source: {key: read(source) for key, read in readers}


def _reader(field: _Field, context: Context, variables: Any) -> _Read:
    """The function that reads a field from its source and completes it."""
    if field.definition is None:
        return lambda _: field.type_name
    complete = _completion(field.definition.type, field, context, variables)
    resolver, name = field.resolver, field.node.name.value
    if resolver is None:
        return lambda source: complete(_attribute(source, name))
    arguments = (
        get_argument_values(field.definition, field.node, variables) if field.definition.args else None
    )
    if arguments:
        return lambda source: complete(resolver(source, context, **arguments))
    return lambda source: complete(resolver(source, context))


def _attribute(source: Any, name: str) -> Any:
    found = source.get(name) if isinstance(source, dict) else getattr(source, name, None)
    if callable(found):
        raise _DeclinedError
    return found


def _completion(kind: Any, field: _Field, context: Context, variables: Any) -> _Read:
    """The function that turns what a resolver gave into what the answer holds."""
    if isinstance(kind, GraphQLNonNull):
        return _never_null(_completion(kind.of_type, field, context, variables))
    if isinstance(kind, GraphQLList):
        return _each(_completion(kind.of_type, field, context, variables))
    if isinstance(kind, GraphQLObjectType):
        read = _object(field.fields, context, variables)
        return lambda value: None if value is None else read(value)
    return _scalar(kind)


def _never_null(complete: _Read) -> _Read:
    def read(value: Any) -> Any:
        found = complete(value)
        if found is None:
            raise _DeclinedError
        return found

    return read


def _each(complete: _Read) -> _Read:
    def read(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise _DeclinedError
        return [complete(item) for item in value]

    return read


def _scalar(kind: GraphQLScalarType) -> _Read:
    if not is_specified_scalar_type(kind):
        return lambda value: value  # the schema's own scalars are handed over as they are
    # The newer name of graphql-core 3.3; the other one is deprecated there.
    serialize: _Read = getattr(kind, "coerce_output_value", None) or kind.serialize
    if kind is GraphQLString:
        return lambda value: value if value is None or type(value) is str else serialize(value)
    return lambda value: None if value is None else serialize(value)
