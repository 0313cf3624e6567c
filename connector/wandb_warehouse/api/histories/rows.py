"""Rows of histories in hand, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.api.histories.columns import Column
from wandb_warehouse.api.histories.dicts import dicts_of

__all__ = ["NO_ROWS", "Histories"]


@dataclass(frozen=True)
class Histories:
    """Rows of some runs, by run and step."""

    run_of_row: pa.Array
    """Place of each row's run among those that were asked for."""
    columns: tuple[Column, ...]
    """Metrics by name, sorted; each knows in which rows it is."""

    def __len__(self) -> int:
        return len(self.run_of_row)

    def dicts(self) -> list[dict[str, Any]]:
        """Give each row as a dict of the metrics it has, keys sorted."""
        count = len(self)
        if self.columns and all(len(column) == count for column in self.columns):
            names = [column.name for column in self.columns]
            return dicts_of(names, [column.values() for column in self.columns])
        rows: list[dict[str, Any]] = [{} for _ in range(count)]
        for column in self.columns:
            for row, value in zip(column.places(), column.values(), strict=True):
                rows[row][column.name] = value
        return rows

    def split(self, runs: int) -> "list[Histories]":
        """Cut the rows by run; `runs` is the number of runs that were asked for."""
        starts = pc.cumulative_sum(_counts(self.run_of_row, runs)).to_pylist()
        parts = []
        for low, high in pairwise([0, *starts]):
            columns = [part for column in self.columns if (part := column.part(low, high)) is not None]
            parts.append(Histories(pa.repeat(0, high - low), tuple(columns)))
        return parts

    def run_ids(self, runs: Sequence[str]) -> pa.Array:
        """Give each row's run id; `runs` are those that were asked for."""
        return pa.array(runs, pa.string()).take(self.run_of_row)


NO_ROWS = Histories(pa.array([], pa.int64()), ())


def _counts(run_of_row: pa.Array, runs: int) -> pa.Array:
    """Number of rows of each run."""
    found = {each["values"]: each["counts"] for each in run_of_row.value_counts().to_pylist()}
    return pa.array([found.get(run, 0) for run in range(runs)], pa.int64())
