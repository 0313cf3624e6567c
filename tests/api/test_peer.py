"""The list of what the official client's own tests assert: whole, and each that applies held by a test of ours.

The list was written down from the official repository's tests of the public API, as facts in our own words; `peer` says
where there. What each says is tested in tests/api/peer/.
"""

import ast
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BEHAVIOURS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("peer_behaviours.json").read_text())
AREAS = {
    "Api", "paths", "Runs", "Run", "history", "scan_history", "exports", "summary", "sweeps", "projects", "files",
    "artifacts", "console logs",
}  # fmt: skip


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_list_is_whole() -> None:
    """Every behaviour has an id of its own, an area, a test of the peer and a sentence; all areas are there."""
    assert all(count == 1 for count in Counter(each["id"] for each in BEHAVIOURS).values())
    assert {each["area"] for each in BEHAVIOURS} == AREAS
    for each in BEHAVIOURS:
        assert set(each) == {"id", "area", "peer", "behaviour", "applies", "reason", "held_by"}
        assert each["behaviour"].endswith(".")
        assert "::test_" in each["peer"]


@pytest.mark.parametrize("each", BEHAVIOURS, ids=[each["id"] for each in BEHAVIOURS])
def test_behaviour_is_held_or_has_a_reason(each: dict[str, Any]) -> None:
    """One that applies names a test that exists; one that does not says why, and names none."""
    if each["applies"]:
        assert each["reason"] is None
        path, _, name = each["held_by"].partition("::")
        assert name in functions_of(path)
    else:
        assert each["reason"]
        assert each["held_by"] is None


def test_every_test_of_the_peer_holds_something() -> None:
    """No test under tests/api/peer/ is without a behaviour that names it."""
    named = {each["held_by"] for each in BEHAVIOURS}
    for path in sorted((ROOT / "tests/api/peer").glob("test_*.py")):
        place = path.relative_to(ROOT).as_posix()
        assert {f"{place}::{name}" for name in functions_of(place)} <= named
