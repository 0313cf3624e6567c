"""A sync of one run in a hundred, by what the warehouse holds of other projects: it must cost the copy, no more.

The same project is synced into warehouses that already hold another one of up to 100 million values. Then its runs go
on, as many and by the same values for each warehouse, and every warehouse is synced in turn.
"""

import shutil
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure, Server, folder, median, task
from benchmarks.serve import Shape, Size, run_name
from benchmarks.stored import MILLIONS, first_sync

SCENARIO = "growth"
SHAPE = Shape(200, 500, 10, distinct=1)
"""The project that is synced, one million values; runs alike, as the server keeps lines of one exported run only."""


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure warehouses of 1, 11, 31 and 101 million values."""
    shape = SHAPE.at(size)
    changed = max(shape.runs // 100, 1)
    with Server(shape) as server, folder() as place:
        known = server.at(0.0)
        warehouses = [_prepare(known, place, millions) for millions in (0, *MILLIONS[size])]
        outcomes: list[list[dict[str, Any]]] = [[] for _ in warehouses]
        for repetition in range(repetitions):
            runs = [run_name((repetition * changed + i) % shape.runs) for i in range(changed)]
            values = server.log(runs, shape.rows)
            for warehouse, mine in zip(warehouses, outcomes, strict=True):
                outcome = task("sync", {**known, "warehouse": str(warehouse), "steps": True})
                assert outcome["values"] == values
                copied = task("copy", {"warehouse": str(warehouse)})
                mine.append(outcome | {"copy": copied["seconds"], "bytes": copied["bytes"]})
    stored = [(shape.values + first_sync(m).shape.values) / 1e6 for m in MILLIONS[size]]
    stored = [shape.values / 1e6, *stored]
    rest = [[_rest(outcome) for outcome in mine] for mine in outcomes]
    ratios = [large / small for small, large in zip(rest[0], rest[-1], strict=True)]
    what = f"without its copy, {stored[-1]:.3g} million values stored: times {stored[0]:.3g} million"
    return [
        *(figure for at, mine in zip(stored, outcomes, strict=True) for figure in _figures(at, mine)),
        Figure(
            SCENARIO, what, median(ratios), 1.5, at_least=False, spread=(min(ratios), max(ratios)),
            note=f"{median(rest[-1]):.2f} s, {median(rest[0]):.2f} s",
        ),
    ]  # fmt: skip


def _prepare(known: dict[str, Any], place: Path, millions: float) -> Path:
    """Make a warehouse that holds so many millions of values of another project, and ours."""
    warehouse = place / f"{millions:g}.duckdb"
    if millions:
        shutil.copyfile(first_sync(millions).warehouse, warehouse)
    task("sync", {**known, "warehouse": str(warehouse)})
    return warehouse


def _figures(at: float, outcomes: list[dict[str, Any]]) -> list[Figure]:
    """The sync, its copy and what is beyond it, as points of three curves."""
    curves = {
        "sync": [outcome["seconds"] for outcome in outcomes],
        "the same bytes copied alone": [outcome["copy"] for outcome in outcomes],
        "sync without its copy": [_rest(outcome) for outcome in outcomes],
    }
    gigabytes = f"{median([outcome['bytes'] for outcome in outcomes]) / 1e9:.2g} GB"
    notes = {"sync": _parts(outcomes), "the same bytes copied alone": gigabytes}
    return [
        Figure(
            SCENARIO, f"{at:.3g} million values stored: {name}", median(seconds), None, " s",
            spread=(min(seconds), max(seconds)), note=notes.get(name, ""), curve=name, at=at,
        )
        for name, seconds in curves.items()
    ]  # fmt: skip


def _copying(outcome: dict[str, Any]) -> float:
    """Seconds a sync took to copy the published file and to bring the copy to the disk."""
    copying: float = outcome["steps"]["create"] + outcome["steps"]["fsync"]
    return copying


def _rest(outcome: dict[str, Any]) -> float:
    seconds: float = outcome["seconds"]
    return seconds - _copying(outcome)


def _parts(outcomes: list[dict[str, Any]]) -> str:
    """Medians of the phases, the copy apart from the load and the fsync from publishing."""

    def middle(name: str) -> float:
        return median([outcome["phases"].get(name, 0.0) for outcome in outcomes])

    create = median([outcome["steps"]["create"] for outcome in outcomes])
    fsync = median([outcome["steps"]["fsync"] for outcome in outcomes])
    seconds = {
        "list": middle("list"),
        "extract": middle("extract"),
        "copy": create,
        "load": middle("load") - create,
        "prove": middle("prove"),
        "publish": middle("publish") - fsync,
        "fsync": fsync,
    }
    return ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
