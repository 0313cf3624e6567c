"""What a destination is to hold of each run, and whether its mark says that it does.

A mark remembers how its run was read (which tables, which keys, how many samples). One that was read another way is
read again, although nothing moved at W&B.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from wandb_warehouse.arrow import Selection
from wandb_warehouse.resources.marks import RunMark

__all__ = ["DEFAULT_SAMPLES", "HistoryMode", "Wanted"]

HistoryMode = Literal["full", "sampled", "none"]

DEFAULT_SAMPLES = 500
"""Rows the official client asks for where it is not told."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the history in full, sampled or not at all; keys; tables of the runs' details."""

    history: HistoryMode = "full"
    selection: Selection = field(default_factory=Selection)
    samples: int = DEFAULT_SAMPLES
    tables: tuple[str, ...] = ()
    """Tables of the details that are loaded; all where there are none."""

    @property
    def details_as(self) -> str:
        """How details are read: JSON text, empty for everything."""
        return _text(exclude=self.selection.exclude, tables=self.tables)

    @property
    def history_as(self) -> str:
        """How the full history is read: JSON text, empty for every key."""
        return _text(exclude=self.selection.exclude, keys=self.selection.keys)

    @property
    def sampled_as(self) -> str:
        """How the history is sampled: JSON text."""
        return _text(exclude=self.selection.exclude, keys=self.selection.keys, samples=self.samples)

    def details_differ(self, mark: RunMark) -> bool:
        """Tell whether the details held were read another way, or fewer tables of them."""
        if mark.details_as == self.details_as:
            return False
        held = _read(mark.details_as)
        if held.get("exclude", []) != _read(self.details_as).get("exclude", []):
            return True
        tables = held.get("tables")
        return tables is not None and (not self.tables or not set(self.tables) <= set(tables))

    def history_differs(self, mark: RunMark) -> bool:
        """Tell whether the full history is wanted, and the one held has other keys."""
        return self.history == "full" and mark.stored_rows is not None and mark.history_as != self.history_as

    def samples_differ(self, mark: RunMark) -> bool:
        """Tell whether a sample is wanted that is not the one held."""
        return self.history == "sampled" and (
            mark.sampled_as != self.sampled_as or mark.sampled_rows != mark.expected_rows
        )

    def lacks(self, mark: RunMark) -> bool:
        """Tell whether a run has to be looked at although nothing says that it moved."""
        return (
            (self.history == "full" and mark.behind)
            or self.details_differ(mark)
            or self.history_differs(mark)
            or self.samples_differ(mark)
        )


@lru_cache(maxsize=64)  # asked for every run of a listing
def _text(**parts: tuple[str, ...] | int) -> str:
    """JSON text of what is not empty; equal for equal choices in whatever order."""
    told: dict[str, Any] = {
        name: part if isinstance(part, int) else sorted(set(part)) for name, part in parts.items() if part
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")) if told else ""


@lru_cache(maxsize=64)
def _read(text: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(text) if text else {}
    return told
