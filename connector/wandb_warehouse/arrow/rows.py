"""History rows, as the API gives them, to column chunks.

A row is one JSON object per logged step. Pages of plain numbers are read by Arrow, any others object by object.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow.dense import STEP, number_columns
from wandb_warehouse.arrow.history import (
    NO_STEP,
    Chunk,
    Columns,
    HistoryBatch,
    RunRef,
    Sequencer,
    column,
    repeats,
    unquoted,
)
from wandb_warehouse.arrow.text import escape, loads_rows
from wandb_warehouse.arrow.values import flatten, leaves_by_key
from wandb_warehouse.errors import FatalRemoteError

__all__ = ["RowFilter", "chunks_from_rows", "index_rows"]

RowFilter = Callable[[pa.Int64Array, pa.DoubleArray], pa.BooleanArray | None]
"""Which rows to keep, by their steps and `_timestamp`s (null where a row has none); None keeps all."""


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
