"""Sampled histories of the runs that moved: many runs and many metrics a request, one question a metric.

W&B answers a question that names several metrics with the rows that have all of them, which for metrics logged apart
are none; so every metric is asked for alone.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from wandb_warehouse.arrow import Numbers, RunRef, sampled_table
from wandb_warehouse.client import Sample, WandbClient
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.details import one_line, parts
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.scopes import OF_ONE_PROJECT
from wandb_warehouse.resources.spool import Part, TableSpool

__all__ = ["SampleOutcome", "SampleReader", "SampleTask"]

_ROWS_PER_GROUP = 100_000


@dataclass(frozen=True, slots=True)
class SampleTask:
    """The history to sample of one run: its metrics and what the server's index says of their types."""

    run: RunRef
    expected_rows: int | None
    keys: tuple[str, ...]
    key_types: Mapping[str, set[str]]

    def weight(self, samples: int) -> int:
        """Rows to expect at most."""
        rows = samples if self.expected_rows is None else min(samples, self.expected_rows)
        return rows * len(self.keys)


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """Values of one run's sample, or why there is none and what was held stays."""

    values: int
    error: str | None = None


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

    async def read(self, tasks: Sequence[SampleTask], directory: Path) -> list[Part]:
        """Give the part file of all samples; none where there is no row.

        Raises:
            RemoteError: the server as a whole does not answer, rather than for some runs.
        """
        with TableSpool(directory) as spool:
            for group in self._groups(tasks):
                if self.outcomes and self._deadline.passed():
                    break
                await self._read_group(group, spool)
            return spool.close()

    async def _read_group(self, group: Sequence[SampleTask], spool: TableSpool) -> None:
        """Sample a group; where it cannot be read, look for the run that is the cause part by part."""
        run = group[0].run
        asks = [Sample(task.run.run_id, key, self._samples) for task in group for key in task.keys]
        try:
            answers = iter(await self._client.sampled_rows(run.entity, run.project, asks))
            tables = [
                [
                    sampled_table(
                        task.run, key, next(answers), task.key_types, self._samples, numbers=self._numbers
                    )
                    for key in task.keys
                ]
                for task in group
            ]
        except OF_ONE_PROJECT as error:
            await self._client.viewer()  # where the server itself is down, no run is to blame
            if len(group) == 1:
                self._conclude(run, SampleOutcome(0, one_line(error)))
                return
        else:
            for task, found in zip(group, tables, strict=True):
                if found:
                    await asyncio.to_thread(spool.add, "history_sampled", pa.concat_tables(found))
                self._conclude(task.run, SampleOutcome(sum(table.num_rows for table in found)))
            return
        for part in parts(group):
            await self._read_group(part, spool)

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
