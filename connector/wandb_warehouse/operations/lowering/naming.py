"""Names for parts of SQL that would be said again and again.

A value is asked for its kind, number, text and JSON, and most functions ask for an argument more than once: what is
nested n deep would be as long as 2 to the n. A part that is said again, and long, becomes a column of a LATERAL beside
the sources it is made of; what is made of it then says a name.

JavaScript computes only the branch it takes, and some parts fail when they are computed (`Engine.failing`). Such a part
is computed only where the conditions that lead to it hold.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, cast

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import (
    Sql,
    aliased,
    column,
    copied,
    negated,
    selected,
    whole,
)
from wandb_warehouse.operations.lowering.coercion import sure
from wandb_warehouse.operations.lowering.relations import Bound, RecordValue, Scalar, Scope, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["LONG", "Namer"]

LONG = 30
"""Nodes of a part that has a name where it would be said again."""

_SHORT = 8
"""Nodes of a value's kind, number, text or JSON that is said again though the others have names."""

_QUERY = 60
"""Nodes that a SELECT counts for: engines plan each of them anew, with what is around it."""

_ANONYMOUS_AGGREGATES = ("STRING_AGG", "LISTAGG")

_NONE: frozenset[str] = frozenset()


class _Facts(NamedTuple):
    """What is known of a part of SQL."""

    size: int
    """Its nodes, as often as they are said; more for what costs an engine more."""
    fails: bool
    """Whether it holds what fails when it is computed."""
    aggregates: bool
    """Whether it is made of several rows of its SELECT."""
    reaches_out: bool
    """Whether a SELECT within it reads sources around that SELECT."""
    reads: frozenset[str]
    """Sources whose columns it reads."""
    makes: frozenset[str]
    """Sources within it."""


class Namer:
    """Names the parts of one statement."""

    def __init__(self, engine: Engine, alias: Callable[[str], str]) -> None:
        self._engine = engine
        self._alias = alias
        self._known: dict[int, tuple[Sql, _Facts]] = {}
        self._made: list[str] = []

    def size(self, bound: Bound) -> int:
        """How many nodes a scalar or a value is; of others it is none that matters here."""
        match bound:
            case Scalar(sql=sql):
                return self._facts(sql).size
            case Value(kind, number, words, json):
                return sum(self._facts(part).size for part in (kind, number, words, json))
            case RecordValue(entries):
                return sum(self.size(entry) for entry in entries.values())
            case _:
                return 0

    def is_long(self, bound: Bound) -> bool:
        """Whether a scalar or a value is said once where that can be, and never fails."""
        match bound:
            case Scalar(sql=sql):
                parts = [sql]
            case Value(kind, number, words, json):
                parts = [kind, number, words, json]
            case _:
                return False
        return self.size(bound) >= LONG and not any(self._facts(part).fails for part in parts)

    def length(self, sql: Sql) -> int:
        """How many nodes SQL is."""
        return self._facts(sql).size

    def free(self, sql: Sql) -> frozenset[str]:
        """Sources that SQL reads and does not make."""
        facts = self._facts(sql)
        return facts.reads - facts.makes

    def named(self, bound: Bound, scope: Scope) -> Bound:
        """The same with names for its long parts, where its SELECT can have them."""
        if self.size(bound) < LONG:
            return bound
        match bound:
            case Scalar(type_, sql, may_be_nan):
                name = "holds" if type_ == t.BOOLEAN else "value"
                (made,) = self._columns({name: sql}, scope).values()
                return Scalar(type_, made, may_be_nan)
            case Value(kind, number, words, json, is_object, object_json):
                parts = {"kind": kind, "number": number, "text": words, "json": json}
                kind, number, words, json = self._columns(parts, scope).values()
                return Value(
                    kind,
                    number,
                    words,
                    json,
                    is_object and self._later("is_object", is_object, scope),
                    object_json and self._later("object_json", object_json, scope),
                )
            case RecordValue(entries):
                return RecordValue({name: self.named(entry, scope) for name, entry in entries.items()})
            case _:
                return bound

    def _later(self, name: str, make: Callable[[], Sql], scope: Scope) -> Callable[[], Sql]:
        """What is made, and named, when it is first asked for: it joins further tables."""
        made: list[Sql] = []

        def once() -> Sql:
            if not made:
                sql = make()
                # What is asked for under a condition now may be asked for without it later.
                fails = self._facts(sql).fails
                made.append(sql if fails else self._columns({name: sql}, scope)[name])
            return made[0]

        return once

    def _columns(self, parts: Mapping[str, Sql], scope: Scope) -> dict[str, Sql]:
        """Parts with names for those that are long and can be computed beside the SELECT's sources."""
        if scope.grouped or not self._engine.has_lateral:
            return dict(parts)
        if not scope.tables and any(self.free(sql) for sql in parts.values()):
            return dict(parts)
        facts = {name: self._facts(sql) for name, sql in parts.items()}
        long = [name for name, each in facts.items() if each.size > _SHORT and self._fits(each)]
        where: Sql | None = None
        if any(facts[name].fails for name in long):
            where, known = self._reached(scope)
            long = [name for name in long if known or not facts[name].fails]
        if not long:
            return dict(parts)
        shown = {
            name: exp.Case().when(where, sql, copy=False) if where and facts[name].fails else sql
            for name, sql in parts.items()
            if name in long
        }
        alias = self._lateral(shown, scope)
        return {name: column(name, alias) if name in shown else sql for name, sql in parts.items()}

    def _lateral(self, parts: Mapping[str, Sql], scope: Scope) -> str:
        alias = self._alias("v")
        query = selected(*(aliased(sql, name) for name, sql in parts.items()))
        table = exp.TableAlias(this=exp.to_identifier(alias))
        scope.start()
        scope.add(exp.Lateral(this=query.subquery(copy=False), alias=table))
        self._made.append(alias)
        return alias

    def _fits(self, facts: _Facts) -> bool:
        """Whether a part can be computed in a LATERAL."""
        return not facts.aggregates and (self._engine.nests_lateral or not facts.reaches_out)

    def _reached(self, scope: Scope) -> tuple[Sql | None, bool]:
        """The condition under which what is lowered now is computed, None for always; and whether it can be said."""
        reached: Sql | None = None
        for guard in scope.guards:
            if guard.column is None:
                holds = guard.condition if guard.holds else negated(sure(guard.condition))
                if reached is not None:
                    holds = exp.Case().when(reached, holds, copy=False)
                facts = self._facts(holds)
                if not self._fits(facts):
                    return None, False
                # Columns tell of one row what is known of it: each condition is said once, however many follow.
                guard.column = (
                    column("holds", self._lateral({"holds": holds}, scope)) if facts.size > _SHORT else holds
                )
            reached = guard.column
        return reached, True

    def _facts(self, sql: Sql) -> _Facts:
        known = self._known.get(id(sql))
        if known is not None:
            return known[1]
        if isinstance(sql, exp.Column):
            made = _Facts(
                3 if sql.table else 2,
                False,
                False,
                False,
                frozenset((sql.table,) if sql.table else ()),
                _NONE,
            )
            self._known[id(sql)] = sql, made
            return made
        size = _QUERY if isinstance(sql, exp.Select) else 1
        fails, reads, makes = id(sql) in self._engine.failing, _NONE, _NONE
        aggregates = isinstance(sql, exp.AggFunc | exp.Window) or (
            isinstance(sql, exp.Anonymous) and sql.name in _ANONYMOUS_AGGREGATES
        )
        if isinstance(sql, exp.Table | exp.Subquery | exp.Lateral):
            makes = frozenset((sql.alias_or_name,))
        reaches_out = False
        for argument in sql.args.values():
            for part in argument if type(argument) is list else (argument,):
                if isinstance(part, exp.Identifier | exp.Literal):
                    size += 1
                elif isinstance(part, exp.Expression):
                    facts = self._facts(part)
                    size += facts.size
                    fails = fails or facts.fails
                    aggregates = aggregates or facts.aggregates
                    reaches_out = reaches_out or facts.reaches_out
                    # Most parts read and make what others do: no set is made anew for them.
                    reads = reads if facts.reads <= reads else reads | facts.reads
                    makes = makes if facts.makes <= makes else makes | facts.makes
        if isinstance(sql, exp.Subquery | exp.Select):
            aggregates, reaches_out = False, reaches_out or not reads <= makes
        made = _Facts(size, fails, aggregates, reaches_out, reads, makes)
        self._known[id(sql)] = sql, made
        return made

    def finished(self, query: exp.Select) -> exp.Select:
        """The whole statement, with those columns alone that it reads."""
        query = copied(query)
        if not self._made:
            return query
        laterals: dict[str, list[exp.Lateral]] = {}
        read: Counter[tuple[str, str]] = Counter()
        for each in whole(query):
            if isinstance(each, exp.Column):
                read[each.table, each.name] += 1
            elif isinstance(each, exp.Lateral):
                laterals.setdefault(each.alias, []).append(each)
        for alias in reversed(self._made):
            for lateral in laterals.get(alias, ()):
                _leave_out(lateral, alias, read)
        return query


def _leave_out(lateral: exp.Lateral, alias: str, read: Counter[tuple[str, str]]) -> None:
    """Leave out columns that nothing reads, and the LATERAL where it has no other."""
    query = lateral.this.this
    kept = [each for each in query.expressions if read[alias, each.alias]]
    for each in query.expressions:
        if each not in kept:
            read.subtract((part.table, part.name) for part in whole(each) if isinstance(part, exp.Column))
    if kept:
        query.set("expressions", kept)
    else:
        cast("exp.Expression", lateral.parent).pop()
