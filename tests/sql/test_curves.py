"""Macros over curves, against the same in plain Python, on generated runs with gaps, repeated steps, ties and NaN."""

import math
import random
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Build, insert_rows

Point = tuple[int, int, float]
"""Step, seq, value."""

LENGTHS = (0, 1, 2, 3, 4, 5, 11, 60, 200)


def _curve(random_: random.Random, length: int) -> list[Point]:
    """A curve of some kind: smooth, rough, flat or of a handful of levels; with gaps, repetitions and NaN."""
    kind = random_.choice(["walk", "noise", "flat", "levels"])
    value, step, points = 0.0, random_.choice([0, 0, 7]), []
    for _ in range(length):
        value = {
            "walk": value + random_.gauss(0, 1),
            "noise": random_.gauss(0, 1) * 10 ** random_.randint(-3, 3),
            "flat": 2.0,
            "levels": float(random_.randint(0, 3)),
        }[kind]
        seq = 0
        points.append((step, seq, math.nan if random_.random() < 0.03 else value))
        if random_.random() < 0.05:
            points.append((step, 1, value + 1))
        step += random_.choice([1, 1, 1, 2, 50])
    return points


@pytest.fixture(scope="module")
def curves() -> dict[tuple[str, str], list[Point]]:
    """Points by run and metric."""
    random_ = random.Random(3)
    return {
        (f"r{n}", metric): _curve(random_, length)
        for n, length in enumerate(LENGTHS * 3)
        for metric in ("x", "y")
    }


@pytest.fixture(scope="module")
def warehouse(
    curves: dict[tuple[str, str], list[Point]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The curves in a build, and one deleted run."""
    build = Build.create(None, tmp_path_factory.mktemp("curves"))
    build.prepare_tables()
    build.create_views()
    project: dict[str, Any] = {"entity": "acme", "project": "vision"}
    rows = [
        project | {"run_id": run, "key": metric, "step": step, "seq": seq, "type": "number", "value": value}
        for (run, metric), points in {**curves, ("gone", "x"): [(0, 0, 1.0)]}.items()
        for step, seq, value in points
    ]
    runs = [project | {"run_id": run, "name": run} for run in {run for run, _ in curves}]
    runs.append(project | {"run_id": "gone", "deleted_at": 0})
    random.Random(4).shuffle(rows)
    with duckdb.connect(str(build.path)) as connection:
        for table, content in (("runs", runs), ("history", rows)):
            connection.register("incoming", pa.Table.from_pylist(content, schema=TABLES[table].arrow))
            insert_rows(connection, table)
        yield connection


def _numbers(points: list[Point]) -> list[Point]:
    return [point for point in points if not math.isnan(point[2])]


def _lttb(points: list[Point], kept: int) -> list[Point]:
    """Largest triangle three buckets, as Steinarsson describes it, over equal parts by count."""
    if len(points) <= kept:
        return points
    parts = [
        list(map(points.__getitem__, part)) for part in np.array_split(range(1, len(points) - 1), kept - 2)
    ]
    chosen = [points[0]]
    for part, behind in zip(parts, [*parts[1:], [points[-1]]], strict=True):
        (ax, _, ay) = chosen[-1]
        cx, cy = (sum(p[at] for p in behind) / len(behind) for at in (0, 2))
        areas = [abs((ax - cx) * (by - ay) - (ax - bx) * (cy - ay)) for bx, _, by in part]
        chosen.append(part[areas.index(max(areas))])
    return [*chosen, points[-1]]


def _of_runs(
    connection: duckdb.DuckDBPyConnection, sql: str, *, first: int
) -> dict[str, list[tuple[Any, ...]]]:
    """Rows by run, without the columns before `first`."""
    rows = connection.execute(f"FROM ({sql}) ORDER BY ALL").fetchall()
    return {run: [row[first:] for row in group] for run, group in groupby(rows, key=lambda row: str(row[2]))}


@pytest.mark.parametrize("kept", [3, 4, 10, 59])
def test_lttb(
    kept: int, warehouse: duckdb.DuckDBPyConnection, curves: dict[tuple[str, str], list[Point]]
) -> None:
    """The points kept are those that the algorithm keeps, of every run, ties and short runs among them."""
    found = _of_runs(warehouse, f"SELECT * FROM lttb('x', {kept})", first=4)
    expected = {
        run: _lttb(_numbers(points), kept) for (run, metric), points in curves.items() if metric == "x"
    }
    assert found == {run: points for run, points in expected.items() if points}
    assert found.keys() - {"gone"} == found.keys()


@pytest.mark.parametrize("buckets", [1, 7, 1000])
def test_metric_buckets(
    buckets: int, warehouse: duckdb.DuckDBPyConnection, curves: dict[tuple[str, str], list[Point]]
) -> None:
    """Every number is in the bucket of its step, and the bucket tells its range, its first and its last."""
    found = _of_runs(warehouse, f"SELECT * FROM metric_buckets('x', {buckets})", first=4)
    expected: dict[str, list[tuple[Any, ...]]] = {}
    for (run, metric), points in curves.items():
        numbers = _numbers(points)
        if metric == "x" and numbers:
            start, width = numbers[0][0], numbers[-1][0] - numbers[0][0] + 1
            for bucket, group in groupby(numbers, key=lambda p: (p[0] - start) * buckets // width):
                inside = list(group)
                values = [value for *_, value in inside]
                row = (bucket, inside[0][0], inside[-1][0], len(values), min(values), max(values))
                expected.setdefault(run, []).append((*row, values[0], values[-1]))
    assert found == expected


@pytest.mark.parametrize("points", [1, 5])
def test_moving_average(
    points: int, warehouse: duckdb.DuckDBPyConnection, curves: dict[tuple[str, str], list[Point]]
) -> None:
    """Each number has the mean of itself and those before it, `points` in all."""
    found = _of_runs(warehouse, f"SELECT * FROM moving_average('x', {points})", first=4)
    for (run, metric), logged in curves.items():
        numbers = _numbers(logged)
        if metric != "x" or not numbers:
            continue
        assert [row[:3] for row in found[run]] == numbers
        for at, (*_, average) in enumerate(found[run]):
            window = [value for *_, value in numbers[max(0, at - points + 1) : at + 1]]
            assert average == pytest.approx(sum(window) / len(window), abs=1e-9)


def test_metric_pairs_and_aligned(
    warehouse: duckdb.DuckDBPyConnection, curves: dict[tuple[str, str], list[Point]]
) -> None:
    """Pairs are what both metrics have at one step; aligned is every x, with the newest y at or before it."""
    pairs = _of_runs(warehouse, "SELECT * FROM metric_pairs('x', 'y')", first=4)
    aligned = _of_runs(warehouse, "SELECT * FROM metric_aligned('x', 'y')", first=4)
    assert "gone" not in aligned
    for run in {run for run, _ in curves}:
        x, y = curves[run, "x"], curves[run, "y"]
        there = {point[:2]: point[2] for point in y}
        both = [(*point, there[point[:2]]) for point in x if point[:2] in there]
        assert repr(pairs.get(run, [])) == repr(both)
        newest = [max((p for p in y if p[0] <= step), default=(None, 0, None)) for step, *_ in x]
        expected = [(*point, past[0], past[2]) for point, past in zip(x, newest, strict=True)]
        assert repr(aligned.get(run, [])) == repr(expected)
