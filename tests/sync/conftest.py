"""A sandbox, an empty warehouse beside it, and a client that does not wait between its tries."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from wandb_warehouse.client import Limits, WandbClient, Window
from wandb_warehouse.sandbox import Sandbox


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def destination() -> str:
    """What kind of warehouse is made; a test that is parametrized with it runs over several."""
    return "duckdb"


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
