"""The GraphQL endpoint: the schema, its resolvers, and answers encoded without walking rows.

Histories are scalars here although clients read them as lists: a resolver hands over JSON that is encoded already
and the encoder of the response copies it, so serving a row costs no work in Python.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from wandb_warehouse.sandbox.artifact_changes import ARTIFACT_CHANGES
from wandb_warehouse.sandbox.artifacts import Portfolio
from wandb_warehouse.sandbox.artifacts_api import ARTIFACTS
from wandb_warehouse.sandbox.boards import BOARDS
from wandb_warehouse.sandbox.context import Context, Forbidden
from wandb_warehouse.sandbox.execution import Resolvers, Selection, plan, run
from wandb_warehouse.sandbox.mutations import MUTATIONS
from wandb_warehouse.sandbox.queries import QUERIES, Resolver
from wandb_warehouse.sandbox.store import Run

__all__ = ["Answer", "answer", "operation_name"]

_DOCUMENTS_KEPT = 512
_CODES = {
    400: "BAD_REQUEST",
    401: "PERMISSION_ERROR",
    403: "PERMISSION_ERROR",
    404: "NOT_FOUND",
    409: "CONFLICT",
}


@dataclass(frozen=True)
class Answer:
    """Status and JSON body of a GraphQL response."""

    status: int
    body: bytes


@dataclass(frozen=True)
class _Prepared:
    document: DocumentNode
    errors: tuple[GraphQLError, ...]
    mutates: bool
    name: str
    selection: Selection | None
    """What a plain query selects."""


def _bind(resolver: Resolver) -> Callable[..., Any]:
    def resolve(source: Any, info: "GraphQLResolveInfo[Context]", **arguments: Any) -> Any:
        return resolver(source, info.context, **arguments)

    return resolve


def _type_of_collection(value: object, *_: Any) -> str:
    return "ArtifactPortfolio" if isinstance(value, Portfolio) else "ArtifactSequence"


def _type_of_creator(value: object, *_: Any) -> str:
    return "Run" if isinstance(value, Run) else "User"


_RESOLVERS: Resolvers = {
    (type_name, field): resolver
    for table in (QUERIES, MUTATIONS, ARTIFACTS, ARTIFACT_CHANGES, BOARDS)
    for type_name, resolvers in table.items()
    for field, resolver in resolvers.items()
}


@cache
def _schema() -> GraphQLSchema:
    schema = build_schema((files(__package__) / "schema.graphql").read_text(encoding="utf-8"))
    for (type_name, field), resolver in _RESOLVERS.items():
        kind = schema.get_type(type_name)
        if not isinstance(kind, GraphQLObjectType):
            raise TypeError(f"the schema has no object type {type_name}")
        kind.fields[field].resolve = _bind(resolver)
    schema.get_type("ArtifactCollection").resolve_type = _type_of_collection  # type: ignore[union-attr]  # an interface, by the schema file
    schema.get_type("Creator").resolve_type = _type_of_creator  # type: ignore[union-attr]  # a union, by the schema file
    return schema


_prepared: OrderedDict[str, _Prepared | GraphQLError] = OrderedDict()


def _prepare(text: str) -> _Prepared | GraphQLError:
    """Parse and validate a document once."""
    known = _prepared.get(text)
    if known is None:
        known = _prepared[text] = _parse(text)
        if len(_prepared) > _DOCUMENTS_KEPT:
            _prepared.popitem(last=False)
    return known


def _parse(text: str) -> _Prepared | GraphQLError:
    try:
        document = parse(text, no_location=True)
    except GraphQLError as error:
        return error
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    name = next((node.name.value for node in operations if node.name), "")
    mutates = any(node.operation is OperationType.MUTATION for node in operations)
    errors = tuple(validate(_schema(), document))
    selection = None if errors else plan(_schema(), document, _RESOLVERS)
    return _Prepared(document, errors, mutates, name, selection)


def operation_name(request: object) -> str:
    """Name of the operation in a GraphQL request body; empty for an unnamed one."""
    if not isinstance(request, dict):
        return ""
    if request.get("operationName"):
        return str(request["operationName"])
    prepared = _prepare(str(request.get("query", "")))
    return prepared.name if isinstance(prepared, _Prepared) else ""


def _failure(status: int, *errors: dict[str, Any]) -> Answer:
    return Answer(status, orjson.dumps({"data": None, "errors": list(errors)}))


def _error(error: GraphQLError) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": error.message}
    if error.path:
        shown["path"] = list(error.path)
    if isinstance(error.original_error, Forbidden):
        shown["extensions"] = {"code": _CODES[error.original_error.status]}
    return shown


def _status(errors: list[GraphQLError]) -> int:
    """HTTP status of a failed execution: it mirrors the failure."""
    for error in errors:
        if isinstance(error.original_error, Forbidden):
            return error.original_error.status
        if not error.path or isinstance(error.original_error, ValueError | None):
            return 400
    return 500


def answer(request: object, context: Context) -> Answer:
    """Execute one GraphQL request."""
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        return _failure(400, {"message": "no query"})
    prepared = _prepare(request["query"])
    if isinstance(prepared, GraphQLError):
        return _failure(400, {"message": prepared.message})
    if prepared.errors:
        return _failure(400, *map(_error, prepared.errors))
    if prepared.mutates and context.viewer is None:
        denied = {"message": "user is not logged in", "extensions": {"code": _CODES[401]}}
        return _failure(401, denied)
    if not prepared.mutates:
        context = replace(context, reads_only=True)
    variables, named = request.get("variables") or {}, request.get("operationName") or None
    if prepared.selection is not None and named in {None, prepared.name}:
        data = run(_schema(), prepared.selection, context, variables)
        if data is not None:
            return Answer(200, _encoded({"data": data}))
    return _executed(prepared, context, variables, named)


def _executed(prepared: _Prepared, context: Context, variables: dict[str, Any], named: str | None) -> Answer:
    """What graphql-core answers."""
    result = execute_sync(
        _schema(),
        prepared.document,
        context_value=context,
        variable_values=variables,
        operation_name=named,
    )
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [_error(error) for error in result.errors]
    return Answer(_status(result.errors) if result.errors else 200, _encoded(body))


def _encoded(body: Any) -> bytes:
    """JSON of an answer; lone surrogates, which orjson refuses, are written as escapes."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(_escaped(body))


def _escaped(value: Any) -> Any:
    """The same value with the texts and objects that orjson refuses encoded beforehand."""
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        if any(_refused(key) for key in value):
            return orjson.Fragment(json.dumps(value).encode())
        return {key: _escaped(item) for key, item in value.items()}
    return orjson.Fragment(json.dumps(value).encode()) if _refused(value) else value


def _refused(value: Any) -> bool:
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value)
