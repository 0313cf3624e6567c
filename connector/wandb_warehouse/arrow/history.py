"""History rows, as the API gives them, to column chunks: the values of one key in one run, in step order.

A row is one JSON object per logged step. Chunks carry their key as stored (escaped); steps are int64, and -1
where a row had none. `seq` counts the values a run has under one (key, step), in line order: 0 as a rule.
"""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow.dense import STEP, number_columns
from wandb_warehouse.arrow.text import escape, loads_rows
from wandb_warehouse.arrow.values import classify, flatten, leaves_by_key
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import VALUE_TYPES

__all__ = [
    "KINDS",
    "NO_STEP",
    "Chunk",
    "HistoryBatch",
    "RowFilter",
    "RunRef",
    "Sequencer",
    "chunks_from_rows",
    "column",
    "constant_texts",
    "index_rows",
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


RowFilter = Callable[[pa.Int64Array, pa.DoubleArray], pa.BooleanArray | None]
"""Which rows to keep, by their steps and `_timestamp`s (null where a row has none); None keeps all."""


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


def chunks_from_rows(
    run: RunRef,
    rows: Sequence[str],
    types: Mapping[str, set[str]],
    *,
    after: int | None = None,
    row_filter: RowFilter | None = None,
    sequencer: Sequencer | None = None,
) -> HistoryBatch:
    """Turn rows of JSON text into chunks; rows at or before step `after` are left out.

    `types` (see `key_types`) tells numbers in quotes from strings. Rows may be unordered and repeat steps:
    they are put in step order, line order within a step. A `FatalRemoteError` where a row is no JSON object,
    or its `_step` no whole number.

    >>> batch = chunks_from_rows(RunRef("e", "p", "r"), ['{"_step": 0, "loss": 1.5}', '{"_step": 1}'], {})
    >>> batch.row_count, [(c.key, c.step[0].as_py(), c.value[0].as_py()) for c in batch.chunks]
    (2, [('loss', 0, 1.5)])
    """
    page = _page(rows, after)
    if row_filter is not None:
        keep = row_filter(page.steps, page.stamps)
        if keep is not None:
            page = page.filter(keep)
    steps = page.steps
    if sequencer is None:
        sequencer = Sequencer(repeats(steps))
    chunks = []
    for key, at, columns, collides in page.columns(types):
        name = escape(key)
        chunks.append(Chunk(run, name, at, sequencer.number(name, at, collides=collides), *columns))
    return HistoryBatch(run, chunks, steps)


def index_rows(rows: Sequence[str], *, after: int | None = None) -> tuple[pa.Int64Array, pa.DoubleArray]:
    """Give the steps and `_timestamp`s of the rows as `chunks_from_rows` hands them to its `row_filter`."""
    page = _page(rows, after)
    return page.steps, page.stamps


Columns = tuple[pa.DoubleArray, str | pa.DictionaryArray, pa.StringArray | None]
"""The value, type and value_json columns of a chunk."""


class _Page(Protocol):
    """Rows of one page, in step order."""

    @property
    def steps(self) -> pa.Int64Array:
        """Step of every row, ascending."""

    @property
    def stamps(self) -> pa.DoubleArray:
        """`_timestamp`s; null for anything but an ordinary number, which is no moment to tell rows apart by."""

    def filter(self, keep: pa.BooleanArray) -> "_Page":
        """Give the rows marked."""

    def columns(self, types: Mapping[str, set[str]], /) -> Iterator[tuple[str, pa.Int64Array, Columns, bool]]:
        """Give each key with the steps of its values, their columns, and whether a row may hold it twice."""


def _page(rows: Sequence[str], after: int | None) -> _Page:
    """Read rows, those at or before step `after` left out."""
    columns = number_columns(rows)
    if columns is None:
        return _Objects(*_read(rows, after))
    steps = _named(columns, STEP, pa.int64()).fill_null(NO_STEP)
    if after is not None and pc.min(steps).as_py() <= after:
        later = pc.greater(steps, after)
        columns, steps = columns.filter(later), steps.filter(later)
    if pc.any(pc.less(steps[1:], steps[:-1])).as_py():
        order = pc.array_sort_indices(steps)  # a stable sort
        columns, steps = columns.take(order), steps.take(order)
    return _Numbers(columns, steps)


def _named(columns: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    """Give a column; nulls where there is none of the name."""
    place = columns.schema.get_field_index(name)
    return pa.nulls(len(columns), kind) if place < 0 else columns.column(place)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Rows of numbers alone, as columns."""

    table: pa.RecordBatch
    steps: pa.Int64Array

    @property
    def stamps(self) -> pa.DoubleArray:
        return _named(self.table, "_timestamp", pa.float64())

    def filter(self, keep: pa.BooleanArray) -> "_Numbers":
        return _Numbers(self.table.filter(keep), self.steps.filter(keep))

    def columns(self, _types: Mapping[str, set[str]]) -> Iterator[tuple[str, pa.Int64Array, Columns, bool]]:
        for key, values in zip(self.table.schema.names, self.table.columns, strict=True):
            if key == STEP or values.null_count == len(values):
                continue
            at = self.steps
            if values.null_count:
                at, values = at.filter(values.is_valid()), values.drop_null()  # noqa: PLW2901
            yield key, at, (values, "number", None), False


@dataclass(frozen=True, slots=True)
class _Objects:
    """Rows of any kind, without their `_step`."""

    records: list[dict[str, Any]]
    steps: pa.Int64Array

    @property
    def stamps(self) -> pa.DoubleArray:
        stamps = (record.get("_timestamp") for record in self.records)
        return pa.array(
            [
                float(stamp) if type(stamp) is float or (type(stamp) is int and abs(stamp) < 2**53) else None
                for stamp in stamps
            ],
            pa.float64(),
        )

    def filter(self, keep: pa.BooleanArray) -> "_Objects":
        records = [self.records[place] for place in pc.indices_nonzero(keep).to_pylist()]
        return _Objects(records, self.steps.filter(keep))

    def columns(self, types: Mapping[str, set[str]]) -> Iterator[tuple[str, pa.Int64Array, Columns, bool]]:
        for key, places, values, collides in _columns(self.records):
            at = self.steps if places is None else self.steps.take(pa.array(places, pa.int64()))
            yield key, at, column(unquoted(key, values, types)), collides


def _read(rows: Sequence[str], after: int | None) -> tuple[list[dict[str, Any]], pa.Int64Array]:
    """Read rows into objects without `_step`, in step order, and their steps."""
    records = loads_rows(rows)
    if set(map(type, records)) - {dict}:
        raise FatalRemoteError("a history row is no JSON object", mend="report the run to W&B")
    steps = [record.pop("_step", None) for record in records]
    if set(map(type, steps)) - {int}:
        steps = [_step(step) for step in steps]
    if after is not None and any(step <= after for step in steps):
        kept = [place for place, step in enumerate(steps) if step > after]
        records, steps = [records[place] for place in kept], [steps[place] for place in kept]
    if any(later < earlier for earlier, later in pairwise(steps)):
        order = sorted(range(len(steps)), key=steps.__getitem__)
        records, steps = [records[place] for place in order], [steps[place] for place in order]
    return records, _steps(steps)


def unquoted(key: str, values: list[Any], types: Mapping[str, set[str]]) -> list[Any]:
    """Give the values of a key with the numbers among them out of their quotes (see `nonfinite_text`)."""
    if not nonfinite_text(key, types) or str not in set(map(type, values)):
        return values
    return [_NONFINITE.get(value, value) if type(value) is str else value for value in values]


def repeats(steps: pa.Int64Array) -> dict[int, int]:
    """Give the steps that occur more than once in ascending `steps`, as a `Sequencer` takes them."""
    again = steps[1:].filter(pc.equal(steps[1:], steps[:-1])) if len(steps) > 1 else steps[:0]
    return dict.fromkeys(again.to_pylist(), 0)


def _step(step: Any) -> int:
    if step is None:
        return NO_STEP
    if type(step) is int:
        return step
    if type(step) is float and step.is_integer():
        return int(step)
    raise _bad_step()


def _steps(steps: list[int]) -> pa.Int64Array:
    try:
        return pa.array(steps, pa.int64())
    except (OverflowError, pa.ArrowInvalid) as error:
        raise _bad_step() from error


def _bad_step() -> FatalRemoteError:
    return FatalRemoteError("the `_step` of a history row is no 64-bit integer", mend="report the run to W&B")


Column = tuple[str, list[int] | None, list[Any], bool]
"""Key, the rows' positions (None: every row), the values, whether a row may hold the key twice."""


def _columns(records: list[dict[str, Any]]) -> list[Column]:
    """Transpose rows into columns by dotted key."""
    if not any(dict in map(type, record.values()) for record in records):
        return _uniform(records) or _ragged([record.items() for record in records])
    flat = [leaves_by_key(record) for record in records]
    rows = [row for row in flat if row is not None]
    if len(rows) < len(records):
        return _ragged([flatten(record) for record in records])
    return _uniform(rows) or _ragged([row.items() for row in rows])


def _uniform(rows: list[dict[str, Any]]) -> list[Column] | None:
    """Transpose flat rows that all have the same keys, without a loop over values; None where they have not."""
    keys = list(rows[0]) if rows else []
    if set(map(len, rows)) != {len(keys)}:
        return None
    try:
        return [(key, None, list(map(itemgetter(key), rows)), False) for key in keys]
    except KeyError:
        return None


def _ragged(rows: Sequence[Collection[tuple[str, Any]]]) -> list[Column]:
    """Transpose rows of any keys."""
    places: dict[str, list[int]] = {}
    values: dict[str, list[Any]] = {}
    colliding: set[str] = set()
    for place, row in enumerate(rows):
        for key, value in row:
            at = places.get(key)
            if at is None:
                places[key] = [place]
                values[key] = [value]
                continue
            if at[-1] == place:
                colliding.add(key)
            at.append(place)
            values[key].append(value)
    return [
        (key, None if len(at) == len(rows) and key not in colliding else at, values[key], key in colliding)
        for key, at in places.items()
    ]


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
