"""Parquet exports of a history to column chunks: wide tables, a column per dotted key, null where absent.

Beyond plain columns an export holds structs: objects with a `_type` (kept whole, as JSON), nested objects,
and keys of several types, as a struct of fields `_type_<kind>` with one of them set per row. Files are read in
bounded batches of cells, whatever their footer claims.
"""

import datetime as dt
import decimal
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wandb_warehouse.arrow.bounds import MOST_ROWS, check_unpacked, is_narrow, refuse_bomb
from wandb_warehouse.arrow.history import (
    NO_STEP,
    Chunk,
    HistoryBatch,
    RunRef,
    Sequencer,
    column,
    constant_texts,
    nonfinite_text,
    repeats,
    unquoted,
)
from wandb_warehouse.arrow.text import ExactNumber, dumps, escape
from wandb_warehouse.arrow.values import flatten
from wandb_warehouse.errors import FatalRemoteError

__all__ = ["Export", "chunks_from_export", "read_export"]

CELLS = 1_000_000
"""Cells (rows x columns) read at a time where all columns have a fixed width."""

KEPT_CELLS = 65_536
"""Cells of a file that is read at one go with its index and kept until it is converted; all of a fixed width."""

LONG_CELLS = 100_000
"""The same where a column's cells may be long: strings, lists, structs."""

LONG_BYTES = 64 * 1024 * 1024
"""Bytes read at a time in that case, judged by the first rows."""

Leaf = tuple[str, pa.Int64Array, pa.DoubleArray, str | pa.DictionaryArray, pa.StringArray | None]
"""Key, steps, value, type and value_json of some values."""


def chunks_from_export(
    run: RunRef,
    path: Path,
    types: Mapping[str, set[str]],
    *,
    after: int | None = None,
    before: int | None = None,
) -> Iterator[HistoryBatch]:
    """Read one export in batches; rows outside of `after` < step < `before` are left out.

    Rows may be unordered and may repeat steps. A file without columns gives nothing. A `FatalRemoteError`
    where the file cannot be read.
    """
    export = Export(path)
    steps, _ = export.index
    keep = within(steps, after=after, before=before)
    kept = steps if keep is None else steps.filter(keep)
    sequencer = Sequencer(repeats(kept.take(pc.array_sort_indices(kept))))
    yield from read_export(run, export, types, keep=keep, sequencer=sequencer)


def within(
    steps: pa.Int64Array, *, after: int | None = None, before: int | None = None
) -> pa.BooleanArray | None:
    """Tell which steps lie strictly between the two bounds; None where there is no bound."""
    keep = None
    if after is not None:
        keep = pc.greater(steps, after)
    if before is not None:
        below = pc.less(steps, before)
        keep = below if keep is None else pc.and_(keep, below)
    return keep


class Export:
    """One export file; its index is read once, however often it is asked for, and a small file at one go."""

    def __init__(self, path: Path, body: bytes | None = None, most_rows: int = MOST_ROWS) -> None:
        """Take a file by its place, or one that was never written: its place then tells it from others."""
        self.path = path
        self._body = body
        self._most_rows = most_rows
        self.whole: pa.Table | None = None
        """All of a small file, once its index was read: opening it again takes longer than keeping it."""

    @cached_property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size if self._body is None else len(self._body)

    @cached_property
    def index(self) -> tuple[pa.Int64Array, pa.DoubleArray]:
        """Every row's step and `_timestamp` (null where it is missing or no number), in file order."""
        with self.open() as file:
            refuse_bomb(file, self.size, self._most_rows)
            if _cells(file) <= KEPT_CELLS and is_narrow(file.schema_arrow):
                self.whole = _read(file, None)
                self._body = None
            return _index(file, self.whole)

    def open(self) -> pq.ParquetFile:
        """Open the file; a `FatalRemoteError` where it cannot be read."""
        try:
            return pq.ParquetFile(self.path if self._body is None else pa.BufferReader(self._body))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error) from error

    @cached_property
    def span(self) -> tuple[int, int]:
        """First and last step; the last is before the first where there is no row."""
        low, high = (bound.as_py() for bound in pc.min_max(self.index[0]).values())
        return (0, -1) if low is None else (low, high)


def _index(file: pq.ParquetFile, whole: pa.Table | None) -> tuple[pa.Int64Array, pa.DoubleArray]:
    names = file.schema_arrow.names
    rows = file.metadata.num_rows if names else 0
    wanted = [name for name in ("_step", "_timestamp") if name in names]
    table = (_read(file, wanted) if whole is None else whole) if wanted else None
    steps = pa.repeat(pa.scalar(NO_STEP, pa.int64()), rows)
    stamps = pa.nulls(rows, pa.float64())
    if table is not None and "_step" in wanted:
        steps = _steps(_first(table, "_step"))
    if table is not None and "_timestamp" in wanted:
        stamp = _first(table, "_timestamp")
        if pa.types.is_floating(stamp.type) or pa.types.is_integer(stamp.type):
            stamps = stamp.cast(pa.float64(), safe=False)
    return steps, stamps


def _cells(file: pq.ParquetFile) -> int:
    return int(file.metadata.num_rows * file.metadata.num_columns)


def _read(file: pq.ParquetFile, columns: list[str] | None) -> pa.Table:
    try:
        return file.read(columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error) from error


def read_export(
    run: RunRef,
    export: Export,
    types: Mapping[str, set[str]],
    *,
    keep: pa.BooleanArray | None,
    sequencer: Sequencer,
) -> Iterator[HistoryBatch]:
    """Read the rows of an export that `keep` marks (None: all), in batches of bounded size."""
    if keep is not None and not pc.any(keep).as_py():
        return
    if export.whole is not None:
        rows = export.whole if keep is None else export.whole.filter(keep)
        size = max(1, CELLS // max(1, rows.num_columns))
        for batch in rows.combine_chunks().to_batches(max_chunksize=size):
            yield _batch(run, batch, types, sequencer)
        return
    with export.open() as file:
        schema = file.schema_arrow
        if not schema.names:
            return
        size = max(1, CELLS // len(schema.names))
        if not is_narrow(schema):
            size = max(1, LONG_CELLS // len(schema.names))
            for first in islice(_batches(file, min(size, 16), export.size), 1):
                size = min(size, max(1, LONG_BYTES * first.num_rows // max(1, first.nbytes)))
        offset = 0
        for batch in _batches(file, size, export.size):
            rows = batch
            if keep is not None:
                rows = batch.filter(keep[offset : offset + batch.num_rows])
            offset += batch.num_rows
            if rows.num_rows:
                yield _batch(run, rows, types, sequencer)


def _batches(file: pq.ParquetFile, size: int, file_bytes: int) -> Iterator[pa.RecordBatch]:
    unpacked = 0
    try:
        # Runs are read in threads of ours: for a small file more of them cost more than they give.
        for batch in file.iter_batches(batch_size=size, use_threads=_cells(file) > CELLS):
            unpacked += batch.nbytes
            check_unpacked(unpacked, file_bytes)
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> FatalRemoteError:
    first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return FatalRemoteError(
        f"a history export is no readable parquet file: {first}", mend="run the sync again"
    )


def _first(table: pa.Table, name: str) -> pa.Array:
    return table.column(table.schema.get_all_field_indices(name)[0]).combine_chunks()


def _steps(steps: pa.Array) -> pa.Int64Array:
    if steps.type == pa.int64() and not steps.null_count:
        return steps
    try:
        return pc.fill_null(steps.cast(pa.int64()), NO_STEP)
    except pa.ArrowException as error:
        raise FatalRemoteError(
            "the `_step` column of a history export holds no 64-bit integers", mend="report the run to W&B"
        ) from error


def _batch(
    run: RunRef, rows: pa.RecordBatch, types: Mapping[str, set[str]], sequencer: Sequencer
) -> HistoryBatch:
    indices = rows.schema.get_all_field_indices("_step")
    steps = pa.repeat(pa.scalar(NO_STEP, pa.int64()), rows.num_rows)
    if indices:
        steps = _steps(rows.column(indices[0]))
        if pc.any(pc.less(steps[1:], steps[:-1])).as_py():
            order = pc.array_sort_indices(steps)  # stable: line order within a step
            rows, steps = rows.take(order), steps.take(order)
    leaves = [
        leaf
        for name, cells in zip(rows.schema.names, rows.columns, strict=True)
        if name != "_step"
        for leaf in _present(name, steps, cells, types)
    ]
    times = Counter(
        leaf[0] for leaf in leaves
    )  # two columns of one name, or a nested one that flattens to it
    chunks = []
    for key, at, *columns in leaves:
        name = escape(key)
        chunks.append(Chunk(run, name, at, sequencer.number(name, at, collides=times[key] > 1), *columns))
    return HistoryBatch(run, chunks, steps)


def _present(
    key: str, steps: pa.Int64Array, cells: pa.Array, types: Mapping[str, set[str]]
) -> Iterator[Leaf]:
    """Give the values of a column, nulls left out."""
    if cells.null_count == len(cells):
        return
    if cells.null_count:
        steps, cells = steps.filter(cells.is_valid()), cells.drop_null()
    for matches, convert in _CONVERTERS:
        if matches(cells.type):
            yield from convert(key, steps, cells, types)
            return


def _booleans(key: str, steps: pa.Int64Array, cells: pa.Array, _: Mapping[str, set[str]]) -> Iterator[Leaf]:
    yield key, steps, cells.cast(pa.float64()), "bool", None


def _floats(key: str, steps: pa.Int64Array, cells: pa.Array, _: Mapping[str, set[str]]) -> Iterator[Leaf]:
    # A negative zero gets its text when it is written: looking for it in every column of every run takes too long.
    yield key, steps, cells if cells.type == pa.float64() else cells.cast(pa.float64()), "number", None


def _integers(key: str, steps: pa.Int64Array, cells: pa.Array, _: Mapping[str, set[str]]) -> Iterator[Leaf]:
    values = cells.cast(pa.float64(), safe=False)
    texts = None
    low, high = pc.min_max(cells).values()
    if not -(2**53) <= low.as_py() <= high.as_py() <= 2**53:
        exact = [float(whole) == whole for whole in cells.to_pylist()]
        texts = pc.if_else(pa.array(exact), pa.scalar(None, pa.string()), cells.cast(pa.string()))
    yield key, steps, values, "number", texts


def _strings(
    key: str, steps: pa.Int64Array, cells: pa.Array, types: Mapping[str, set[str]]
) -> Iterator[Leaf]:
    texts = cells.cast(pa.string())
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:  # bytes that are no UTF-8
        yield from _objects(key, steps, cells.cast(pa.binary()), types)
        return
    if nonfinite_text(key, types) and pc.any(pc.is_in(texts, value_set=_NONFINITE)).as_py():
        yield from _objects(key, steps, cells, types)
        return
    if pc.any(pc.match_substring_regex(texts, r'[\x00-\x1f"\\]')).as_py():
        quoted_texts = pa.array([dumps(text) for text in texts.to_pylist()], pa.string())
    else:
        quoted_texts = pc.binary_join_element_wise('"', texts, '"', "")
    yield key, steps, pa.nulls(len(texts), pa.float64()), "string", quoted_texts


_NONFINITE = constant_texts(["NaN", "Infinity", "-Infinity"])


def _times(key: str, steps: pa.Int64Array, cells: pa.Array, types: Mapping[str, set[str]]) -> Iterator[Leaf]:
    yield from _strings(key, steps, cells.cast(pa.string()), types)


def _objects(
    key: str, steps: pa.Int64Array, cells: pa.Array, types: Mapping[str, set[str]]
) -> Iterator[Leaf]:
    """Read structs, unions, lists and rarer types value by value; a null field of an object is absent."""
    union = _is_union(cells.type)
    places: dict[str, list[int]] = {}
    values: dict[str, list[Any]] = {}
    for place, cell in enumerate(cells.to_pylist(maps_as_pydicts="lossy")):
        present = cell
        if union:
            present = next((member for member in cell.values() if member is not None), {"": None})
        value = _json_value(present)
        if present and value == {}:  # a struct of nulls: absent
            continue
        for leaf_key, leaf in flatten({key: value}):
            places.setdefault(leaf_key, []).append(place)
            values.setdefault(leaf_key, []).append(leaf)
    for leaf_key, at in places.items():
        leaves = unquoted(leaf_key, values[leaf_key], types)
        yield leaf_key, steps.take(pa.array(at, pa.int64())), *column(leaves)


def _json_value(cell: Any) -> Any:
    if isinstance(cell, dict):
        if cell and all(key.startswith(_UNION) for key in cell):
            return _json_value(next((value for value in cell.values() if value is not None), None))
        members = {key: _json_value(value) for key, value in cell.items() if value is not None}
        return {key: value for key, value in members.items() if value != {}}
    if isinstance(cell, list | tuple):
        return [_json_value(value) for value in cell]
    convert = _RARE.get(type(cell))
    return convert(cell) if convert else cell


_RARE: dict[type, Callable[[Any], Any]] = {
    bytes: lambda cell: cell.decode("utf-8", "surrogateescape"),
    # The writer sends 1.0 as 1: a document must read the same from an export as from a live row.
    float: lambda cell: int(cell) if cell.is_integer() and 0 < abs(cell) < 2**53 else (cell or _zero(cell)),
    decimal.Decimal: lambda cell: float(cell) if decimal.Decimal(float(cell)) == cell else ExactNumber(cell),
    dt.datetime: str,
    dt.date: str,
    dt.time: str,
    dt.timedelta: str,
}


def _zero(cell: float) -> float | int:
    return cell if math.copysign(1, cell) < 0 else 0


_UNION = "_type_"
"""What the field names of a union begin with: an export's way to hold values of several kinds in one place."""


def _is_union(kind: pa.DataType) -> bool:
    members = list(kind) if pa.types.is_struct(kind) else []
    return bool(members) and all(member.name.startswith(_UNION) for member in members)


def _is_text(kind: pa.DataType) -> bool:
    return kind in {pa.string(), pa.large_string(), pa.string_view()}


Converter = Callable[[str, pa.Int64Array, pa.Array, Mapping[str, set[str]]], Iterator[Leaf]]

_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Converter], ...] = (
    (pa.types.is_floating, _floats),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_integer, _integers),
    (_is_text, _strings),
    (
        pa.types.is_dictionary,
        lambda key, steps, cells, types: _present(key, steps, cells.dictionary_decode(), types),
    ),
    (
        lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind),
        _times,
    ),
    (lambda _: True, _objects),
)
