"""What a warehouse holds of histories, and the warning where that is not all."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import escape

__all__ = ["Holding", "IncompleteHistoryWarning", "holdings", "warn_of_missing_rows"]


class IncompleteHistoryWarning(UserWarning):
    """The warehouse has only a part of a history that was asked for."""


@dataclass(frozen=True)
class Holding:
    """What the warehouse holds of a run's history."""

    state: str
    """State of the run's ledger row: ok, pending, partial, quarantined."""
    expected_rows: int
    stored_rows: int
    stored_values: int
    sampled_values: int
    last_step: int

    @property
    def source(self) -> str:
        """The table that has the history: all of it, else what the server sampled."""
        return "history" if self.stored_rows or not self.sampled_values else "history_sampled"

    @property
    def values(self) -> int:
        """Values that are there to be read."""
        return self.stored_values or self.sampled_values

    @property
    def lacks(self) -> bool:
        """Whether rows that the server counts are not stored, and were not sampled either."""
        return self.stored_rows < self.expected_rows and not self.sampled_values


def holdings(session: Session, entity: str, project: str) -> Mapping[str, Holding]:
    """Give what the warehouse holds of the histories of a project, by run id."""

    def find() -> Mapping[str, Holding]:
        rows = session.reader.rows("holdings", {"entity": entity, "project": project})
        return {
            row["run_id"]: Holding(
                row["state"],
                row["expected_rows"] or 0,
                row["stored_rows"] or 0,
                row["stored_values"] or 0,
                row["sampled_values"] or 0,
                -1 if row["last_step"] is None else row["last_step"],
            )
            for row in rows
        }

    found: Mapping[str, Holding] = session.once(("holdings", entity, project), find)
    return found


def warn_of_missing_rows(session: Session, entity: str, project: str, runs: Sequence[str]) -> None:
    """Warn of each run of which rows are not stored; it is told of the caller's caller's caller."""
    known = holdings(session, entity, project)
    for run in runs:
        if (held := known.get(escape(run))) and held.lacks:
            what = f"{entity}/{project}/{run} {held.stored_rows} of {held.expected_rows} rows are in the warehouse"
            warnings.warn(
                f"of the history of {what}; sync it with --history full",
                IncompleteHistoryWarning,
                stacklevel=4,
            )
