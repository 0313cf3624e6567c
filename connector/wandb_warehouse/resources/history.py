"""The history of the runs that moved: exports and live rows, counted against the server before they are kept.

Runs go through in groups, so that one request speaks of many; files are downloaded and converted while other groups
wait for the network. A run is kept as it was read first only when its number of rows is the server's own; where it is
not, a slower way of reading is tried, and what stays short is kept and reported as incomplete.
"""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wandb_warehouse.arrow import Export, HistoryBatch, Numbers, PartWriter, RunRef, Selection, run_history
from wandb_warehouse.arrow.bounds import most_rows
from wandb_warehouse.arrow.history import NO_STEP
from wandb_warehouse.arrow.merge import SAME_MOMENT
from wandb_warehouse.arrow.rows import index_rows
from wandb_warehouse.client import ExpiredUrlError, Exports, WandbClient
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.details import one_line, parts
from wandb_warehouse.resources.marks import RunMark
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.scopes import OF_ONE_PROJECT
from wandb_warehouse.resources.spool import Part
from wandb_warehouse.resources.windows import Span, read_spans

__all__ = ["HistoryReader", "HistoryTask", "RunOutcome"]

_RUNS_PER_GROUP = 50
_ROWS_PER_GROUP = 50_000
_GROUPS_AT_ONCE = 4
_URL_TRIES = 3
_ANY_STEP = 2**53
_HELD_FILE = 128 * 1024
"""Bytes of an export that is not written to the disk but held until it is converted."""
_HELD = 32 * 1024 * 1024
"""Bytes that are held so at most, all runs together."""


@dataclass(frozen=True, slots=True)
class HistoryTask:
    """The history to read of one run: everything, or what lies past the step `after`."""

    run: RunRef
    expected_rows: int | None
    last_step: int
    key_types: Mapping[str, set[str]]
    after: int | None = None
    after_timestamp: float | None = None
    """`_timestamp` of the row stored at `after`: that row is read again, to see that it is still the same."""
    stored_rows: int = 0
    """Rows held up to `after`."""
    held_rows: int = 0
    """Rows held now, which stay if the run cannot be read."""
    held_step: int = -1
    first: int | None = None
    """First step to ask for, where it is not the one after `after`: rows may have no step."""

    @classmethod
    def plan(
        cls,
        run: RunRef,
        expected_rows: int | None,
        last_step: int,
        key_types: Mapping[str, set[str]],
        held: RunMark | None,
        *,
        alive: bool = False,
    ) -> "HistoryTask | None":
        """Decide what to read of a run, given what is held; None when that is all there is.

        Fewer rows or an earlier last step than held mean a rewind: everything is read again. A run that gave a sign
        of life since (`alive`) may have been rewound and be as long again: its last stored row is looked at.
        """
        whole = cls(run, expected_rows, last_step, key_types)
        if held is None or held.stored_rows is None:
            return whole
        whole = replace(whole, held_rows=held.stored_rows, held_step=held.last_step)
        if not held.complete or expected_rows is None:
            return whole
        tail = replace(
            whole,
            after=held.last_step,
            after_timestamp=held.last_timestamp,
            stored_rows=held.stored_rows,
        )
        if expected_rows == held.stored_rows and last_step == held.last_step:
            return tail if alive and held.last_timestamp is not None else None
        return tail if expected_rows > held.stored_rows > 0 and last_step > held.last_step else whole

    @property
    def start(self) -> int:
        """First step to read."""
        if self.first is not None:
            return self.first
        if self.after is None:
            return 0
        return self.after + 1 if self.after_timestamp is None else self.after

    @property
    def missing_rows(self) -> int:
        """Rows to expect, 0 where the server does not say."""
        again = 0 if self.after_timestamp is None else 1
        return max(0, (self.expected_rows or 0) - self.stored_rows) + again

    @property
    def is_empty(self) -> bool:
        """Whether the server counts no rows and indexes none: there is nothing to ask for."""
        return self.expected_rows == 0 and self.last_step < 0

    def whole(self) -> "HistoryTask":
        """Return the same run from its first step."""
        return replace(self, after=None, after_timestamp=None, stored_rows=0)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What was read of one run, and whether it replaces what was stored."""

    run: RunRef
    source: str
    """exports, live, mixed or none."""
    rows: int
    """History rows held of the run from now on."""
    last_step: int
    replaces: bool
    """What was stored of the run has to go first."""
    error: str | None = None
    """Why the history is incomplete."""
    last_timestamp: float | None = None
    """`_timestamp` of the last row held."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One attempt at a run: its batches, and where they came from."""

    task: HistoryTask
    batches: list[HistoryBatch]
    source: str
    rewound: bool
    """What is stored up to `task.after` is no longer what the server has."""

    @property
    def rows(self) -> int:
        return self.task.stored_rows + sum(batch.row_count for batch in self.batches)

    @property
    def last_step(self) -> int:
        return max([self.task.last_step, *(batch.last_step for batch in self.batches)])

    @property
    def last_timestamp(self) -> float | None:
        """`_timestamp` of the row at the last step; what was held where nothing came."""
        if not self.batches or not self.rows > self.task.stored_rows:
            return self.task.after_timestamp
        last = [
            (chunk.step[-1].as_py(), chunk.value[-1].as_py())
            for batch in self.batches
            for chunk in batch.chunks
            if chunk.key == "_timestamp" and len(chunk)
        ]
        step, stamp = max(last, key=itemgetter(0), default=(None, None))
        return stamp if step == self.last_step else None

    @property
    def shortfall(self) -> str | None:
        """What is wrong with the number of rows; None where it is the server's."""
        expected = self.task.expected_rows
        if self.rewound:
            return f"the stored row at step {self.task.after} is no longer there"
        if expected is None or self.rows == expected:
            return None
        if self.rows > expected and self.last_step > self.task.last_step:
            return None  # the run went on while it was read: the next sync continues from here
        return f"{self.rows} history rows could be read, the server counts {expected}"


@dataclass(slots=True)
class _Scratch:
    """Where the exports of a group are until it is converted."""

    folder: Path
    held: int = 0
    """Bytes of those held in the memory."""


class HistoryReader:
    """Reads the histories of many runs into part files; `outcomes` tells how it went, run by run."""

    def __init__(
        self,
        client: WandbClient,
        directory: Path,
        report: ExtractionReport,
        selection: Selection = Selection(),  # noqa: B008 - frozen: one shared default is safe
        deadline: Deadline = Deadline(),  # noqa: B008 - without seconds it never passes
        *,
        numbers: Numbers | None = None,
    ) -> None:
        self.outcomes: dict[RunRef, RunOutcome] = {}
        self.writer = PartWriter(directory, numbers)
        self._client = client
        self._directory = directory
        self._report = report
        self._selection = selection
        self._deadline = deadline
        self._begun = False
        self._finished: asyncio.Queue[Part | None] = asyncio.Queue()
        self._writing = asyncio.Lock()
        self._held = 0

    async def read(self, tasks: Sequence[HistoryTask]) -> AsyncIterator[Part]:
        """Yield the part files as they are finished."""
        for task in tasks:
            if task.is_empty:
                self.outcomes[task.run] = RunOutcome(task.run, "none", 0, NO_STEP, replaces=True)
                self._report.runs_done += 1
        working = asyncio.create_task(self._read_groups([task for task in tasks if not task.is_empty]))
        try:
            while (part := await self._finished.get()) is not None:
                yield part
            await working
        finally:
            working.cancel()
        last = await asyncio.to_thread(self.writer.finish)
        if last is not None:
            yield self._part(last)

    async def _read_groups(self, tasks: Sequence[HistoryTask]) -> None:
        limit = asyncio.Semaphore(_GROUPS_AT_ONCE)

        async def one(group: Sequence[HistoryTask]) -> None:
            async with limit:
                if self._begun and self._deadline.passed():
                    return  # at least one group a sync: the next one goes on from there
                self._begun = True
                await self._read_group(group)

        try:
            async with asyncio.TaskGroup() as groups:
                for group in _grouped(tasks):
                    groups.create_task(one(group))
        except ExceptionGroup as failures:
            # The first failure ended the extraction; the others are what it cancelled.
            raise failures.exceptions[0] from failures
        finally:
            self._finished.put_nowait(None)

    async def _read_group(self, group: Sequence[HistoryTask]) -> None:
        """Read a group and keep it; where it cannot be read, look for the run that is the cause part by part."""
        try:
            reads = await self._attempt(group)
        except (*OF_ONE_PROJECT, pa.ArrowException) as error:
            await self._client.viewer()  # where the server itself is down, no run is to blame
            if len(group) == 1:
                self._give_up(group[0], error)
                return
        else:
            await self._keep(reads)
            return
        for part in parts(group):
            await self._read_group(part)

    async def _attempt(self, group: Sequence[HistoryTask]) -> list[_Read]:
        told = await self._ask_exports(group)
        with self._scratch() as scratch:
            files = await asyncio.gather(
                *(self._download(task, told.get(task.run.run_id), scratch) for task in group)
            )
            return [
                read if read.shortfall is None else await self._read_slower(read, scratch)
                for read in await self._read_runs(group, files, told)
            ]

    async def _read_runs(
        self,
        tasks: Sequence[HistoryTask],
        files: Sequence[Sequence[Export]],
        told: Mapping[str, Exports],
        *,
        all_live: bool = False,
    ) -> list[_Read]:
        """Read the live rows past each run's files, and put both together."""
        spans = await asyncio.to_thread(
            lambda: [
                _live_span(task, theirs, all_live=all_live) for task, theirs in zip(tasks, files, strict=True)
            ]
        )
        run = tasks[0].run
        live = await read_spans(self._client, run.entity, run.project, spans)
        return await asyncio.to_thread(
            lambda: [
                _combine(task, theirs, live[task.run.run_id], told.get(task.run.run_id))
                for task, theirs in zip(tasks, files, strict=True)
            ]
        )

    async def _read_slower(self, first: _Read, scratch: _Scratch) -> _Read:
        """Read a run again whose rows are not as many as the server counts; the best attempt is the answer."""
        task = first.task.whole()
        told = await self._ask_exports([task])
        files = await self._download(task, told.get(task.run.run_id), scratch)
        best = first
        for all_live, start in ((False, None), (True, None), (True, NO_STEP)):
            try:
                (read,) = await self._read_runs(
                    [replace(task, first=start)], [files], told, all_live=all_live
                )
            except FatalRemoteError:
                if start is None:
                    raise
                continue  # the server knows no rows before step 0
            if read.shortfall is None:
                return read
            if best.rewound or best.rows < read.rows <= (task.expected_rows or 0):
                best = read
        return best

    async def _ask_exports(self, group: Sequence[HistoryTask]) -> dict[str, Exports]:
        run = group[0].run
        asks = [(task.run.run_id, ("_step",)) for task in group]
        return await self._client.exports(run.entity, run.project, asks)

    async def _download(self, task: HistoryTask, told: Exports | None, scratch: _Scratch) -> list[Export]:
        """Download a run's exports; none where its live rows reach back to what is stored."""
        if told is None or not told.urls or _reaches_back(told, task):
            return []
        if self._selection.exclude:
            return []  # an export is one file with every key in it: the live rows go through the memory only
        for attempt in range(_URL_TRIES):
            try:
                found = await asyncio.gather(
                    *(self._fetch(url, scratch, most_rows(task.expected_rows)) for url in told.urls)
                )
            except ExpiredUrlError:
                if attempt == _URL_TRIES - 1:
                    raise
                told = (await self._ask_exports([task]))[task.run.run_id]
            else:
                self._report.exports += len(found)
                self._report.export_bytes += sum(size for _, size in found)
                return [export for export, _ in found]
        raise AssertionError  # the loop returns or raises

    async def _fetch(self, url: str, scratch: _Scratch, rows: int) -> tuple[Export, int]:
        """Download one export, a small one into the memory as long as there is room; gives its size too."""
        path = scratch.folder / f"{uuid.uuid4().hex}.parquet"
        room = _HELD_FILE if self._held + _HELD_FILE <= _HELD else 0
        self._held += room
        scratch.held += room
        got = await self._client.fetch(url, path, room)
        size, body = (got, None) if isinstance(got, int) else (len(got), got)
        unused = room if body is None else room - size
        self._held -= unused
        scratch.held -= unused
        return Export(path, body, rows), size

    @contextmanager
    def _scratch(self) -> Iterator[_Scratch]:
        """Give room for the files of a group, which is free again at the end."""
        scratch = _Scratch(Path(mkdtemp(dir=self._directory)))
        try:
            yield scratch
        finally:
            self._held -= scratch.held
            shutil.rmtree(scratch.folder, ignore_errors=True)

    async def _keep(self, reads: Sequence[_Read]) -> None:
        """Give what was read to the writer, and conclude on its runs."""
        async with self._writing:
            for part in await asyncio.to_thread(self._write, reads):
                self._finished.put_nowait(part)
        for read in reads:
            task = read.task
            self.outcomes[task.run] = RunOutcome(
                task.run,
                read.source,
                read.rows,
                read.last_step,
                replaces=task.after is None,
                error=read.shortfall,
                last_timestamp=read.last_timestamp,
            )
            self._report.rows += read.rows - task.stored_rows
            self._report.runs_done += 1

    def _write(self, reads: Sequence[_Read]) -> list[Part]:
        parts = []
        for batch in (batch for read in reads for batch in read.batches):
            kept = self._selection.of_history(batch)
            self._report.values += kept.value_count
            part = self.writer.add(kept)
            if part is not None:
                parts.append(self._part(part))
        return parts

    def _give_up(self, task: HistoryTask, error: Exception) -> None:
        """Leave one run as it is stored."""
        self.outcomes[task.run] = RunOutcome(
            task.run, "none", task.held_rows, task.held_step, replaces=False, error=one_line(error)
        )
        self._report.runs_done += 1

    def _part(self, path: Path) -> Part:
        return Part("history", path, pq.read_metadata(path).num_rows)


def _grouped(tasks: Sequence[HistoryTask]) -> Iterator[list[HistoryTask]]:
    """Groups of runs of one project whose rows fit the memory together."""
    group: list[HistoryTask] = []
    rows = 0
    for task in tasks:
        full = len(group) >= _RUNS_PER_GROUP or rows + task.missing_rows > _ROWS_PER_GROUP
        other = bool(group) and _project(group[0]) != _project(task)
        if group and (full or other):
            yield group
            group, rows = [], 0
        group.append(task)
        rows += task.missing_rows
    if group:
        yield group


def _project(task: HistoryTask) -> tuple[str, str]:
    return task.run.entity, task.run.project


def _reaches_back(told: Exports, task: HistoryTask) -> bool:
    """Tell whether the rows that are not exported yet begin at or before the first step to read."""
    steps = [row["_step"] for row in told.live if row.get("_step") is not None]
    return task.after is not None and bool(steps) and min(steps) <= task.after + 1


def _live_span(task: HistoryTask, files: Sequence[Export], *, all_live: bool) -> Span:
    """Steps to read as live rows: past the files' last step, or all of them."""
    start, rows = task.start, task.missing_rows
    if files and not all_live:
        start = max([start, *(file.span[1] + 1 for file in files)])
        rows = max(0, rows - sum(_rows_from(file, task.start) for file in files))
    stop = task.last_step + 1
    if task.last_step < 0 and task.expected_rows:
        stop = _ANY_STEP  # the server counts rows but does not say how far they go
    if task.expected_rows is not None and rows == 0 and not all_live:
        stop = start
    return Span(task.run.run_id, start, stop, rows)


def _rows_from(file: Export, start: int) -> int:
    """Rows of a file at or past a step."""
    steps, _ = file.index
    if file.span[0] >= start:
        return len(steps)
    return pc.sum(pc.greater_equal(steps, start)).as_py() or 0


def _combine(task: HistoryTask, files: Sequence[Export], rows: Sequence[str], told: Exports | None) -> _Read:
    batches = list(run_history(task.run, task.key_types, exports=files, live=[rows], after=task.after))
    source = {(True, True): "mixed", (True, False): "exports", (False, True): "live"}
    skipped = bool(told and told.urls and not files)
    rewound = _is_rewound(task, files, rows, skipped=skipped)
    return _Read(task, batches, source.get((bool(files), bool(rows)), "none"), rewound)


def _is_rewound(task: HistoryTask, files: Sequence[Export], rows: Sequence[str], *, skipped: bool) -> bool:
    """Tell whether the row stored last is gone or another one now, as far as it was read again."""
    if task.after_timestamp is None:
        return False
    stamps: list[float | None] = []
    for steps, moments in [*(file.index for file in files), index_rows(rows)]:
        stamps += moments.filter(pc.equal(steps, task.after)).to_pylist()
    if not stamps:
        return not skipped  # it may stand in an export that was not needed
    return not any(stamp is not None and abs(stamp - task.after_timestamp) <= SAME_MOMENT for stamp in stamps)
