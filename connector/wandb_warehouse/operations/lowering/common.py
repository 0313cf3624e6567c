"""What several SELECTs of a statement read alike: said once, in its WITH.

One run that others are compared with, and then others with those: written out, a chain of n is as long as 2 to the n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import aliased, column, table, whole
from wandb_warehouse.operations.lowering.relations import Bound, Key, ListBinding, Relation, Scalar, Scope
from wandb_warehouse.operations.lowering.rows import export, rebuilt, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.lowering.lowerer import Lowerer, Names

__all__ = ["Common", "common_list", "common_value"]

_BRIEF = 300
"""Nodes of a list's SELECT that may as well be said again."""


class Common:
    """SELECTs that depend on nothing around them, each with a name."""

    def __init__(self, alias: Callable[[str], str]) -> None:
        self._alias = alias
        self._names: dict[t.Node, str] = {}
        self._queries: dict[str, exp.Select] = {}
        self.brief: set[t.Node] = set()
        """Lists that are said in each place."""
        self.places: dict[t.Node, str] = {}
        """The column with each element's place in a list."""
        self.values: set[t.Node] = set()
        """Long values that stand in a SELECT; another one that asks for them reads them."""
        self.scalars: dict[t.Node, Scalar] = {}
        """Values of lists."""

    def __contains__(self, node: t.Node) -> bool:
        return node in self._names

    def add(self, node: t.Node, query: exp.Select) -> None:
        """Add a node's SELECT; those that it reads are here already."""
        name = self._names[node] = self._alias("common")
        self._queries[name] = query

    def source(self, node: t.Node, alias: str) -> exp.Table:
        """A node's SELECT as a source of another."""
        return table(self._names[node], alias)

    def added(self, query: exp.Select, finished: Callable[[exp.Select], exp.Select]) -> exp.Select:
        """A whole statement with those that it reads; one that a single place reads stands in that place."""
        places = self._places(query)
        kept: list[tuple[str, exp.Select]] = []
        for name in reversed(self._queries):
            if name not in places:
                continue
            common = finished(self._queries[name])
            for inner, more in self._places(common).items():
                places.setdefault(inner, []).extend(more)
            if len(places[name]) > 1:
                kept.append((name, common))
            else:
                (place,) = places[name]
                place.replace(exp.Subquery(this=common, alias=place.args["alias"]))
        for name, common in reversed(kept):
            query = query.with_(name, as_=common, copy=False)
        return query

    def _places(self, query: exp.Select) -> dict[str, list[exp.Table]]:
        places: dict[str, list[exp.Table]] = {}
        for each in whole(query) if self._queries else ():
            if isinstance(each, exp.Table) and each.name in self._queries:
                places.setdefault(each.name, []).append(each)
        return places


def common_list(
    lo: Lowerer, node: t.Node, method: Callable[..., Relation], names: Names, scope: Scope
) -> Relation:
    """The clauses of a list that stands in several places: a source that has it; where it is brief, its own."""
    common = lo.common
    if node not in common and node not in common.brief:
        relation = method(lo, node, names, Scope())
        if relation.groups is None and not isinstance(relation.element, ListBinding):
            around = Scope()
            place = wrap(lo, relation, node.type, around)[1]
            query = around.tables[0][0].this
            if isinstance(query, exp.Select) and lo.length(query) >= _BRIEF:
                common.add(node, query)
                common.places[node] = place.name
        if node not in common:
            common.brief.add(node)
    if node in common.brief:
        return method(lo, node, names, scope)
    alias = lo.alias("t")
    scope.add(common.source(node, alias), exp.true() if scope.tables else None)
    return Relation(
        scope,
        rebuilt(t.element_of(node.type), scope, alias),
        [Key(column(common.places[node], alias))],
    )


def common_value(lo: Lowerer, node: t.Node, names: Names, scope: Scope) -> Bound:
    """A value that several SELECTs ask for: a source of one row."""
    if node not in lo.common:
        inner = Scope()
        made = export(lo.inside(node, names, inner))
        lo.common.add(node, inner.select(*(aliased(sql, name) for name, sql in made.items())))
    alias = lo.alias("f")
    scope.add(lo.common.source(node, alias), exp.true(), "LEFT")
    found = rebuilt(node.type, scope, alias)
    lo.remember(node, found, names, scope)
    return found
