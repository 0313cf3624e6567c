"""What the rounds of one sync did so far, so that each goes on where the one before stopped.

A long sync publishes several times: every round lists, fetches until its time is up, and publishes. A run is looked at
once in all of them, whether it could be read or not, and a project of which nothing is left is not listed again. So the
rounds come to an end, however much moves meanwhile, and what fails does not fail again in each of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wandb_warehouse.arrow import RunRef
from wandb_warehouse.resources.listing import Listing, ProjectPath
from wandb_warehouse.resources.marks import ProjectMarks, RunMark, Shortfalls
from wandb_warehouse.resources.wanted import Wanted

__all__ = ["Rounds"]

_AT_LEAST = 100
"""Runs whose details are asked for in a round, however few histories the round before came to."""


@dataclass(slots=True)
class Rounds:
    """Shared by the extractions of one sync; an extraction on its own has one of its own."""

    started: dict[ProjectPath, datetime] = field(default_factory=dict)
    """Server time at the first look at each project: what moved since is the next sync's."""
    listed: dict[ProjectPath, int] = field(default_factory=dict)
    """Runs at the last look at each project."""
    moved: set[RunRef] = field(default_factory=set)
    """Runs about which there was anything to write."""
    concluded: set[RunRef] = field(default_factory=set)
    """Runs brought up to date, or tried in vain."""
    begun: set[ProjectPath] = field(default_factory=set)
    """Projects that an earlier round looked at."""
    finished: set[ProjectPath] = field(default_factory=set)
    """Projects of which nothing is left."""
    short: dict[tuple[str, str], Shortfalls] = field(default_factory=dict)
    """Why tables beside details and history came short: they are tried again in the next sync."""
    enough: int | None = None
    """Runs whose histories are sure to fill a round: no more details are asked for. None while that is not known."""

    def sift(self, path: ProjectPath, listing: Listing, marks: ProjectMarks, wanted: Wanted) -> None:
        """Take note of a listing, and leave in it what is to be looked at: what was left longest comes first."""
        self.started.setdefault(path, listing.server_time)
        self.listed[path] = listing.listed
        seen = listing.changed.keys() | listing.rest.keys()
        done = {name for name in seen if RunRef(path.entity, path.project, name) in self.concluded}
        left = [name for name in listing.changed if name not in done]
        left.sort(key=lambda name: _turn(marks.runs.get(name), wanted))
        listing.changed = {name: listing.changed[name] for name in left}
        listing.rest = {name: node for name, node in listing.rest.items() if name not in done}
        listing.settling &= listing.changed.keys()

    def gave_up(self, path: ProjectPath, table: str) -> set[str]:
        """Runs (`*` for the project) of which an earlier round could not read a table."""
        return set(self.short.get((path.entity, path.project), {}).get(table, {}))

    def end(
        self,
        *,
        begun: Iterable[ProjectPath],
        concluded: Iterable[RunRef],
        finished: Iterable[ProjectPath],
        short: dict[tuple[str, str], Shortfalls],
        histories: int,
        left: int,
    ) -> bool:
        """Take note of what a round did beyond tables beside runs; tell whether it was anything.

        Args:
            begun: projects that were looked at.
            concluded: runs that need no further look in this sync.
            finished: projects that need none.
            short: what tables came short of.
            histories: how many runs' histories were read.
            left: how many were left because the time was up.
        """
        before = self._size()
        self.begun.update(begun)
        self.concluded.update(concluded)
        self.finished.update(finished)
        for project, tables in short.items():
            for table, reasons in tables.items():
                self.short.setdefault(project, {}).setdefault(table, {}).update(reasons)
        if left:
            self.enough = max(_AT_LEAST, 2 * histories)
        elif self.enough is not None:
            self.enough *= 2
        return self._size() != before

    def _size(self) -> tuple[int, int, int]:
        short = sum(len(reasons) for tables in self.short.values() for reasons in tables.values())
        return len(self.concluded), len(self.finished), short


def _turn(mark: RunMark | None, wanted: Wanted) -> tuple[Any, ...]:
    """Place of a run among those to look at: begun and left, then new, then the others by their last look."""
    if mark is None:
        return (1,)
    if mark.complete and wanted.lacks(mark):
        return (0,)
    return 2, mark.synced_at
