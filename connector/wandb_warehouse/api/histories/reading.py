"""Rows of histories out of the warehouse: whole, in a window of steps, or as many as are asked for.

Which rows a sample holds is a matter of their places alone: the first, the last, and rows between them at equal
distances. So the same question has the same answer every time.

A few hundred thousand values are put together here, which is quickest; more of them by SQL, which spills.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.api.histories.ask import MOST, STEP, Ask
from wandb_warehouse.api.histories.columns import Column
from wandb_warehouse.api.histories.holding import Holding, holdings, warn_of_missing_rows
from wandb_warehouse.api.histories.points import rows_of_points
from wandb_warehouse.api.histories.rows import NO_ROWS, Histories
from wandb_warehouse.api.histories.stored_points import read_points
from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import escape, unescape

__all__ = ["read_each", "read_histories", "values_read"]

FEW = 500_000
"""Values that are put together here."""

_Found = TypeVar("_Found")


def read_histories(session: Session, entity: str, project: str, runs: Sequence[str], ask: Ask) -> Histories:
    """Read rows of some runs, in their order; where the whole history is not stored, what the server sampled.

    Warns:
        IncompleteHistoryWarning: rows of a run are not stored.
    """
    if _asks_for_nothing(runs, ask):
        return NO_ROWS
    place = {"entity": entity, "project": project}
    if ask.stream == "system":
        return _histories(_system_rows(session, place, runs, ask), ask)
    warn_of_missing_rows(session, entity, project, runs)
    if len(runs) == 1:
        return read_each(session, entity, project, runs, ask)[0]
    known = holdings(session, entity, project)
    tables = _by_source(known, runs, lambda some, source: _rows(session, place, some, ask, source))
    return _histories(tables[0][0] if len(tables) == 1 else _merged(tables), ask)


def read_each(session: Session, entity: str, project: str, runs: Sequence[str], ask: Ask) -> list[Histories]:
    """Read what `read_histories` reads, cut by run, without a warning."""
    if _asks_for_nothing(runs, ask):
        return [NO_ROWS for _ in runs]
    place = {"entity": entity, "project": project}
    if ask.stream == "system":
        return _histories(_system_rows(session, place, runs, ask), ask).split(len(runs))
    known = holdings(session, entity, project)

    def read(some: Sequence[str], source: str) -> list[Histories]:
        if values_read(known, some, ask) <= FEW:
            points = read_points(session, place, some, ask, source)
            if (found := rows_of_points(points, ask)) is not None:
                return found
        return _histories(_rows(session, place, some, ask, source), ask).split(len(some))

    each = {
        run: histories
        for found, places in _by_source(known, runs, read)
        for run, histories in zip(places, found, strict=True)
    }
    return [each[run] for run in range(len(runs))]


def values_read(known: Mapping[str, Holding], runs: Sequence[str], ask: Ask) -> int:
    """Give about how many values of the histories of some runs are looked at to answer a question."""
    return sum(_values(known.get(escape(run)), ask) for run in runs)


def _values(held: Holding | None, ask: Ask) -> int:
    if held is None:
        return 0
    rows = max(held.stored_rows, held.expected_rows, 1)
    values = min(held.values, rows * len(ask.logged)) if ask.logged and ask.keys else held.values
    steps = held.last_step + 1
    if steps <= 0 or (ask.low <= 0 and ask.high > held.last_step):
        return values
    return int(values * max(min(ask.high, steps) - max(ask.low, 0), 0) / steps)


def _asks_for_nothing(runs: Sequence[str], ask: Ask) -> bool:
    return not runs or (ask.samples is not None and ask.samples < 1)


def _system_rows(session: Session, place: Mapping[str, str], runs: Sequence[str], ask: Ask) -> pa.Table:
    return session.reader.table("system_rows", {**place, **_asked(runs, ask)})


def _rows(
    session: Session,
    place: Mapping[str, str],
    runs: Sequence[str],
    ask: Ask,
    source: str,
) -> pa.Table:
    """Rows of runs whose history is in the table `source`, by key."""
    asked = {**place, **_asked(runs, ask), "low": ask.first_step, "high": ask.high}
    asked["keys"] = keys = [escape(key) for key in ask.logged] if ask.keys else []
    # A sample has no metric that is in every row; and rows that must have some keys are found by these.
    covers = _covers(session, place) if source == "history" and not keys else {}
    asked["covers"] = [covers.get(run) for run in asked["runs"]]
    return session.reader.table("history_rows", asked, source=source)


def _covers(session: Session, place: Mapping[str, str]) -> Mapping[str, str]:
    """A metric that every row has, by run."""

    def find() -> Mapping[str, str]:
        found = session.reader.table("covers", place)
        return dict(zip(found["run_id"].to_pylist(), found["key"].to_pylist(), strict=True))

    covers: Mapping[str, str] = session.once(("covers", *place.values()), find)
    return covers


def _asked(runs: Sequence[str], ask: Ask) -> dict[str, Any]:
    return {"runs": [escape(run) for run in runs], "samples": MOST if ask.samples is None else ask.samples}


def _by_source(
    known: Mapping[str, Holding], runs: Sequence[str], read: Callable[[Sequence[str], str], _Found]
) -> list[tuple[_Found, list[int]]]:
    """Read the runs of each table that has histories; what was read comes with the places of its runs."""
    places: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        held = known.get(escape(run))
        places.setdefault("history" if held is None else held.source, []).append(place)
    return [(read([runs[each] for each in some], source), some) for source, some in places.items()]


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
        return NO_ROWS
    if ask.with_step:
        stepped = rows.filter(pc.greater_equal(rows["value"], 0.0))
        if len(stepped):
            columns.append(Column.of(STEP, stepped))
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
