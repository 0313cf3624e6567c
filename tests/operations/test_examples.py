"""The reference's examples: their SQL is kept to be read, and it runs."""

import duckdb
import pytest

from operations.examples import EXAMPLES, FOLDER, GIVEN, Example, examples
from wandb_warehouse.operations import compile_operation


@pytest.mark.parametrize("example", [*examples()], ids=lambda example: example.name)
def test_example_has_its_sql(example: Example) -> None:
    """An example compiles to the SQL that was read when it was committed."""
    assert compile_operation(example.expression, given=GIVEN).sql == example.sql


def test_no_sql_is_left_over() -> None:
    """Every file belongs to an example."""
    assert {path.stem for path in FOLDER.glob("*.sql")} == set(EXAMPLES)


@pytest.mark.parametrize("example", [*examples()], ids=lambda example: example.name)
def test_kept_sql_runs(example: Example, small: duckdb.DuckDBPyConnection) -> None:
    """The SQL runs by itself in any DuckDB client that has the warehouse open."""
    for statement in duckdb.extract_statements(example.sql):
        small.execute(statement)
        assert small.description
