"""What the syncs were asked for of each run: which tables, keys and samples it is to have here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from wandb_warehouse.arrow import Selection
from wandb_warehouse.resources import COVERAGE, RESOURCES
from wandb_warehouse.schema import TABLES

__all__ = ["DETAIL_TABLES", "Asked"]

_HISTORIES = ("history", "history_sampled")

DETAIL_TABLES = tuple(
    name for name in RESOURCES if TABLES[name].per_run and name not in {*_HISTORIES, *COVERAGE}
)
"""Tables of the runs' details."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one run was asked for; equal for runs that can be fetched together."""

    details: Selection
    tables: tuple[str, ...]
    """Tables of the details."""
    named: bool
    """Whether the tables were named."""
    history: Selection | None
    """Keys of the full history; None where it was never read."""
    sampled: Selection | None
    """Keys of the sampled history; None where it never was."""
    samples: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Asked":
        """Read it from a run's ledger (a row of `stored_runs`)."""
        full = row.get("stored_rows") is not None
        return _asked(
            row.get("details_as") or "",
            (row.get("history_as") or "") if full else None,
            row.get("sampled_as"),
        )


@lru_cache(maxsize=64)
def _asked(details: str, history: str | None, sampled: str | None) -> Asked:
    asked = _read(details)
    named = asked.get("tables")
    return Asked(
        _selection(asked),
        tuple(name for name in DETAIL_TABLES if named is None or name in named),
        named is not None,
        None if history is None else _selection(_read(history)),
        _selection(_read(sampled)) if sampled else None,
        int(_read(sampled or "").get("samples", 0)),
    )


def _read(text: str) -> dict[str, Any]:
    """What a ledger says; nothing where it is no JSON: the run's digests then tell that it is wrong."""
    try:
        told = json.loads(text) if text else {}
    except ValueError:
        told = {}
    return told if isinstance(told, dict) else {}


def _selection(told: Mapping[str, Any]) -> Selection:
    return Selection(tuple(told.get("keys", ())), tuple(told.get("exclude", ())))
