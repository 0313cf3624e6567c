"""Asks Node.js what programs show, and says where rows of the compiled SQL differ."""

import json
import math
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from operations.world import World
from wandb_warehouse.operations import Operation

__all__ = ["NODE", "answers", "differences", "rows_of"]

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("evaluate.js")

Answer = dict[str, Any]
Row = list[Any]


def _sent(value: Any) -> Any:
    """A value with the numbers that JSON would lose, and its objects as pairs."""
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            safe = math.isfinite(value) and abs(value) < 2**53
            words = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(str(value), str(value))
            return value if safe else {"n": words}
        case list():
            return [_sent(item) for item in value]
        case _:
            return {"o": [[key, _sent(item)] for key, item in value.items()]}


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run with its documents as they are sent."""
    sent = dict(run)
    for name in ("config", "summary"):
        sent[name] = _sent(run[name])
    sent["history"] = [_sent(row) for row in run["history"]]
    for direction in ("logged", "used"):
        sent[direction] = [{**each, "metadata": _sent(each["metadata"])} for each in run[direction]]
    return sent


def answers(world: World, programs: Sequence[str], given: Mapping[str, str]) -> list[Answer]:
    """What each program shows by JavaScript: `{"shown": [...]}`, or `{"error": ...}`; one process for all of them."""
    assert NODE is not None
    runs = [_run(run) for run in world.runs]
    question = json.dumps({"runs": runs, "given": dict(given), "programs": list(programs)})
    done = subprocess.run(
        [NODE, "--expose-internals", str(SCRIPT)],
        input=question,
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of(connection: duckdb.DuckDBPyConnection, operation: Operation) -> list[list[Row]]:
    """The rows of each statement, cells in the judge's form."""
    return [
        [
            [
                _cell(json.loads(cell) if is_json and cell is not None else cell)
                for cell, is_json in zip(row, statement.json, strict=True)
            ]
            for row in connection.execute(statement.sql).fetchall()
        ]
        for statement in operation.statements
    ]


def _cell(cell: Any) -> Any:
    match cell:
        case float() if not math.isfinite(cell):
            return None if math.isnan(cell) else {"number": "Infinity" if cell > 0 else "-Infinity"}
        case datetime():
            return {"time": round(cell.timestamp() * 1000, 3)}
        case list():
            return [_cell(item) for item in cell]
        case dict():
            return {"object": [[key, _cell(item)] for key, item in _leaves(cell, "")]}
        case _:
            return cell


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield prefix + key, item


def differences(answer: Answer, found: Sequence[Sequence[Row]]) -> str | None:
    """Where the two differ, in one line; None where they do not."""
    shown = answer["shown"]
    if len(shown) != len(found):
        return f"{len(shown)} statements, not {len(found)}"
    for wanted, rows in zip(shown, found, strict=True):
        if (said := _statement(wanted, rows)) is not None:
            return said
    return None


def _statement(wanted: Answer, rows: Sequence[Row]) -> str | None:
    if "lines" in wanted:
        lines = [line for row in rows for cell in row if cell is not None for line in cell.split("\n")]
        expected = [line for text in wanted["lines"] for line in text.split("\n")]
        return None if lines == expected else f"writes {expected}, not {lines}"
    if "one" in wanted:
        if wanted["isMissing"]:
            empty = all(cell is None for row in rows for cell in row)
            return None if empty else f"is missing, not {rows[:2]}"
        wanted = {"list": [wanted["one"]]}
    if len(wanted["list"]) != len(rows):
        return f"{len(wanted['list'])} rows, not {len(rows)}"
    for place, (expected, row) in enumerate(zip(wanted["list"], rows, strict=True)):
        is_nothing = expected == [None] and all(
            cell is None for cell in row
        )  # of a run or version that is missing
        if not is_nothing and not _same(expected, row):
            return f"row {place}: {expected}, not {row}"
    return None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        if "object" in a and "object" in b:
            return _same(sorted(a["object"], key=str), sorted(b["object"], key=str))
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return bool(a == b)
