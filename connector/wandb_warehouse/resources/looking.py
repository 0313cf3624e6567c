"""The first phase of an extraction: every project is listed, and what moved, is gone or came back is looked at."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wandb_warehouse.arrow import Numbers, RunRef, parse_time
from wandb_warehouse.client import WandbClient
from wandb_warehouse.errors import RemoteError
from wandb_warehouse.resources.absent import is_mass_deletion, look_at
from wandb_warehouse.resources.coverage import Coverage
from wandb_warehouse.resources.deadline import DETAILS_SHARE, Deadline
from wandb_warehouse.resources.details import Detail, one_line, read_details
from wandb_warehouse.resources.listing import Listing, ProjectPath, list_project
from wandb_warehouse.resources.marks import Cursor, Marks, ProjectMarks
from wandb_warehouse.resources.moved import Moved, convert, project_id, project_row
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.rounds import Rounds
from wandb_warehouse.resources.scopes import OF_ONE_PROJECT, Scope, read_projects, resolve
from wandb_warehouse.resources.spool import Part, TableSpool
from wandb_warehouse.resources.wanted import Wanted

if TYPE_CHECKING:
    from wandb_warehouse.errors import WarehouseError

__all__ = ["Look", "LookOptions", "Seen"]


@dataclass(frozen=True, slots=True)
class LookOptions:
    """How projects are looked at."""

    filters: Mapping[str, Any] | None = None
    sweep: bool | None = None
    """Look at the details of every run; None where that is due."""
    full_refresh: bool = False
    deletions: bool = False
    """Look for runs that are gone: only a destination that keeps tombstones can use them."""
    mass_deletion: bool = False
    """Believe that many runs at once are gone."""


@dataclass(slots=True)
class Seen:
    """What was seen of all projects."""

    parts: list[Part] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    started: dict[ProjectPath, datetime] = field(default_factory=dict)
    """Server time when each project was listed."""
    projects: list[ProjectPath] = field(default_factory=list)
    """Projects whose row is written anew."""
    unfinished: set[ProjectPath] = field(default_factory=set)
    """Projects of which not every run that moved was looked at: their cursor must not move."""
    swept: dict[ProjectPath, Cursor] = field(default_factory=dict)
    """Since when the details of every run are known, where that is news."""
    gone: list[RunRef] = field(default_factory=list)
    """Runs proven gone."""
    looked_at: set[RunRef] = field(default_factory=set)
    """Runs whose details were asked for."""
    unswept: set[ProjectPath] = field(default_factory=set)
    """Projects of which not every other run was looked at, although a sweep is due."""
    renamed: bool = False
    """Whether a project is held under a new name."""


class Look:
    """Looks at the projects of one extraction, one after the other."""

    def __init__(
        self,
        client: WandbClient,
        marks: Marks,
        report: ExtractionReport,
        *,
        wanted: Wanted,
        coverage: Coverage,
        options: LookOptions,
        deadline: Deadline,
        rounds: Rounds,
        numbers: Numbers | None,
        spool: TableSpool,
    ) -> None:
        self.seen = Seen()
        self._client = client
        self._marks = marks
        self._report = report
        self._wanted = wanted
        self._coverage = coverage
        self._options = options
        self._deadline = deadline
        self._rounds = rounds
        self._numbers = numbers
        self._spool = spool
        self._meant: frozenset[ProjectPath] = frozenset()

    async def read(self, scopes: Sequence[Scope]) -> Seen:
        """Look at every project that is meant.

        Raises:
            WarehouseError: no project could be read (the first failure), or the server as a whole does not answer.
        """
        failed: dict[str, WarehouseError] = {}
        paths = await resolve(self._client, scopes, failed)
        self._meant = frozenset(paths)
        self._report.projects = [str(path) for path in paths]
        if self._deadline.seconds is not None:
            paths.sort(key=self._last_read)  # so that every project has its turn
        await read_projects(self._client, paths, self._read_project, failed)
        self._report.failed = {name: one_line(error) for name, error in failed.items()}
        await self._coverage.compare(self._client)
        self.seen.parts = self._spool.close()
        self._rounds.moved |= {moved.run for moved in self.seen.moved}
        self._report.runs_changed = len(self._rounds.moved)
        self._report.runs_unchanged = self._report.runs_listed - self._report.runs_changed
        self._report.runs_deleted += len(self.seen.gone)
        return self.seen

    def _last_read(self, path: ProjectPath) -> datetime:
        cursor = self._marks.project(path.entity, path.project).cursor
        return datetime.min.replace(tzinfo=UTC) if cursor is None else cursor.time

    async def _read_project(self, path: ProjectPath) -> None:
        if path in self._rounds.finished:
            return
        if self.seen.started and self._enough():
            self._report.projects_left.append(str(path))
            return
        self._report.phase = "listing"
        held = self._marks.project(path.entity, path.project)
        listing = await self._list(path, held)
        if held.cursor is None and not held.runs and not held.deleted and await self._renamed(path, listing):
            held = self._marks.project(path.entity, path.project)
            listing = await self._list(path, held, sweep=True)  # ids of runs have the project's name in them
        gone = await self._gone(path, held, listing)
        self._rounds.sift(path, listing, self._counting(held), self._wanted)
        seen = self.seen
        seen.started[path] = listing.server_time
        seen.unfinished.add(path)
        self._report.runs_listed = sum(self._rounds.listed.values())
        self._report.phase = "details"
        before = len(seen.moved)
        try:
            if await self._details(path, listing, held, list(listing.changed), moved=True):
                seen.unfinished.remove(path)
                if await self._details(path, listing, held, list(listing.rest), moved=False):
                    self._note_sweep(path, listing, held)
                else:
                    seen.unswept.add(path)
        except OF_ONE_PROJECT:
            self._begin_coverage(path, listing, before, readable=False)
            raise
        self._begin_coverage(path, listing, before, readable=True, gone=bool(gone))
        seen.gone += gone
        restored = sum(moved.run.run_id in held.deleted for moved in seen.moved[before:])
        self._report.runs_restored += restored
        if gone or held.cursor is None or any(moved.details_changed for moved in seen.moved[before:]):
            self._spool.add("projects", project_row(path, listing))
            seen.projects.append(path)

    def _enough(self) -> bool:
        """Tell whether the histories found so far fill the time that is left."""
        tasks = sum((moved.task or moved.sample) is not None for moved in self.seen.moved)
        limit = self._rounds.enough
        return self._deadline.passed(DETAILS_SHARE) or (limit is not None and tasks >= limit)

    async def _list(self, path: ProjectPath, held: ProjectMarks, *, sweep: bool | None = None) -> Listing:
        return await list_project(
            self._client,
            path,
            self._counting(held),
            filters=self._options.filters,
            sweep=self._options.sweep if sweep is None else sweep,
            wanted=self._wanted,
            names_only=True,
        )

    def _counting(self, held: ProjectMarks) -> ProjectMarks:
        """What counts of what is held: nothing, where everything is fetched again."""
        return ProjectMarks(None, {}, held.deleted) if self._options.full_refresh else held

    async def _renamed(self, path: ProjectPath, listing: Listing) -> bool:
        """Tell whether a new project is one that is held under another name, and hold it under this one."""
        known = project_id(listing)
        for old in self._marks.names_of(known) if known else ():
            runs = self._marks.project(*old).runs.keys()
            born = parse_time(listing.project.get("createdAt"))
            same = born is not None and self._marks.created_at(*old) == born
            if not same and len(runs & listing.seen) < len(runs) / 2:
                continue  # another server may give the same id to another project
            there = await self._client.internal_id(*old)
            if there is None or (there == known and ProjectPath(*old) not in self._meant):
                self._marks.rename(old, (path.entity, path.project))
                if self._numbers is not None:
                    self._numbers.rename(old, (path.entity, path.project))
                self.seen.renamed = True
                return True
        return False

    async def _gone(self, path: ProjectPath, held: ProjectMarks, listing: Listing) -> list[RunRef]:
        """Prove which runs are gone; what is there in spite of the listing counts as moved."""
        absent = sorted(held.runs.keys() - listing.seen) if listing.complete else []
        if not absent or not self._options.deletions:
            return []
        found = await look_at(self._client, path, absent, min(listing.seen, default=None))
        listing.changed |= found.present
        for run_id, reason in found.unknown.items():
            self._report.quarantined[f"{path}/{run_id}"] = (
                f"it is not listed any more, and whether it is gone cannot be told: {reason}"
            )
        if is_mass_deletion(len(found.gone), len(held.runs)) and not self._options.mass_deletion:
            self._report.mass_deletions[str(path)] = len(found.gone)
            return []
        return [RunRef(path.entity, path.project, run_id) for run_id in sorted(found.gone)]

    async def _details(
        self, path: ProjectPath, listing: Listing, held: ProjectMarks, run_ids: Sequence[str], *, moved: bool
    ) -> bool:
        """Look at the details of some runs; False where the time was up before all were looked at."""
        counting = self._counting(held)
        looked_at = 0
        async with aclosing(read_details(self._client, path, run_ids)) as batches:
            async for found in batches:
                known = [each for each in found if not self._is_unread(path, held, each.run_id, each.error)]
                await self._tell(path, listing, known)
                for some, tables in await asyncio.to_thread(
                    convert, path, listing, counting, self._wanted, known
                ):
                    for name, table in tables.items():
                        self._spool.add(name, table)
                    self.seen.moved += [each for each in some if each.matters]
                looked_at += len(found)
                self.seen.looked_at |= {RunRef(path.entity, path.project, each.run_id) for each in found}
                del found, known  # before the next ones are waited for
                left = len(run_ids) - looked_at
                if left and self._enough():
                    if moved:
                        self._report.runs_left += left
                    else:
                        self._report.compares_left += left
                    return False
        return True

    async def _tell(self, path: ProjectPath, listing: Listing, details: Sequence[Detail]) -> None:
        """Let the listing know the light fields of runs; of one without details they are asked for."""
        if not listing.names_only:
            return
        unread = [detail.run_id for detail in details if detail.node is None]
        light: Mapping[str, dict[str, Any] | None] = {}
        if unread:
            with suppress(RemoteError):  # then its name is all that is known
                light = await self._client.look_up(path.entity, path.project, unread)
        for node in (*(detail.node for detail in details), *light.values()):
            if node is not None:
                listing.tell(node)

    def _is_unread(self, path: ProjectPath, held: ProjectMarks, run_id: str, error: str | None) -> bool:
        """Tell whether a run that came back cannot be read: it stays deleted, with what is held of it."""
        if error is None or run_id not in held.deleted:
            return False
        self._report.quarantined[f"{path}/{run_id}"] = error
        return True

    def _note_sweep(self, path: ProjectPath, listing: Listing, held: ProjectMarks) -> None:
        """Note since when the details of every run are known."""
        since = self._rounds.started[path]
        if not listing.whole:
            return
        if not listing.sweeps:
            counting = self._counting(held)
            others = listing.seen - listing.changed.keys()
            if (counting.cursor is not None and others) or not others <= counting.runs.keys():
                return
            # A project that is being read for the first time, in several syncs.
            since = min([since, *(counting.runs[run_id].synced_at for run_id in others)])
        self.seen.swept[path] = Cursor(since, Cursor.text(self._options.filters))

    def _begin_coverage(
        self, path: ProjectPath, listing: Listing, before: int, *, readable: bool, gone: bool = False
    ) -> None:
        moved = self.seen.moved[before:]
        known = [each for each in moved if each.error is None]
        # What is owed counts on where not every run was looked at, and so do the runs that were not.
        begun = path in self._rounds.begun
        fresh = self._options.full_refresh and path not in self.seen.unfinished and not begun
        held = {} if fresh else self._marks.project(path.entity, path.project).runs
        self._coverage.begin(
            path,
            # A run without a digest never came as far as its details.
            held={run_id for run_id, mark in held.items() if mark.detail_digest},
            # A run that is only behind with its history did not move.
            moved={
                each.run.run_id: listing.node(each.run.run_id)
                for each in known
                if each.details_changed or each.settling
            },
            failed=_ids(moved) - _ids(known),
            fresh=fresh,
            readable=readable,
            sweeps=(listing.sweeps and not begun) or gone,
        )


def _ids(runs: Iterable[Moved]) -> set[str]:
    return {each.run.run_id for each in runs}
