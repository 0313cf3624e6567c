"""The history of one run out of exports and live rows."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.test_history import RUN, check, expected, stored
from lengths import examples
from wandb_warehouse.arrow.merge import run_history

Row = dict[str, Any]


def row(step: int, session: int = 0, **values: Any) -> Row:
    """Give a row whose timestamp tells the session that logged it."""
    return {"_step": step, "_timestamp": 1000.0 * session + step / 8, **values}


def export(path: Path, rows: list[Row]) -> Path:
    """Write rows as an export of typed columns."""
    names = {name: None for one in rows for name in one}
    pq.write_table(pa.table({name: [one.get(name) for one in rows] for name in names}), path)
    return path


def lines(rows: list[Row]) -> list[str]:
    """Write rows as live lines."""
    return [json.dumps(one) for one in rows]


def values(rows: list[Row]) -> list[Any]:
    """Give the values that rows stand for, nulls absent as in exports."""
    return expected([{key: value for key, value in one.items() if value is not None} for one in rows])


LOGGED = [row(step, loss=step * 0.5, **({"acc": step} if step % 3 == 0 else {})) for step in range(20)]


def test_live_rows_that_the_exports_hold_are_dropped(tmp_path: Path) -> None:
    """A tail that overlaps the exports adds only its new rows."""
    files = [export(tmp_path / "b", LOGGED[8:14]), export(tmp_path / "a", LOGGED[:8])]
    batches = list(run_history(RUN, {}, exports=files, live=[lines(LOGGED[10:16]), lines(LOGGED[16:])]))
    check(stored(*batches), values(LOGGED))
    assert sum(batch.row_count for batch in batches) == 20


def test_exports_may_overlap(tmp_path: Path) -> None:
    """Rows that two files hold are read once."""
    files = [
        export(tmp_path / "a", LOGGED[:12]),
        export(tmp_path / "b", LOGGED[5:]),
        export(tmp_path / "c", LOGGED),
    ]
    batches = list(run_history(RUN, {}, exports=files))
    check(stored(*batches), values(LOGGED))
    assert sum(batch.row_count for batch in batches) == 20


def test_a_restarted_run_keeps_both_sessions(tmp_path: Path) -> None:
    """Repeated steps with timestamps of their own stay, whether in one source or in two."""
    again = [
        row(step, session=1, loss=-step, **({"acc": -step} if step % 2 == 0 else {})) for step in range(12)
    ]
    wanted = values(LOGGED + again)
    one = [export(tmp_path / "one", LOGGED + again)]
    two = [export(tmp_path / "x", again), export(tmp_path / "y", LOGGED)]
    tail = [export(tmp_path / "z", LOGGED)]
    for exports, live in ((one, []), (one, [lines(again[4:])]), (two, []), (tail, [lines(again)])):
        batches = list(run_history(RUN, {}, exports=exports, live=live))
        check(stored(*batches), wanted)
        assert sum(batch.row_count for batch in batches) == 32
    (batch,) = run_history(RUN, {}, live=[lines(LOGGED + again)])
    check(stored(batch), wanted)


def test_timestamps_rounded_by_one_source_are_the_same_moment(tmp_path: Path) -> None:
    """Sources that round timestamps to the millisecond still agree on what is one row."""
    exact = [{**one, "_timestamp": one["_timestamp"] + 0.0001234} for one in LOGGED]
    files = [export(tmp_path / "a", LOGGED[:15])]
    batches = list(run_history(RUN, {}, exports=files, live=[lines(exact)]))
    assert sum(batch.row_count for batch in batches) == 20


def test_rows_without_timestamps_are_told_apart_by_step(tmp_path: Path) -> None:
    """Where a row has no timestamp, its step alone names it across sources."""
    bare = [{"_step": step, "loss": step * 0.5} for step in range(10)]
    files = [export(tmp_path / "a", bare[:6])]
    check(stored(*run_history(RUN, {}, exports=files, live=[lines(bare)])), values(bare))
    check(
        stored(*run_history(RUN, {}, exports=files, live=[lines(LOGGED[:10])])),
        values(bare[:6] + LOGGED[6:10]),
    )


def test_pages_are_read_as_they_come() -> None:
    """Without exports nothing is held back: each page gives its batch before the next is asked for."""
    asked = []

    def pages() -> Any:
        for start in (0, 5, 10):
            asked.append(start)
            yield lines(LOGGED[start : start + 5])

    history = run_history(RUN, {}, live=pages())
    assert next(history).row_count == 5
    assert asked == [0]
    assert sum(batch.row_count for batch in history) == 10


def test_pages_that_overlap_give_each_row_once() -> None:
    """A row that a later page repeats is dropped; another row of the same step is kept and numbered."""
    other = row(3, session=1, loss=9)
    batches = list(run_history(RUN, {}, live=[lines(LOGGED[:6]), lines([*LOGGED[4:9], other])]))
    check(stored(*batches), values([*LOGGED[:9], other]))


def test_only_rows_after_the_stored_step(tmp_path: Path) -> None:
    """With `after`, exports and pages give what lies behind it."""
    files = [export(tmp_path / "a", LOGGED[:8]), export(tmp_path / "b", LOGGED[6:12])]
    batches = list(run_history(RUN, {}, exports=files, live=[lines(LOGGED[10:])], after=6))
    check(stored(*batches), values(LOGGED[7:]))
    assert sorted(step for batch in batches for step in batch.steps.to_pylist()) == list(range(7, 20))


def test_no_sources_no_history(tmp_path: Path) -> None:
    """A run without rows gives no rows, with an empty export or an empty page."""
    pq.write_table(pa.table({}), tmp_path / "empty")
    assert list(run_history(RUN, {})) == []
    batches = list(run_history(RUN, {}, exports=[tmp_path / "empty"], live=[[], lines(LOGGED[:2])]))
    assert sum(batch.row_count for batch in batches) == 2


sessions = st.lists(
    st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True).map(sorted), min_size=1, max_size=3
)


@settings(max_examples=examples(100), deadline=None)
@given(st.data(), sessions)
def test_any_split_into_overlapping_sources_gives_the_log(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, sessions: list[list[int]]
) -> None:
    """However the log is cut into overlapping files and a tail, the rows are those of the log."""
    log = [row(step, session=n, a=n * 10 + step) for n, steps in enumerate(sessions) for step in steps]
    directory = tmp_path_factory.mktemp("split")
    starts = sorted(data.draw(st.lists(st.integers(0, len(log) - 1), max_size=3)))
    overlap = data.draw(st.integers(0, 3))
    cuts = [0, *starts, len(log)]
    pieces = [log[max(0, a - overlap) : b] for a, b in pairwise(cuts) if b > a]
    tail = pieces.pop() if data.draw(st.booleans()) else []
    files = [export(directory / f"{n}", piece) for n, piece in enumerate(pieces)]
    data.draw(st.randoms()).shuffle(files)
    batches = list(run_history(RUN, {}, exports=files, live=[lines(tail)] if tail else []))
    assert sum(batch.row_count for batch in batches) == len(log)
    found = Counter((key, step, value) for key, step, _, value in stored(*batches))
    assert found == Counter((key, step, value) for key, step, _, value in values(log))
    names = [value[:3] for value in stored(*batches)]
    assert len(set(names)) == len(names)


def test_a_row_stands_for_one_row_of_another_source(tmp_path: Path) -> None:
    """Where a source repeats a step more often than those before it, the surplus rows are new."""
    files = [export(tmp_path / "a", [{"_step": 0, "loss": 1}])]
    batches = list(
        run_history(RUN, {}, exports=files, live=[['{"_step":0,"loss":1}', '{"_step":0,"loss":2}']])
    )
    assert sorted(stored(*batches)) == [("loss", 0, 0, 1), ("loss", 0, 1, 2)]
