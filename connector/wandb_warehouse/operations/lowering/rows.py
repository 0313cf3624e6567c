"""Elements as columns of a subquery, and back: what a SELECT around another one sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, aliased, column
from wandb_warehouse.operations.lowering.coercion import settled
from wandb_warehouse.operations.lowering.relations import (
    ARTIFACT_COLUMNS,
    ROW_KEY,
    RUN_KEY,
    ArtifactValue,
    Bound,
    DocumentValue,
    Key,
    RecordValue,
    Relation,
    RowValue,
    RunValue,
    Scalar,
    Scope,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wandb_warehouse.operations.lowering.lowerer import Lowerer


__all__ = ["as_sure", "export", "rebuilt", "wrap"]

_PARTS = ("kind", "number", "text", "json")


def export(bound: Bound, prefix: str = "") -> dict[str, Sql]:
    """The columns that hold an element, by name; of a run its key, as the rest is found by `alias.*`."""
    match bound:
        case Scalar(type_, sql):
            # A literal is a decimal in SQL, with a precision of its own.
            is_decimal = type_ == t.NUMBER and isinstance(sql, exp.Literal | exp.Neg)
            return {
                f"{prefix}value": exp.cast(sql, exp.DataType.build("DOUBLE"), copy=False)
                if is_decimal
                else sql
            }
        case Value():
            whole = settled(bound)
            kind, number, words, json = whole.kind, whole.number, whole.text, whole.json
            return dict(zip((f"{prefix}{part}" for part in _PARTS), (kind, number, words, json), strict=True))
        case RunValue():
            return {f"{prefix}{name}": bound.column(name) for name in RUN_KEY}
        case ArtifactValue(columns):
            return {f"{prefix}{name}": columns[name] for name in ARTIFACT_COLUMNS}
        case RowValue(_, alias):
            return {f"{prefix}{name}": column(name, alias) for name in ROW_KEY}
        case DocumentValue(sql):
            return {f"{prefix}document": sql}
        case RecordValue(entries):
            # Names of entries are the user's: columns go by their place.
            made: dict[str, Sql] = {}
            for place, entry in enumerate(entries.values()):
                made |= export(entry, f"{prefix}e{place}_")
            return made
        case _:
            raise OperationError(
                "a list of lists or groups has no columns", mend="flatten it, or map it to records"
            )


def rebuilt(
    type_: t.Type,
    scope: Scope,
    alias: str,
    *,
    columns: Mapping[str, Sql] | None = None,
    prefix: str = "",
) -> Bound:
    """The element that columns of a source hold.

    Args:
        type_: what the element is.
        scope: the SELECT that has the source.
        alias: the source.
        columns: expressions in place of the source's columns.
        prefix: what the columns' names begin with.
    """

    def of(name: str) -> Sql:
        return (columns or {}).get(f"{prefix}{name}") or column(f"{prefix}{name}", alias)

    if type_ in (t.NUMBER, t.TEXT, t.BOOLEAN, t.DATE, t.MISSING):
        return Scalar(type_, of("value"), may_be_nan=type_ == t.NUMBER)
    if type_ == t.VALUE:
        return Value(of("kind"), of("number"), of("text"), of("json"))
    if type_ == t.RUN:
        return RunValue(scope, alias)
    if type_ == t.ARTIFACT:
        return ArtifactValue({name: of(name) for name in ARTIFACT_COLUMNS})
    if type_ == t.ROW:
        return RowValue(scope, alias)
    if type_ == t.DICTIONARY:
        return DocumentValue(of("document"))
    if isinstance(type_, t.RecordType):
        entries = {
            name: rebuilt(each, scope, alias, columns=columns, prefix=f"{prefix}e{place}_")
            for place, (name, each) in enumerate(type_.entries)
        }
        return RecordValue(entries)
    raise OperationError(f"a list of {type_} has no columns", mend="flatten it, or map it to records")


def as_sure(found: Bound, of: Bound) -> Bound:
    """What columns hold, where what they were made of never is NaN: that is told from what is missing, as text."""
    match found, of:
        case Scalar(), Scalar():
            return Scalar(found.type, found.sql, found.may_be_nan and of.may_be_nan)
        case RecordValue(entries), RecordValue(others):
            return RecordValue({name: as_sure(entry, others[name]) for name, entry in entries.items()})
        case _:
            return found


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
    element = as_sure(rebuilt(t.element_of(type_), scope, alias), relation.element)
    place = column(f"place_{alias}", alias)
    size = column(f"total_{alias}", alias) if total else None
    return Relation(scope, element, [Key(place)]), place, size, alias
