"""The lowerer: from the typed tree to SELECTs, each list the clauses of one, each scalar an expression over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, cast

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import (
    Sql,
    aliased,
    column,
    distinct,
    equals,
    selected,
    table,
    text,
)
from wandb_warehouse.operations.lowering.coercion import json_value
from wandb_warehouse.operations.lowering.functions import FUNCTIONS
from wandb_warehouse.operations.lowering.relations import (
    ROW_KEY,
    RUN_KEY,
    VIEWS,
    ArtifactValue,
    Bound,
    DocumentValue,
    Grouped,
    ListBinding,
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

_SMALL = 30
"""Nodes of a condition that may as well be said again."""

_LISTS: dict[type[t.Node], Callable[..., Relation]] = {**SOURCES, **STAGES}


class Lowerer:
    """Lowers the nodes of one statement for one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._numbers: dict[str, count[int]] = {}

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
        return method(self, node, names, scope or Scope())

    def bound(self, node: t.Node, names: Names, scope: Scope) -> Bound:
        """What a node is within a SELECT; what it needs of other tables joins that SELECT."""
        match node:
            case t.Constant(value=value):
                return self._constant(value)
            case t.Variable():
                return names[node]
            case t.Written(text=line):
                return self.bound(line, names, scope)
            case t.Apply(function=function, arguments=arguments):
                bounds = [self.bound(each, names, scope) for each in arguments]
                if function == "if" and node.type == t.VALUE:
                    bounds[0] = self._hoisted(bounds[0], scope)
                return self._apply(function, bounds)
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

    def _apply(self, function: str, arguments: list[Bound]) -> Bound:
        made = FUNCTIONS[function](self.engine, *arguments)
        return (
            Scalar(t.BOOLEAN, cast("Sql", made)) if isinstance(made, exp.Expression) else cast("Bound", made)
        )

    def _hoisted(self, condition: Bound, scope: Scope) -> Bound:
        """A condition as a column: a value of four parts asks for it four times, and one within another sixteen."""
        if not isinstance(condition, Scalar) or not scope.tables or not self.engine.has_lateral:
            return condition
        if len(list(condition.sql.walk())) < _SMALL:
            return condition
        alias = self.alias("v")
        query = selected(aliased(condition.sql, "holds"))
        name = exp.TableAlias(this=exp.to_identifier(alias))
        scope.add(exp.Lateral(this=query.subquery(copy=False), alias=name))
        return Scalar(t.BOOLEAN, column("holds", alias))

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
