"""One extraction: what moved in each project, the moved runs' details, and their history.

Two phases. `details()` lists every project and writes projects, runs, config, summary, tags and metrics of the runs
that moved (`looking`); `history()` then streams part files of their rows. Each runs once, whoever asks first.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wandb_warehouse.arrow import Numbers, RunRef, Selection
from wandb_warehouse.client import WandbClient
from wandb_warehouse.resources.bridge import EventLoopThread
from wandb_warehouse.resources.conclusions import Readings, RunResult, conclude
from wandb_warehouse.resources.coverage import Coverage, CoverageOptions
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.history import HistoryReader, HistoryTask
from wandb_warehouse.resources.listing import ProjectPath
from wandb_warehouse.resources.looking import Look, LookOptions, Seen
from wandb_warehouse.resources.marks import Cursor, Marks, RunMark
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.rounds import Rounds
from wandb_warehouse.resources.sampling import SampleReader, SampleTask
from wandb_warehouse.resources.scopes import Scope
from wandb_warehouse.resources.spool import Part, TableSpool
from wandb_warehouse.resources.wanted import DEFAULT_SAMPLES, HistoryMode, Wanted

__all__ = ["Extraction", "HistoryMode", "RunResult", "Session", "connected"]

Session = tuple[EventLoopThread, WandbClient]
"""A client, and the loop that it works in."""


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
        sweep: bool | None = None,
        full_refresh: bool = False,
        deletions: bool = False,
        mass_deletion: bool = False,
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
        self._look = LookOptions(
            filters, sweep, full_refresh, deletions=deletions, mass_deletion=mass_deletion
        )
        self._deadline = deadline
        self._numbers = numbers
        self._readings = Readings({}, {}, {}, set())
        self._rounds = rounds or Rounds()
        self.coverage = Coverage(marks, self.report, coverage, selection, deadline, rounds=self._rounds)
        self._seen: Seen | None = None
        self._stack = ExitStack()
        self._held = session

    @property
    def left(self) -> set[RunRef]:
        """Runs whose history was left for the next sync."""
        return self._readings.left

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
        """Tell whether nothing moved: no row to write, no history to fetch, no run to settle or gone, no table due."""
        seen = self._phase_one()
        return not (seen.parts or seen.moved or seen.gone or seen.renamed) and not self.coverage.is_due()

    def tombstones(self) -> dict[RunRef, datetime]:
        """Runs proven gone, with the server's time of the proof."""
        seen = self._phase_one()
        return {run: seen.started[ProjectPath(run.entity, run.project)] for run in seen.gone}

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
        seen = self._phase_one()
        tasks = [moved.task for moved in seen.moved if moved.task is not None]
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
        self._readings.outcomes, self._readings.counts = reader.outcomes, reader.writer.counts
        self._leave(tasks, reader.outcomes)
        self._conclude(seen)

    def sampled(self) -> Iterator[Part]:
        """Yield the part files of sampled rows; `results` is filled when it ends."""
        seen = self._phase_one()
        tasks = [moved.sample for moved in seen.moved if moved.sample is not None]
        if not tasks:
            return
        with self._session() as (loop, client):
            self.report.phase = "history"
            reader = SampleReader(
                client, self.report, self._wanted.samples, self._deadline, numbers=self._numbers
            )
            yield from loop.call(reader.read(tasks, self._work()))
        self._readings.sampled = reader.outcomes
        self._leave(tasks, reader.outcomes)
        self._conclude(seen)

    def started_at(self) -> datetime:
        """Server time when the first project was listed, in the first round of a sync."""
        self._phase_one()
        return min(self._rounds.started.values())

    def end_round(self) -> bool:
        """Take note for the next round of what this one did; tell whether it was anything."""
        seen = self._phase_one()
        homes = {(run.entity, run.project) for run in self.left}
        finished = [
            path
            for path in seen.started
            if path not in seen.unfinished | seen.unswept
            and (path.entity, path.project) not in homes
            and not self.coverage.owes(path)
        ]
        ended = self._rounds.end(
            begun=seen.started,
            concluded=seen.looked_at - self.left,
            finished=finished,
            short=self.coverage.short,
            histories=len(self._readings.outcomes) + len(self._readings.sampled),
            left=len(self.left),
        )
        return ended or self.coverage.read_anything

    def _leave(self, tasks: Sequence[HistoryTask | SampleTask], done: Collection[RunRef]) -> None:
        """Note which runs were left because the time was up."""
        left = {task.run for task in tasks if task.run not in done}
        self._readings.left |= left
        self.report.runs_left += len(left)

    def _conclude(self, seen: Seen) -> None:
        self.results = []
        marks: dict[ProjectPath, dict[str, RunMark]] = {path: {} for path in seen.started}
        for moved in seen.moved:
            path = ProjectPath(moved.run.entity, moved.run.project)
            held = self._marks.project(path.entity, path.project).runs.get(moved.run.run_id)
            result = conclude(moved, held, seen.started[path], self._readings, self._wanted)
            self.results.append(result)
            marks[path][moved.run.run_id] = result.mark
            if result.error is not None:
                self.report.quarantined[f"{path}/{moved.run.run_id}"] = result.error
        for path in seen.started:
            cursor: Cursor | None = Cursor(self._rounds.started[path], Cursor.text(self._look.filters))
            if path in seen.unfinished:
                cursor = self._marks.project(path.entity, path.project).cursor
            if cursor is not None:  # nothing is remembered of a new project that was not read to its end
                self._marks.record(path.entity, path.project, cursor, marks[path], seen.swept.get(path))

    def _phase_one(self) -> Seen:
        if self._seen is None:
            with self._session() as (loop, client), TableSpool(self._work()) as spool:
                look = Look(
                    client,
                    self._marks,
                    self.report,
                    wanted=self._wanted,
                    coverage=self.coverage,
                    options=self._look,
                    deadline=self._deadline,
                    rounds=self._rounds,
                    numbers=self._numbers,
                    spool=spool,
                )
                self._seen = loop.call(look.read(self.scopes))
            # What is known without the history: it stands where nobody asks for the history.
            self._conclude(self._seen)
        return self._seen

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


@contextmanager
def connected(open_client: Callable[[], WandbClient]) -> Iterator[Session]:
    """Open a client in a loop of its own, and close both at the end."""
    with EventLoopThread() as loop:
        client = open_client()
        loop.call(client.__aenter__())
        try:
            yield loop, client
        finally:
            loop.call(client.__aexit__(None, None, None))
