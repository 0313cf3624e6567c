"""What is done to lists: filters, maps, orders, parts, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, aliased, column
from wandb_warehouse.operations.lowering.coercion import merged
from wandb_warehouse.operations.lowering.groups import apart, group
from wandb_warehouse.operations.lowering.relations import (
    RUN_KEY,
    Guard,
    Key,
    Relation,
    RunValue,
    Scalar,
    Scope,
)
from wandb_warehouse.operations.lowering.rows import as_sure, export, rebuilt, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.lowering.lowerer import Lowerer, Names

__all__ = ["STAGES"]

_LONG = 300
"""Nodes of what a body makes of a group before the groups stand in a SELECT of their own."""


def filtered(lo: Lowerer, node: t.Filter, names: Names, scope: Scope) -> Relation:
    """The elements for which a condition holds: a WHERE, of groups a HAVING."""
    relation = lo.relation(node.of, names, scope)
    condition = lo.sql(node.condition, lo.within(relation, node.variable, names), relation.scope)
    if relation.groups is None:
        relation.scope.where.append(condition)
        relation.scope.guards.append(Guard(condition))
    else:
        relation.having.append(condition)
    return relation


def mapped(lo: Lowerer, node: t.Each, names: Names, scope: Scope) -> Relation:
    """What a body makes of each element: no clause changes, only what an element is."""
    relation = lo.relation(node.of, names, scope)
    inner = lo.within(relation, node.variable, names)
    element = lo.bound(node.body, inner, relation.scope)
    if relation.groups is not None and lo.size(element) > _LONG:
        relation = apart(lo, relation, node, names)
        element = lo.bound(node.body, {**names, node.variable: relation.element}, relation.scope)
    return Relation(relation.scope, element, relation.order, relation.groups, relation.having)


def flat(lo: Lowerer, node: t.Flat, names: Names, scope: Scope) -> Relation:
    """The lists of all elements one after the other: the sources of both are joined."""
    outer = lo.relation(node.of, names, scope)
    if outer.groups is not None:
        raise lo.refuse("lists within groups cannot be flattened", "flatten before groupBy")
    known = len(outer.scope.correlated)
    inner = lo.relation(node.body, lo.within(outer, node.variable, names), outer.scope)
    if inner.scope is not outer.scope:
        raise lo.refuse("a list of a part of each element cannot be flattened", "take the part after flatten")
    del inner.scope.correlated[known:]
    return Relation(inner.scope, inner.element, [*outer.order, *inner.order])


def sort(lo: Lowerer, node: t.Sort, names: Names, scope: Scope) -> Relation:
    """The elements by keys, then as they were: JavaScript sorts are stable."""
    relation = lo.relation(node.of, names, scope)
    inner = lo.within(relation, node.variable, names)
    keys = []
    for key, descending in node.keys:
        bound = lo.bound(key, inner, relation.scope)
        if not isinstance(bound, Scalar):
            raise lo.refuse(f"SQL cannot order by {key.type}")
        sql = lo.engine.without_nan(bound.sql) if bound.may_be_nan else bound.sql
        if not isinstance(sql, exp.Literal):
            keys.append(Key(sql, descending, node.missing_first))
    relation.order = [*keys, *relation.order]
    return relation


def reverse(lo: Lowerer, node: t.Reverse, names: Names, scope: Scope) -> Relation:
    """The elements from the last to the first."""
    relation = lo.relation(node.of, names, scope)
    relation.order = [key.reversed for key in relation.order]
    return relation


def part(lo: Lowerer, node: t.Slice, names: Names, scope: Scope) -> Relation:
    """The elements between two places: by row numbers, so that it holds within other SELECTs, too."""
    relation = lo.relation(node.of, names, Scope())
    wrapped, place, total = wrap(
        lo, relation, node.type, scope, total=node.start < 0 or (node.stop or 0) < 0
    )[:3]

    def before(number: int) -> Sql:
        if number >= 0 or total is None:
            return exp.Literal.number(number)
        return exp.Sub(this=total, expression=exp.Literal.number(-number))

    if node.start:
        wrapped.scope.where.append(exp.GT(this=place, expression=before(node.start)))
    if node.stop is not None:
        wrapped.scope.where.append(exp.LTE(this=place, expression=before(node.stop)))
    return wrapped


def unique(lo: Lowerer, node: t.Unique, names: Names, scope: Scope) -> Relation:
    """Each element once, where it first occurs."""
    relation = lo.relation(node.of, names, Scope())
    made = relation.element
    relation.element = merged(lo.engine, made)
    wrapped, place, _, _ = wrap(lo, relation, node.type, Scope())
    named = export(wrapped.element)
    groups = [sql for name, sql in named.items() if not name.endswith(("number", "text"))] or list(
        named.values()
    )
    kept = {name: sql if sql in groups else exp.Min(this=sql) for name, sql in named.items()}
    if isinstance(wrapped.element, RunValue):
        groups = [wrapped.element.column(name) for name in RUN_KEY]
        kept = {name: exp.Min(this=wrapped.element.column(name)) for name in named}
        kept |= dict(zip(RUN_KEY, groups, strict=True))
    alias = lo.alias("u")
    first = aliased(exp.Min(this=place), f"place_{alias}")
    columns = [aliased(sql, name) for name, sql in kept.items()]
    query = wrapped.scope.select(*columns, first).group_by(*(each for each in groups))
    scope.add(query.subquery(alias, copy=False), exp.true() if scope.tables else None)
    element = as_sure(rebuilt(t.element_of(node.type), scope, alias), made)
    return Relation(scope, element, [Key(column(f"place_{alias}", alias))])


STAGES: dict[type[t.Node], Callable[..., Relation]] = {
    t.Filter: filtered,
    t.Each: mapped,
    t.Flat: flat,
    t.Sort: sort,
    t.Reverse: reverse,
    t.Slice: part,
    t.Unique: unique,
    t.Group: group,
}
"""What lowers each."""
