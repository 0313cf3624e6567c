"""What is known of a run at the end of an extraction: its result, and the mark that the next one begins with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from wandb_warehouse.arrow import RunCount, RunRef
from wandb_warehouse.resources.history import RunOutcome
from wandb_warehouse.resources.marks import RunMark
from wandb_warehouse.resources.moved import Moved
from wandb_warehouse.resources.sampling import SampleOutcome
from wandb_warehouse.resources.wanted import Wanted

__all__ = ["Readings", "RunResult", "conclude"]


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
class Readings:
    """What came of the histories, as far as they were read."""

    outcomes: Mapping[RunRef, RunOutcome]
    counts: Mapping[RunRef, RunCount]
    sampled: Mapping[RunRef, SampleOutcome]
    left: set[RunRef]
    """Runs whose history was left for the next sync."""


def conclude(
    moved: Moved, held: RunMark | None, started: datetime, readings: Readings, wanted: Wanted
) -> RunResult:
    """Conclude on a run that was looked at in a sync that began at `started`, by the server's time."""
    run = moved.run
    outcome, sample = readings.outcomes.get(run), readings.sampled.get(run)
    error = outcome.error if outcome else sample.error if sample else moved.error
    mark = RunMark(
        moved.listing_digest,
        moved.detail_digest,
        started,
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
        mark = replace(mark, sampled_as=wanted.sampled_as, sampled_rows=moved.expected_rows)
    if run in readings.left:
        # What moved shows next time by its rows; where it does not, the run is to be read again all the same.
        sampled = wanted.history == "sampled"
        mark = (
            replace(mark, sampled_as="") if sampled else replace(mark, complete=mark.complete and mark.behind)
        )
    if outcome is not None and outcome.replaces:
        mark = replace(mark, history_as=wanted.history_as)
    if outcome is not None:
        mark = replace(
            mark,
            stored_rows=outcome.rows,
            last_step=outcome.last_step,
            last_timestamp=outcome.last_timestamp,
        )
    count = readings.counts.get(run)
    values = count.values if count else 0
    return RunResult(run, moved.details_changed, moved.expected_rows, mark, outcome, values, sample, error)
