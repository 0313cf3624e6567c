"""Column chunks to parquet part files, ordered by key, run and step.

That order is what makes one metric over all runs read like a native column. Values are not sorted: the chunks
are, by what they are of, since each is in step order already.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wandb_warehouse.arrow.history import KINDS, NO_STEP, Chunk, HistoryBatch, RunRef, negative_zeros
from wandb_warehouse.arrow.numbers import Numbers
from wandb_warehouse.schema import TABLES, VALUE_TYPES, Table

__all__ = ["PartWriter", "RunCount"]

ROW_GROUP = 1_000_000
"""Weight of the values put together and written at a time."""

_READ_AT_ONCE = 122_880
"""Rows of a row group, the same as of DuckDB's: it takes each over as it reads it and holds no more."""

_GROUP_BYTES = 16 * 1024 * 1024
"""Bytes of a row group, about."""

_NAMES = ("entity", "project", "run_id", "key")
_VALUES = ("step", "seq", "type", "value", "value_json")
_PLAIN = {"step", "value", "value_json"}
"""Columns whose values are too many to be worth a dictionary."""


@dataclass(frozen=True, slots=True)
class RunCount:
    """What went into part files for one run, for the ledger."""

    rows: int
    values: int
    keys: int
    last_step: int


@dataclass(slots=True)
class _Tally:
    rows: int
    values: int
    keys: set[str]
    last_step: int


class PartWriter:
    """Collects batches of any number of runs and writes a part file whenever enough values are there.

    >>> import tempfile
    >>> from wandb_warehouse.arrow.rows import chunks_from_rows
    >>> run = RunRef("team", "project", "r1")
    >>> writer = PartWriter(Path(tempfile.mkdtemp()))
    >>> writer.add(chunks_from_rows(run, ['{"_step": 0, "loss": 1.5}'], {}))
    >>> path = writer.finish()
    >>> pq.read_table(path).select(["key", "step", "value"]).to_pylist(), writer.count(run)
    ([{'key': 'loss', 'step': 0, 'value': 1.5}], RunCount(rows=1, values=1, keys=1, last_step=0))
    """

    def __init__(
        self,
        directory: Path,
        numbers: Numbers | None = None,
        *,
        samples: int | None = None,
        target_values: int = 4_000_000,
    ) -> None:
        """Write parts named `<table>-<number>.parquet`, of about `target_values` values, into `directory`.

        The table is `history`, or `history_sampled` where it is said how many `samples` were asked for. With `numbers`
        the files have the columns in which our warehouse stores it, else those it is declared with.
        Long JSON texts count as several values, so that a part's memory is bounded by the target too.
        """
        self._directory = directory
        self._numbers = numbers
        self._table = "history" if samples is None else "history_sampled"
        self._samples = samples
        self._schema = _encoded(TABLES[self._table] if numbers is None else TABLES[self._table].stored)
        self._target = target_values
        self._chunks: list[Chunk] = []
        self._held = 0
        self._parts = 0
        self._tallies: dict[RunRef, _Tally] = {}
        self._keys: dict[str, str] = {}

    def add(self, batch: HistoryBatch) -> Path | None:
        """Take a batch; give the path of a part file if that finished one."""
        tally = self._tallies.setdefault(batch.run, _Tally(0, 0, set(), NO_STEP))
        tally.rows += batch.row_count
        tally.values += batch.value_count
        tally.last_step = max(tally.last_step, batch.last_step)
        for chunk in batch.chunks:
            tally.keys.add(self._keys.setdefault(chunk.key, chunk.key))  # one text a key, not one a run
        self._chunks += batch.chunks
        self._held += sum(chunk.weight for chunk in batch.chunks)
        return self._write() if self._held >= self._target else None

    def finish(self) -> Path | None:
        """Write what is left; give its path, or None when nothing is."""
        return self._write() if self._held else None

    def count(self, run: RunRef) -> RunCount:
        """Give what was added for `run` so far; all zero for an unknown one."""
        tally = self._tallies.get(run) or _Tally(0, 0, set(), NO_STEP)
        return RunCount(tally.rows, tally.values, len(tally.keys), tally.last_step)

    @property
    def counts(self) -> dict[RunRef, RunCount]:
        """What was added so far, by run."""
        return {run: self.count(run) for run in self._tallies}

    def _write(self) -> Path:
        chunks = _in_order(self._chunks)
        self._chunks, self._held = [], 0
        self._parts += 1
        path = self._directory / f"{self._table}-{self._parts:05d}.parquet"
        partial = path.with_suffix(".partial")
        with pq.ParquetWriter(
            partial,
            self._schema,
            compression="lz4",  # the files live for seconds: time counts, not size
            write_statistics=False,  # they are read whole
            use_dictionary=[name for name in self._schema.names if name not in _PLAIN],
            column_encoding={"step": "DELTA_BINARY_PACKED"},
            store_schema=False,  # plain strings for any reader, however the pages are encoded
        ) as writer:
            for group in _groups(chunks, ROW_GROUP):
                columns = [*self._identity(group), *_values(group)]
                if self._samples is not None:
                    columns.append(pa.repeat(pa.scalar(self._samples, pa.int64()), len(columns[0])))
                batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
                writer.write_batch(batch, row_group_size=_rows_of_group(batch))
        return partial.rename(path)

    def _identity(self, chunks: list[Chunk]) -> list[pa.Array]:
        """Say of every value which run and key it is of."""
        lengths = [len(chunk) for chunk in chunks]
        if self._numbers is not None:
            return [
                _repeated([self._numbers.run(chunk.run) for chunk in chunks], lengths),
                _repeated([self._numbers.key(chunk.key) for chunk in chunks], lengths),
            ]
        runs = [chunk.run for chunk in chunks]
        return [
            _names([run.entity for run in runs], lengths),
            _names([run.project for run in runs], lengths),
            _names([run.run_id for run in runs], lengths),
            _names([chunk.key for chunk in chunks], lengths),
        ]


def _rows_of_group(batch: pa.RecordBatch) -> int:
    """Rows of a row group: fewer where texts are long, for DuckDB takes a whole group into its memory."""
    fitting: int = _GROUP_BYTES * batch.num_rows // max(1, batch.nbytes)
    return max(1, min(_READ_AT_ONCE, fitting))


def _in_order(chunks: list[Chunk]) -> Iterator[Chunk]:
    """Give the chunks by key and run, in step order."""

    def place(chunk: Chunk) -> tuple[str, str, str, str]:
        return chunk.key, chunk.run.entity, chunk.run.project, chunk.run.run_id

    for _, group in groupby(sorted((chunk for chunk in chunks if len(chunk)), key=place), key=place):
        same = sorted(group, key=lambda chunk: chunk.step[0].as_py())
        ends = [chunk.step[-1].as_py() for chunk in same[:-1]]
        starts = [chunk.step[0].as_py() for chunk in same[1:]]
        if any(start <= end for end, start in zip(ends, starts, strict=True)):
            yield _sorted(same)
        else:
            yield from same


def _sorted(chunks: list[Chunk]) -> Chunk:
    """Put overlapping chunks of one key and run into one, by step and seq."""
    batch = pa.RecordBatch.from_arrays(_values(chunks), names=_VALUES)
    batch = batch.take(pc.sort_indices(batch, [("step", "ascending"), ("seq", "ascending")]))
    step, seq, value, kind, text = (
        batch.column(name) for name in ("step", "seq", "value", "type", "value_json")
    )
    return Chunk(chunks[0].run, chunks[0].key, step, seq, value, kind, text)


def _groups(chunks: Iterator[Chunk], size: int) -> Iterator[list[Chunk]]:
    """Cut the chunks into groups of about `size` values."""
    group: list[Chunk] = []
    held = 0
    for chunk in chunks:
        group.append(chunk)
        held += chunk.weight
        if held >= size:
            yield group
            group, held = [], 0
    if group:
        yield group


def _values(chunks: list[Chunk]) -> list[pa.Array]:
    """Put the values of chunks one after another, in the order of `_VALUES`; kinds as a dictionary column."""
    lengths = [len(chunk) for chunk in chunks]
    value = pa.concat_arrays([chunk.value for chunk in chunks])
    text = _filled([chunk.value_json for chunk in chunks], lengths, pa.scalar(None, pa.string()))
    zeros = negative_zeros(value)
    return [
        pa.concat_arrays([chunk.step for chunk in chunks]),
        _filled([chunk.seq for chunk in chunks], lengths, pa.scalar(0, pa.int64())),
        _kinds(chunks, lengths),
        value,
        text if zeros is None else pc.coalesce(text, zeros),
    ]


# Below, what is the same in all chunks, as it mostly is, is written in one piece and not chunk by chunk.


def _names(names: list[str], lengths: list[int]) -> pa.DictionaryArray:
    """Give one name a chunk as one a value."""
    encoded = pa.array(names, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(_repeated(encoded.indices.to_pylist(), lengths), encoded.dictionary)


def _repeated(numbers: list[int], lengths: list[int]) -> pa.Int32Array:
    """Give one number a chunk as one a value."""
    if len(set(numbers)) == 1:
        return pa.repeat(pa.scalar(numbers[0], pa.int32()), sum(lengths))
    ends = pa.array(accumulate(lengths), pa.int32())
    return pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, pa.array(numbers, pa.int32())))


def _filled(columns: list[pa.Array | None], lengths: list[int], filling: pa.Scalar) -> pa.Array:
    """Put columns together, `filling` where a chunk has none."""
    if all(column is None for column in columns):
        return pa.repeat(filling, sum(lengths))
    return pa.concat_arrays(
        [
            pa.repeat(filling, length) if column is None else column
            for column, length in zip(columns, lengths, strict=True)
        ]
    )


def _kinds(chunks: list[Chunk], lengths: list[int]) -> pa.DictionaryArray:
    kinds = {chunk.type if isinstance(chunk.type, str) else None for chunk in chunks}
    if len(kinds) == 1 and (only := kinds.pop()) is not None:
        indices = pa.repeat(_place(only), sum(lengths))
    else:
        indices = pa.concat_arrays(
            [
                pa.repeat(_place(chunk.type), len(chunk))
                if isinstance(chunk.type, str)
                else chunk.type.indices
                for chunk in chunks
            ]
        )
    return pa.DictionaryArray.from_arrays(indices, KINDS)


def _place(kind: str) -> pa.Int8Scalar:
    return pa.scalar(VALUE_TYPES.index(kind), pa.int8())


_DICTIONARIES = {
    **dict.fromkeys(_NAMES, pa.dictionary(pa.int32(), pa.string())),
    "type": pa.dictionary(pa.int8(), pa.string()),
}
"""Repeated texts as dictionaries; readers of the file see plain text."""


def _encoded(table: Table) -> pa.Schema:
    return pa.schema(
        [
            pa.field(field.name, _DICTIONARIES.get(field.name, field.type), nullable=field.nullable)
            for field in table.arrow
        ]
    )
