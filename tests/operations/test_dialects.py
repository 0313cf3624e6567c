"""What is printed for other engines: it parses back in their dialect, and every function is one they document."""

import json
import re
from pathlib import Path

import pytest
import sqlglot

from operations.examples import EXAMPLES, GIVEN
from operations.generator import programs
from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import compile_operation, compile_runs
from wandb_warehouse.operations.values import VALUE_VIEWS, values_view

DOCUMENTED = json.loads(Path(__file__).with_name("documented.json").read_text(encoding="utf-8"))
"""Of each engine the functions that may be used, looked up in its documentation, and the page that has them.

A name that is missing there is no slip to be mended: look the function up first.
"""

_WORDS = {"AND", "OR", "NOT", "IN", "ON", "FROM", "WHEN", "THEN", "ELSE", "SELECT", "JOIN", "LATERAL", "OVER"}
_WORDS |= {"EXISTS", "GROUP", "LIKE", "BETWEEN", "AS"}

CANNOT = {
    "postgres": set[str](),
    "spark": {
        "a list within a value as rows",
        "a part of a list or an object",
        "the pieces of a text as rows",
    },
    "snowflake": {"a list within a value as rows", "several lines", "a part of a list or an object"},
    "bigquery": {"a list within a value as rows", "several lines", "piece", "remainder"},
    "clickhouse": {
        *(
            "a list within a value as rows",
            "several lines",
            "piece",
            "texts joined over rows",
            "iso text",
            "moment",
        ),
    },
    "trino": {"a list within a value as rows", "several lines", "ends with", "iso text"},
}
"""What each engine has no equivalent for, as docs/dialects.md tells; everything else is said."""


def _printed(dialect: str) -> list[str]:
    """Statements in a dialect: views of values, the reference's examples, generated programs, a filter."""
    found = [values_view(name, dialect) for name in VALUE_VIEWS]
    for text in [*EXAMPLES.values(), *(program.ours for program in programs(7, 60))]:
        try:
            operation = compile_operation(text, dialect, given=GIVEN)
        except OperationError as error:
            what, _, _ = str(error).partition(" cannot be said in ")
            if what not in CANNOT[dialect]:
                raise
            continue
        found += [statement.sql for statement in operation.statements]
    return [*found, compile_runs({"state": "finished"}, "-created_at", dialect=dialect).statements[0].sql]


@pytest.mark.parametrize("dialect", DOCUMENTED)
def test_what_is_printed_is_the_dialects(dialect: str) -> None:
    """Statements parse back in their dialect, and use only functions that the engine documents."""
    used = set()
    for sql in _printed(dialect):
        sqlglot.parse_one(sql, read=dialect)
        # Names as they are printed: a parser knows some of them under others.
        bare = re.sub(r"'(?:[^'\\]|''|\\.)*'|`[^`]*`|\"[^\"]*\"", "", sql)
        used |= {name.upper() for name in re.findall(r"\b([A-Za-z_][A-Za-z0-9_]*)\s*\(", bare)}
    aliases = {name for name in used if re.fullmatch(r"I\d*", name)}
    assert used - _WORDS - aliases <= set(DOCUMENTED[dialect]["functions"]), DOCUMENTED[dialect]["page"]


def test_what_an_engine_cannot_say_is_refused_by_name() -> None:
    """A refusal names what cannot be said and the engine."""
    with pytest.raises(OperationError, match=r"ends with cannot be said in trino; compile it for duckdb"):
        compile_operation("runs.filter(r => r.name.endsWith('a'))", "trino")
