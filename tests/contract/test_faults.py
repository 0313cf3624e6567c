"""The fault catalogue is complete: each row has its test, each exit code its rows, and the documentation shows it."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from faults.catalogue import CATALOGUE, GROUPS, HOLDS, Row

ROOT = Path(__file__).parents[2]


@cache
def _tests_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("row", [row for row in CATALOGUE if row.test], ids=lambda row: row.name)
def test_the_test_a_row_points_to_exists(row: Row) -> None:
    """A row that is driven elsewhere names a file and a test in it."""
    file, _, test = row.test.partition("::")
    assert (ROOT / file).is_file()
    assert test in _tests_of(ROOT / file)


def test_every_row_is_driven_once() -> None:
    """A row without a test of its own has what the test of its group needs; names are not used twice."""
    assert [name for name, times in Counter(row.name for row in CATALOGUE).items() if times > 1] == []
    for row in CATALOGUE:
        drives = [bool(row.test), bool(row.strikes), row.brought is not None, bool(row.text)]
        assert sum(drives) == 1, row.name
        assert row.test or not row.code or row.says, row.name
    assert {row.group for row in CATALOGUE} == set(GROUPS)


def test_every_exit_code_has_a_row() -> None:
    """The exit codes of docs/architecture.md are those of the catalogue."""
    page = (ROOT / "docs/architecture.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
    assert {int(code) for codes in rows for code in codes.split(",")} == {row.code for row in CATALOGUE}


def test_twenty_faults_of_the_disk_at_least() -> None:
    """Disks and files have more ways to fail than anything else."""
    assert sum(row.group == "disk" and not row.test for row in CATALOGUE) >= 20


def table() -> str:
    """The catalogue as docs/reliability.md shows it."""
    lines = ["| | fault | what happens | exit code |", "|---|---|---|---|"]
    for group in GROUPS:
        for number, row in enumerate(row for row in CATALOGUE if row.group == group):
            lines.append(f"| {group if not number else ''} | {row.fault} | {HOLDS[row.holds]} | {row.code} |")
    return "\n".join(lines)


def test_the_documentation_shows_the_catalogue() -> None:
    """The table in docs/reliability.md is the catalogue, row by row."""
    assert table() in (ROOT / "docs/reliability.md").read_text()
