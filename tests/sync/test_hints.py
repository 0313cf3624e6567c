"""When projects were swept, where nothing was published: a hint that may be lost and is never believed wrongly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wandb_warehouse.resources import Cursor
from wandb_warehouse.sync.hints import read_hints, write_hints
from wandb_warehouse.warehouse import LastSync

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
LAST = LastSync(3, MOMENT, MOMENT + timedelta(minutes=1), 2, "0.1.0", [], {})
SWEPT = {
    ("e", "p"): Cursor(MOMENT + timedelta(hours=7)),
    ("e", "q ü"): Cursor(MOMENT, '{"state": "running"}'),
}


def test_hints_come_back(tmp_path: Path) -> None:
    """What was written is read again, for that published state alone; the file is its owner's."""
    path = tmp_path / "wandb.duckdb.swept"
    write_hints(path, LAST, SWEPT)
    assert read_hints(path, LAST) == SWEPT
    assert path.stat().st_mode & 0o777 == 0o600
    for other in (replace(LAST, generation=4), replace(LAST, finished_at=MOMENT), None):
        assert read_hints(path, other) == {}
    write_hints(path, LAST, {})
    assert read_hints(path, LAST) == SWEPT


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"published": 1}', '{"projects": []}', '{"published": [3], "projects": [{}]}'],
)
def test_a_damaged_hint_counts_for_nothing(tmp_path: Path, text: str) -> None:
    """A file that is no hint, or none at all, means that nothing is known."""
    path = tmp_path / "hints"
    assert read_hints(path, LAST) == {}
    path.write_text(text)
    assert read_hints(path, LAST) == {}


def test_a_hint_that_cannot_be_written_is_left(tmp_path: Path) -> None:
    """A place that takes no file costs another sweep, not the sync; a link is not followed."""
    write_hints(tmp_path / "no" / "hints", LAST, SWEPT)
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "hints.new").symlink_to(victim)
    write_hints(tmp_path / "hints", LAST, SWEPT)
    assert victim.read_text() == "kept"
    assert read_hints(tmp_path / "hints", LAST) == {}
