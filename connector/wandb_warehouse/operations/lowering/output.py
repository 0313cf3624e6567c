"""The SELECT of what a statement shows: which columns it has, and in which order its rows come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, aliased, column
from wandb_warehouse.operations.lowering.coercion import settled
from wandb_warehouse.operations.lowering.lowerer import Lowerer
from wandb_warehouse.operations.lowering.relations import (
    ArtifactValue,
    Bound,
    DocumentValue,
    Grouped,
    ListBinding,
    RecordValue,
    RowValue,
    RunValue,
    Scalar,
    Scope,
    Value,
)
from wandb_warehouse.operations.lowering.single import first_of, one_of, top_fold, whole_list

if TYPE_CHECKING:
    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["Shown", "shown"]

_RUN_COLUMNS = ("entity", "project", "run_id", "name", "state", "created_at")
_ARTIFACT_COLUMNS = {
    "collection": "name",
    "version": "version",
    "type": "type",
    "size": "size",
    "digest": "digest",
    "state": "state",
    "created_at": "createdAt",
    "metadata": "metadata",
}


@dataclass(frozen=True)
class Column:
    """A column that is shown: its expression under its name, and whether it holds JSON."""

    sql: Sql
    is_json: bool = False


@dataclass(frozen=True)
class Shown:
    """A SELECT, whether its rows are lines that a program writes, and which of its columns hold JSON."""

    query: exp.Select
    is_text: bool
    json: tuple[bool, ...]


def shown(node: t.Node, engine: Engine) -> Shown:
    """The SELECT of what a statement shows, for an engine."""
    lowerer = Lowerer(engine, node)
    is_text = _is_effect(node)
    if isinstance(node, t.Fold) and isinstance(node.of.type, t.ListType):
        return Shown(lowerer.finished(top_fold(lowerer, node)), is_text, (False,))
    if isinstance(node, t.First) and node.type in (t.RUN, t.ARTIFACT, t.ROW):
        # One element is a list of at most one: where there is none, there is no row.
        relation, skipped = first_of(lowerer, node, {})
        columns = columns_of(lowerer, relation.element)
        query = one_of(relation, [each.sql for each in columns], skipped)
    elif isinstance(node.type, t.ListType):
        relation = lowerer.relation(node, {})
        columns = columns_of(lowerer, relation.element)
        query = relation.select(*(each.sql for each in columns), ordered=True)
    else:
        scope = Scope()
        columns = columns_of(lowerer, lowerer.bound(node, {}, scope))
        query = scope.select(*(each.sql for each in columns))
    return Shown(lowerer.finished(query), is_text, tuple(each.is_json for each in columns))


def _is_effect(node: t.Node) -> bool:
    """Whether a node is the text of console.log, alert or forEach rather than a value that is shown."""
    match node:
        case t.Each(body=body):
            return _is_effect(body)
        case t.Apply(function="if", arguments=(_, then, _), type=t.TEXT):
            return _is_effect(then)
        case t.Written():
            return True
        case _:
            return False


def columns_of(lowerer: Lowerer, bound: Bound, name: str = "value") -> list[Column]:
    """The columns that show an element, with the names a user sees."""
    engine = lowerer.engine
    match bound:
        case Scalar(kind, sql):
            number = engine.double(sql) if kind == t.NUMBER and not _is_double(sql) else sql
            return [_named(number, name)]
        case Value():
            return [_named(engine.document(settled(bound).json), name, is_json=True)]
        case DocumentValue(sql):
            return [_named(engine.document(sql), name, is_json=True)]
        case RunValue():
            return [Column(bound.column(each)) for each in _RUN_COLUMNS]
        case ArtifactValue(columns):
            return [
                _named(columns[ours], theirs, is_json=ours == "metadata")
                for ours, theirs in _ARTIFACT_COLUMNS.items()
            ]
        case RowValue(_, alias):
            return [Column(column(each, alias)) for each in ("entity", "project", "run_id", "step")]
        case RecordValue(entries):
            return [each for entry, inner in entries.items() for each in columns_of(lowerer, inner, entry)]
        case Grouped(key):
            counted = engine.double(exp.Count(this=exp.Star()))
            return [*columns_of(lowerer, key, "key"), _named(counted, "count")]
        case ListBinding():
            return [_named(whole_list(lowerer, bound), name, is_json=True)]


def _is_double(sql: Sql) -> bool:
    """Whether an expression is a double already, and no decimal or count."""
    if isinstance(sql, exp.Column):
        return sql.name not in ("size", "step")
    return isinstance(sql, exp.Avg | exp.StddevPop)


def _named(sql: Sql, name: str, *, is_json: bool = False) -> Column:
    return Column(aliased(sql, name, quoted=True), is_json)
