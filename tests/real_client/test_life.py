"""One run of the official client through its life, synced again and again into one warehouse."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lengths import short_or_all
from real_client.compare import (
    ABSENT,
    Account,
    Allowed,
    Difference,
    compare,
    compare_with_wire,
    explain,
    read_warehouse,
    same,
    sync_project,
    wire_history,
)
from real_client.official import Life, OfficialClient
from wandb_warehouse.sandbox import Sandbox, Switches
from wandb_warehouse.sync import SyncReport
from wandb_warehouse.warehouse import content_digest

NAME = "grows"
SPARSE = 7


def rows(start: int, count: int) -> list[dict[str, Any]]:
    """Rows of a metric in each, one in every seventh, and a nested one."""
    return [
        {"loss": 1 / (step + 1), "nested": {"at": step}}
        | ({"sparse": step * 0.5} if step % SPARSE == 0 else {})
        for step in range(start, start + count)
    ]


def in_an_export(difference: Difference) -> bool:
    """Tell whether the official reader shows a null where the run logged nothing: in exported rows."""
    return (
        difference.section == "history"
        and difference.key == "sparse"
        and (difference.theirs, difference.ours, difference.wire) == (None, ABSENT, ABSENT)
    )


def doubled(difference: Difference) -> bool:
    """Tell whether the official reader has a row twice and the warehouse once."""
    if difference.section == "rows":
        return bool(difference.theirs > difference.ours)
    again = any(same(difference.theirs, value) for value in difference.sent)
    return difference.section == "history" and again and difference.ours is ABSENT


NULLS = Allowed(
    "metrics not logged in a row are null", "an export has a column for every metric", in_an_export
)
LISTED = Allowed(
    "the listing loses W&B's own config entries",
    "Runs(lazy=False) parses a config twice, and the second time from the entries of the user only",
    lambda d: d.section == "listed rawconfig" and d.key == "_wandb" and d.theirs is ABSENT,
)
TWICE = Allowed(
    "rows on the page of the boundary come twice",
    "the client adds the rows of `history`, exported ones among them, to those of the exports, and drops none",
    doubled,
)


@dataclass
class Story:
    """A run being written, the warehouse it is synced into, and how the two are compared."""

    client: OfficialClient
    life: Life
    warehouse: Path
    accounts: list[Account]

    @property
    def box(self) -> Sandbox:
        """The server."""
        return self.client.box

    def sync(self) -> SyncReport:
        """Sync into the same warehouse as ever."""
        return sync_project(self.box, self.client.project, self.warehouse)

    def check(self, title: str, *, rows: int, allowed: tuple[Allowed, ...] = (LISTED,)) -> None:
        """Sync; then the warehouse holds every row sent, once, and equals what the official client reads."""
        with self.life.held_still():
            self.sync()
            held, theirs = read_warehouse(self.warehouse, self.client.project), self.client.read()
        wire = wire_history(self.box, self.client.project)
        assert held[NAME]["rows"] == rows
        assert compare_with_wire(held, wire).differences == []
        comparison = compare(theirs, held, wire)
        self.accounts.append(Account(title, comparison, explain(comparison, allowed)))

    def export(self, upto_step: int | None = None, *, append: bool = False) -> None:
        """Have the server export rows."""
        self.box.export(self.box.entity, self.client.project, NAME, upto_step, append=append)


@pytest.fixture
def story(
    request: pytest.FixtureRequest, tmp_path: Path, warehouse: Path, accounts: list[Account]
) -> Iterator[Story]:
    """A run begun in a project that has a finished run already."""
    with Sandbox(switches=Switches(history_includes_exported=request.param)) as box:
        box.add_run(box.entity, "life", "before", rows=[{"loss": 2.0}, {"loss": 1.0}], config={"lr": 0.5})
        client = OfficialClient(box, "life", tmp_path)
        with client.life() as life:
            yield Story(client, life, warehouse, accounts)


@pytest.mark.slow
@pytest.mark.parametrize(
    "story",
    short_or_all([True], [True, False]),
    indirect=True,
    ids=lambda each: f"exported rows: {each}",
)
def test_a_run_through_its_life(story: Story, request: pytest.FixtureRequest) -> None:
    """Rows come live, are exported in the middle, go on, are exported to the end, and go on after a resume.

    After each step one sync into the same warehouse brings every row, once; a sync with nothing new changes nothing.
    """
    includes = story.box.switches.history_includes_exported
    title = f"life, history {'with' if includes else 'without'} exported rows: "
    life, box = story.life, story.box

    life.tell("init", id=NAME, config={"lr": 0.1}, tags=["a"])
    life.log(rows(0, 60), arrived=60)
    story.check(title + "live", rows=60)

    story.export(upto_step=39)
    life.log(rows(60, 40), arrived=100)
    mixed = (LISTED, NULLS, TWICE) if includes else (LISTED, NULLS)
    story.check(title + "exported in the middle", rows=100, allowed=mixed)

    story.export(append=True)
    life.tell("finish")
    story.check(title + "exported and finished", rows=100, allowed=(LISTED, NULLS))

    life.tell("init", id=NAME, resume="must", config={"late": True})
    life.log(rows(100, 25), arrived=125)
    story.check(title + "resumed", rows=125, allowed=mixed)

    life.tell("die")
    box.advance(400)
    story.check(title + "crashed", rows=125, allowed=mixed)
    held = read_warehouse(story.warehouse, story.client.project)[NAME]
    assert held["state"] == "crashed"
    assert same(held["config"], {"lr": 0.1, "late": True})

    before = content_digest(story.warehouse)
    again = story.sync()
    assert again.requests <= 3
    assert content_digest(story.warehouse) == before
