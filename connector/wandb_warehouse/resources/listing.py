"""Which runs of a project moved since the destination last saw them.

A project whose runs fit one listing page is listed whole every time: one request, and most edits show. A larger one is
asked for what the heartbeat cursor and the running states select, and listed whole only when a sweep is due and when
the cursor does not tell what is wanted (other filters, history never read). A sweep also looks at the details of the
runs that did not move: config and summary may be edited without anything else changing.
The cursor is the server's own time at the start of a sync, read back with a lag; nothing here looks at a local clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from wandb_warehouse.arrow import LISTING_FIELDS, listing_digest, parse_time
from wandb_warehouse.client import WandbClient
from wandb_warehouse.errors import FatalRemoteError, RetriableRemoteError
from wandb_warehouse.resources.marks import Cursor, ProjectMarks, RunMark
from wandb_warehouse.resources.wanted import Wanted

__all__ = ["LAG", "SWEEP_AFTER", "TERMINAL_STATES", "Listing", "ProjectPath", "list_project"]

LAG = timedelta(minutes=15)
"""How far behind the last sync's start the cursor reads, for heartbeats that arrive late."""

SWEEP_AFTER = timedelta(hours=6)
"""Server time after which the details of every run are looked at again."""

TERMINAL_STATES = frozenset({"finished", "failed", "crashed", "killed", "preempted"})
"""A run in any other state is looked at again in every sync, whatever its heartbeat says."""

_PAGE = 1000
_LISTING_TRIES = 3


@dataclass(frozen=True, slots=True)
class ProjectPath:
    """A project by entity and name."""

    entity: str
    project: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `entity/project`.

        Raises:
            ValueError: the text is not two names with a slash between them.
        """
        entity, slash, project = text.strip().strip("/").partition("/")
        if not (slash and entity and project) or "/" in project:
            raise ValueError(f"{text!r} is not ENTITY/PROJECT")
        return cls(entity, project)


@dataclass(slots=True)
class Listing:
    """One look at a project: its node, the server's time, how many runs it counts, and the runs to fetch again."""

    project: dict[str, Any]
    server_time: datetime
    run_count: int
    listed: int
    whole: bool
    """Whether every run was asked for that the filters select."""
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    settling: set[str] = field(default_factory=set)
    """Those of `changed` that are only looked at once more, because late rows or a late summary may have come."""
    rest: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The others, where a sweep is due: their details are to be compared."""
    sweeps: bool = False
    names_only: bool = False
    """Whether the runs are known by their names alone: their details will tell the rest."""
    seen: set[str] = field(default_factory=set)
    run_total: int | None = None
    """Runs of the project that the server counts, whatever the filters."""
    shrank: bool = False
    """Whether the last page counted fewer runs than the first one."""
    complete: bool = False
    """Whether a run that was not seen may be gone: all were asked for, without filters, and came as counted."""

    def node(self, run_id: str) -> dict[str, Any]:
        """The light fields of a run."""
        return self.changed.get(run_id) or self.rest[run_id]

    def tell(self, node: Mapping[str, Any]) -> None:
        """Take the light fields of a run from its details, where the listing has its name alone."""
        if self.names_only:
            self.changed[node["name"]] = {name: node.get(name) for name in LISTING_FIELDS}


async def list_project(
    client: WandbClient,
    path: ProjectPath,
    marks: ProjectMarks,
    *,
    filters: Mapping[str, Any] | None = None,
    sweep: bool | None = None,
    wanted: Wanted = Wanted(),  # noqa: B008 - frozen: one shared default is safe
    names_only: bool = False,
) -> Listing:
    """List a project's runs and tell which of them differ from their marks.

    Args:
        client: asks the server.
        path: the project.
        marks: what is held of it.
        filters: MongoDB-style filters of the runs that are meant.
        sweep: look at the details of every run; None where that is due, by `SWEEP_AFTER`.
        wanted: what a destination is to hold of each run.
        names_only: ask for names alone of a project of which nothing is held.

    Raises:
        ProjectNotFoundError: the server knows no such project, or the key may not read it.
        RetriableRemoteError: the listing kept moving under us.
    """
    asked = _Asked(client, path, marks, filters, sweep, wanted, names_only and not marks.runs)
    cursor = None if sweep else _usable_cursor(marks, filters, wanted)
    if cursor is not None:
        try:
            listing = await _list(asked, _merge(filters, _moved(marks, cursor)), whole=False)
        except FatalRemoteError:
            # A server that cannot filter by heartbeat is listed whole: slower, never wrong.
            pass
        else:
            if not asked.sweeps(listing.server_time):
                return listing
    for _ in range(_LISTING_TRIES):
        listing = await _list(asked, filters, whole=True)
        # Where the count shrank, runs may have slipped from page to page unseen although the sum is right.
        if listing.listed == listing.run_count and not listing.shrank:
            return listing
    if listing.listed == listing.run_count:
        return listing  # nothing is concluded from what is absent
    raise RetriableRemoteError(
        f"{path} listed {listing.listed} runs but counts {listing.run_count}, {_LISTING_TRIES} times",
        mend="runs are being created or deleted while they are listed: run the sync again",
    )


@dataclass(slots=True)
class _Asked:
    """What is asked of one project."""

    client: WandbClient
    path: ProjectPath
    marks: ProjectMarks
    filters: Mapping[str, Any] | None
    sweep: bool | None
    wanted: Wanted
    names_only: bool

    def sweeps(self, now: datetime) -> bool:
        """Tell whether the details of every run are to be looked at."""
        if self.sweep is not None or self.marks.cursor is None:
            return bool(self.sweep)  # what was never read to its end is being read now
        swept = self.marks.swept
        if swept is None or swept.filters not in {"", Cursor.text(self.filters)}:
            return True
        return now - swept.time >= SWEEP_AFTER


def _usable_cursor(marks: ProjectMarks, filters: Mapping[str, Any] | None, wanted: Wanted) -> datetime | None:
    """Give the time since when it is enough to look at what moved; None where all runs have to be looked at."""
    if marks.cursor is None or len(marks.runs) <= _PAGE or marks.cursor.filters != Cursor.text(filters):
        return None
    if any(mark.complete and wanted.lacks(mark) for mark in marks.runs.values()):
        return None
    return marks.cursor.time


async def _list(asked: _Asked, filters: Mapping[str, Any] | None, *, whole: bool) -> Listing:
    path, marks = asked.path, asked.marks
    listing: Listing | None = None
    first_count = hidden = 0
    async for page in asked.client.list_runs(
        path.entity, path.project, filters=dict(filters or {}), page_size=_PAGE, names_only=asked.names_only
    ):
        if listing is None:
            listing = Listing(page.project, page.server_time, page.run_count, 0, whole)
            listing.names_only = asked.names_only
            listing.sweeps = whole and asked.sweeps(page.server_time)
            first_count = page.run_count
        # Runs created after the first page were not counted by it; the count of the last page decides.
        listing.run_count, listing.run_total = page.run_count, page.run_total
        listing.listed += len(page.nodes) + page.hidden
        hidden += page.hidden
        for node in page.nodes:
            name = node["name"]
            listing.seen.add(name)
            mark = marks.runs.get(name)
            settling = mark is not None and _settles(node, mark, listing.server_time)
            if settling:
                listing.settling.add(name)
            if settling or mark is None or _moved_on(node, mark, asked.wanted):
                listing.changed[name] = node
            elif listing.sweeps:
                listing.rest[name] = node
    if listing is None:
        raise FatalRemoteError(
            f"{path} answered without a single page",
            mend="check WANDB_BASE_URL: is this a W&B server?",
        )
    listing.shrank = listing.run_count < first_count
    counted = listing.listed == listing.run_count and not listing.shrank
    listing.complete = whole and not filters and not hidden and counted
    return listing


def _moved_on(node: Mapping[str, Any], mark: RunMark, wanted: Wanted) -> bool:
    if not mark.complete or wanted.lacks(mark):
        return True
    return node.get("state") not in TERMINAL_STATES or listing_digest(node) != mark.listing_digest


def _settles(node: Mapping[str, Any], mark: RunMark, now: datetime) -> bool:
    """Tell whether a run is due to be looked at once more after the lag."""
    heartbeat = parse_time(node.get("heartbeatAt"))
    return heartbeat is not None and mark.synced_at < heartbeat + LAG <= now


def _moved(marks: ProjectMarks, cursor: datetime) -> dict[str, Any]:
    """Filter for what may have moved: late heartbeats, new runs, running states, and runs left incomplete."""
    since = (cursor - LAG).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    incomplete = [run_id for run_id, mark in marks.runs.items() if not mark.complete]
    moved: list[dict[str, Any]] = [
        {"heartbeat_at": {"$gte": since}},
        {"created_at": {"$gte": since}},
        {"state": {"$nin": sorted(TERMINAL_STATES)}},
    ]
    if incomplete:
        moved.append({"name": {"$in": incomplete}})
    return {"$or": moved}


def _merge(filters: Mapping[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    return {"$and": [dict(filters), more]} if filters else more
