"""Rows put together of single values: against rows of dicts, in whatever order the values come."""

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.dicts import dicts_of
from wandb_warehouse.api.histories.points import Points, rows_of_points, sampled_places

KEYS = ["acc", "loss", "note"]
NUMBERS = {3: "loss", 11: "acc", 5: "note"}
"""Numbers of the keys: in another order than their names."""

values_of = {
    "acc": st.one_of(st.integers(-3, 3).map(float), st.floats(0.1, 0.9)),
    "loss": st.floats(allow_nan=False),
    "note": st.one_of(st.text("ab", max_size=2), st.booleans(), st.floats(0, 1)),
}
rows_of_a_run = st.lists(st.fixed_dictionaries({}, optional=values_of).filter(bool), max_size=12).flatmap(
    lambda rows: st.lists(st.integers(-1, 40), min_size=len(rows), max_size=len(rows), unique=True).map(
        lambda steps: dict(zip(sorted(steps), rows, strict=True))
    )
)


def points_of(runs: dict[int, dict[int, dict[str, Any]]], keys: set[str]) -> list[dict[str, Any]]:
    """The values of rows by run and step, as a warehouse stores them."""
    told = []
    numbers = {name: number for number, name in NUMBERS.items()}
    for run, rows in runs.items():
        for step, row in rows.items():
            for key in row.keys() & keys:
                value = row[key]
                kind = {bool: "bool", str: "string", float: "number"}[type(value)]
                told.append(
                    {
                        "run": run, "key": numbers[key], "step": step, "seq": 0, "type": kind,
                        "value": None if kind == "string" else float(value),
                        "value_json": f'"{value}"' if kind == "string" else None,
                    }
                )  # fmt: skip
    return told


SCHEMA = pa.schema(
    [
        ("run", pa.int32()), ("key", pa.int32()), ("step", pa.int64()), ("seq", pa.int64()),
        ("type", pa.string()), ("value", pa.float64()), ("value_json", pa.string()),
    ]
)  # fmt: skip


@pytest.mark.parametrize("order", ["stored", "shuffled", "by step"])
@given(
    runs=st.dictionaries(st.integers(0, 6), rows_of_a_run, max_size=4),
    samples=st.one_of(st.none(), st.integers(1, 8)),
    keys=st.sets(st.sampled_from(KEYS)),
    seed=st.integers(0, 99),
)
@settings(max_examples=examples(60))
def test_rows_are_those_of_the_values(
    order: str,
    runs: dict[int, dict[int, dict[str, Any]]],
    samples: int | None,
    keys: set[str],
    seed: int,
) -> None:
    """Rows of several runs, whole or sampled, of all metrics or of those that have some, are the logged ones."""
    told = points_of(runs, keys or set(KEYS))
    told.sort(key=lambda each: (each["key"], each["run"], each["step"]))
    if order == "shuffled":
        random.Random(seed).shuffle(told)
    elif order == "by step":
        told.sort(key=lambda each: (each["run"], each["step"]))
    asked = [*runs, 99]
    table = pa.Table.from_pylist(told, schema=SCHEMA)
    found = rows_of_points(Points(table, asked, NUMBERS), Ask(samples, tuple(sorted(keys)), low=-1))
    assert found is not None
    for run, histories in zip(asked, found, strict=True):
        whole = [
            ({"_step": step} if step >= 0 else {})
            | {key: row[key] for key in row.keys() & (keys or set(KEYS))}
            for step, row in runs.get(run, {}).items()
            if keys <= row.keys()
        ]
        chosen = sampled_places(len(whole), len(whole) if samples is None else samples) if whole else []
        rows = histories.dicts()
        assert rows == [whole[place] for place in chosen]
        assert all(list(row) == sorted(row) for row in rows)
        for row in rows:
            for value in row.values():
                assert not isinstance(value, float) or not value.is_integer() or abs(value) >= 2.0**63


def test_rows_that_share_a_step_are_left_to_sql() -> None:
    """Values of a second row of a step cannot be told from those of the first by the step: there is no answer."""
    told = points_of({0: {1: {"loss": 0.5}, 2: {"loss": 1.5}}}, {"loss"})
    told[1] |= {"step": 1, "seq": 1}
    table = pa.Table.from_pylist(told, schema=SCHEMA)
    assert rows_of_points(Points(table, [0], NUMBERS), Ask(None)) is None


@given(st.lists(st.text(), min_size=1, max_size=6, unique=True), st.integers(0, 4))
@settings(max_examples=examples(60))
def test_a_name_is_only_a_name(names: list[str], count: int) -> None:
    """Whatever a metric is called, its name is a key of the rows and nothing else."""
    columns = [[(name, row) for row in range(count)] for name in names]
    assert dicts_of(names, columns) == [{name: (name, row) for name in names} for row in range(count)]


def test_many_names_make_rows_as_few_do() -> None:
    """Rows of more metrics than a function is made for are the same dicts."""
    names = [f"m{number}" for number in range(300)]
    rows = dicts_of(names, [[number, -number] for number in range(300)])
    assert rows == [{name: sign * place for place, name in enumerate(names)} for sign in (1, -1)]
