"""One element or one value of a list, within the SELECT that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, aliased, column, equals, selected
from wandb_warehouse.operations.lowering.folding import chain, driving_key, fold
from wandb_warehouse.operations.lowering.relations import (
    Bound,
    Grouped,
    Guard,
    ListBinding,
    Relation,
    RunValue,
    Scalar,
    Scope,
)
from wandb_warehouse.operations.lowering.rows import export, rebuilt, wrap
from wandb_warehouse.operations.lowering.sources import history

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wandb_warehouse.operations.lowering.lowerer import Lowerer, Names

__all__ = ["first", "first_of", "fold_of", "one_of", "top_fold", "whole_list"]


def first(lo: Lowerer, node: t.First, names: Names, scope: Scope) -> Bound:
    """The element at a place of a list, joined to the SELECT that needs it; all missing where there is none."""
    if (known := lo.recalled(node, names, scope)) is not None:
        return known
    if node in lo.common:
        alias = lo.alias("f")
        scope.add(lo.common.source(node, alias), exp.true(), "LEFT")
        return _found(lo, node, alias, names, scope)
    relation, skipped = first_of(lo, node, names)
    if relation.groups is not None or isinstance(relation.element, ListBinding):
        raise lo.refuse("one group cannot be taken out", "map the groups to records first")
    named = export(relation.element)
    columns: list[Sql] = [aliased(sql, name) for name, sql in named.items()]
    if isinstance(relation.element, RunValue):
        columns = [exp.Column(this=exp.Star(), table=exp.to_identifier(relation.element.alias))]
    alias = lo.alias("f")
    correlated = relation.scope.correlated
    if not lo.free(relation.select(*columns)):
        query = one_of(relation, columns, skipped)
        if lo.is_common(node):
            lo.common.add(node, query)
            source: Sql = lo.common.source(node, alias)
        else:
            source = query.subquery(alias, copy=False)
        scope.add(source, exp.true(), "LEFT")
    elif correlated and not lo.free(_uncorrelated(relation).select(*columns)):
        inner = _uncorrelated(relation)
        own, same = _tied(alias, correlated)
        order = exp.Order(expressions=[key.ordered for key in relation.order])
        number = exp.Window(this=exp.RowNumber(), partition_by=[ours for ours, _ in correlated], order=order)
        query = inner.select(*columns, *own, aliased(number, f"place_{alias}"))
        here = equals(column(f"place_{alias}", alias), exp.Literal.number(skipped + 1))
        scope.add(query.subquery(alias, copy=False), exp.and_(*same, here, copy=False), "LEFT")
    else:
        if not lo.engine.has_lateral:
            raise lo.engine.unknown("one element of a list that depends on another element")
        query = one_of(relation, columns, skipped)
        lateral = exp.Lateral(
            this=query.subquery(copy=False), alias=exp.TableAlias(this=exp.to_identifier(alias))
        )
        scope.add(lateral, exp.true(), "LEFT")
    return _found(lo, node, alias, names, scope)


def _found(lo: Lowerer, node: t.First, alias: str, names: Names, scope: Scope) -> Bound:
    found = rebuilt(node.type, scope, alias)
    lo.remember(node, found, names, scope)
    return found


def first_of(lo: Lowerer, node: t.First, names: Names) -> tuple[Relation, int]:
    """The list whose element at a place is meant, and how many stand before it."""
    match node.of:
        case t.Slice(of=of, start=start, stop=stop) if start >= 0 and (stop is None or stop > start):
            return lo.relation(of, names), start
        case _:
            return lo.relation(node.of, names), 0


def fold_of(lo: Lowerer, node: t.Fold, names: Names, scope: Scope) -> Bound:
    """One value of a list: an aggregate of a SELECT of its own, or of the grouped one it stands in."""
    if isinstance(node.of, t.Filter) and isinstance(node.of.of, t.Listed) and node.function == "some":
        return _some_listed(lo, node.of, node.of.of, names, scope)
    group = chain(node.of)
    if group is not None and isinstance(found := names.get(group), Grouped):
        if node in found.folds:
            return found.folds[node]
        with found.relation.scope.of_members():
            element, conditions = members(lo, node.of, names, found)
        return fold(lo.engine, node, element, found.relation.order, conditions)
    if node in lo.common:
        return lo.common.scalars[node]
    key = driving_key(node)
    relation = _driven(lo, node.of, key, names) if key else lo.relation(node.of, names)
    if isinstance(relation.element, Grouped):
        # Groups are only counted; what they hold has no columns.
        scope_of_groups = Scope()
        one = relation.select(aliased(exp.Literal.number(1), "one"))
        scope_of_groups.add(one.subquery(lo.alias("t"), copy=False))
        relation = Relation(scope_of_groups, relation.element, [])
    elif relation.groups is not None:
        relation = wrap(lo, relation, node.of.type, Scope())[0]
    made = fold(lo.engine, node, relation.element, relation.order, [])
    if (joined := _joined(lo, node, relation, made, scope)) is not None:
        return joined
    query = relation.select(made.sql)
    if lo.is_common(node):
        lo.common.add(node, relation.select(aliased(made.sql, "value")))
        alias = lo.alias("n")
        query = selected(column("value", alias)).from_(lo.common.source(node, alias), copy=False)
    value = Scalar(made.type, query.subquery(copy=False), made.may_be_nan)
    if node in lo.common:
        lo.common.scalars[node] = value
    return value


_OF_NONE: dict[str, Sql] = {
    "count": exp.Literal.number(0),
    "total": exp.Literal.number(0),
    "some": exp.false(),
}
"""What an aggregate gives of an empty list, where that is not NULL."""


def _joined(lo: Lowerer, node: t.Fold, relation: Relation, made: Scalar, scope: Scope) -> Scalar | None:
    """An aggregate for each run at once, joined to the SELECT that needs it; None where it needs more of that SELECT.

    Every engine can do that. Subqueries that refer to the SELECT around them are not allowed everywhere.
    """
    correlated = relation.scope.correlated
    theirs = {name for _, outer in correlated for name in lo.free(outer)}
    alone = _uncorrelated(relation)
    if not correlated or not theirs <= scope.aliases or lo.free(alone.select(made.sql)):
        return None
    alias = lo.alias("n")
    own, same = _tied(alias, correlated)
    query = alone.select(*own, aliased(made.sql, "value"))
    query = query.group_by(*(ours for ours, _ in correlated), copy=False)
    scope.add(query.subquery(alias, copy=False), exp.and_(*same, copy=False), "LEFT")
    value: Sql = column("value", alias)
    if (none := _OF_NONE.get(node.function)) is not None:
        value = exp.Coalesce(this=value, expressions=[none])
    return Scalar(made.type, value, made.may_be_nan)


def top_fold(lo: Lowerer, node: t.Fold) -> exp.Select:
    """The SELECT of an aggregate that stands by itself."""
    scope = Scope()
    made = fold_of(lo, node, {}, scope)
    if isinstance(made, Scalar) and isinstance(made.sql, exp.Subquery) and not scope.tables:
        query = made.sql.this
        assert isinstance(query, exp.Select)
        value = query.expressions[0]
        double = made.type == t.NUMBER and not isinstance(value, exp.Avg | exp.StddevPop)
        query.set(
            "expressions",
            [aliased(lo.engine.double(value) if double else value, "value", quoted=True)],
        )
        return query
    assert isinstance(made, Scalar)
    return scope.select(aliased(made.sql, "value", quoted=True))


def whole_list(lo: Lowerer, binding: ListBinding) -> Sql:
    """A list that is one column: only a run's tags are stored so."""
    node = binding.node
    if isinstance(node, t.Tags) and isinstance(run := lo.bound(node.of, binding.names, Scope()), RunValue):
        return lo.engine.document(run.column("tags"))
    raise lo.refuse("a list in a list has no column", "flatten it, count it, or join it to a text")


def _some_listed(lo: Lowerer, node: t.Filter, listed: t.Listed, names: Names, scope: Scope) -> Bound:
    """Whether a condition holds for one of a few constants: said without a table of them."""
    conditions = [
        lo.sql(node.condition, {**names, node.variable: lo.bound(each, names, scope)}, scope)
        for each in listed.items
    ]
    return Scalar(t.BOOLEAN, exp.Paren(this=exp.or_(*conditions, copy=False)))


def _driven(lo: Lowerer, node: t.Node, key: str, names: Names) -> Relation:
    """A history of which only the rows with one key matter."""
    match node:
        case t.History():
            return history(lo, node, names, Scope(), key)
        case t.Filter(of=of, variable=variable, condition=condition):
            relation = _driven(lo, of, key, names)
            inner = lo.within(relation, variable, names)
            condition_sql = lo.sql(condition, inner, relation.scope)
            relation.scope.where.append(condition_sql)
            relation.scope.guards.append(Guard(condition_sql))
            return relation
        case t.Each(of=of, variable=variable, body=body):
            relation = _driven(lo, of, key, names)
            element = lo.bound(body, lo.within(relation, variable, names), relation.scope)
            return Relation(relation.scope, element, relation.order)
        case _:
            raise lo.refuse("no history")


def members(lo: Lowerer, node: t.Node, names: Names, group: Grouped) -> tuple[Bound, list[Sql]]:
    """What stands for each member of a group in the grouped SELECT, and the conditions members must meet."""
    scope = group.relation.scope
    match node:
        case t.Filter(of=of, variable=variable, condition=condition):
            element, conditions = members(lo, of, names, group)
            return element, [*conditions, lo.sql(condition, {**names, variable: element}, scope)]
        case t.Each(of=of, variable=variable, body=body):
            element, conditions = members(lo, of, names, group)
            return lo.bound(body, {**names, variable: element}, scope), conditions
        case _:
            return group.member, []


def _tied(alias: str, correlated: Sequence[tuple[exp.Column, Sql]]) -> tuple[list[Sql], list[Sql]]:
    """Columns for what ties a list to the SELECT around it, and the conditions that join a source of them to it."""
    names = [f"of_{alias}_{place}" for place in range(len(correlated))]
    own: list[Sql] = [aliased(ours, name) for name, (ours, _) in zip(names, correlated, strict=True)]
    same: list[Sql] = [
        exp.EQ(this=column(name, alias), expression=theirs)
        for name, (_, theirs) in zip(names, correlated, strict=True)
    ]
    return own, same


def one_of(relation: Relation, columns: list[Sql], skipped: int) -> exp.Select:
    """The SELECT of one element, and how many before it are skipped."""
    query = relation.select(*columns, ordered=True).limit(exp.Literal.number(1), copy=False)
    return query.offset(exp.Literal.number(skipped), copy=False) if skipped else query


def _uncorrelated(relation: Relation) -> Relation:
    """The relation without what ties it to a SELECT further out."""
    tied = {exp.EQ(this=ours, expression=theirs) for ours, theirs in relation.scope.correlated}
    scope = Scope(relation.scope.tables, [each for each in relation.scope.where if each not in tied])
    return Relation(scope, relation.element, relation.order)
