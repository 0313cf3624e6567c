"""What a sync tells of itself: counts, times, and what was left out."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from wandb_warehouse.client import Stats
from wandb_warehouse.errors import PartialError
from wandb_warehouse.resources import ExtractionReport

__all__ = ["SHOWN", "PhaseClock", "SyncReport", "SyncWatch", "fill"]

SHOWN = 3


@dataclass(slots=True)
class SyncReport:
    """What a sync did; printed as a table, as JSON with `--json`, and kept in `sync_log`."""

    warehouse: str
    projects: list[str]
    generation: int | None = None
    """Number of the published sync; None when nothing had changed and nothing was published."""
    runs_listed: int = 0
    runs_changed: int = 0
    runs_unchanged: int = 0
    runs_quarantined: int = 0
    runs_deleted: int = 0
    """Runs proven gone from the server: marked as deleted, their rows stay."""
    runs_restored: int = 0
    """Runs that were marked as deleted and are back."""
    rows: int = 0
    values: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by phase: list, extract, load, prove, publish, total."""
    quarantined: dict[str, str] = field(default_factory=dict)
    """Why a run is left out or incomplete, by entity/project/run id."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a project is left as it was, by its name."""
    runs_left: int = 0
    """Runs that moved and are left for the next sync, because the time was up."""
    projects_left: list[str] = field(default_factory=list)
    """Projects that were not looked at, for the same reason."""
    tables_left: list[str] = field(default_factory=list)
    """Tables beside details and history of which not everything was read, for the same reason."""
    mass_deletions: dict[str, int] = field(default_factory=dict)
    """Runs that are gone from a project, where they are too many to be marked as deleted without being told to."""

    @property
    def published(self) -> bool:
        """Whether a new file was published."""
        return self.generation is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return asdict(self)

    def raise_if_partial(self) -> None:
        """Raise what the caller has to know although the sync was published.

        Raises:
            PartialError: some projects or runs were left out or are incomplete.
        """
        total = len({*self.projects, *self.failed})
        troubles = [
            f"{len(reasons)} of {count} {what} ({_some(reasons)})"
            for reasons, count, what in (
                (self.failed, total, "projects could not be read"),
                (self.quarantined, self.runs_listed, "runs are incomplete"),
            )
            if reasons
        ]
        mends = [
            "everything else was published",
            *(["they are tried again in the next sync"] if troubles else []),
        ]
        for name, count in self.mass_deletions.items():
            troubles.append(
                f"{count} runs of {name} are gone from the server, too many to mark them as deleted"
            )
        if self.mass_deletions:
            mends.append("if they were deleted on purpose, run sync --allow-mass-delete")
        if troubles:
            raise PartialError("; ".join(troubles), mend="; ".join(mends))


SyncWatch = Callable[[ExtractionReport, Stats], AbstractContextManager[None]]
"""Shows a sync while it runs: given what it counts in, returns a context in which to show it."""


class PhaseClock:
    """Wall time by phase."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what runs inside to the phase `name`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = round(self._seconds.get(name, 0.0) + time.monotonic() - started, 3)

    def stop(self, report: SyncReport) -> None:
        """Give the report the seconds of every phase and of all since the start."""
        report.seconds = {**self._seconds, "total": round(time.monotonic() - self._started, 3)}


def fill(report: SyncReport, counted: ExtractionReport, stats: Stats) -> None:
    """Give the report what the extraction and the client counted."""
    report.runs_listed = counted.runs_listed
    report.runs_changed = counted.runs_changed
    report.runs_unchanged = counted.runs_listed - counted.runs_changed
    report.runs_quarantined = len(counted.quarantined)
    report.runs_deleted = counted.runs_deleted
    report.runs_restored = counted.runs_restored
    report.mass_deletions = dict(counted.mass_deletions)
    report.quarantined = dict(counted.quarantined)
    report.projects = list(counted.projects)
    report.failed = dict(counted.failed)
    report.runs_left = counted.runs_left
    report.projects_left = list(counted.projects_left)
    report.tables_left = list(counted.tables_left)
    report.rows = counted.rows
    report.values = counted.values
    report.requests = stats.requests
    report.retries = stats.retries
    report.bytes = stats.bytes
    report.waited_seconds = round(stats.waited_seconds, 3)


def _some(reasons: Mapping[str, str]) -> str:
    """The first few names with their reasons."""
    shown = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:SHOWN])
    return f"{shown} and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else shown
