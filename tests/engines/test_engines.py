"""PostgreSQL and Spark give DuckDB's rows: for every view that is printed for them, and for compiled operations."""

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engines.answers import told as as_told
from engines.loading import Told, ask
from operations.examples import EXAMPLES
from operations.generator import programs
from operations.oracle import differs, given
from operations.world import make_world
from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import Given, compile_operation
from wandb_warehouse.operations.values import VALUE_VIEWS, values_view
from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import load_sql_files, render

pytestmark = pytest.mark.slow

# Spark takes a second or two for each.
GENERATED = {"postgres": 60, "spark": 8}

UNSAID = "an object has no JSON in"
"""What other engines refuse when it is computed."""


class Recorded:
    """What another engine told, as the connection that the judge's `given` asks."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def execute(self, _: str) -> "Recorded":
        """The recorded answer, whatever is asked."""
        return self

    @property
    def description(self) -> list[tuple[str]]:
        """Names of its columns."""
        return [(name,) for name in self._told["columns"]]

    def fetchall(self) -> list[list[Any]]:
        """Its rows."""
        return [[_moment(cell) for cell in row] for row in self._told["rows"]]


def _moment(cell: Any) -> Any:
    if isinstance(cell, dict) and "$date" in cell:
        return datetime.fromtimestamp(cell["$date"] / 1000, UTC)
    return cell


def _plain(cell: Any) -> Any:
    """A cell without what engines write differently: digits of numbers within JSON, white space, whole numbers."""
    if isinstance(cell, str) and cell[:1] in "[{-0123456789":
        try:
            return _plain(json.loads(cell))
        except ValueError:
            return cell
    if isinstance(cell, list):
        return [_plain(each) for each in cell]
    if isinstance(cell, dict):
        return {name: _plain(each) for name, each in cell.items()}
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return "NaN" if math.isnan(cell) else float(cell)
    return cell


def _sorted(rows: list[list[Any]]) -> list[str]:
    return sorted(json.dumps(_plain(list(row)), default=str, sort_keys=True) for row in rows)


@pytest.mark.parametrize("dialect", GENERATED)
def test_views_and_operations_give_the_rows_of_duckdb(dialect: str, tmp_path: Path) -> None:
    """Every printed view, the reference's examples and generated programs over 60 runs."""
    if dialect == "spark" and "ENGINES" not in os.environ:
        pytest.skip("Spark takes minutes to bring in and to run: `make engines` does it")
    world = make_world(1, 60)
    warehouse = world.write(tmp_path)
    views = [
        file
        for file in load_sql_files()
        if file.kind == "view" and not file.engines and file.name not in TABLES
    ]
    statements = [
        f"CREATE VIEW {file.name} AS\n{values_view(file.name, dialect)}"
        if file.name in VALUE_VIEWS
        else render(file, dialect).removesuffix(";")
        for file in views
    ]
    first, second = world.runs[0]["id"], world.runs[1]["id"]
    runs = Given(runs={"run": first, "run1": first, "run2": second})
    compiled, refused = [], 0
    for text in [*EXAMPLES.values(), *(program.ours for program in programs(4, GENERATED[dialect]))]:
        try:
            ours, theirs = compile_operation(text, given=runs), compile_operation(text, dialect, given=runs)
        except OperationError:
            refused += 1
            continue
        compiled.append((text, ours, theirs))
    told = ask(
        dialect,
        world,
        warehouse,
        statements,
        [f"SELECT * FROM {file.name}" for file in views]
        + [theirs.statements[-1].sql for _, _, theirs in compiled],
    )
    unsaid, wrong = 0, []
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for file, answer in zip(views, told[: len(views)], strict=True):
            assert "error" not in answer, f"{file.name}: {answer['error']}"
            rows = connection.execute(f'SELECT * FROM "{file.name}"').fetchall()
            mine = [[as_told(cell) for cell in row] for row in rows]
            assert _sorted(answer["rows"]) == _sorted(mine), file.name
        for (text, ours, theirs), answer in zip(compiled, told[len(views) :], strict=True):
            if "error" in answer:
                known = UNSAID in answer["error"]
                unsaid += known
                wrong += [] if known else [f"{text}\n{answer['error']}"]
                continue
            expected = given(connection, ours)
            found = given(Recorded(answer), theirs)  # type: ignore[arg-type]
            if differs(expected, found):
                wrong.append(f"{text}\nDuckDB: {expected}\n{dialect}: {found}")
    assert not wrong, "\n\n".join(wrong[:5])
    assert refused + unsaid <= (len(compiled) + refused) // 5
