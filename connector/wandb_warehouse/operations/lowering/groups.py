"""Groups: a GROUP BY, and groups as the rows of a SELECT of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, column
from wandb_warehouse.operations.lowering.coercion import merged
from wandb_warehouse.operations.lowering.folding import chain
from wandb_warehouse.operations.lowering.relations import (
    Bound,
    Grouped,
    Key,
    RecordValue,
    Relation,
    Scope,
)
from wandb_warehouse.operations.lowering.rows import as_sure, export, rebuilt, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wandb_warehouse.operations.lowering.lowerer import Lowerer, Names

__all__ = ["apart", "group"]


def group(lo: Lowerer, node: t.Group, names: Names, scope: Scope) -> Relation:
    """A GROUP BY; groups come in the order in which their keys first occur."""
    relation = lo.relation(node.of, names, Scope())
    made = lo.bound(node.key, lo.within(relation, node.variable, names), relation.scope)
    key = merged(lo.engine, made)
    extra = {f"group_{name}": sql for name, sql in export(key).items()}
    wrapped, place, _, alias = wrap(lo, relation, node.of.type, scope, extra=extra)
    groups: list[Sql] = []
    columns: dict[str, Sql] = {}
    for name in extra:
        sql = column(name, alias)
        # Of a value's four parts two tell it from others; the other two follow from them.
        follows = name.endswith(("_number", "_text")) and f"{name.rpartition('_')[0]}_kind" in extra
        columns[name] = exp.Min(this=sql) if follows else sql
        groups += [] if follows else [sql]
    if not groups:
        groups = [exp.true()]
    key = rebuilt(node.key.type, wrapped.scope, alias, columns=columns, prefix="group_")
    key = as_sure(key, made)
    element = Grouped(key, wrapped.element, wrapped)
    wrapped.scope.grouped = True
    return Relation(wrapped.scope, element, [Key(exp.Min(this=place))], groups)


def apart(lo: Lowerer, relation: Relation, node: t.Each, names: Names) -> Relation:
    """Groups as rows: a column for each aggregate that a body asks for, so that what it makes of them has names."""
    groups = relation.element
    assert isinstance(groups, Grouped)
    assert isinstance(node.variable.type, t.GroupType)
    folds = list(dict.fromkeys(_folds(node.body, node.variable)))
    inner = {**names, node.variable: groups}
    made = {f"{place}": lo.bound(each, inner, relation.scope) for place, each in enumerate(folds)}
    types = (("key", node.variable.type.key), *((f"{place}", each.type) for place, each in enumerate(folds)))
    rows = Relation(
        relation.scope,
        RecordValue({"key": groups.key, **made}),
        relation.order,
        relation.groups,
        relation.having,
    )
    around = wrap(lo, rows, t.list_of(t.RecordType("a group", types)), Scope())[0]
    found = around.element
    assert isinstance(found, RecordValue)
    columns: dict[t.Node, Bound] = {each: found.entries[f"{place}"] for place, each in enumerate(folds)}
    element = Grouped(found.entries["key"], groups.member, groups.relation, columns)
    return Relation(around.scope, element, around.order)


def _folds(node: t.Node, variable: t.Variable) -> Iterator[t.Fold]:
    """The aggregates of a group within a node."""
    if isinstance(node, t.Fold) and chain(node.of) is variable:
        yield node
    else:
        for part in t.parts(node):
            yield from _folds(part, variable)
