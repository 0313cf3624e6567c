"""Sampled rows of a metric: steps as whole numbers or doubles, values exact, each once."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import canonical, stored
from wandb_warehouse.arrow import HistoryBatch, PartWriter, RunRef, sampled_batch
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

RUN = RunRef("e", "p", "r")
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers()),
)


def written(batch: HistoryBatch) -> list[dict[str, Any]]:
    """The rows of the part file a batch is written to, which has the declared columns."""
    with TemporaryDirectory() as folder:
        writer = PartWriter(Path(folder), samples=9)
        writer.add(batch)
        path = writer.finish()
        assert path is not None
        table = pq.read_table(path)
    assert table.schema.equals(TABLES["history_sampled"].arrow)
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**52), values), max_size=8, unique_by=lambda pair: pair[0]),
    st.booleans(),
)
def test_every_value_at_its_step(pairs: list[tuple[int, Any]], doubles: bool) -> None:
    """Whatever the order of the rows and the form of their steps, each value stands at its step."""
    rows = [{"_step": float(step) if doubles else step, "k": value} for step, value in pairs]
    found = written(sampled_batch(RUN, ["k"], rows, {})) if rows else []
    assert stored(found) == {("k", step, 0): canonical(value) for step, value in pairs}
    assert [row["step"] for row in found] == sorted(step for step, _ in pairs)
    assert {row["samples"] for row in found} <= {9}


def test_repeated_steps_are_told_apart() -> None:
    """Rows that share a step are numbered in their order; one without a step has -1; one without the key is none."""
    rows: list[dict[str, Any]] = [{"_step": 3, "k": 1}, {"_step": 3.0, "k": 2}, {"k": 3}, {"_step": 4}]
    found = written(sampled_batch(RUN, ["k"], rows, {}))
    assert [(row["step"], row["seq"], row["value"]) for row in found] == [(-1, 0, 3), (3, 0, 1), (3, 1, 2)]


def test_quoted_numbers_are_numbers_where_the_index_says_so() -> None:
    """A quoted NaN under a key that has numbers and no strings is the number."""
    rows = [{"_step": 0, "k": "NaN"}]
    (number,) = sampled_batch(RUN, ["k"], rows, {"k": {"number"}}).chunks
    (text,) = sampled_batch(RUN, ["k"], rows, {"k": {"number", "string"}}).chunks
    assert math.isnan(number.value[0].as_py())
    assert text.type == "string"


@pytest.mark.parametrize("step", [0.5, "1", True, math.nan, 2**63, 1e300])
def test_a_step_that_is_none_is_refused(step: Any) -> None:
    """What is no 64-bit integer is no step."""
    with pytest.raises(FatalRemoteError, match="64-bit"):
        sampled_batch(RUN, ["k"], [{"_step": step, "k": 1}], {})


def test_metrics_sampled_together_are_those_sampled_apart() -> None:
    """Rows with several metrics give each the chunk it would have had alone; one without values gives none."""
    rows: list[dict[str, Any]] = [
        {"_step": 2, "a": 1, "b": "x"},
        {"_step": 0, "a": 0.5},
        {"_step": 2, "b": None},
    ]
    together = sampled_batch(RUN, ["a", "b", "c"], rows, {})
    apart = [
        sampled_batch(RUN, [key], [{n: row[n] for n in ("_step", key)} for row in rows if key in row], {})
        for key in ("a", "b")
    ]
    assert written(together) == [row for batch in apart for row in written(batch)]
