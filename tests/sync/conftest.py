"""A sandbox, an empty warehouse beside it, and a client that does not wait between its tries."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lengths import takes_its_turn
from wandb_warehouse.client import Limits, WandbClient, Window
from wandb_warehouse.sandbox import Sandbox


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


OVER_BOTH = {
    "test_incremental": False,
    "test_sampled": True,
    "test_scope": True,
}
"""Modules whose tests run over a DuckDB file and over a lake, and whether the lake's turn is among the slow tests."""

OF_THE_FILE = {
    "test_what_cannot_be_read_makes_no_warehouse",
    "test_one_sync_at_a_time",
    "test_a_rewind_shows_however_far_the_run_has_gone_on",
    "test_the_official_client_gives_the_same",
}
"""Tests that look at the DuckDB file itself, or at what is read more than at where it is written to; `test_lake.py` has
the like of the former for a lake."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests over both destinations; `destination` is asked for by way of `warehouse`."""
    if "destination" not in metafunc.fixturenames:
        return
    slow = OVER_BOTH.get(metafunc.module.__name__.rpartition(".")[2])
    kinds: list[Any] = ["duckdb"]
    test = metafunc.function
    if slow is not None and test.__name__ not in OF_THE_FILE and takes_its_turn(test):
        kinds.append(pytest.param("filesystem", marks=pytest.mark.slow) if slow else "filesystem")
    metafunc.parametrize("destination", kinds)


@pytest.fixture
def warehouse(tmp_path: Path, destination: str) -> Path:
    """Where a warehouse may be made."""
    return tmp_path / {"duckdb": "wandb.duckdb", "filesystem": "lake"}[destination]


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> list[Window]:
    """Every window of history rows that is asked for; tries follow each other at once."""
    asked: list[Window] = []

    class Watched(WandbClient):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, limits=Limits(backoff=0.0), **more)

        async def history_rows(self, entity: str, project: str, windows: Sequence[Window]) -> list[list[str]]:
            asked.extend(windows)
            return await super().history_rows(entity, project, windows)

    monkeypatch.setattr("wandb_warehouse.sync.orchestration.WandbClient", Watched)
    return asked
