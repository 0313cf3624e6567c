"""Values of histories as a warehouse stores them: with numbers for runs and metrics in a file, with names in a lake."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.points import Points
from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import escape, unescape
from wandb_warehouse.schema import TABLES

__all__ = ["read_points"]


def read_points(
    session: Session, place: Mapping[str, str], runs: Sequence[str], ask: Ask, source: str
) -> Points:
    """Read values of the histories of some runs.

    Args:
        session: what the objects of an `Api` share.
        place: entity and project.
        runs: ids of the runs.
        ask: which metrics, and which steps.
        source: the table that has their histories.
    """
    wanted = [escape(run) for run in runs]
    keys = [escape(key) for key in ask.logged] if ask.keys else []
    asked = {"low": ask.first_step, "high": ask.high}
    if session.reader.has(TABLES[source].stored.name):
        return _numbered(session, place, wanted, keys, asked, source)
    points = session.reader.table(
        "history_points", {**place, **asked, "runs": wanted, "keys": keys}, source=source
    )
    points = points.combine_chunks()
    key = points["key"].combine_chunks().dictionary_encode()
    values = points.set_column(0, "run", pc.index_in(points["run"], value_set=pa.array(wanted, pa.string())))
    names = dict(enumerate(map(unescape, key.dictionary.to_pylist())))
    return Points(values.set_column(1, "key", key.indices), range(len(runs)), names)


def _numbered(
    session: Session,
    place: Mapping[str, str],
    runs: Sequence[str],
    keys: Sequence[str],
    asked: Mapping[str, Any],
    source: str,
) -> Points:
    numbers = _run_numbers(session, place)
    # A run without a number has no values; -1 stands for none.
    places = [numbers.get(run, -1) for run in runs]
    key_numbers = _key_numbers(session, keys)
    lacks = len(key_numbers) < len(keys)
    known = [number for number in places if number >= 0] if not lacks else []
    bounds = {"first": min(known, default=0), "last": max(known, default=-1)}
    key_bounds = {"first_key": min(key_numbers, default=0), "last_key": max(key_numbers, default=2**31 - 1)}
    values = session.reader.table(
        "history_numbered",
        {**asked, **bounds, **key_bounds, "runs": known, "keys": key_numbers},
        stored=TABLES[source].stored.name,
    )
    return Points(values, places, _key_names(session, pc.unique(values["key"]).to_pylist()))


def _run_numbers(session: Session, place: Mapping[str, str]) -> Mapping[str, int]:
    def find() -> Mapping[str, int]:
        table = session.reader.table("run_numbers", place)
        return dict(zip(table["run_id"].to_pylist(), table["run_number"].to_pylist(), strict=True))

    found: Mapping[str, int] = session.once(("run numbers", *place.values()), find)
    return found


def _key_numbers(session: Session, keys: Sequence[str]) -> list[int]:
    """Numbers of keys, those that have one."""
    known: dict[str, int | None] = session.once("key numbers", dict)
    if unknown := [key for key in keys if key not in known]:
        found = session.reader.table("key_numbers", {"keys": unknown, "numbers": []})
        known |= dict.fromkeys(unknown)
        known |= zip(found["key"].to_pylist(), found["key_number"].to_pylist(), strict=True)
    return [number for key in keys if (number := known[key]) is not None]


def _key_names(session: Session, numbers: Collection[int]) -> Mapping[int, str]:
    known: dict[int, str] = session.once("key names", dict)
    if unknown := [number for number in numbers if number not in known]:
        found = session.reader.table("key_numbers", {"keys": [], "numbers": unknown})
        names = map(unescape, found["key"].to_pylist())
        known |= zip(found["key_number"].to_pylist(), names, strict=True)
    return known
