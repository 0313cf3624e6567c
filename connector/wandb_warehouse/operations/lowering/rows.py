"""Elements as columns of a subquery, and back: what a SELECT around another one sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import Sql, column
from wandb_warehouse.operations.lowering.coercion import settled
from wandb_warehouse.operations.lowering.relations import (
    ARTIFACT_COLUMNS,
    ROW_KEY,
    RUN_KEY,
    ArtifactValue,
    Bound,
    DocumentValue,
    RecordValue,
    RowValue,
    RunValue,
    Scalar,
    Scope,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["export", "rebuilt"]

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
