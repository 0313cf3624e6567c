"""The warehouse that the peer's behaviours are held against, and an `Api` over it."""

from pathlib import Path

import pytest

from api.peer.world import synced
from wandb_warehouse import Api
from wandb_warehouse.sandbox import Sandbox


@pytest.fixture(scope="session")
def peer_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world, synced once; its server is gone."""
    with Sandbox() as box:
        return synced(box, tmp_path_factory.mktemp("peer"))


@pytest.fixture
def api(peer_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """An `Api` whose project is e/p, without a server and without anything set by the machine."""
    for name in ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Api({"entity": "e", "project": "p"}, warehouse=peer_warehouse)
