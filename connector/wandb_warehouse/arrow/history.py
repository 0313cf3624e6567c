"""Column chunks of a history: the values of one key in one run, in step order.

Chunks carry their key as stored (escaped); steps are int64, and -1
where a row had none. `seq` counts the values a run has under one (key, step), in line order: 0 as a rule.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow.values import classify
from wandb_warehouse.schema import VALUE_TYPES

__all__ = [
    "KINDS",
    "NO_STEP",
    "Chunk",
    "HistoryBatch",
    "RunRef",
    "Sequencer",
    "column",
    "constant_texts",
    "key_counts",
    "key_types",
    "negative_zeros",
    "nonfinite_text",
    "repeats",
    "unquoted",
]

NO_STEP = -1
"""Step of a row that carries none."""


def constant_texts(texts: Sequence[str]) -> pa.StringArray:
    """Make an array of plain texts from its buffers.

    `pa.array` and `pa.scalar` import pandas where it is installed, which takes as long as a sync with nothing new.
    """
    pieces = [text.encode() for text in texts]
    ends = array("i", accumulate(map(len, pieces), initial=0))
    return pa.StringArray.from_buffers(
        len(pieces), pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(pieces))
    )


KINDS = constant_texts(VALUE_TYPES)
"""Dictionary of the kinds of values, in the order of the vocabulary."""
_KIND_INDEX = {kind: index for index, kind in enumerate(VALUE_TYPES)}
_NONFINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""How the server writes numbers that JSON has no form for."""
_NUMBERS = {int, float}


BYTES_PER_VALUE = 64
"""Bytes of JSON text that weigh as much as one value of a part."""


@dataclass(frozen=True, slots=True)
class RunRef:
    """What names a run in the warehouse."""

    entity: str
    project: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Values of one key in one run, in the order of (step, seq)."""

    run: RunRef
    key: str
    step: pa.Int64Array
    seq: pa.Int64Array | None
    """Occurrence of each value under its (key, step); None where all are 0."""
    value: pa.DoubleArray
    type: str | pa.DictionaryArray
    """One kind for all values, or one per value with `KINDS` as the dictionary."""
    value_json: pa.StringArray | None
    """Exact JSON texts; None where no value needs one. A negative zero gets its own when it is written."""

    def __len__(self) -> int:
        return len(self.step)

    @property
    def weight(self) -> int:
        """Memory the chunk stands for, in values: long JSON texts weigh more than one."""
        return len(self.step) + (0 if self.value_json is None else self.value_json.nbytes // BYTES_PER_VALUE)


@dataclass(frozen=True, slots=True)
class HistoryBatch:
    """Some rows of one run's history as chunks, one or more a key."""

    run: RunRef
    chunks: list[Chunk]
    steps: pa.Int64Array = field(repr=False)
    """Step of every row, ascending; rows without any key count too."""

    @property
    def row_count(self) -> int:
        """Rows of the batch."""
        return len(self.steps)

    @property
    def value_count(self) -> int:
        """Values of all chunks."""
        return sum(map(len, self.chunks))

    @property
    def last_step(self) -> int:
        """Highest step; -1 without rows."""
        return self.steps[-1].as_py() if len(self.steps) else NO_STEP


Columns = tuple[pa.DoubleArray, str | pa.DictionaryArray, pa.StringArray | None]
"""The value, type and value_json columns of a chunk."""


def key_types(history_keys: Mapping[str, Any] | None) -> dict[str, set[str]]:
    """Give W&B's type names of every key, from the run's `historyKeys`.

    >>> key_types({"keys": {"loss": {"typeCounts": [{"type": "number", "count": 9}]}}, "lastStep": 8})
    {'loss': {'number'}}
    """
    keys = (history_keys or {}).get("keys") or {}
    return {
        key: {count["type"] for count in (entry or {}).get("typeCounts") or () if count.get("type")}
        for key, entry in keys.items()
    }


def key_counts(history_keys: Mapping[str, Any] | None) -> dict[str, int]:
    """Give how many values the server counts of every key, from the run's `historyKeys`.

    >>> key_counts({"keys": {"loss": {"typeCounts": [{"type": "number", "count": 9}]}}, "lastStep": 8})
    {'loss': 9}
    """
    keys = (history_keys or {}).get("keys") or {}
    return {
        key: sum(count.get("count") or 0 for count in (entry or {}).get("typeCounts") or ())
        for key, entry in keys.items()
    }


def nonfinite_text(key: str, types: Mapping[str, set[str]]) -> bool:
    """Tell whether "NaN" under `key` is a number in quotes: the server counted numbers and no strings."""
    known = types.get(key, ())
    return "number" in known and "string" not in known


class Sequencer:
    """Numbers the values of one run under equal (key, step), across batches."""

    def __init__(self, repeated: Mapping[int, int] | None = None) -> None:
        """Take the steps that several rows share, each with the rows of earlier batches that bore it."""
        self._repeated: dict[int, int] = dict(repeated or {})
        self._array: pa.Int64Array | None = None
        self._next: dict[tuple[str, int], int] = {}

    def repeat(self, repeated: Mapping[int, int]) -> None:
        """Learn of more steps that several rows share."""
        self._repeated = {**repeated, **self._repeated}
        self._array = None

    def number(self, key: str, steps: pa.Int64Array, *, collides: bool = False) -> pa.Int64Array | None:
        """Give the values' `seq`, None where all are 0; `collides` where a row may hold the key twice."""
        if not collides:
            if not self._repeated:
                return None
            if self._array is None:
                self._array = pa.array(self._repeated, pa.int64())
            if not pc.any(pc.is_in(steps, value_set=self._array)).as_py():
                return None
        seq = []
        for step in steps.to_pylist():
            number = 0
            if collides or step in self._repeated:
                number = self._next.get((key, step), self._repeated.get(step, 0))
                self._next[key, step] = number + 1
            seq.append(number)
        return pa.array(seq, pa.int64())


def unquoted(key: str, values: list[Any], types: Mapping[str, set[str]]) -> list[Any]:
    """Give the values of a key with the numbers among them out of their quotes (see `nonfinite_text`)."""
    if not nonfinite_text(key, types) or str not in set(map(type, values)):
        return values
    return [_NONFINITE.get(value, value) if type(value) is str else value for value in values]


def repeats(steps: pa.Int64Array) -> dict[int, int]:
    """Give the steps that occur more than once in ascending `steps`, as a `Sequencer` takes them."""
    again = steps[1:].filter(pc.equal(steps[1:], steps[:-1])) if len(steps) > 1 else steps[:0]
    return dict.fromkeys(again.to_pylist(), 0)


def column(values: list[Any]) -> Columns:
    """Give the value, type and value_json columns of JSON values."""
    types = set(map(type, values))
    if types <= _NUMBERS:
        try:
            array = pa.array(values, pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            pass  # an integer that a double cannot hold: value by value
        else:
            return array, "number", negative_zeros(array)
    typed = [classify(value) for value in values]
    kinds = {kind for kind, _, _ in typed}
    texts = [text for _, _, text in typed]
    return (
        pa.array([value for _, value, _ in typed], pa.float64()),
        kinds.pop()
        if len(kinds) == 1
        else pa.DictionaryArray.from_arrays(
            pa.array([_KIND_INDEX[kind] for kind, _, _ in typed], pa.int8()), KINDS
        ),
        pa.array(texts, pa.string()) if any(text is not None for text in texts) else None,
    )


def negative_zeros(values: pa.DoubleArray) -> pa.StringArray | None:
    """Give '-0.0' where a value is the negative zero; None where none is."""
    zero = pc.equal(values, 0.0)
    if not pc.any(zero).as_py():
        return None
    negative = pc.and_(zero, pc.less(pc.divide(1.0, values), 0.0))
    if not pc.any(negative).as_py():
        return None
    return pc.if_else(negative, "-0.0", pa.scalar(None, pa.string()))
