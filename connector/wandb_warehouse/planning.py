"""What a sync would fetch, before anything is fetched."""

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from wandb_warehouse.client import Governor, WandbClient
from wandb_warehouse.resources import (
    EventLoopThread,
    ProjectEstimate,
    ProjectMarks,
    ProjectPath,
    TablesWanted,
    Wanted,
    estimate_project,
    read_projects,
    resolve,
)
from wandb_warehouse.sync import Held, SyncOptions
from wandb_warehouse.warehouse import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wandb_warehouse.errors import WarehouseError

__all__ = ["AT_ONCE", "FIGURES", "VALUES_PER_SECOND", "Plan", "plan"]

AT_ONCE = 4
"""Requests that are under way together, where nothing else is asked for."""

VALUES_PER_SECOND = 500_000
"""History values that are converted, loaded and proven in a second."""


@dataclass(slots=True)
class Plan:
    """What a sync would fetch, project by project and in all."""

    warehouse: str
    projects: list[ProjectEstimate] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Why a project could not be listed, by its name."""
    seconds_per_request: float = 0.0
    """How long a request took while planning."""
    at_once: int = AT_ONCE

    def total(self, name: str) -> int:
        """Sum of a figure over all projects."""
        return sum(int(getattr(project, name)) for project in self.projects)

    @property
    def minutes(self) -> float:
        """Requests at the pace they had while planning, some at a time, then the values through the load."""
        asking = self.total("requests") * self.seconds_per_request / self.at_once
        return (asking + self.total("values") / VALUES_PER_SECOND) / 60

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON types."""
        totals = {name: self.total(name) for name in FIGURES}
        return {**asdict(self), **totals, "minutes": self.minutes}


FIGURES = ("runs", "runs_to_fetch", "rows", "values", "requests", "bytes")
"""What is told of every project and in all."""


def plan(options: SyncOptions) -> Plan:
    """Tell what `sync` would fetch with the same options; nothing is fetched, and nothing is written.

    Raises:
        AuthError, RemoteError, ConfigError: W&B could not be read.
        StoreError: the warehouse cannot be read.
    """
    store = open_store(options.warehouse, options.destination)
    held = Held.read(options.warehouse, store.hints)
    governor = Governor() if options.workers is None else Governor(concurrency=options.workers)
    client = WandbClient(options.connection, governor=governor)
    made = Plan(store.name, at_once=min(AT_ONCE, options.workers or AT_ONCE))
    with EventLoopThread() as loop:
        started = time.monotonic()
        loop.call(_read(client, options, held, made))
        made.seconds_per_request = (time.monotonic() - started) / max(1, client.stats.requests)
    return made


async def _read(client: WandbClient, options: SyncOptions, held: Held, made: Plan) -> None:
    marks = {} if options.full_refresh else held.marks()
    tables: Sequence[str] = options.detail_tables if options.resources else ()
    wanted = Wanted(options.history_mode, options.selection, options.samples, tuple(tables))

    async def read(path: ProjectPath) -> None:
        estimate = await estimate_project(
            client,
            path,
            marks.get((path.entity, path.project), ProjectMarks(None, {})),
            wanted,
            filters=options.filters,
            sweep=options.sweep,
            beside=TablesWanted(
                options.coverage_tables,
                None if options.full_refresh else held.pending.get((path.entity, path.project)),
                options.metadata_files,
            ),
        )
        made.projects.append(estimate)

    failed: dict[str, WarehouseError] = {}
    async with client:
        await read_projects(client, await resolve(client, options.projects, failed), read, failed)
    made.failed = {name: str(error) for name, error in failed.items()}
