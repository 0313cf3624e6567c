"""Which runs of a project are looked at: all of them on one page, else those that moved, and all again at times."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from resources.conftest import Destination
from support import expected, training
from wandb_warehouse.client import RunPage, WandbClient
from wandb_warehouse.errors import RetriableRemoteError
from wandb_warehouse.resources import ProjectMarks, ProjectPath, listing
from wandb_warehouse.sandbox import Fault, Sandbox

P = ("e", "p")
QUARTER = 16 * 60.0
"""Seconds after which nothing late is waited for any more."""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a project large from six runs on."""
    monkeypatch.setattr(listing, "_PAGE", 5)


def fill(box: Sandbox) -> None:
    """A project of twelve old runs."""
    for number in range(12):
        box.add_run(
            *P, f"r{number:02}", rows=training(10, seed=number), created_at="2026-01-01", config={"n": number}
        )


def listed(destination: Destination, box: Sandbox, **more: object) -> int:
    """Load, and tell how many runs were listed."""
    return destination.load(box, **more).report.runs_listed


def wrong(destination: Destination, box: Sandbox) -> set[str]:
    """Runs whose history is not what was logged."""
    runs = box.store.projects[P].live_runs
    return {run.name for run in runs if destination.held(run.name) != expected(run.history.lines)}


def tagged(destination: Destination) -> set[str]:
    """Runs that have tags."""
    return set(destination.tables.get("run_tags", {}))


def test_a_large_project_is_asked_for_what_moved(box: Sandbox, destination: Destination) -> None:
    """Growing and new runs are listed, and running ones every time; the others are not."""
    fill(box)
    assert listed(destination, box) == 12
    assert listed(destination, box) == 0
    box.append_rows(*P, "r03", training(5, seed=50, first=10))
    box.add_run(*P, "new", rows=training(3))
    assert listed(destination, box) == 2
    box.advance(QUARTER)
    assert listed(destination, box) == 2  # once more after the lag, when late rows or a summary may have come
    assert not wrong(destination, box)


def test_what_is_recorded_late_is_seen_up_to_the_lag(box: Sandbox, destination: Destination) -> None:
    """A run heard of before the last load and recorded after it is listed for a quarter of an hour, to the second."""
    fill(box)
    box.advance(QUARTER)
    destination.load(box)
    cursor = destination.marks.cursor
    assert cursor is not None
    edge = (cursor.time - timedelta(minutes=15)).timestamp()
    for name, seconds in (("r02", edge), ("r03", edge + 60), ("r04", edge - 1)):
        run = box.store.projects[P].runs[name]
        run.history.write(10, [b'{"_step":10,"loss":0.5}'])
        run.heartbeat_at = seconds
    destination.load(box)
    assert wrong(destination, box) == {"r04"}
    destination.load(box, sweep=True)
    assert not wrong(destination, box)


def test_other_filters_list_a_large_project_whole(box: Sandbox, destination: Destination) -> None:
    """What moved before the cursor is known for the filters of that load only."""
    fill(box)
    listed(destination, box)
    box.edit(*P, "r05", config={"n": 50}, tags=["edited"])
    assert listed(destination, box) == 0
    assert listed(destination, box, filters={"config.n": 50}) == 1
    assert tagged(destination) == {"r05"}
    assert listed(destination, box, filters={"config.n": 50}) == 0
    box.edit(*P, "r06", tags=["edited"])
    assert listed(destination, box) == 12
    assert tagged(destination) == {"r05", "r06"}


def test_edits_without_a_heartbeat_show_in_a_sweep_and_after_a_long_quiet(
    box: Sandbox, destination: Destination
) -> None:
    """A sweep finds what no heartbeat tells of: when it is asked for, and when the last one is six hours old."""
    fill(box)
    listed(destination, box)
    box.edit(*P, "r07", tags=["edited"])
    assert listed(destination, box) == 0
    assert listed(destination, box, sweep=True) == 12
    assert tagged(destination) == {"r07"}
    box.edit(*P, "r08", tags=["edited"])
    box.advance(5 * 3600)
    assert listed(destination, box) == 0
    box.advance(6 * 3600)
    assert listed(destination, box) == 12
    assert tagged(destination) == {"r07", "r08"}


def test_history_never_read_is_read_in_a_large_project(box: Sandbox, destination: Destination) -> None:
    """Loaded without history, or grown and rewound in a load without it, runs get their history later."""
    fill(box)
    listed(destination, box, history="none")
    assert len(wrong(destination, box)) == 12
    listed(destination, box)
    assert not wrong(destination, box)
    box.append_rows(*P, "r04", training(10, seed=50, first=10))
    box.finish(*P, "r04")
    box.rewind(*P, "r05", 3)
    listed(destination, box, history="none", sweep=True)
    box.advance(3600)
    assert wrong(destination, box) == {"r04", "r05"}
    assert destination.load(box).report.rows == 10 + 4
    assert not wrong(destination, box)
    assert listed(destination, box) == 0


def test_a_server_that_cannot_filter_is_listed_whole(box: Sandbox, destination: Destination) -> None:
    """Where the heartbeat filter is refused, all runs are listed: slower, never wrong."""
    fill(box)
    listed(destination, box)
    box.append_rows(*P, "r03", training(5, seed=50, first=10))
    box.inject(Fault("graphql_error", "heartbeat_at"))
    assert listed(destination, box) == 12
    assert not wrong(destination, box)


class Paged:
    """Answers listings with pages of names and counts, one listing after the other; the last one again and again."""

    def __init__(self, *listings: list[tuple[str, int, int]]) -> None:
        self.listings = list(listings)

    async def list_runs(self, *_: object, **__: object) -> AsyncIterator[RunPage]:
        """Pages of one letter a run."""
        pages = self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]
        for names, count, hidden in pages:
            nodes = [{"name": name, "state": "finished"} for name in names]
            yield RunPage({"internalId": "1"}, count, nodes, datetime(2026, 1, 1, tzinfo=UTC), hidden)


@pytest.mark.parametrize(
    ("listings", "filters", "complete"),
    [
        ([[("abc", 5, 0), ("de", 5, 0)]], None, True),
        ([[("abc", 5, 0), ("de", 5, 0)]], {"state": "finished"}, False),
        ([[("abc", 5, 0), ("d", 5, 1)]], None, False),  # one is hidden: it may be any
        ([[("abc", 5, 0), ("d", 4, 0)], [("abd", 4, 0), ("e", 4, 0)]], None, True),  # one went: listed again
        ([[("abc", 5, 0), ("d", 4, 0)]], None, False),  # the list never rests
        ([[("abc", 4, 0), ("de", 5, 0)]], None, True),  # one more came while it was listed
        ([[("abc", 5, 0), ("d", 5, 0)], [("abc", 5, 0), ("de", 5, 0)]], None, True),  # short of the count
    ],
)
def test_absence_counts_in_a_complete_list_only(
    listings: list[list[tuple[str, int, int]]], filters: dict[str, str] | None, complete: bool
) -> None:
    """All runs, none hidden, as many as counted, and no fewer at the end than at the beginning."""
    client = cast("WandbClient", Paged(*listings))
    found = asyncio.run(
        listing.list_project(client, ProjectPath("e", "p"), ProjectMarks(None, {}), filters=filters)
    )
    assert found.complete is complete


def test_a_list_that_never_adds_up_fails() -> None:
    """Three listings short of the server's count are an error, not a smaller project."""
    client = cast("WandbClient", Paged([("abc", 5, 0)]))
    with pytest.raises(RetriableRemoteError, match="e/p listed 3 runs but counts 5"):
        asyncio.run(listing.list_project(client, ProjectPath("e", "p"), ProjectMarks(None, {})))


@pytest.mark.parametrize("text", ["e/p", " e/p/ ", "/e/p"])
def test_project_paths(text: str) -> None:
    """Spaces and slashes around a path do not matter."""
    assert ProjectPath.parse(text) == ProjectPath("e", "p")
    assert str(ProjectPath.parse(text)) == "e/p"


def test_a_clock_that_was_ahead_hides_nothing(box: Sandbox, destination: Destination) -> None:
    """After an answer with a date decades ahead, what moves is found, and runs are looked at again."""
    fill(box)
    box.inject(Fault("headers", "ListRuns", times=-1, value="date: Thu, 01 Jan 2099 00:00:00 GMT"))
    assert listed(destination, box) == 12
    box.faults.clear()
    box.append_rows(*P, "r03", training(5, seed=50, first=10))
    box.edit(*P, "r05", tags=["late"])
    assert listed(destination, box) == 12
    assert tagged(destination) == {"r05"}
    assert not wrong(destination, box)
    assert listed(destination, box) == 1  # the running one: the cursor is the server's time again
