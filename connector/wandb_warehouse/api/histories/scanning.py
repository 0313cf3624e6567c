"""Every row of a history, window by window, in memory that does not grow with its length."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.histories.ahead import SHORT
from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.holding import holdings
from wandb_warehouse.api.histories.reading import read_histories
from wandb_warehouse.api.histories.rows import Histories
from wandb_warehouse.arrow import escape

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.attributes import RunAttributes

__all__ = ["HistoryScan", "windows"]

_VALUES_AT_A_TIME = 500_000


class HistoryScan(Iterator[dict[str, Any]]):
    """An iterator over the rows of a run's history; it begins anew with every `for`.

    A row is a dict of the metrics logged in it, nested ones under dotted keys, with `_step`.

    Args:
        run: the run.
        min_step: first step.
        max_step: first step that is not wanted any more.
        keys: metrics that a row must have, and that alone are given; None for every row with all it has.
        page_size: rows the caller wants at a time; more are read at once where that is quicker.

    Source: `wandb.apis.public.history.HistoryScan`.
    """

    def __init__(
        self,
        run: "RunAttributes",
        *,
        min_step: int,
        max_step: int,
        keys: list[str] | None = None,
        page_size: int = 1_000,
    ) -> None:
        self.run = run
        self.min_step = min_step
        self.keys = keys
        self.page_size = page_size
        self._stop = max_step
        self._rows = self._read()

    @property
    def max_step(self) -> int:
        """The last step that may come."""
        return self._stop - 1

    def _read(self) -> Iterator[dict[str, Any]]:
        parts = windows(self.run, self.min_step, self._stop, self.keys or [])
        return chain.from_iterable(histories.dicts() for histories in parts)

    def __iter__(self) -> Iterator[dict[str, Any]]:  # noqa: PYI034
        # Not itself: a loop over the rows takes half the time. `next` goes on where the loop stopped.
        self._rows = self._read()
        return self._rows

    def __next__(self) -> dict[str, Any]:
        return next(self._rows)


def windows(run: "RunAttributes", low: int, high: int, keys: list[str]) -> Iterator[Histories]:
    """Read a history from step `low` to before `high`, some hundred thousand values at a time."""
    held = holdings(run._session, run.entity, run.project).get(escape(run.id))
    if low == 0 and high > run.lastHistoryStep and held is not None and held.values <= SHORT:
        yield run._ahead.history(run.id, Ask(samples=None, keys=tuple(keys), low=0))
        return
    steps = max(high - low, 1)
    values = held.values if held else 0
    density = max(values / (max(held.last_step, 0) + 1), 1e-9) if held else 1.0
    width = max(int(_VALUES_AT_A_TIME / density), 1)
    for start in range(low, low + steps, width):
        ask = Ask(samples=None, keys=tuple(keys), low=start, high=min(start + width, high))
        yield read_histories(run._session, run.entity, run.project, [run.id], ask)
