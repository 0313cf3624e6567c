"""Sampled histories of the runs that moved: many runs and many metrics a request.

W&B answers a question that names several metrics with the rows that have all of them, which for metrics logged apart
are none; so every metric is asked for alone. Those that every row has, as the server's index counts them, are asked for
together: their samples are of the same rows.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from wandb_warehouse.arrow import Numbers, PartWriter, RunRef, sampled_batch
from wandb_warehouse.client import Sample, WandbClient
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.details import one_line, parts
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.scopes import OF_ONE_PROJECT
from wandb_warehouse.resources.spool import Part

__all__ = ["SampleOutcome", "SampleReader", "SampleTask"]

_ROWS_PER_GROUP = 50_000
_GROUPS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SampleTask:
    """The history to sample of one run: its metrics and what the server's index says of their types."""

    run: RunRef
    expected_rows: int | None
    keys: tuple[str, ...]
    key_types: Mapping[str, set[str]]
    everywhere: frozenset[str] = frozenset()
    """Those of the metrics that every row of the history has."""

    def questions(self, samples: int) -> list[Sample]:
        """What to ask the server."""
        together = tuple(key for key in self.keys if key in self.everywhere)
        apart = ((key,) for key in self.keys if key not in self.everywhere)
        return [Sample(self.run.run_id, keys, samples) for keys in (together, *apart) if keys]

    def weight(self, samples: int) -> int:
        """Rows to expect at most."""
        rows = samples if self.expected_rows is None else min(samples, self.expected_rows)
        return rows * len(self.keys)


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """Values of one run's sample, or why there is none and what was held stays."""

    values: int
    error: str | None = None


_Answer = tuple[SampleTask, Sample, Sequence[Mapping[str, Any]]]


class SampleReader:
    """Samples the histories of many runs; `outcomes` tells how it went, run by run."""

    def __init__(
        self,
        client: WandbClient,
        report: ExtractionReport,
        samples: int,
        deadline: Deadline,
        *,
        numbers: Numbers | None = None,
    ) -> None:
        self.outcomes: dict[RunRef, SampleOutcome] = {}
        self._client = client
        self._report = report
        self._samples = samples
        self._deadline = deadline
        self._numbers = numbers
        self._begun = False
        self._writing = asyncio.Lock()
        self._written: list[Path] = []

    async def read(self, tasks: Sequence[SampleTask], directory: Path) -> list[Part]:
        """Give the part files of all samples; none where there is no row.

        Raises:
            RemoteError: the server as a whole does not answer, rather than for some runs.
        """
        writer = PartWriter(directory, self._numbers, samples=self._samples)
        limit = asyncio.Semaphore(_GROUPS_AT_ONCE)

        async def one(group: Sequence[SampleTask]) -> None:
            async with limit:
                if self._begun and self._deadline.passed():
                    return  # at least one group a sync: the next one goes on from there
                self._begun = True
                await self._read_group(group, writer)

        try:
            async with asyncio.TaskGroup() as groups:
                for group in self._groups(tasks):
                    groups.create_task(one(group))
        except ExceptionGroup as failures:
            # The first failure ended the extraction; the others are what it cancelled.
            raise failures.exceptions[0] from failures
        last = await asyncio.to_thread(writer.finish)
        paths = [*self._written, *([last] if last else [])]
        return [Part("history_sampled", path, pq.read_metadata(path).num_rows) for path in paths]

    async def _read_group(self, group: Sequence[SampleTask], writer: PartWriter) -> None:
        """Sample a group; where it cannot be read, look for the run that is the cause part by part."""
        run = group[0].run
        try:
            answers = await self._ask(
                [(task, ask) for task in group for ask in task.questions(self._samples)]
            )
            batches = await asyncio.to_thread(
                lambda: [
                    sampled_batch(task.run, ask.keys, rows, task.key_types) for task, ask, rows in answers
                ]
            )
        except OF_ONE_PROJECT as error:
            await self._client.viewer()  # where the server itself is down, no run is to blame
            if len(group) == 1:
                self._conclude(run, SampleOutcome(0, one_line(error)))
                return
        else:
            async with self._writing:
                for batch in batches:
                    path = await asyncio.to_thread(writer.add, batch) if batch.chunks else None
                    if path is not None:
                        self._written.append(path)
            values = Counter({task.run: 0 for task in group})
            for batch in batches:
                values[batch.run] += batch.value_count
            for each, count in values.items():
                self._conclude(each, SampleOutcome(count))
            return
        for part in parts(group):
            await self._read_group(part, writer)

    async def _ask(self, asks: Sequence[tuple[SampleTask, Sample]]) -> list[_Answer]:
        """Ask, and ask for each metric apart where fewer rows came than should have all of them."""
        if not asks:
            return []
        run = asks[0][0].run
        rows = await self._client.sampled_rows(run.entity, run.project, [ask for _, ask in asks])
        whole: list[_Answer] = []
        apart: list[tuple[SampleTask, Sample]] = []
        for (task, ask), found in zip(asks, rows, strict=True):
            if self._is_short(task, ask, found):
                apart += [(task, Sample(ask.run_id, (key,), ask.samples)) for key in ask.keys]
            else:
                whole.append((task, ask, found))
        return [*whole, *await self._ask(apart)]

    @staticmethod
    def _is_short(task: SampleTask, ask: Sample, found: Sequence[Any]) -> bool:
        return len(ask.keys) > 1 and len(found) < min(ask.samples, task.expected_rows or 0)

    def _conclude(self, run: RunRef, outcome: SampleOutcome) -> None:
        self.outcomes[run] = outcome
        self._report.values += outcome.values
        self._report.runs_done += 1

    def _groups(self, tasks: Sequence[SampleTask]) -> Iterator[list[SampleTask]]:
        """Groups of runs of one project whose rows fit the memory together."""
        for _, same in groupby(tasks, key=lambda task: (task.run.entity, task.run.project)):
            group: list[SampleTask] = []
            rows = 0
            for task in same:
                if group and rows + task.weight(self._samples) > _ROWS_PER_GROUP:
                    yield group
                    group, rows = [], 0
                group.append(task)
                rows += task.weight(self._samples)
            yield group
