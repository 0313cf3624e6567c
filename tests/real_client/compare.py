"""The warehouse against what somebody else says, value by value, with every difference in hand."""

import datetime as dt
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import duckdb

from wandb_warehouse.arrow import restore, undump, unescape
from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import parse_projects
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import SyncOptions, SyncReport, sync

__all__ = [
    "ABSENT",
    "Account",
    "Allowed",
    "Comparison",
    "Difference",
    "compare",
    "compare_with_wire",
    "dotted",
    "explain",
    "read_warehouse",
    "same",
    "sync_project",
    "wire_history",
]


class _Absent:
    def __repr__(self) -> str:
        return "<absent>"


ABSENT = _Absent()
"""Stands for a value that one side does not have."""

Places = Mapping[tuple[str, int], Sequence[Any]]
"""Values of a history by dotted key and step; several where rows repeat the step or paths collide."""


@dataclass(frozen=True)
class Difference:
    """One value that the two sides do not share, and what went over the wire when the run wrote it."""

    run: str
    section: str
    key: str
    step: int
    theirs: Any
    ours: Any
    wire: Any
    sent: Sequence[Any] = ()
    """All values that went over the wire for this key and step."""


@dataclass
class Comparison:
    """How much was compared, and all that differs."""

    runs: int = 0
    rows: int = 0
    values: int = 0
    differences: list[Difference] = field(default_factory=list)

    def look(
        self,
        run: str,
        section: str,
        place: tuple[str, int],
        theirs: Any,
        ours: Any,
        *,
        wire: Any = ABSENT,
        sent: Sequence[Any] = (),
    ) -> None:
        """Compare the values of one key and step."""
        self.values += 1
        if not same(theirs, ours):
            self.differences.append(Difference(run, section, *place, theirs, ours, wire, sent))


@dataclass(frozen=True)
class Allowed:
    """A difference with a reason: how to tell it, and what it comes from."""

    name: str
    reason: str
    matches: Callable[[Difference], bool]


@dataclass(frozen=True)
class Account:
    """What one comparison came to."""

    title: str
    comparison: Comparison
    explained: Mapping[str, int]

    def __str__(self) -> str:
        what = self.comparison
        lines = [f"{self.title}: {what.runs} runs, {what.rows} rows, {what.values} values compared"]
        lines += [f"  {count:6} x {name}" for name, count in self.explained.items()]
        return "\n".join(lines)


def explain(comparison: Comparison, allowed: Iterable[Allowed]) -> Counter[str]:
    """Count the differences by the entry that allows them: no other one may there be, and each must occur."""
    entries = list(allowed)
    counts = Counter({entry.name: 0 for entry in entries})
    unexplained = []
    for difference in comparison.differences:
        entry = next((entry for entry in entries if entry.matches(difference)), None)
        if entry is None:
            unexplained.append(difference)
        else:
            counts[entry.name] += 1
    assert not unexplained, f"{len(unexplained)} differences, the first: {unexplained[:5]}"
    assert all(counts.values()), (
        f"allowed but never seen: {[name for name, count in counts.items() if not count]}"
    )
    return counts


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal: 1 is 1.0, but not True; NaN is NaN; -0.0 is not 0.

    Integers and floats are compared by their exact values.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        if bool in {type(one), type(other)}:
            return one is other
        if _is_nan(one) or _is_nan(other):
            return _is_nan(one) and _is_nan(other)
        return one == other and (one != 0 or math.copysign(1, one) == math.copysign(1, other))
    return type(one) is type(other) and bool(one == other)


def _is_nan(number: Any) -> bool:
    return isinstance(number, float) and math.isnan(number)  # an integer may be too large to be asked


def _whole(value: Any) -> bool:
    """Tell whether a value is kept whole: no object, an empty one, one with a `_type`, a union out of an export."""
    if not isinstance(value, dict) or not value or "_type" in value:
        return True
    return all(key.startswith("_type_") for key in value)


def _leaves(mapping: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in mapping.items():
        if _whole(value):
            yield (*path, key), value
        else:
            yield from _leaves(value, (*path, key))


def dotted(mapping: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Give the leaves of nested objects by dotted key; where paths collide, in the order of the paths."""
    found: dict[str, list[Any]] = {}
    for path, value in sorted(_leaves(mapping), key=lambda leaf: leaf[0]):
        found.setdefault(".".join(path), []).append(value)
    return found


def by_place(rows: Iterable[Mapping[str, Any]]) -> Places:
    """Give the values of history rows by key and step, in the order of the rows."""
    found: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        step = row.get("_step")
        for key, values in dotted({key: value for key, value in row.items() if key != "_step"}).items():
            found.setdefault((key, -1 if step is None else int(step)), []).extend(values)
    return found


def wire_history(box: Sandbox, project: str) -> dict[str, Places]:
    """Give the values of the lines every run wrote, parsed by the standard library alone."""
    with box.store.lock:
        runs = {
            run.name: list(run.history.lines) for run in box.store.projects[box.entity, project].live_runs
        }
    return {name: by_place(json.loads(line, strict=False) for line in lines) for name, lines in runs.items()}


def _time(text: str | None) -> str:
    return str(dt.datetime.fromisoformat(text).astimezone(dt.UTC) if text else None)


_WHOLE = ("", -1)
_PLAIN = ("state", "name", "tags", "notes", "group", "job_type", "last_step")
_TIMES = ("created_at", "heartbeat_at")
_DOCUMENTS = ("config", "rawconfig", "summary")
_FLAT = {"run_config": "config", "run_summary": "summary"}


def compare(
    theirs: Mapping[str, Mapping[str, Any]],
    ours: Mapping[str, Mapping[str, Any]],
    wire: Mapping[str, Places],
) -> Comparison:
    """Compare what the official client read with what the warehouse holds, run by run."""
    result = Comparison()
    assert theirs.keys() == ours.keys()
    for run, read in theirs.items():
        held, result.runs, result.rows = ours[run], result.runs + 1, result.rows + len(read["history"])
        for section in _PLAIN:
            result.look(run, section, _WHOLE, read[section], held[section])
        for section in _TIMES:
            result.look(run, section, _WHOLE, _time(read[section]), str(held[section]))
        for section in _DOCUMENTS:
            _look_at_entries(result, run, section, read[section], held[section])
            _look_at_entries(result, run, f"listed {section}", read["listed"][section], held[section])
        for section, document in _FLAT.items():
            _look_at_entries(result, run, section, dotted(held[document]), held[section])
        result.look(run, "rows", _WHOLE, len(read["history"]), held["rows"])
        _look_at_history(result, run, by_place(read["history"]), held["history"], wire[run])
    return result


def compare_with_wire(ours: Mapping[str, Mapping[str, Any]], wire: Mapping[str, Places]) -> Comparison:
    """Compare the history that the warehouse holds with what the runs wrote."""
    result = Comparison()
    assert wire.keys() == ours.keys()
    for run, held in ours.items():
        result.runs, result.rows = result.runs + 1, result.rows + held["rows"]
        _look_at_history(result, run, wire[run], held["history"], wire[run])
    return result


def _look_at_entries(
    result: Comparison, run: str, section: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> None:
    for key in sorted(theirs.keys() | ours.keys()):
        result.look(run, section, (key, -1), theirs.get(key, ABSENT), ours.get(key, ABSENT))


def _look_at_history(result: Comparison, run: str, theirs: Places, ours: Places, wire: Places) -> None:
    for place in sorted(theirs.keys() | ours.keys()):
        # Where steps repeat, an export shows nulls for the rows that lack the metric: values are paired first.
        sides = [sorted(side.get(place, ()), key=_is_null) for side in (theirs, ours, wire)]
        for one, other, sent in zip_longest(*sides, fillvalue=ABSENT):
            if one is not ABSENT or other is not ABSENT:
                result.look(run, "history", place, one, other, wire=sent, sent=sides[2])


def _is_null(value: Any) -> bool:
    return value is None


_RUNS = """
select run_id, runs.state, name, tags, notes, run_group as "group", job_type, runs.last_step, created_at,
       heartbeat_at, config, raw_config as rawconfig, summary, stored_rows as "rows"
from runs join run_ledger using (entity, project, run_id) where project = ?
"""
_ENTRIES = "select run_id, key, type, value, value_json from {} where project = ? order by run_id, key, seq"
_HISTORY = """
select run_id, key, step, type, value, value_json from history where project = ? order by run_id, key, step, seq
"""
_TEXTS = ("name", "notes", "group", "job_type")
_JSON = ("tags", *_DOCUMENTS)


def read_warehouse(path: Path, project: str) -> dict[str, dict[str, Any]]:
    """Read a project out of a warehouse by plain SQL, with every stored value turned back into what was logged."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        cursor = connection.execute(_RUNS, [project])
        names = [column[0] for column in cursor.description or ()]
        runs = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
        for run in runs.values():
            run.update({name: None if run[name] is None else unescape(run[name]) for name in _TEXTS})
            run.update({name: undump(run[name]) for name in _JSON})
            run.update({"run_config": {}, "run_summary": {}, "history": {}})
        for table in _FLAT:
            for run_id, key, *value in connection.execute(_ENTRIES.format(table), [project]).fetchall():
                runs[run_id][table].setdefault(unescape(key), []).append(restore(*value))
        for run_id, key, step, *value in connection.execute(_HISTORY, [project]).fetchall():
            runs[run_id]["history"].setdefault((unescape(key), step), []).append(restore(*value))
    return runs


def sync_project(box: Sandbox, project: str, warehouse: Path) -> SyncReport:
    """Sync one project of a sandbox; no run may be left out."""
    report = sync(
        SyncOptions(
            projects=tuple(parse_projects([f"{box.entity}/{project}"])),
            connection=Connection(box.base_url, Secret(box.key), "argument"),
            warehouse=warehouse,
        )
    )
    assert not report.quarantined
    return report
