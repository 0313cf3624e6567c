"""Runs of every shape, for tests of our own side of the surface: what they logged, and where they were synced to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wandb_warehouse import Api
from wandb_warehouse.sandbox import Sandbox

__all__ = ["Place", "rows_of"]


def rows_of(number: int) -> list[dict[str, Any]]:
    """Rows of the run of that number: a metric in all, one in every third, texts, bools, objects, repeated steps."""
    rows: list[dict[str, Any]] = []
    for step in range(number * 9):
        row: dict[str, Any] = {"_step": step, "_runtime": step / 2, "loss": 1 / (step + number)}
        if step % 3 == 0:
            row["acc"] = step / 100
        if number % 2:
            row |= {
                "phase": "warm up" if step < 5 else "train",
                "ok": step % 2 == 0,
                "layers": {"first": step},
            }
        if number % 3 == 0:
            row["histogram"] = {"_type": "histogram", "bins": [0, step]}
        rows.append(row)
        if number == 4 and step % 5 == 0:
            rows.append({**row, "loss": -row["loss"]})
    return rows


@dataclass(frozen=True)
class Place:
    """The sandbox that was synced, and where to."""

    box: Sandbox
    file: Path
    lake: Path

    def api(self) -> Api:
        """A new `Api` over the DuckDB file."""
        return Api(warehouse=self.file)
