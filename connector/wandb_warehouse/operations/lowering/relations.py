"""What the lowering works with: values as SQL expressions, and lists as the clauses of a SELECT."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations.lowering.building import Sql, aliased, column, selected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wandb_warehouse.operations import tree as t


__all__ = [
    "ARTIFACT_COLUMNS",
    "ARTIFACT_KEY",
    "RUN_KEY",
    "VIEWS",
    "ArtifactValue",
    "Bound",
    "DocumentValue",
    "Grouped",
    "Guard",
    "Key",
    "ListBinding",
    "Recalled",
    "RecordValue",
    "Relation",
    "RowValue",
    "RunValue",
    "Scalar",
    "Scope",
    "Value",
]

RUN_KEY = ("entity", "project", "run_id")

ROW_KEY = (*RUN_KEY, "step", "seq")

VIEWS = {"config": "config_values", "summary": "summary_values", "history": "history_points"}
"""The view that has the values of each source."""

ARTIFACT_KEY = {
    "entity": "artifact_entity",
    "project": "artifact_project",
    "collection": "collection",
    "artifact_id": "artifact_id",
}
"""What names an artifact version in tables of artifacts, and what the same is called at a run's edge to it."""

ARTIFACT_COLUMNS = (
    "artifact_entity",
    "artifact_project",
    "artifact_id",
    "collection",
    "version",
    "type",
    "size",
    "digest",
    "state",
    "description",
    "metadata",
    "created_at",
)


@dataclass(frozen=True)
class Scalar:
    """A number, text, boolean or date: NULL where it is missing."""

    type: t.Type
    sql: Sql
    may_be_nan: bool = False
    """Whether arithmetic may have made it NaN, which every engine orders above all numbers and JavaScript nowhere."""


@dataclass(frozen=True)
class Value:
    """A value whose kind only the data tell: NULL in all four where it is missing (`kind` may say `null`, too)."""

    kind: Sql
    number: Sql
    text: Sql
    json: Sql
    is_object: Callable[[], Sql] | None = None
    """Whether the key holds an object: config and summary have rows for what an object holds, none for itself."""
    object_json: Callable[[], Sql] | None = None
    """The object's JSON, where it is one."""


@dataclass(frozen=True)
class RunValue:
    """A run: the columns of `runs` under an alias."""

    scope: Scope
    alias: str

    def column(self, name: str) -> exp.Column:
        """One of its columns."""
        return column(name, self.alias)


@dataclass(frozen=True)
class ArtifactValue:
    """An artifact version: an expression for each of its columns."""

    columns: Mapping[str, Sql]


@dataclass(frozen=True)
class RowValue:
    """A history row: the columns that name it under an alias, and the key whose values stand beside them."""

    scope: Scope
    alias: str
    key: str | None = None


@dataclass(frozen=True)
class DocumentValue:
    """A whole JSON document."""

    sql: Sql


@dataclass(frozen=True)
class RecordValue:
    """Named entries."""

    entries: Mapping[str, Bound]


@dataclass(frozen=True)
class Grouped:
    """A group: its key, and the element that stands for every member in the grouped SELECT."""

    key: Bound
    member: Bound
    relation: Relation
    folds: Mapping[t.Node, Bound] = field(default_factory=dict)
    """Aggregates that are columns already; no others are asked for then."""


@dataclass(frozen=True)
class ListBinding:
    """A list that is an element itself: it is lowered where it is used."""

    node: t.Node
    names: Mapping[t.Variable, Bound]


Bound = (
    Scalar | Value | RunValue | ArtifactValue | RowValue | DocumentValue | RecordValue | Grouped | ListBinding
)


@dataclass(frozen=True)
class Key:
    """One key of an order."""

    sql: Sql
    descending: bool = False
    missing_first: bool = False

    @property
    def reversed(self) -> Key:
        """The key of the reverse order."""
        return Key(self.sql, not self.descending, not self.missing_first)

    @property
    def ordered(self) -> exp.Ordered:
        """The key in an ORDER BY."""
        return exp.Ordered(this=self.sql, desc=self.descending, nulls_first=self.missing_first)


@dataclass(eq=False)
class Guard:
    """A condition that must hold, or must not, for what is lowered now to be computed."""

    condition: Sql
    holds: bool = True
    column: Sql | None = None
    """Whether this and those before it are met, once that is asked for."""


@dataclass(frozen=True)
class Recalled:
    """What a node was lowered to: with what its variables were, and under which conditions."""

    bound: Bound
    variables: Mapping[t.Variable, Bound | None]
    guards: tuple[Guard, ...]
    grouped: bool
    """Whether it stands in a SELECT with a GROUP BY, too."""

    def holds(self, names: Mapping[t.Variable, Bound], guards: Sequence[Guard]) -> bool:
        """Whether it would be lowered to the same with these names, under these conditions."""
        same = all(names.get(variable) is bound for variable, bound in self.variables.items())
        return same and tuple(guards[: len(self.guards)]) == self.guards


@dataclass(eq=False)
class Scope:
    """The FROM and WHERE of one SELECT, as they grow."""

    tables: list[tuple[Sql, Sql | None, str]] = field(default_factory=list)
    """Each source, what it is joined on, and how."""
    where: list[Sql] = field(default_factory=list)
    correlated: list[tuple[exp.Column, Sql]] = field(default_factory=list)
    """Columns that must equal something of a SELECT further out."""
    leaves: dict[tuple[str, str, str], str] = field(default_factory=dict)
    recalled: dict[t.Node, Recalled] = field(default_factory=dict)
    """Nodes that are asked for more than once."""
    guards: list[Guard] = field(default_factory=list)
    grouped: bool = False
    """Whether it has a GROUP BY, and what is lowered now is of a group, not of one of its members."""

    @contextmanager
    def guarded(self, condition: Sql, *, holds: bool = True) -> Iterator[None]:
        """Lower what is computed only where a condition holds."""
        self.guards.append(Guard(condition, holds))
        yield
        self.guards.pop()

    @contextmanager
    def of_members(self) -> Iterator[None]:
        """Lower what is of each member of a group."""
        grouped, self.grouped = self.grouped, False
        yield
        self.grouped = grouped

    @property
    def aliases(self) -> set[str]:
        """Names of its sources."""
        return {source.alias_or_name for source, _, _ in self.tables}

    def add(self, source: Sql, on: Sql | None = None, how: str = "") -> None:
        """Add a source: the first one stands in FROM, what it is joined on in WHERE."""
        if not self.tables and how != "LEFT":
            self.tables.append((source, None, ""))
            if on is not None:
                self.where.append(on)
        else:
            self.start()
            self.tables.append((source, on, how))

    def start(self) -> None:
        """Begin with one row, where there is no source yet."""
        if not self.tables:
            one = selected(aliased(exp.Literal.number(1), "one"))
            self.tables.append((one.subquery("one_row", copy=False), None, ""))

    def select(self, *columns: Sql) -> exp.Select:
        """The SELECT of these columns."""
        query = selected(*columns)
        for place, (source, on, how) in enumerate(self.tables):
            if place == 0:
                query = query.from_(source, copy=False)
                continue
            kind = {"LEFT": {"side": "LEFT"}, "INNER": {"kind": "INNER"}}.get(how, {})
            query.append(
                "joins", exp.Join(this=source, on=on, **(kind if on is not None else {"kind": "CROSS"}))
            )
        return query.where(*self.where, copy=False) if self.where else query


@dataclass
class Relation:
    """A list: its SELECT's clauses, what one element is, and the order of elements."""

    scope: Scope
    element: Bound
    order: list[Key]
    groups: list[Sql] | None = None
    having: list[Sql] = field(default_factory=list)

    def select(self, *columns: Sql, ordered: bool = False) -> exp.Select:
        """The SELECT of these columns."""
        if ordered and self.order and (self.having or any(key.sql.find(exp.Window) for key in self.order)):
            return self._ordered_outside(columns)
        query = self.scope.select(*columns)
        if self.groups is not None:
            query = query.group_by(*self.groups, copy=False)
        if self.having:
            query = query.having(*self.having, copy=False)
        if ordered and self.order:
            query = query.order_by(*(key.ordered for key in self.order), copy=False)
        return query

    def _ordered_outside(self, columns: Sequence[Sql]) -> exp.Select:
        """A SELECT around this one, which alone is ordered.

        Not every engine orders groups that it keeps by what is not shown, or anything by a window.
        """
        keys = [aliased(key.sql, f"order_{place}") for place, key in enumerate(self.order)]
        inner = self.select(*columns, *keys).subquery("kept", copy=False)
        shown = [
            exp.Column(this=exp.Star(), table=exp.to_identifier("kept"))
            if isinstance(each, exp.Column) and isinstance(each.this, exp.Star)
            else exp.column(exp.to_identifier(each.alias_or_name, quoted=True), table="kept")
            for each in columns
        ]
        order = [
            exp.Ordered(
                this=column(f"order_{place}", "kept"), desc=key.descending, nulls_first=key.missing_first
            )
            for place, key in enumerate(self.order)
        ]
        return selected(*shown).from_(inner, copy=False).order_by(*order, copy=False)

    def place(self) -> Sql:
        """The element's place in the order, from 1."""
        order = exp.Order(expressions=[key.ordered for key in self.order])
        return exp.Window(this=exp.RowNumber(), order=order)
