"""The history of one run out of several sources: exports that may overlap, then live rows, each row once.

Two rows of different sources are the same row if they share the step and, where both have one, the
`_timestamp`. Rows of one source are all kept: a run that was started again without resuming repeats its
steps, and those rows have timestamps of their own.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow.exports import Export, read_export, within
from wandb_warehouse.arrow.history import NO_STEP, HistoryBatch, RunRef, Sequencer
from wandb_warehouse.arrow.rows import chunks_from_rows, index_rows

__all__ = ["run_history"]

SAME_MOMENT = 0.001
"""Seconds two timestamps of one row may differ by: sources may round them."""


class _Rows:
    """Rows taken so far, to tell the next source's new rows from those already there."""

    def __init__(self) -> None:
        self._steps: list[pa.Int64Array] = []
        self._stamps: list[pa.DoubleArray] = []
        self._last: int | None = None
        self.repeated: dict[int, int] = {}
        """Steps that several rows share, with the rows taken before the last source that bore them."""

    def admit(self, steps: pa.Int64Array, stamps: pa.DoubleArray) -> pa.BooleanArray | None:
        """Take a source's rows that are new and tell which they are; None where all are."""
        self.repeated = {}
        if not len(steps):
            return None
        low, high = (bound.as_py() for bound in pc.min_max(steps).values())
        keep = None
        ascending = not pc.any(pc.less_equal(steps[1:], steps[:-1])).as_py()
        if not ascending or (self._last is not None and low <= self._last):
            keep = self._tell_apart(steps, stamps)
            if keep is not None:
                steps, stamps = steps.filter(keep), stamps.filter(keep)
        self._steps.append(steps)
        self._stamps.append(stamps)
        self._last = high if self._last is None else max(high, self._last)
        return keep

    def _tell_apart(self, steps: pa.Int64Array, stamps: pa.DoubleArray) -> pa.BooleanArray | None:
        taken = self._moments(steps)
        before = {step: len(moments) for step, moments in taken.items()}
        counts = pc.value_counts(steps)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        suspect = pc.or_(
            pc.is_in(steps, value_set=twice), pc.is_in(steps, value_set=pa.array(list(taken), pa.int64()))
        )
        places = pc.indices_nonzero(suspect).to_pylist()
        rows = zip(places, steps.filter(suspect).to_pylist(), stamps.filter(suspect).to_pylist(), strict=True)
        dropped: set[int] = set()
        fresh: Counter[int] = Counter()
        for place, step, stamp in rows:
            moments = taken.get(step, [])
            same = next((moment for moment in moments if _same(moment, stamp)), _NOTHING)
            if same is _NOTHING:
                fresh[step] += 1
            else:
                moments.remove(same)  # type: ignore[arg-type] # each row taken stands for one row of this source
                dropped.add(place)
        self.repeated = {step: before.get(step, 0) for step in fresh if fresh[step] + before.get(step, 0) > 1}
        return pa.array([place not in dropped for place in range(len(steps))]) if dropped else None

    def _moments(self, steps: pa.Int64Array) -> dict[int, list[float | None]]:
        """Give the timestamps of the rows taken under `steps`."""
        moments: dict[int, list[float | None]] = {}
        for taken, stamps in zip(self._steps, self._stamps, strict=True):
            again = pc.is_in(taken, value_set=steps)
            pairs = zip(taken.filter(again).to_pylist(), stamps.filter(again).to_pylist(), strict=True)
            for step, stamp in pairs:
                moments.setdefault(step, []).append(stamp)
        return moments


_NOTHING = object()


def _same(one: float | None, other: float | None) -> bool:
    return one is None or other is None or one == other or abs(one - other) <= SAME_MOMENT


def run_history(
    run: RunRef,
    types: Mapping[str, set[str]],
    *,
    exports: Sequence[Path | Export] = (),
    live: Iterable[Sequence[str]] = (),
    after: int | None = None,
) -> Iterator[HistoryBatch]:
    """Give a run's history in batches, each row once; rows at or before step `after` are left out.

    `exports` are parquet files in any order, indexed already or not; `live` are pages of rows as JSON text, of
    disjoint windows of steps. Exports are read twice (first the steps only) and in bounded batches. Pages are read
    as they come; next to exports all of them are held, as a live tail is short.
    """
    rows, sequencer = _Rows(), Sequencer()
    files: list[tuple[Export, pa.BooleanArray | None]] = []
    known = [export if isinstance(export, Export) else Export(export) for export in exports]
    for export in sorted(known, key=_started) if len(known) > 1 else known:
        steps, stamps = export.index
        inside = within(steps, after=after)
        keep = rows.admit(
            *(column if inside is None else column.filter(inside) for column in (steps, stamps))
        )
        files.append((export, _spread(keep, inside)))
        sequencer.repeat(dict.fromkeys(rows.repeated, 0))
    del known
    if not files:
        yield from _pages(run, live, types, rows, after=after)
        return
    tail = []
    for page in live:  # before the exports are numbered: the tail may repeat their steps
        keep = rows.admit(*index_rows(page, after=after))
        tail.append((page, keep))
        sequencer.repeat(dict.fromkeys(rows.repeated, 0))
    for export, keep in files:
        yield from read_export(run, export, types, keep=keep, sequencer=sequencer)
    for page, keep in tail:
        yield chunks_from_rows(
            run, page, types, after=after, row_filter=lambda *_, keep=keep: keep, sequencer=sequencer
        )


def _pages(
    run: RunRef,
    pages: Iterable[Sequence[str]],
    types: Mapping[str, set[str]],
    rows: _Rows,
    *,
    after: int | None,
) -> Iterator[HistoryBatch]:
    sequencer = Sequencer()

    def admit(steps: pa.Int64Array, stamps: pa.DoubleArray) -> pa.BooleanArray | None:
        keep = rows.admit(steps, stamps)
        sequencer.repeat(rows.repeated)
        return keep

    for page in pages:
        yield chunks_from_rows(run, page, types, after=after, row_filter=admit, sequencer=sequencer)


def _started(export: Export) -> tuple[float, int, str]:
    """Order files by when their rows were logged: the server names them in no stable order."""
    steps, stamps = export.index
    moment, step = pc.min(stamps).as_py(), pc.min(steps).as_py()
    return (math.inf if moment is None else moment, NO_STEP if step is None else step, export.path.name)


def _spread(keep: pa.BooleanArray | None, inside: pa.BooleanArray | None) -> pa.BooleanArray | None:
    """Turn marks on the rows that `inside` marks into marks on all rows."""
    if keep is None or inside is None:
        return inside if keep is None else keep
    return pc.replace_with_mask(inside, inside, keep)
