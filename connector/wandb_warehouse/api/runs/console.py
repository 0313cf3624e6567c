"""`ConsoleLogs`: what a run wrote to its console, line by line."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.pieces.pages import Pages
from wandb_warehouse.api.session import Session, plain
from wandb_warehouse.api.stored import escaped

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.run import Run

__all__ = ["ConsoleLogLine", "ConsoleLogs"]


@dataclass(frozen=True)
class ConsoleLogLine:
    """One line of a run's console.

    Source: `wandb.apis.public.ConsoleLogLine`.
    """

    number: int
    """0-based number of the line."""
    timestamp: datetime | None
    """When it was written, in UTC; None where the server did not say."""
    level: str
    """`error` for lines written to stderr, else empty."""
    label: str
    """Writer of the line where a run has several, else empty."""
    content: str
    """The line."""


class ConsoleLogs(Pages[ConsoleLogLine]):
    """Lines of a run's console, oldest first; there after `wandb-warehouse sync --console-logs`.

    A warning says so where no run of the project has any.

    Args:
        session: what the objects of an `Api` share.
        run: the run.
        per_page: lines made at a time.
        last: give the last lines only, so many.

    Source: `wandb.apis.public.ConsoleLogs`.
    """

    def __init__(self, session: Session, run: "Run", per_page: int = 1000, last: int | None = None) -> None:
        super().__init__(per_page)
        self._session = session
        self._last = last
        self.run = run

    def _find(self) -> Sequence[Mapping[str, Any]]:
        place = escaped(entity=self.run.entity, project=self.run.project)
        asked = {**place, **escaped(run=self.run.id), "last": self._last}
        rows = self._session.reader.rows("console_logs", asked)
        if not rows and not self._session.reader.rows("console_logs_held", place):
            warnings.warn(
                f"no console output of {self.run.entity}/{self.run.project} is stored: sync it with --console-logs",
                stacklevel=4,
            )
        return rows

    def _convert(self, row: Mapping[str, Any]) -> ConsoleLogLine:
        return ConsoleLogLine(
            row["line"],
            row["time"],
            plain(row["level"]) or "",
            plain(row["label"]) or "",
            plain(row["text"]) or "",
        )

    def __repr__(self) -> str:
        return f"<ConsoleLogs {self.run.entity}/{self.run.project}/{self.run.id}>"
