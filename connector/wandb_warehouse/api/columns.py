"""One metric's values in some rows of a history, and the forms they are given in."""

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow import restore

__all__ = ["Column"]

_LARGEST = 2.0**63
"""Whole numbers from here on have no 64-bit integer."""


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
        return self.types == {"number"} and self.text.null_count == len(self)

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers that a 64-bit integer holds."""
        if not self.is_number:
            return False
        fits = pc.and_(pc.equal(pc.floor(self.value), self.value), pc.less(pc.abs(self.value), _LARGEST))
        return bool(pc.all(fits).as_py())

    def places(self) -> list[int]:
        """Rows of the values, as Python's integers."""
        return _plain(self.rows, "q")

    def values(self) -> list[Any]:
        """Values as they were logged; a whole number is an int."""
        if self.is_number:
            if self.is_whole:
                return _plain(self.value.cast(pa.int64()), "q")
            numbers: list[Any] = _plain(self.value, "d")
            # Infinity is no whole number, and NaN is none.
            return [int(number) if number.is_integer() else number for number in numbers]
        if self.types == {"bool"}:
            return [number == 1 for number in _plain(self.value, "d")]
        stored = zip(self.type.to_pylist(), self.value.to_pylist(), self.text.to_pylist(), strict=True)
        return [restore(*each) for each in stored]

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


def _plain(array: pa.Array, form: Literal["q", "d"]) -> list[Any]:
    """Python's numbers of an array of 8-byte ones without nulls: as fast as NumPy, which need not be there."""
    if array.null_count:
        found: list[Any] = array.to_pylist()
        return found
    _, buffer = array.buffers()
    if buffer is None:
        return []
    view = memoryview(buffer).cast("B").cast(form)
    return list(view[array.offset : array.offset + len(array)])
