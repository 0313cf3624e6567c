"""Sampled rows of a metric: steps as whole numbers or doubles, values exact, each once."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import canonical, stored
from wandb_warehouse.arrow import RunRef, sampled_table
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


@given(
    st.lists(st.tuples(st.integers(0, 2**52), values), max_size=8, unique_by=lambda pair: pair[0]),
    st.booleans(),
)
def test_every_value_at_its_step(pairs: list[tuple[int, Any]], doubles: bool) -> None:
    """Whatever the order of the rows and the form of their steps, each value stands at its step."""
    rows = [{"_step": float(step) if doubles else step, "k": value} for step, value in pairs]
    table = sampled_table(RUN, "k", rows, {}, 9)
    assert table.schema == TABLES["history_sampled"].arrow
    found = table.to_pylist()
    assert stored(found) == {("k", step, 0): canonical(value) for step, value in pairs}
    assert [row["step"] for row in found] == sorted(step for step, _ in pairs)
    assert {row["samples"] for row in found} <= {9}


def test_repeated_steps_are_told_apart() -> None:
    """Rows that share a step are numbered in their order; one without a step has -1; one without the key is none."""
    rows: list[dict[str, Any]] = [{"_step": 3, "k": 1}, {"_step": 3.0, "k": 2}, {"k": 3}, {"_step": 4}]
    found = sampled_table(RUN, "k", rows, {}, 9).to_pylist()
    assert [(row["step"], row["seq"], row["value"]) for row in found] == [(-1, 0, 3), (3, 0, 1), (3, 1, 2)]


def test_quoted_numbers_are_numbers_where_the_index_says_so() -> None:
    """A quoted NaN under a key that has numbers and no strings is the number."""
    rows = [{"_step": 0, "k": "NaN"}]
    assert math.isnan(sampled_table(RUN, "k", rows, {"k": {"number"}}, 9)["value"][0].as_py())
    assert sampled_table(RUN, "k", rows, {"k": {"number", "string"}}, 9)["type"][0].as_py() == "string"


@pytest.mark.parametrize("step", [0.5, "1", True, math.nan, 2**63, 1e300])
def test_a_step_that_is_none_is_refused(step: Any) -> None:
    """What is no 64-bit integer is no step."""
    with pytest.raises(FatalRemoteError, match="64-bit"):
        sampled_table(RUN, "k", [{"_step": step, "k": 1}], {}, 9)
