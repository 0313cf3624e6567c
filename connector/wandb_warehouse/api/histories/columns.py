"""One metric's values in some rows of a history, and the forms they are given in."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow import restore

__all__ = ["NUMBERS", "Column", "whole_numbers"]

_LARGEST = 2.0**63
"""Whole numbers from here on have no 64-bit integer."""
NUMBERS = frozenset({"number"})
"""The kinds of a metric that has numbers alone."""


def whole_numbers(values: pa.Array) -> pa.Array:
    """Tell which numbers a 64-bit integer holds; NaN and infinities are none, nor is null."""
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), _LARGEST))
    return pc.fill_null(whole, pa.scalar(value=False)) if whole.null_count else whole


@dataclass(frozen=True)
class Column:
    """A metric: its values as the warehouse stores them, and the rows they are in."""

    name: str
    rows: pa.Array
    """Row of each value, ascending."""
    types: frozenset[str]
    """Kinds of the values: number, bool, string, json, null."""
    type: pa.Array
    value: pa.Array
    text: pa.Array
    wholes: int | None = None
    """How many values are whole numbers that a 64-bit integer holds, where that is known."""

    @classmethod
    def of(cls, name: str, stored: pa.Table) -> "Column":
        """Take a metric out of rows with `row`, `type`, `value` and `value_json`."""
        parts = {key: stored[key].combine_chunks() for key in ("row", "type", "value", "value_json")}
        types = frozenset(pc.unique(parts["type"]).to_pylist())
        return cls(name, parts["row"], types, parts["type"], parts["value"], parts["value_json"])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_number(self) -> bool:
        """Whether all values are numbers that a double holds exactly."""
        return self.types == NUMBERS and self.text.null_count == len(self)

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers that a 64-bit integer holds."""
        return self.is_number and self._count_wholes() == len(self)

    def _count_wholes(self) -> int:
        return int(whole_numbers(self.value).true_count) if self.wholes is None else self.wholes

    def part(self, low: int, high: int) -> "Column | None":
        """Give the values in rows from `low` to before `high`, which count from 0; None where there is none."""
        rows = _numbers(self.rows, "q")
        start, end = bisect_left(rows, low), bisect_left(rows, high)
        if start == end:
            return None
        cut = (each.slice(start, end - start) for each in (self.type, self.value, self.text))
        kind, value, text = cut
        types = self.types if len(self.types) == 1 else frozenset(pc.unique(kind).to_pylist())
        return Column(
            self.name, pc.subtract(self.rows.slice(start, end - start), low), types, kind, value, text
        )

    def places(self) -> list[int]:
        """Rows of the values, as Python's integers."""
        return _plain(self.rows, "q")

    def values(self) -> list[Any]:
        """Values as they were logged; a whole number is an int, as long as 64 bits hold it."""
        if self.is_number:
            wholes = self._count_wholes()
            if wholes == len(self):
                return _plain(self.value.cast(pa.int64()), "q")
            numbers = _plain(self.value, "d")
            if wholes:
                for place in pc.indices_nonzero(whole_numbers(self.value)).to_pylist():
                    numbers[place] = int(numbers[place])
            return numbers
        if self.types == {"bool"}:
            return [number == 1 for number in _plain(self.value, "d")]
        stored = zip(self.type.to_pylist(), self.value.to_pylist(), self.text.to_pylist(), strict=True)
        return [
            _number(value) if kind == "number" and text is None else restore(kind, value, text)
            for kind, value, text in stored
        ]

    def spread(self, values: pa.Array, count: int) -> pa.Array:
        """Give `count` rows with the values in theirs, null in all others."""
        if len(self) == count:
            return values
        return pc.scatter(values, self.rows, max_index=count - 1)

    def spread_values(self, count: int, missing: Any) -> list[Any]:
        """Give `count` rows of Python's values, `missing` in those without one."""
        if len(self) == count:
            return self.values()
        spread = [missing] * count
        for row, value in zip(self.places(), self.values(), strict=True):
            spread[row] = value
        return spread


def _number(value: float) -> int | float:
    """A number as W&B's own reader gives it: what is as large as this was written as a float, as a rule."""
    return int(value) if value.is_integer() and abs(value) < _LARGEST else value


def _plain(array: pa.Array, form: Literal["q", "d"]) -> list[Any]:
    """Python's numbers of an array of 8-byte ones: without nulls as fast as NumPy, which need not be there."""
    return list(array.to_pylist() if array.null_count else _numbers(array, form))


def _numbers(array: pa.Array, form: Literal["q", "d"]) -> "memoryview[Any]":
    """An array of 8-byte numbers without nulls, as it lies in memory."""
    buffer = array.buffers()[1]
    view = memoryview(b"" if buffer is None else buffer).cast("B").cast(form)
    return view[array.offset : array.offset + len(array)]
