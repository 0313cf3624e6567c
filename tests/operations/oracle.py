"""Asks Node.js, and compares what it says with what the compiled SQL gives."""

import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from operations.world import World
from wandb_warehouse.operations import Operation

__all__ = ["NODE", "ask", "differs", "given"]

NODE = shutil.which("node")

SCRIPT = Path(__file__).with_name("oracle.js")


def _sent(value: Any) -> Any:
    """A value as the script reads it: numbers that JSON has not, or not exactly, in an object of their own."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {key: _sent(item) for key, item in value.items()}
    return [_sent(item) for item in value] if isinstance(value, list) else value


def ask(world: World, programs: Sequence[str]) -> list[dict[str, Any]]:
    """What JavaScript gives for each program: `{"value": ...}` or `{"error": ...}`."""
    assert NODE is not None
    question = json.dumps({"runs": _sent(world.runs), "programs": list(programs)})
    done = subprocess.run(
        [NODE, str(SCRIPT)], input=question, capture_output=True, text=True, check=True, env={"TZ": "UTC"}
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def given(connection: duckdb.DuckDBPyConnection, operation: Operation) -> Any:
    """What the SQL of a program's last statement gives, in the judge's form."""
    statement = operation.statements[-1]
    rows = connection.execute(statement.sql)
    names = [column[0] for column in rows.description or ()]
    found = [
        [
            _shown(json.loads(cell) if of_json and cell is not None else cell)
            for cell, of_json in zip(row, statement.json, strict=True)
        ]
        for row in rows.fetchall()
    ]
    if statement.type.endswith("a run"):
        shown: list[Any] = [{"$run": "/".join(row[:3])} for row in found]
    elif names == ["value"]:
        shown = [row[0] for row in found]
    else:
        shown = [dict(zip(names, row, strict=True)) for row in found]
    if statement.type.startswith("a list"):
        return shown
    return shown[0] if shown else None


def _shown(cell: Any) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else {"$number": "Infinity" if cell > 0 else "-Infinity"}
    if isinstance(cell, datetime):
        return {"$date": cell.timestamp() * 1000}
    if isinstance(cell, dict):
        return {key: _shown(item) for key, item in cell.items()}
    return [_shown(item) for item in cell] if isinstance(cell, list) else cell


def differs(ours: Any, theirs: Any) -> bool:
    """Whether two answers differ; numbers may by what summing in another order does."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) != len(theirs) or any(differs(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() != theirs.keys() or any(differs(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is not theirs
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return not math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return bool(ours != theirs)
