"""The lowerer: from the typed tree to SELECTs, each list the clauses of one, each scalar an expression over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, cast

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import (
    Sql,
    column,
    distinct,
    equals,
    table,
    text,
)
from wandb_warehouse.operations.lowering.coercion import json_value
from wandb_warehouse.operations.lowering.common import Common, common_list, common_value
from wandb_warehouse.operations.lowering.functions import FUNCTIONS
from wandb_warehouse.operations.lowering.naming import Namer
from wandb_warehouse.operations.lowering.relations import (
    ROW_KEY,
    RUN_KEY,
    VIEWS,
    ArtifactValue,
    Bound,
    DocumentValue,
    Grouped,
    Guard,
    ListBinding,
    Recalled,
    RecordValue,
    Relation,
    RowValue,
    RunValue,
    Scalar,
    Scope,
    Value,
)
from wandb_warehouse.operations.lowering.single import first, fold_of
from wandb_warehouse.operations.lowering.sources import SOURCES
from wandb_warehouse.operations.lowering.stages import STAGES

if TYPE_CHECKING:
    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["Lowerer", "Names"]

Names = Mapping[t.Variable, Bound]

_WASTE = 90
"""Nodes that a function may say again before its arguments get names."""

_LISTS: dict[type[t.Node], Callable[..., Relation]] = {**SOURCES, **STAGES}


class Lowerer:
    """Lowers the nodes of one statement for one engine."""

    def __init__(self, engine: Engine, root: t.Node) -> None:
        self.engine = engine
        self._numbers: dict[str, count[int]] = {}
        self._namer = Namer(engine, self.alias)
        self._uses = t.uses(root)
        self._variables = t.Variables()
        self._open: list[Scope] = []
        """The SELECTs in which something is being lowered, the innermost last."""
        self.common = Common(self.alias)

    def alias(self, letter: str) -> str:
        """A new alias."""
        number = next(self._numbers.setdefault(letter, count(1)))
        return letter if number == 1 else f"{letter}{number}"

    def refuse(self, what: str, mend: str = "see docs/operations.md") -> OperationError:
        """The error for what SQL cannot say."""
        return OperationError(what, mend=mend)

    def relation(self, node: t.Node, names: Names, scope: Scope | None = None) -> Relation:
        """The clauses of a list's SELECT; added to those of a scope where one is given."""
        method = _LISTS.get(type(node))
        if method is None:
            raise self.refuse(f"SQL has no list here, but {node.type}")
        if type(node) in STAGES and self.is_common(node):
            return common_list(self, node, method, names, scope or Scope())
        return method(self, node, names, scope or Scope())

    def finished(self, query: exp.Select) -> exp.Select:
        """A statement that is whole."""
        return self.common.added(self._namer.finished(query), self._namer.finished)

    def is_common(self, node: t.Node) -> bool:
        """Whether a node stands in several places, and is the same in each."""
        return self._uses[node] > 1 and not self._variables[node]

    def size(self, bound: Bound) -> int:
        """How many nodes of SQL an element is."""
        return self._namer.size(bound)

    def length(self, sql: Sql) -> int:
        """How many nodes SQL is."""
        return self._namer.length(sql)

    def free(self, sql: Sql) -> frozenset[str]:
        """Sources that SQL reads and does not make."""
        return self._namer.free(sql)

    def within(self, relation: Relation, variable: t.Variable, names: Names) -> dict[t.Variable, Bound]:
        """Names within a function that goes through a list: one more, for the element."""
        if self._uses[variable] > 1 and relation.groups is None:
            relation.element = self._namer.named(relation.element, relation.scope)
        return {**names, variable: relation.element}

    def bound(self, node: t.Node, names: Names, scope: Scope) -> Bound:
        """What a node is within a SELECT; what it needs of other tables joins that SELECT."""
        if self._uses[node] < 2 or not isinstance(node, t.Apply | t.Item | t.Fold):
            return self.inside(node, names, scope)
        if (known := self.recalled(node, names, scope)) is not None:
            return known
        if node in self.common.values and not scope.grouped:
            return common_value(self, node, names, scope)
        made = self.inside(node, names, scope)
        if self.is_common(node) and isinstance(node, t.Apply) and self._namer.is_long(made):
            self.common.values.add(node)
        made = self._namer.named(made, scope)
        self.remember(node, made, names, scope, guards=scope.guards)
        return made

    def inside(self, node: t.Node, names: Names, scope: Scope) -> Bound:
        """What a node is within a SELECT, lowered anew."""
        self._open.append(scope)
        try:
            return self._lowered(node, names, scope)
        finally:
            self._open.pop()

    def recalled(self, node: t.Node, names: Names, here: Scope) -> Bound | None:
        """What a node was lowered to before, in a SELECT or in one around it that the node depends on anyway."""
        depends = bool(self._variables[node]) and not isinstance(node, t.First)
        for scope in (here, *(reversed(self._open) if depends else ())):
            known: Recalled | None = scope.recalled.get(node)
            usable = not scope.grouped or (scope is here and known is not None and known.grouped)
            if known is not None and usable and known.holds(names, scope.guards):
                return known.bound
        return None

    def remember(
        self, node: t.Node, made: Bound, names: Names, scope: Scope, *, guards: Sequence[Guard] = ()
    ) -> None:
        """Keep what a node was lowered to."""
        variables = {variable: names.get(variable) for variable in self._variables[node]}
        grouped = scope.grouped or isinstance(node, t.First)
        scope.recalled[node] = Recalled(made, variables, tuple(guards), grouped)

    def _lowered(self, node: t.Node, names: Names, scope: Scope) -> Bound:
        match node:
            case t.Constant(value=value):
                return self._constant(value)
            case t.Variable():
                return names[node]
            case t.Written(text=line):
                return self.bound(line, names, scope)
            case t.Apply(function=function, arguments=arguments):
                return self._applied(function, self._arguments(function, arguments, names, scope), scope)
            case t.Attribute(of=of, name=name):
                return self._attribute(self.bound(of, names, scope), name, node.type)
            case t.Entry(of=of, source=source, key=key):
                return self._entry(self.bound(of, names, scope), source, key)
            case t.Document(of=of, source=source):
                return self._document(self.bound(of, names, scope), source)
            case t.Item(of=of, path=path):
                return self._item(self.bound(of, names, scope), path)
            case t.Record(entries=entries):
                return RecordValue({name: self.bound(each, names, scope) for name, each in entries})
            case t.First(of=t.Slice(of=t.Pieces() as pieces, start=start, stop=stop)) if (
                stop == start + 1 > 0
            ):
                words = self.sql(pieces.of, names, scope)
                return Scalar(t.TEXT, self.engine.piece(words, pieces.separator, start + 1))
            case t.First():
                return first(self, node, names, scope)
            case t.Fold():
                return fold_of(self, node, names, scope)
            case _ if isinstance(node.type, t.ListType):
                return ListBinding(node, dict(names))
            case _:
                raise self.refuse(f"SQL cannot say {node.type} here")

    def sql(self, node: t.Node, names: Names, scope: Scope) -> Sql:
        """What a scalar node is as SQL."""
        bound = self.bound(node, names, scope)
        if not isinstance(bound, Scalar):
            raise self.refuse(f"a scalar is wanted, not {node.type}")
        return bound.sql

    def _constant(self, value: float | str | bool | None) -> Bound:
        match value:
            case None:
                return Scalar(t.MISSING, exp.Null())
            case bool():
                return Scalar(t.BOOLEAN, exp.true() if value else exp.false())
            case str():
                self._sayable(value, "a text")
                return Scalar(t.TEXT, text(value))
            case _ if math.isnan(value):
                return Scalar(t.NUMBER, exp.cast(exp.Null(), exp.DataType.build("DOUBLE"), copy=False))
            case _:
                return Scalar(t.NUMBER, self.engine.number(float(value)))

    def _sayable(self, words: str, what: str) -> None:
        """Refuse what no SQL text can hold."""
        if "\0" in words or any("\ud800" <= character <= "\udfff" for character in words):
            raise self.refuse(
                f"{what} holds a null character or half of one, which SQL cannot", "leave it out"
            )

    def _arguments(self, function: str, nodes: Sequence[t.Node], names: Names, scope: Scope) -> list[Bound]:
        """The arguments of a function: of a choice, each computed only where JavaScript would."""
        if function not in ("if", "and", "or"):
            return [self.bound(each, names, scope) for each in nodes]
        made = [self.bound(nodes[0], names, scope)]
        assert isinstance(made[0], Scalar)
        for place, each in enumerate(nodes[1:]):
            with scope.guarded(made[0].sql, holds=function != "or" and place == 0):
                made.append(self.bound(each, names, scope))
        return made

    def _applied(self, function: str, arguments: list[Bound], scope: Scope) -> Bound:
        """What a function gives; its longest arguments have names where it says them again and again."""
        sizes = [self._namer.size(each) for each in arguments]
        made = self._apply(function, arguments)
        places = sorted(range(len(arguments)), key=lambda place: -sizes[place])
        if function == "if":
            places = [0, *(place for place in places if place)]
        for place in places:
            if self._namer.size(made) - sum(sizes) <= _WASTE:
                break
            arguments[place] = self._namer.named(arguments[place], scope)
            size = self._namer.size(arguments[place])
            if size < sizes[place]:
                sizes[place], made = size, self._apply(function, arguments)
        return made

    def _apply(self, function: str, arguments: list[Bound]) -> Bound:
        made = FUNCTIONS[function](self.engine, *arguments)
        return (
            Scalar(t.BOOLEAN, cast("Sql", made)) if isinstance(made, exp.Expression) else cast("Bound", made)
        )

    def _attribute(self, of: Bound, name: str, type_: t.Type) -> Bound:
        match of:
            case Grouped(key):
                return key
            case RecordValue(entries):
                return entries[name]
            case RunValue():
                return Scalar(type_, of.column(name))
            case ArtifactValue(columns):
                return Scalar(type_, columns[name])
            case RowValue(_, alias):
                return Scalar(type_, column(name, alias))
            case _:
                raise self.refuse(f"there is no {name} here")

    def _entry(self, of: Bound, source: str, key: str) -> Bound:
        self._sayable(key, "a key")
        if isinstance(of, RowValue) and of.key == key:
            return _leaf(of.alias)
        if not isinstance(of, RunValue | RowValue):
            raise self.refuse(f"there is no {source} here")
        own = RUN_KEY if isinstance(of, RunValue) else ROW_KEY
        alias = self._joined(of, source, key, own, equals(column("key", ""), text(key)))
        if isinstance(of, RowValue):
            return _leaf(alias)

        def is_object() -> Sql:
            below = self._joined(of, source, f"{key}.", own, None)
            return exp.Not(this=exp.Is(this=column("run_id", below), expression=exp.Null()))

        def object_json() -> Sql:
            assert isinstance(of, RunValue)
            return self.engine.object_of(of.column(source), key)

        return _leaf(alias, is_object, object_json)

    def _joined(
        self,
        of: RunValue | RowValue,
        source: str,
        key: str,
        own: tuple[str, ...],
        matches: Sql | None,
    ) -> str:
        """The alias of the row that holds a key's value, or of one that tells of keys below it; joined once."""
        place = (of.alias, source, key if matches is not None else f"{key}\0")
        if (known := of.scope.leaves.get(place)) is not None:
            return known
        alias = self.alias({"config": "c", "summary": "s", "history": "p"}[source])
        same = [equals(column(name, alias), column(name, of.alias)) for name in own]
        if matches is not None:
            of.scope.add(
                table(VIEWS[source], alias),
                exp.and_(*same, equals(column("key", alias), text(key)), copy=False),
                "LEFT",
            )
        else:
            start = exp.Substring(
                this=exp.column("key"), start=exp.Literal.number(1), length=exp.Literal.number(len(key))
            )
            below = distinct(RUN_KEY, VIEWS[source]).where(equals(start, text(key)), copy=False)
            of.scope.add(below.subquery(alias, copy=False), exp.and_(*same, copy=False), "LEFT")
        of.scope.leaves[place] = alias
        return alias

    def _document(self, of: Bound, source: str) -> Bound:
        match of:
            case RunValue():
                return DocumentValue(of.column(source))
            case ArtifactValue(columns):
                return DocumentValue(columns[source])
            case _:
                raise self.refuse(f"there is no {source} here")

    def _item(self, of: Bound, path: tuple[str | int, ...]) -> Bound:
        json = of.sql if isinstance(of, DocumentValue) else of.json if isinstance(of, Value) else None
        if json is None:
            raise self.refuse("only a value has something within")
        return json_value(self.engine, self.engine.item(json, path))


def _leaf(
    alias: str, is_object: Callable[[], Sql] | None = None, object_json: Callable[[], Sql] | None = None
) -> Value:
    kind, number, words, json = (column(name, alias) for name in ("kind", "number", "text", "json"))
    return Value(kind, number, words, json, is_object, object_json)
