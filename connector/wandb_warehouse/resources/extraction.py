"""One extraction: what moved in each project, the moved runs' details, and their history.

Two phases. `details()` lists every project and writes projects, runs, config, summary, tags and metrics of the runs
that moved; `history()` then streams part files of their rows. Each runs once, whichever resource asks first.
"""

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from wandb_warehouse.arrow import (
    Numbers,
    RunCount,
    RunRef,
    Selection,
    detail_digest,
    key_counts,
    key_types,
    listing_digest,
    parse_time,
    run_tables,
)
from wandb_warehouse.client import WandbClient
from wandb_warehouse.errors import FatalRemoteError, WarehouseError
from wandb_warehouse.resources.bridge import EventLoopThread
from wandb_warehouse.resources.coverage import Coverage, CoverageOptions
from wandb_warehouse.resources.deadline import DETAILS_SHARE, Deadline
from wandb_warehouse.resources.details import Detail, one_line, parts, read_details
from wandb_warehouse.resources.history import HistoryReader, HistoryTask, RunOutcome
from wandb_warehouse.resources.listing import Listing, ProjectPath, list_project
from wandb_warehouse.resources.marks import Cursor, Marks, ProjectMarks, RunMark
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.rounds import Rounds
from wandb_warehouse.resources.sampling import SampleOutcome, SampleReader, SampleTask
from wandb_warehouse.resources.scopes import OF_ONE_PROJECT, Scope, read_projects, resolve
from wandb_warehouse.resources.spool import Part, TableSpool
from wandb_warehouse.resources.wanted import DEFAULT_SAMPLES, HistoryMode, Wanted
from wandb_warehouse.schema import TABLES

__all__ = ["Extraction", "HistoryMode", "RunResult", "Session", "connected"]

Session = tuple[EventLoopThread, WandbClient]
"""A client, and the loop that it works in."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What an extraction did about one run that moved."""

    run: RunRef
    details_changed: bool
    expected_rows: int | None
    mark: RunMark
    outcome: RunOutcome | None
    """How its history was read; None where there was nothing to read."""
    values: int = 0
    """History values read."""
    sample: SampleOutcome | None = None
    """How its history was sampled; None where it was not."""
    error: str | None = None
    """Why the run is left out or incomplete."""


@dataclass(slots=True)
class _Moved:
    run: RunRef
    listing_digest: str
    detail_digest: str
    details_changed: bool
    heartbeat_at: datetime | None
    expected_rows: int | None
    task: HistoryTask | None
    settling: bool
    sample: SampleTask | None = None
    details_as: str = ""
    error: str | None = None

    @property
    def matters(self) -> bool:
        """Whether there is anything to write about the run."""
        return self.details_changed or self.settling or (self.task or self.sample or self.error) is not None


@dataclass(slots=True)
class _Details:
    parts: list[Part] = field(default_factory=list)
    moved: list[_Moved] = field(default_factory=list)
    started: dict[ProjectPath, datetime] = field(default_factory=dict)
    projects: list[ProjectPath] = field(default_factory=list)
    unfinished: set[ProjectPath] = field(default_factory=set)
    """Projects of which not every run was looked at: their cursor must not move."""
    looked_at: set[RunRef] = field(default_factory=set)
    """Runs whose details were asked for."""


class Extraction:
    """What W&B holds beyond the marks of one destination, as parquet part files.

    As a context manager it keeps one connection for both phases; without, each phase opens its own. Where it is one of
    the rounds of a sync, it is given what they share: the session, the report, and what the rounds before did.
    """

    def __init__(
        self,
        projects: Sequence[Scope],
        open_client: Callable[[], WandbClient],
        marks: Marks,
        *,
        directory: Path | None = None,
        history: HistoryMode = "full",
        filters: Mapping[str, Any] | None = None,
        sweep: bool = False,
        full_refresh: bool = False,
        selection: Selection = Selection(),  # noqa: B008 - frozen: one shared default is safe
        samples: int = DEFAULT_SAMPLES,
        tables: Sequence[str] = (),
        deadline: Deadline = Deadline(),  # noqa: B008 - without seconds it never passes
        coverage: CoverageOptions = CoverageOptions(),  # noqa: B008 - frozen: one shared default is safe
        numbers: Numbers | None = None,
        session: Session | None = None,
        report: ExtractionReport | None = None,
        rounds: Rounds | None = None,
    ) -> None:
        self.scopes = tuple(projects)
        self.report = report or ExtractionReport()
        self.report.begin()
        self.results: list[RunResult] = []
        self._open_client = open_client
        self._marks = marks
        self._directory = directory
        self._wanted = Wanted(history, selection, samples, tuple(tables))
        self._filters = filters
        self._sweep = sweep
        self._full_refresh = full_refresh
        self._deadline = deadline
        self._numbers = numbers
        self.left: set[RunRef] = set()
        """Runs whose history was left for the next sync."""
        self._rounds = rounds or Rounds()
        self.coverage = Coverage(marks, self.report, coverage, selection, deadline, rounds=self._rounds)
        self._details: _Details | None = None
        self._outcomes: Mapping[RunRef, RunOutcome] = {}
        self._counts: Mapping[RunRef, RunCount] = {}
        self._sampled: Mapping[RunRef, SampleOutcome] = {}
        self._stack = ExitStack()
        self._held = session

    def __enter__(self) -> Self:
        if self._held is None:
            self._held = self._stack.enter_context(connected(self._open_client))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = None
        self._stack.close()

    def details(self) -> list[Part]:
        """Return the part files of every table but history."""
        return self._phase_one().parts

    def is_empty(self) -> bool:
        """Tell whether nothing moved: no row to write, no history to fetch, no run to settle, no table behind."""
        details = self._phase_one()
        return not details.parts and not details.moved and not self.coverage.is_due()

    def moved_projects(self) -> list[ProjectPath]:
        """Projects whose row is written anew."""
        return self._phase_one().projects

    def beside(self, name: str) -> list[Part]:
        """Return the part files of a table beside details and history."""
        self._phase_one()
        with self._session() as (loop, client):
            return loop.call(self.coverage.read(client, name, self._work()))

    def history(self) -> Iterator[Part]:
        """Yield part files of history rows as they are finished; `results` is filled when it ends."""
        details = self._phase_one()
        tasks = [moved.task for moved in details.moved if moved.task is not None]
        with self._session() as (loop, client):
            self.report.phase = "history"
            reader = HistoryReader(
                client,
                self._work(),
                self.report,
                self._wanted.selection,
                self._deadline,
                numbers=self._numbers,
            )
            yield from loop.iterate(reader.read(tasks))
        self._outcomes, self._counts = reader.outcomes, reader.writer.counts
        self._leave(tasks, reader.outcomes)
        self._conclude(details)

    def sampled(self) -> Iterator[Part]:
        """Yield the part files of sampled rows; `results` is filled when it ends."""
        details = self._phase_one()
        tasks = [moved.sample for moved in details.moved if moved.sample is not None]
        if not tasks:
            return
        with self._session() as (loop, client):
            self.report.phase = "history"
            reader = SampleReader(
                client, self.report, self._wanted.samples, self._deadline, numbers=self._numbers
            )
            yield from loop.call(reader.read(tasks, self._work()))
        self._sampled = reader.outcomes
        self._leave(tasks, reader.outcomes)
        self._conclude(details)

    def started_at(self) -> datetime:
        """Server time when the first project was listed, in the first round of a sync."""
        self._phase_one()
        return min(self._rounds.started.values())

    def end_round(self) -> bool:
        """Take note for the next round of what this one did; tell whether it was anything."""
        details = self._phase_one()
        homes = {(run.entity, run.project) for run in self.left}
        finished = [
            path
            for path in details.started
            if path not in details.unfinished
            and (path.entity, path.project) not in homes
            and not self.coverage.owes(path)
        ]
        ended = self._rounds.end(
            begun=details.started,
            concluded=details.looked_at - self.left,
            finished=finished,
            short=self.coverage.short,
            histories=len(self._outcomes) + len(self._sampled),
            left=len(self.left),
        )
        return ended or self.coverage.read_anything

    def _leave(self, tasks: Sequence[HistoryTask | SampleTask], done: Collection[RunRef]) -> None:
        """Note which runs were left because the time was up."""
        left = {task.run for task in tasks if task.run not in done}
        self.left |= left
        self.report.runs_left += len(left)

    def _conclude(self, details: _Details) -> None:
        self.results = [
            self._result(moved, details, self._outcomes.get(moved.run), self._counts.get(moved.run))
            for moved in details.moved
        ]
        for path in details.started:
            marks = {
                result.run.run_id: result.mark
                for result in self.results
                if (result.run.entity, result.run.project) == (path.entity, path.project)
            }
            cursor: Cursor | None = Cursor(self._rounds.started[path], Cursor.text(self._filters))
            if path in details.unfinished:
                cursor = self._marks.project(path.entity, path.project).cursor
            if cursor is not None:  # nothing is remembered of a new project that was not read to its end
                self._marks.record(path.entity, path.project, cursor, marks)

    def _result(
        self, moved: _Moved, details: _Details, outcome: RunOutcome | None, count: RunCount | None
    ) -> RunResult:
        run = moved.run
        held = self._marks.project(run.entity, run.project).runs.get(run.run_id)
        sample = self._sampled.get(run)
        error = outcome.error if outcome else sample.error if sample else moved.error
        mark = RunMark(
            moved.listing_digest,
            moved.detail_digest,
            details.started[ProjectPath(run.entity, run.project)],
            moved.heartbeat_at,
            stored_rows=held.stored_rows if held else None,
            last_step=held.last_step if held else -1,
            # What is incomplete stays so until its history is read again.
            complete=error is None and (outcome is not None or held is None or held.complete),
            expected_rows=moved.expected_rows,
            last_timestamp=held.last_timestamp if held else None,
            details_as=moved.details_as,
            history_as=held.history_as if held else "",
            sampled_as=held.sampled_as if held else "",
            sampled_rows=held.sampled_rows if held else None,
        )
        if sample is not None and sample.error is None:
            mark = replace(mark, sampled_as=self._wanted.sampled_as, sampled_rows=moved.expected_rows)
        if run in self.left:
            # What moved shows next time by its rows; where it does not, the run is to be read again all the same.
            sampled = self._wanted.history == "sampled"
            mark = (
                replace(mark, sampled_as="")
                if sampled
                else replace(mark, complete=mark.complete and mark.behind)
            )
        if outcome is not None and outcome.replaces:
            mark = replace(mark, history_as=self._wanted.history_as)
        if outcome is not None:
            mark = replace(
                mark,
                stored_rows=outcome.rows,
                last_step=outcome.last_step,
                last_timestamp=outcome.last_timestamp,
            )
        if error is not None:
            self.report.quarantined[f"{run.entity}/{run.project}/{run.run_id}"] = error
        values = count.values if count else 0
        return RunResult(
            run, moved.details_changed, moved.expected_rows, mark, outcome, values, sample, error
        )

    def _phase_one(self) -> _Details:
        if self._details is None:
            with self._session() as (loop, client):
                self._details = loop.call(self._read_details(client))
            # What is known without the history: it stands where nobody asks for the history.
            self._conclude(self._details)
        return self._details

    @contextmanager
    def _session(self) -> Iterator[Session]:
        if self._held is not None:
            yield self._held
            return
        with connected(self._open_client) as session:
            yield session

    def _work(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="wandb-warehouse-"))
            weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        return self._directory

    async def _read_details(self, client: WandbClient) -> _Details:
        details = _Details()
        with TableSpool(self._work()) as spool:

            def enough() -> bool:
                tasks = sum((moved.task or moved.sample) is not None for moved in details.moved)
                limit = self._rounds.enough
                return self._deadline.passed(DETAILS_SHARE) or (limit is not None and tasks >= limit)

            async def read(path: ProjectPath) -> None:
                if path in self._rounds.finished:
                    return
                if details.started and enough():
                    self.report.projects_left.append(str(path))
                    return
                self.report.phase = "listing"
                marks = self._marks.project(path.entity, path.project)
                if self._full_refresh:
                    marks = ProjectMarks(None, {})
                listing = await list_project(
                    client,
                    path,
                    marks,
                    filters=self._filters,
                    sweep=self._sweep,
                    wanted=self._wanted,
                )
                self._rounds.sift(path, listing, marks, self._wanted)
                details.started[path] = listing.server_time
                details.unfinished.add(path)
                self.report.runs_listed = sum(self._rounds.listed.values())
                self.report.phase = "details"
                before = len(details.moved)
                looked_at = 0
                try:
                    async with aclosing(read_details(client, path, list(listing.changed))) as batches:
                        async for found in batches:
                            for moved, tables in await asyncio.to_thread(
                                self._convert, path, listing, marks, found
                            ):
                                for name, table in tables.items():
                                    spool.add(name, table)
                                details.moved += [each for each in moved if each.matters]
                            looked_at += len(found)
                            details.looked_at |= {
                                RunRef(path.entity, path.project, detail.run_id) for detail in found
                            }
                            left = len(listing.changed) - looked_at
                            if left and enough():
                                self.report.runs_left += left
                                break
                        else:
                            details.unfinished.remove(path)
                except OF_ONE_PROJECT:
                    self._begin_coverage(path, listing, details, before, readable=False)
                    raise
                self._begin_coverage(path, listing, details, before, readable=True)
                if any(moved.details_changed for moved in details.moved[before:]) or marks.cursor is None:
                    spool.add("projects", _project_row(path, listing))
                    details.projects.append(path)

            failed: dict[str, WarehouseError] = {}
            paths = await resolve(client, self.scopes, failed)
            self.report.projects = [str(path) for path in paths]
            if self._deadline.seconds is not None:
                paths.sort(key=self._last_read)  # so that every project has its turn
            await read_projects(client, paths, read, failed)
            self.report.failed = {name: one_line(error) for name, error in failed.items()}
            details.parts = spool.close()
        self._rounds.moved |= {moved.run for moved in details.moved}
        self.report.runs_changed = len(self._rounds.moved)
        self.report.runs_unchanged = self.report.runs_listed - self.report.runs_changed
        return details

    def _last_read(self, path: ProjectPath) -> datetime:
        cursor = self._marks.project(path.entity, path.project).cursor
        return datetime.min.replace(tzinfo=UTC) if cursor is None else cursor.time

    def _begin_coverage(
        self, path: ProjectPath, listing: Listing, details: _Details, before: int, *, readable: bool
    ) -> None:
        moved = details.moved[before:]
        known = [each for each in moved if each.error is None]
        # What is owed counts on where not every run was looked at, and so do the runs that were not.
        fresh = self._full_refresh and path not in details.unfinished and path not in self._rounds.begun
        held = {} if fresh else self._marks.project(path.entity, path.project).runs
        self.coverage.begin(
            path,
            # A run without a digest never came as far as its details.
            held={run_id for run_id, mark in held.items() if mark.detail_digest},
            # A run that is only behind with its history did not move.
            moved={
                each.run.run_id: listing.changed[each.run.run_id]
                for each in known
                if each.details_changed or each.settling
            },
            failed={each.run.run_id for each in moved} - {each.run.run_id for each in known},
            fresh=fresh,
            readable=readable,
        )

    def _convert(
        self, path: ProjectPath, listing: Listing, marks: ProjectMarks, details: Sequence[Detail]
    ) -> list[tuple[list[_Moved], dict[str, pa.Table]]]:
        """Turn details into rows; a run whose details cannot be read is found by asking part by part."""
        try:
            pairs = [self._moved(path, listing, marks, detail) for detail in details]
            changed = [node for moved, node in pairs if moved.details_changed]
            tables = run_tables(path.entity, path.project, _project_id(listing), changed)
        except (FatalRemoteError, ValueError) as error:
            if len(details) == 1 and details[0].node is None:
                raise
            unread = [Detail(details[0].run_id, None, one_line(error))]
            smaller = [unread] if len(details) == 1 else parts(details)
            return [pair for part in smaller for pair in self._convert(path, listing, marks, part)]
        return [([moved for moved, _ in pairs], tables)]

    def _moved(
        self, path: ProjectPath, listing: Listing, marks: ProjectMarks, detail: Detail
    ) -> tuple[_Moved, Mapping[str, Any]]:
        """Tell what is to be done about a run; one without details is known by its light listing only."""
        light = listing.changed[detail.run_id]
        node = light if detail.node is None else self._wanted.selection.of_node(detail.node)
        run = RunRef(path.entity, path.project, detail.run_id)
        held = marks.runs.get(run.run_id)
        keys = node.get("historyKeys") or {}
        last_step = int(keys.get("lastStep", -1)) if keys else -1
        expected = node.get("historyLineCount")
        heartbeat_at = parse_time(node.get("heartbeatAt"))
        task: HistoryTask | None = None
        sample: SampleTask | None = None
        anew = False
        if detail.node is None:
            digest = held.detail_digest if held else ""
        else:
            digest = detail_digest(node)
            anew = held is not None and self._wanted.details_differ(held)
            alive = held is not None and held.heartbeat_at != heartbeat_at
            types = key_types(keys)
            if self._wanted.history == "full":
                task = HistoryTask.plan(run, expected, last_step, types, self._trusted(held), alive=alive)
            elif self._wanted.history == "sampled" and (
                held is None or alive or self._samples_moved(held, expected)
            ):
                chosen = (key for key in types if key != "_step" and self._wanted.selection.keeps(key))
                everywhere = frozenset(key for key, count in key_counts(keys).items() if count == expected)
                sample = SampleTask(run, expected, tuple(sorted(chosen)), types, everywhere)
        moved = _Moved(
            run,
            listing_digest(light),
            digest,
            details_changed=anew or held is None or held.detail_digest != digest,
            heartbeat_at=heartbeat_at,
            expected_rows=expected,
            task=task,
            settling=run.run_id in listing.settling,
            sample=sample,
            details_as=held.details_as if held and detail.node is None else self._wanted.details_as,
            error=detail.error,
        )
        return moved, node

    def _trusted(self, held: RunMark | None) -> RunMark | None:
        """Give the mark of a history that can be gone on from; one with other keys is read whole."""
        if held is not None and self._wanted.history_differs(held):
            return replace(held, complete=False)
        return held

    def _samples_moved(self, held: RunMark, expected_rows: int | None) -> bool:
        return self._wanted.samples_differ(replace(held, expected_rows=expected_rows))


@contextmanager
def connected(open_client: Callable[[], WandbClient]) -> Iterator[Session]:
    """Open a client in a loop of its own."""
    with EventLoopThread() as loop:
        client = open_client()
        loop.call(client.__aenter__())
        try:
            yield loop, client
        finally:
            loop.call(client.__aexit__(None, None, None))


def _project_id(listing: Listing) -> str:
    return str(listing.project.get("internalId") or "")


def _project_row(path: ProjectPath, listing: Listing) -> pa.Table:
    row = {
        "entity": path.entity,
        "project": path.project,
        "project_id": _project_id(listing),
        "created_at": parse_time(listing.project.get("createdAt")),
        # Filters and cursors choose runs; the project has as many as it has.
        "run_count": listing.project.get("allRuns", listing.run_count),
        "read_only": listing.project.get("readOnly"),
    }
    return pa.Table.from_pylist([row], schema=TABLES["projects"].arrow)
