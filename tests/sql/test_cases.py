"""Rows in, rows out: every view and macro is run on the cases written in `cases/<name>.md`.

A case is a `## title`, any number of ``Given `table`:`` with a Markdown table, one ```sql block, and `Gives:` with a
table. Cells are read by the type of their column; `null` is null, `'null'` the text; columns left out are null.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Build, insert_rows, load_sql_files

CASES = Path(__file__).parent / "cases"

Cells = list[dict[str, str]]


@dataclass
class Case:
    """One case as written: cells are still text."""

    view: str
    title: str
    given: dict[str, Cells] = field(default_factory=dict)
    query: str = ""
    gives: Cells | None = None
    columns: list[str] = field(default_factory=list)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _table(lines: list[str]) -> tuple[list[str], Cells]:
    """Columns and rows of the Markdown table at the start of `lines`, after blank lines."""
    start = next(n for n, line in enumerate(lines) if line.strip())
    drawn = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        drawn.append(_cells(line))
    columns, rule, *rows = drawn
    assert all(set(cell) <= set("-: ") for cell in rule)
    return columns, [dict(zip(columns, row, strict=True)) for row in rows]


def read_cases(path: Path) -> list[Case]:
    """Read the cases of one file."""
    cases: list[Case] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        given = re.fullmatch(r"Given `(\w+)`:", line)
        if line.startswith("## "):
            cases.append(Case(path.stem, line.removeprefix("## ")))
        elif given:
            cases[-1].given[given[1]] = _table(lines[number + 1 :])[1]
        elif line == "```sql":
            cases[-1].query = "\n".join(lines[number + 1 : lines.index("```", number)])
        elif line == "Gives:":
            cases[-1].columns, cases[-1].gives = _table(lines[number + 1 :])
    return cases


_READERS: list[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]]] = [
    (pa.types.is_integer, int),
    (pa.types.is_floating, float),
    (pa.types.is_boolean, {"true": True, "false": False}.__getitem__),
    (pa.types.is_timestamp, datetime.fromisoformat),
    (pa.types.is_string, str),
    (pa.types.is_list, json.loads),
]


def _value(cell: str, kind: pa.DataType) -> Any:
    if cell == "null":
        return None
    if cell == "'null'":
        return "null"
    return next(read for holds, read in _READERS if holds(kind))(cell)


ALL = [case for path in sorted(CASES.glob("*.md")) for case in read_cases(path)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with all tables and views and no rows."""
    build = Build.create(None, tmp_path_factory.mktemp("sql"))
    build.prepare_tables()
    build.create_views()
    return build.path


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.view}: {case.title}")
def test_case(case: Case, empty: Path, tmp_path: Path) -> None:
    """The query of a case gives its rows, values and columns exactly."""
    assert case.query
    assert case.gives is not None
    with duckdb.connect(shutil.copy(empty, tmp_path / "case.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table, cells in case.given.items():
            schema = TABLES[table].arrow
            rows = [
                {name: _value(cell, schema.field(name).type) for name, cell in row.items()} for row in cells
            ]
            connection.register("incoming", pa.Table.from_pylist(rows, schema=schema))
            insert_rows(connection, table)
        found = connection.sql(case.query).to_arrow_table()
    assert found.column_names == case.columns
    expected = [
        {name: _value(cell, found.schema.field(name).type) for name, cell in row.items()}
        for row in case.gives
    ]
    # By repr, so that nan equals nan and -0.0 does not equal 0.0.
    assert [_shown(row) for row in found.to_pylist()] == [_shown(row) for row in expected]


def _shown(row: dict[str, Any]) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else repr(value) for name, value in row.items()
    }


def test_every_view_is_documented() -> None:
    """docs/recipes.md lists every view and macro: its call and its grain, of a scalar what it mirrors; no other."""
    files = load_sql_files()
    scalars = {file.name for file in files if file.returns}
    expected = {
        file.name
        + (f"({', '.join(file.parameters)})" if file.parameters else "")
        + (f" -> {file.returns}" if file.returns else ""): file.mirrors if file.returns else file.grain
        for file in files
        if file.returns or file.name not in scalars
    }
    text = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(.+?)` \| (.*) \|$", text, re.MULTILINE)) == expected


def test_every_view_has_cases() -> None:
    """No view or macro is shipped without a case that uses it, and no case file is left without its view."""
    assert {case.view for case in ALL} == {file.name for file in load_sql_files()}
    for case in ALL:
        assert re.search(rf"\b{case.view}\b", case.query), case.title
