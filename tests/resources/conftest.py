"""A sandbox, and extractions from it without a destination."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from support import History, connection, stored
from wandb_warehouse.client import WandbClient
from wandb_warehouse.resources import Extraction, KnownMarks, ProjectMarks, ProjectPath, RunResult
from wandb_warehouse.sandbox import Sandbox

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


class Destination:
    """Holds what extractions of the project e/p gave, by the rules a destination follows: replace, or append."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marks = ProjectMarks(None, {})
        self.history: Rows = {}
        self.tables: dict[str, Rows] = {}
        self.results: dict[str, RunResult] = {}
        self.last: Extraction | None = None

    def load(self, box: Sandbox, **more: Any) -> Extraction:
        """Extract what is new."""
        self.folder.mkdir(exist_ok=True)
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        marks = KnownMarks({("e", "p"): self.marks})
        with Extraction(
            [ProjectPath("e", "p")], lambda: WandbClient(connection(box)), marks, directory=folder, **more
        ) as extraction:
            for part in extraction.details():
                fresh: Rows = {}
                for row in pq.read_table(part.path).to_pylist():
                    fresh.setdefault(row.get("run_id", ""), []).append(row)
                self.tables.setdefault(part.table, {}).update(fresh)
            read: Rows = {}
            if more.get("history") != "none":
                for part in extraction.history():
                    for row in pq.read_table(part.path).to_pylist():
                        read.setdefault(row["run_id"], []).append(row)
        for result in extraction.results:
            kept = (
                [] if result.outcome and result.outcome.replaces else self.history.get(result.run.run_id, [])
            )
            self.history[result.run.run_id] = kept + read.pop(result.run.run_id, [])
        assert not read, "rows of runs without a result"
        self.results = {result.run.run_id: result for result in extraction.results}
        self.marks = ProjectMarks(
            marks.cursors["e", "p"],
            {**self.marks.runs, **{run_id: mark for (_, _, run_id), mark in marks.recorded.items()}},
            swept=marks.swept.get(("e", "p"), self.marks.swept),
        )
        return extraction

    def held(self, run_id: str) -> History:
        """The history held of a run."""
        return stored(self.history.get(run_id, []))


@pytest.fixture
def destination(tmp_path: Path) -> Destination:
    """An empty destination."""
    return Destination(tmp_path / "parts")


@pytest.fixture
def new_destination(tmp_path: Path) -> Callable[[], Destination]:
    """Empty destinations, as many as asked for."""
    made: list[Destination] = []

    def make() -> Destination:
        made.append(Destination(tmp_path / f"parts{len(made)}"))
        return made[-1]

    return make
