"""A project of a few runs, synced once into a DuckDB file and into a lake, for tests that only read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import options
from wandb_warehouse import Api
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync

__all__ = ["Place", "rows_of"]

_RUNS = 12


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


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The project `e/p` of a sandbox, in a file and in a lake; nobody changes either."""
    folder = tmp_path_factory.mktemp("api")
    with Sandbox() as box:
        for number in range(_RUNS):
            box.add_run(
                "e",
                "p",
                f"r{number:02}",
                config={"lr": 10.0 ** -(number % 4), "model": {"depth": number}},
                summary={"loss": 1 - number / 20, "best": {"at": number}, " spaced ": 1},
                rows=rows_of(number),
                events=[
                    {"_timestamp": 1e9 + 15 * n, "_runtime": 15.0 * n, "system.cpu": n / 2}
                    for n in range(number)
                ],
                created_at=f"2026-01-01T00:00:{number:02}Z",
                group="seeds" if number % 2 else None,
                tags=["odd"] if number % 2 else [],
                state="running" if number == 11 else "finished",
            )
        found = Place(box, folder / "wandb.duckdb", folder / "lake")
        for warehouse in (found.file, found.lake):
            sync(options(box, warehouse))
        yield found


@pytest.fixture
def api(place: Place) -> Api:
    """A new `Api` over the DuckDB file."""
    return place.api()
