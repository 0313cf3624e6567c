"""Rows of histories out of the warehouse: whole, in a window of steps, or as many as are asked for.

Which rows a sample holds is a matter of their places alone: the first, the last, and rows between them at equal
distances. So the same question has the same answer every time.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.api.histories.columns import Column
from wandb_warehouse.api.histories.points import rows_of_points
from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import escape, unescape

__all__ = ["Ask", "Histories", "Holding", "IncompleteHistoryWarning", "holdings", "read_histories"]

_ALL = 2**62
"""More than any history's steps and rows."""
_STEP = "_step"
_FEW = 300_000
"""Values of one run that are read to choose rows of them here."""


class IncompleteHistoryWarning(UserWarning):
    """The warehouse has only a part of a history that was asked for."""


@dataclass(frozen=True)
class Ask:
    """Which rows of a history, and what of them."""

    samples: int | None = 500
    """Rows of each run at most; None for all."""
    keys: tuple[str, ...] = ()
    """Metrics that a row must have, and that alone are given; none for every row with all it has."""
    x_axis: str = _STEP
    """A metric that comes with `keys`."""
    stream: Literal["default", "system"] = "default"
    low: int = -_ALL
    """First step."""
    high: int = _ALL
    """First step that is not wanted any more."""

    @property
    def logged(self) -> list[str]:
        """The metrics that a row must have, but for the step, which is no metric."""
        return list(dict.fromkeys(key for key in (self.x_axis, *self.keys) if key != _STEP))

    @property
    def with_step(self) -> bool:
        """Whether the step is given."""
        return self.stream == "default" and (not self.keys or _STEP in {self.x_axis, *self.keys})


@dataclass(frozen=True)
class Holding:
    """What the warehouse holds of a run's history."""

    state: str
    """State of the run's ledger row: ok, pending, partial, quarantined."""
    expected_rows: int
    stored_rows: int
    stored_values: int
    sampled_values: int
    last_step: int
    cover: str | None
    """A metric that every row has."""

    @property
    def source(self) -> str:
        """The table that has the history: all of it, else what the server sampled."""
        return "history" if self.stored_rows or not self.sampled_values else "history_sampled"

    @property
    def values(self) -> int:
        """Values that are there to be read."""
        return self.stored_values or self.sampled_values

    @property
    def lacks(self) -> bool:
        """Whether rows that the server counts are not stored, and were not sampled either."""
        return self.stored_rows < self.expected_rows and not self.sampled_values


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
            values = zip(*(column.values() for column in self.columns), strict=True)
            # As nearly all histories are: no row lacks anything.
            return [dict(zip(names, row, strict=True)) for row in values]
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


def holdings(session: Session, entity: str, project: str) -> Mapping[str, Holding]:
    """Give what the warehouse holds of the histories of a project, by run id."""

    def find() -> Mapping[str, Holding]:
        rows = session.reader.rows("holdings", {"entity": entity, "project": project})
        return {
            row["run_id"]: Holding(
                row["state"],
                row["expected_rows"] or 0,
                row["stored_rows"] or 0,
                row["stored_values"] or 0,
                row["sampled_values"] or 0,
                -1 if row["last_step"] is None else row["last_step"],
                row["cover"],
            )
            for row in rows
        }

    found: Mapping[str, Holding] = session.once(("holdings", entity, project), find)
    return found


def read_histories(session: Session, entity: str, project: str, runs: Sequence[str], ask: Ask) -> Histories:
    """Read rows of some runs, in their order; where the whole history is not stored, what the server sampled.

    Warns:
        IncompleteHistoryWarning: rows of a run are not stored.
    """
    place = {"entity": entity, "project": project}
    if not runs or (ask.samples is not None and ask.samples < 1):
        return Histories(pa.array([], pa.int64()), ())
    if ask.stream == "system":
        return _histories(session.reader.table("system_rows", place | _asked(runs, ask)), ask)
    known = holdings(session, entity, project)
    tables = [
        (_rows(session, place, known, [runs[each] for each in places], ask, source), places)
        for source, places in _by_source(known, runs).items()
    ]
    for run in runs:
        if (held := known.get(escape(run))) and held.lacks:
            what = f"{entity}/{project}/{run} {held.stored_rows} of {held.expected_rows} rows are in the warehouse"
            warnings.warn(
                f"of the history of {what}; sync it with --history full",
                IncompleteHistoryWarning,
                stacklevel=3,
            )
    return _histories(tables[0][0] if len(tables) == 1 else _merged(tables), ask)


def _rows(
    session: Session,
    place: Mapping[str, str],
    known: Mapping[str, Holding],
    runs: Sequence[str],
    ask: Ask,
    source: str,
) -> pa.Table:
    """Rows of runs whose history is in the table `source`, by key."""
    asked = {**place, **_asked(runs, ask), "low": ask.low, "high": ask.high}
    if ask.keys and ask.x_axis == _STEP:
        asked["low"] = max(ask.low, 0)  # a row without a step lacks the axis
    keys = [escape(key) for key in ask.logged] if ask.keys else []
    if len(runs) == 1 and _values(known.get(asked["runs"][0]), keys) <= _FEW:
        values = {"run": asked["runs"][0], "keys": keys, **place, "low": asked["low"], "high": asked["high"]}
        points = session.reader.table("history_points", values, source=source)
        if (rows := rows_of_points(points, asked["samples"], len(keys))) is not None:
            return rows
    asked["keys"] = keys
    # A sample has no metric that is in every row; and rows that must have some keys are found by these.
    whole = source == "history" and not keys
    asked["covers"] = [known[run].cover if whole and run in known else None for run in asked["runs"]]
    return session.reader.table("history_rows", asked, source=source)


def _values(held: Holding | None, keys: Sequence[str]) -> int:
    """About how many values of a history are read for some keys, or for all."""
    if held is None:
        return 0
    return min(held.values, max(held.stored_rows, held.expected_rows) * len(keys)) if keys else held.values


def _counts(run_of_row: pa.Array, runs: int) -> pa.Array:
    """Number of rows of each run."""
    found = {each["values"]: each["counts"] for each in run_of_row.value_counts().to_pylist()}
    return pa.array([found.get(run, 0) for run in range(runs)], pa.int64())


def _asked(runs: Sequence[str], ask: Ask) -> dict[str, Any]:
    return {"runs": [escape(run) for run in runs], "samples": _ALL if ask.samples is None else ask.samples}


def _by_source(known: Mapping[str, Holding], runs: Sequence[str]) -> dict[str, list[int]]:
    """Places of the runs by the table that has their history."""
    places: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        held = known.get(escape(run))
        places.setdefault("history" if held is None else held.source, []).append(place)
    return places


def _merged(tables: Sequence[tuple[pa.Table, list[int]]]) -> pa.Table:
    """Put rows of several questions in the order of all their runs; each comes with the places its runs have there."""
    parts = []
    for number, (table, places) in enumerate(tables):
        run = pa.array(places, pa.int64()).take(table["run"])
        parts.append(table.set_column(1, "run", run).append_column("part", pa.repeat(number, len(table))))
    found = pa.concat_tables(parts)
    rows = found.filter(pc.is_null(found["key"])).sort_by([("run", "ascending"), ("row", "ascending")])
    numbered = rows.select(["part", "row"]).append_column("place", pa.array(range(len(rows)), pa.int64()))
    joined = found.join(numbered, ["part", "row"], join_type="inner")
    joined = joined.drop_columns(["row", "part"]).rename_columns({"place": "row"})
    order = pc.sort_indices(joined, [("key", "ascending", "at_start"), ("row", "ascending", "at_start")])
    return joined.take(order)


def _histories(table: pa.Table, ask: Ask) -> Histories:
    columns = []
    rows = None
    for key, part in _by_key(table.combine_chunks()):
        if key is None:
            rows = part
        elif not ask.keys or ask.logged:  # else the step alone was asked for
            columns.append(Column.of(unescape(key), part))
    if rows is None:
        return Histories(pa.array([], pa.int64()), ())
    if ask.with_step:
        stepped = rows.filter(pc.greater_equal(rows["value"], 0.0))
        if len(stepped):
            columns.append(Column.of(_STEP, stepped))
    columns.sort(key=lambda column: column.name)
    return Histories(rows["run"].combine_chunks(), tuple(columns))


def _by_key(table: pa.Table) -> Iterator[tuple[str | None, pa.Table]]:
    """Cut a table that is sorted by key into the rows of each key; those without a key come first."""
    if not len(table):
        return
    runs = pc.run_end_encode(table["key"].combine_chunks())
    start = 0
    for key, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield key, table.slice(start, end - start)
        start = end
