"""From text to SQL in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language.resolving import Given, resolve
from wandb_warehouse.operations.lowering.engines import ENGINES, Engine
from wandb_warehouse.operations.lowering.output import shown
from wandb_warehouse.operations.lowering.relations import VIEWS as SOURCE_VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VIEWS", "Operation", "Statement", "check_dialect", "compile_nodes", "compile_operation"]

VIEWS = tuple(SOURCE_VIEWS.values())
"""Views that compiled operations read beside the tables."""


@dataclass(frozen=True)
class Statement:
    """One SELECT of a program."""

    sql: str
    """The SELECT, in the operation's dialect."""
    type: str
    """What it shows, as `a list of a run` or `a number`."""
    is_text: bool
    """Whether its rows are lines that the program writes, in one column."""
    json: tuple[bool, ...]
    """Of each column, whether it holds JSON."""


@dataclass(frozen=True)
class Operation:
    """A compiled program: what each of its statements shows, in order."""

    statements: tuple[Statement, ...]
    dialect: str

    @property
    def sql(self) -> str:
        """All its SELECTs, each ended by a semicolon."""
        return "\n\n".join(f"{each.sql};" for each in self.statements)


def compile_operation(text: str, dialect: str = "duckdb", *, given: Given | None = None) -> Operation:
    """Compile run operations to SQL.

    Args:
        text: a program in the notation of W&B's query panels; docs/operations.md describes it.
        dialect: the engine that will run the SQL.
        given: the project the runs are of, and the ids that `run`, `run1`, ... stand for.

    Raises:
        OperationError: the text cannot be read, or has no exact meaning in the engine's SQL; it names the place.

    Source: W&B's Run Operations.

    >>> print(compile_operation("runs.count()").sql)
    SELECT
      CAST(COUNT(*) AS DOUBLE) AS "value"
    FROM runs AS r
    WHERE
      r.deleted_at IS NULL;
    """
    return compile_nodes(resolve(text, given), dialect)


def check_dialect(dialect: str) -> None:
    """Refuse a dialect that nothing is compiled for.

    Raises:
        OperationError: the dialect is none of those known; it names them.
    """
    if dialect not in ENGINES:
        raise OperationError(f"unknown dialect {dialect}", mend=f"choose one of {', '.join(ENGINES)}")


def compile_nodes(nodes: Sequence[t.Node], dialect: str) -> Operation:
    """Compile resolved nodes, one statement each."""
    check_dialect(dialect)
    engine = Engine(dialect)
    statements = []
    for node in nodes:
        select = shown(node, engine)
        sql = select.query.sql(dialect=engine.dialect, pretty=True, copy=False)
        statements.append(Statement(sql, _described(node.type), select.is_text, select.json))
    return Operation(tuple(statements), dialect)


def _described(type_: t.Type) -> str:
    return f"a list of {type_.element}" if isinstance(type_, t.ListType) else str(type_)
