"""What is done to lists: filters, maps, orders, parts, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, aliased, column
from wandb_warehouse.operations.lowering.coercion import merged
from wandb_warehouse.operations.lowering.relations import (
    RUN_KEY,
    Grouped,
    Guard,
    Key,
    Relation,
    RunValue,
    Scalar,
    Scope,
)
from wandb_warehouse.operations.lowering.rows import export, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wandb_warehouse.operations.lowering.lowerer import Lowerer, Names

__all__ = ["STAGES", "wrap"]


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
    relation.element = merged(relation.element)
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
    element = rebuilt(t.element_of(node.type), scope, alias)
    return Relation(scope, element, [Key(column(f"place_{alias}", alias))])


def group(lo: Lowerer, node: t.Group, names: Names, scope: Scope) -> Relation:
    """A GROUP BY; groups come in the order in which their keys first occur."""
    relation = lo.relation(node.of, names, Scope())
    key = merged(lo.bound(node.key, lo.within(relation, node.variable, names), relation.scope))
    if isinstance(key, Scalar) and key.may_be_nan:
        key = Scalar(key.type, lo.engine.without_nan(key.sql))
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
    element = Grouped(key, wrapped.element, wrapped)
    wrapped.scope.grouped = True
    return Relation(wrapped.scope, element, [Key(exp.Min(this=place))], groups)


def wrap(
    lo: Lowerer,
    relation: Relation,
    type_: t.Type,
    scope: Scope,
    *,
    extra: Mapping[str, Sql] | None = None,
    total: bool = False,
) -> tuple[Relation, Sql, Sql | None, str]:
    """A relation as a source of a SELECT around it, and its alias.

    Between them the columns of each element's place, and of how many elements there are.
    """
    alias = lo.alias("t")
    named = {**export(relation.element), **(extra or {}), f"place_{alias}": relation.place()}
    if total:
        named[f"total_{alias}"] = exp.Window(this=exp.Count(this=exp.Star()))
    columns: list[Sql] = [aliased(sql, name) for name, sql in named.items()]
    if isinstance(relation.element, RunValue):
        star = exp.Column(this=exp.Star(), table=exp.to_identifier(relation.element.alias))
        columns = [star, *columns[len(export(relation.element)) :]]
    correlated = bool(relation.scope.correlated)
    query = relation.select(*columns).subquery(alias, copy=False)
    on = exp.true() if scope.tables else None
    scope.add(query if not (correlated and scope.tables) else exp.Lateral(this=query), on)
    element = rebuilt(t.element_of(type_), scope, alias)
    place = column(f"place_{alias}", alias)
    size = column(f"total_{alias}", alias) if total else None
    return Relation(scope, element, [Key(place)]), place, size, alias


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
