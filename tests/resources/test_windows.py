"""Every row of a span comes once, however its steps are spread and whatever the server samples."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from wandb_warehouse.client import WandbClient, Window
from wandb_warehouse.resources.windows import Span, read_spans

_ASKED = 10_000
_PIECE = 5_000


class SamplingServer:
    """Answers windows as W&B does: at most `cap` rows, others left out at random without a word."""

    def __init__(self, steps: dict[str, list[int]], cap: int | None, seed: int = 0) -> None:
        self.steps = steps
        self.cap = cap
        self.windows: list[Window] = []
        self.requests = 0
        self._rng = random.Random(seed)

    async def history_rows(self, _entity: str, _project: str, windows: Sequence[Window]) -> list[list[str]]:
        """One request."""
        self.requests += 1
        self.windows += windows
        return [self._answer(window) for window in windows]

    def _answer(self, window: Window) -> list[str]:
        inside = [
            (place, step)
            for place, step in enumerate(self.steps[window.run_id])
            if window.min_step <= step < window.max_step
        ]
        most = min(window.samples, self.cap or window.samples)
        if len(inside) > most:
            inside = sorted(self._rng.sample(inside, most))
        return [json.dumps({"_step": step, "row": place}) for place, step in inside]

    def read(self, spans: Sequence[Span]) -> dict[str, list[int]]:
        """Places of the rows that `read_spans` finds, by run."""
        found = asyncio.run(read_spans(cast("WandbClient", self), "e", "p", spans))
        return {run_id: [json.loads(row)["row"] for row in rows] for run_id, rows in found.items()}


def _clusters(sizes: list[int]) -> list[int]:
    return [
        step for place, size in enumerate(sizes) for step in range(place**3 * 10**7, place**3 * 10**7 + size)
    ]


layouts = st.one_of(
    st.integers(0, 4000).map(lambda rows: list(range(rows))),
    st.integers(0, 2000).map(lambda rows: list(range(1_700_000_000, 1_700_000_000 + 60 * rows, 60))),
    st.lists(st.integers(0, 900), max_size=5).map(_clusters),
    st.lists(st.integers(0, 2**40), max_size=300, unique=True).map(sorted),
    st.lists(st.integers(0, 60), min_size=20, max_size=600).map(sorted),  # steps shared by several rows
)


Run = tuple[list[int], int]
"""Steps of a run, and how many rows the server says there are."""


@st.composite
def servers(draw: st.DrawFn) -> tuple[int | None, list[Run]]:
    """A server's cap, and runs with their counts: right, absent, too high, or below what one answer shows."""
    found = draw(st.lists(layouts, min_size=1, max_size=4))
    busiest = max(max(Counter(steps).values(), default=0) for steps in found)
    cap = draw(st.one_of(st.none(), st.integers(max(10, busiest + 1), 1000)))
    return cap, [
        (
            steps,
            draw(
                st.one_of(
                    st.just(len(steps)),
                    st.just(0),
                    st.integers(len(steps), 3 * len(steps) + 10),
                    st.integers(0, max(0, min(cap or _ASKED, len(steps)) - 1)),
                )
            ),
        )
        for steps in found
    ]


@settings(deadline=None, max_examples=examples(40))
@given(servers(), st.integers(0, 2**32))
def test_all_rows_come_once_at_bounded_cost(drawn: tuple[int | None, list[Run]], seed: int) -> None:
    """Dense, sparse, clustered or shared steps; counts right, absent or wrong: every row, once, in step order.

    Cost: at most 8 windows and 8 more for each `cap` rows of a run, and one for each 5,000 rows it is said to have.
    """
    cap, found = drawn
    runs = {f"r{number}": steps for number, (steps, _) in enumerate(found)}
    server = SamplingServer(runs, cap, seed)
    spans = [
        Span(f"r{number}", 0, (steps[-1] if steps else 0) + 1, said)
        for number, (steps, said) in enumerate(found)
    ]
    assert server.read(spans) == {run_id: list(range(len(steps))) for run_id, steps in runs.items()}
    bound = sum(8 + 8 * (len(runs[span.run_id]) // (cap or _ASKED)) + span.rows // _PIECE for span in spans)
    assert len(server.windows) <= bound
    assert server.requests <= bound


@pytest.mark.parametrize(("rows", "cap"), [(60_000, None), (30_000, 500), (30_000, 10_000)])
@pytest.mark.parametrize("spread", [1, 60])
def test_long_runs_cost_a_few_windows_for_each_full_answer(rows: int, cap: int | None, spread: int) -> None:
    """With the right count and steps in any density, windows are at most 4 for each full answer."""
    steps = [1_000_000 + spread * place for place in range(rows)]
    server = SamplingServer({"r": steps}, cap)
    found = server.read([Span("r", 0, steps[-1] + 1, rows)])
    assert found == {"r": list(range(rows))}
    assert len(server.windows) <= 4 * (1 + rows // min(cap or _ASKED, _PIECE))


def test_a_right_count_costs_one_window_a_run_and_one_request_for_fifty() -> None:
    """Two hundred short runs whose counts are right are read in four requests."""
    runs: dict[str, Any] = {f"r{number}": list(range(number)) for number in range(1, 201)}
    server = SamplingServer(runs, None)
    found = server.read([Span(run_id, 0, len(steps), len(steps)) for run_id, steps in runs.items()])
    assert found == runs
    assert (len(server.windows), server.requests) == (200, 4)


def test_rows_of_one_step_beyond_the_cap_end_the_search() -> None:
    """Where one step holds more rows than the server ever gives, what it gives is taken and the search ends."""
    server = SamplingServer({"r": [7] * 100}, 20)
    (rows,) = server.read([Span("r", 0, 8, 100)]).values()
    assert len(rows) == 20
    assert len(server.windows) <= 8
