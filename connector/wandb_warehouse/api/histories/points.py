"""Rows of histories out of single values: put together and sampled here, which short histories are quickest with.

It gives what the statement `history_rows` gives, which does for any number of values what is done here in memory.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.api.histories.ask import STEP, Ask
from wandb_warehouse.api.histories.columns import NUMBERS, Column, whole_numbers
from wandb_warehouse.api.histories.rows import NO_ROWS, Histories

__all__ = ["Points", "rows_of_points", "sampled_places"]

_BY_KEY = [("key", "ascending"), ("run", "ascending"), ("step", "ascending")]


@dataclass(frozen=True)
class Points:
    """Values of the histories of some runs."""

    values: pa.Table
    """One row a value, in any order: run, key, step, seq, type, value, value_json; the first two are numbers."""
    runs: Sequence[int]
    """Numbers of the runs that were asked for, in their order."""
    names: Mapping[int, str]
    """What the numbers of keys stand for."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """The values of one metric in one run, by step: rows of the table that follow one another."""

    key: int
    start: int
    length: int
    wholes: int | None
    """How many of them are whole numbers; None where not all are plain numbers."""


def rows_of_points(points: Points, ask: Ask) -> list[Histories] | None:
    """Give the rows of each run that was asked for.

    Args:
        points: the values that the question is about.
        ask: the question.

    Returns:
        Rows by run; None where a step of one has several rows: SQL puts those together.
    """
    values = points.values.combine_chunks()
    if len(values) and pc.max(values["seq"]).as_py():
        return None
    if not len(values):
        return [NO_ROWS for _ in points.runs]
    ends = _ends(values)
    if not _is_sorted(values, ends):
        values = values.sort_by(_BY_KEY).combine_chunks()
        ends = _ends(values)
    segments = _segments(values, ends)
    stored = _Stored(values, points.names, ask)
    return [stored.rows(segments.get(run, ())) for run in points.runs]


def sampled_places(total: int, samples: int) -> list[int]:
    """Give places of `samples` of `total` rows at equal distances, the first and the last among them.

    >>> sampled_places(10, 4), sampled_places(3, 5)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if total <= samples:
        return list(range(total))
    if samples == 1:
        return [0]
    return [-(-place * (total - 1) // (samples - 1)) for place in range(samples)]


@lru_cache(maxsize=8)
def _places(total: int, samples: int) -> pa.Array:
    return pa.array(sampled_places(total, samples), pa.int64())


@lru_cache(maxsize=8)
def _all_places(total: int) -> pa.Array:
    return pa.array(range(total), pa.int64())


def _ends(values: pa.Table) -> list[int]:
    """Places behind which another metric or another run begins."""
    ends = set[int]()
    for name in ("run", "key"):
        ends.update(pc.run_end_encode(values[name].combine_chunks()).run_ends.to_pylist())
    return sorted(ends)


def _at(values: pa.Table, places: pa.Array) -> list[tuple[int, int]]:
    """Run and metric at some places."""
    runs, keys = (values[name].combine_chunks().take(places).to_pylist() for name in ("run", "key"))
    return list(zip(runs, keys, strict=True))


def _is_sorted(values: pa.Table, ends: Sequence[int]) -> bool:
    """Whether each metric of a run stands in one place, its values by step: as a warehouse stores them."""
    starts = pa.array(ends[:-1], pa.int64())
    if len({*_at(values, pc.subtract(pa.array(ends, pa.int64()), 1))}) < len(ends):
        return False
    steps = values["step"].combine_chunks()
    falls = pc.less_equal(steps.slice(1), steps.slice(0, len(steps) - 1)).true_count
    before = steps.take(pc.subtract(starts, 1))
    return bool(falls == pc.less_equal(steps.take(starts), before).true_count)


@lru_cache(maxsize=8)
def _nothing(count: int) -> pa.Array:
    return pa.nulls(count, pa.string())


def _segments(values: pa.Table, ends: Sequence[int]) -> Mapping[int, list[_Segment]]:
    """Give the segments of each run, of values that are sorted."""
    found = defaultdict[int, list[_Segment]](list)
    starts = [0, *ends[:-1]]
    metrics = _at(values, pa.array(starts, pa.int64()))
    for (run, key), start, end, wholes in zip(metrics, starts, ends, _wholes(values, ends), strict=True):
        found[run].append(_Segment(key, start, end - start, wholes))
    return found


def _wholes(values: pa.Table, ends: Sequence[int]) -> Iterator[int | None]:
    """How many whole numbers there are in each segment; None for all where some values are no plain numbers."""
    plain = values["value_json"].null_count == len(values)
    if not plain or pc.unique(values["type"].combine_chunks()).to_pylist() != ["number"]:
        yield from [None] * len(ends)
        return
    wholes = whole_numbers(values["value"].combine_chunks())
    for start, end in pairwise([0, *ends]):
        yield wholes.slice(start, end - start).true_count


class _Stored:
    """Values by metric, run and step, of which runs are put together one after the other."""

    def __init__(self, values: pa.Table, names: Mapping[int, str], ask: Ask) -> None:
        self._columns = [values[name].combine_chunks() for name in ("type", "value", "value_json")]
        self._steps = values["step"].combine_chunks()
        self._names = names
        self._ask = ask
        self._needed = len(ask.logged) if ask.keys else 0

    def rows(self, segments: Sequence[_Segment]) -> Histories:
        """Put the rows of one run together."""
        if not segments or len(segments) < self._needed:
            return NO_ROWS
        axis, places = self._axis(segments)
        total, ask = len(axis), self._ask
        chosen = None
        if ask.samples is not None and total > ask.samples:
            chosen = _places(total, ask.samples)
            axis = axis.take(chosen)
        columns = []
        if not ask.keys or ask.logged:  # else the step alone was asked for
            columns = [
                column
                for segment, rows in zip(segments, places, strict=True)
                if (column := self._column(segment, rows, chosen, total)) is not None
            ]
        if ask.with_step and (column := _step_column(axis)) is not None:
            columns.append(column)
        columns.sort(key=lambda column: column.name)
        return Histories(pa.repeat(0, len(axis)), tuple(columns))

    def _axis(self, segments: Sequence[_Segment]) -> tuple[pa.Array, list[pa.Array | None]]:
        """Steps of the rows, and the row of each value of the segments: None where every row has one."""
        own = [self._steps.slice(segment.start, segment.length) for segment in segments]
        axis = max(own, key=len)
        others = [steps for steps in own if steps is not axis and not steps.equals(axis)]
        if not others:
            return axis, [None for _ in own]
        if self._needed:
            for steps in others:
                axis = axis.filter(pc.is_in(axis, value_set=steps))
        elif not all(pc.all(pc.is_in(steps, value_set=axis)).as_py() for steps in others):
            axis = pc.unique(pa.concat_arrays(own))
            axis = axis.take(pc.sort_indices(axis))
        return axis, [None if steps.equals(axis) else pc.index_in(steps, value_set=axis) for steps in own]

    def _column(
        self, segment: _Segment, rows: pa.Array | None, chosen: pa.Array | None, total: int
    ) -> Column | None:
        """The values of a segment that are in the chosen rows; None where there is none."""
        kind, value, text = self._columns
        wholes = segment.wholes
        # Plain numbers need no more than themselves.
        parts = [
            each.slice(segment.start, segment.length)
            for each in ([kind, value, text] if wholes is None else [value])
        ]
        if rows is None:
            if chosen is not None:
                parts = [each.take(chosen) for each in parts]
            rows = _all_places(total if chosen is None else len(chosen))
        else:
            if chosen is not None:
                rows = pc.index_in(rows.cast(pa.int64()), value_set=chosen)
            if rows.null_count:
                kept = pc.is_valid(rows)
                rows, parts = rows.filter(kept), [each.filter(kept) for each in parts]
            rows = rows.cast(pa.int64())
        if not len(rows):
            return None
        if wholes is not None and len(rows) < segment.length:
            wholes = {0: 0, segment.length: len(rows)}.get(wholes)
        name = self._names[segment.key]
        if segment.wholes is not None:
            return _of_numbers(name, rows, parts[0], wholes)
        kind, value, text = parts
        return Column(name, rows, frozenset(pc.unique(kind).to_pylist()), kind, value, text)


def _step_column(axis: pa.Array) -> Column | None:
    """The steps of rows as a metric of those that have one: a row without a step comes first, with a negative one."""
    rows = _all_places(len(axis))
    if len(axis) and axis[0].as_py() < 0:
        kept = pc.greater_equal(axis, 0)
        axis, rows = axis.filter(kept), rows.filter(kept)
    if not len(axis):
        return None
    return _of_numbers(STEP, rows, axis.cast(pa.float64()), len(axis))


def _of_numbers(name: str, rows: pa.Array, values: pa.Array, wholes: int | None) -> Column:
    nothing = _nothing(len(values))
    return Column(name, rows, NUMBERS, nothing, values, nothing, wholes)
