"""One project for all faults, published once before it moved; clients that do not wait between their tries."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.world import World, enter, fill, move, run_cli
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.warehouse import content_digest


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The project, a file and a lake of it as it was, the digest of what it is now."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch, Sandbox() as box:
        enter(patch, box, folder)
        fill(box)
        old = {"duckdb": folder / "old.duckdb", "filesystem": folder / "old-lake"}
        for destination, place in old.items():
            assert run_cli("sync", "e/p", "-w", place, "--destination", destination).code == 0
        (old["filesystem"] / ".lock").unlink()
        move(box)
        assert run_cli("sync", "e/p", "-w", folder / "now.duckdb").code == 0
        yield World(box, old, content_digest(folder / "now.duckdb"))


@pytest.fixture(autouse=True)
def place(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a warehouse may be, in an empty home whose environment points at the sandbox."""
    enter(monkeypatch, world.box, tmp_path)
    yield tmp_path / "wandb.duckdb"
    world.box.faults.clear()
    shutil.rmtree(tmp_path, ignore_errors=True)
