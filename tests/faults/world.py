"""A project that moved since it was published, the command over it, and what must hold after a fault."""

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.commands import Ended
from support import training
from wandb_warehouse.cli import main
from wandb_warehouse.client import Limits, WandbClient
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.warehouse import content_digest

__all__ = ["BOUNDS", "World", "edited", "enter", "fill", "move", "run_cli"]


BOUNDS = {
    "client": Limits(backoff=0.0, attempts=2, timeout=20.0, blob_timeout=20.0, max_bytes=4 * 2**20),
}
"""Small bounds, soon reached; what they are in earnest is tested in the room of the client."""


class Hasty(WandbClient):
    """A client with small bounds that does not wait."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **{"limits": BOUNDS["client"], **more})


def enter(patch: pytest.MonkeyPatch, box: Sandbox, home: Path) -> None:
    """Let the environment point at a sandbox, from an empty home, with clients of small bounds."""
    for name in ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_WAREHOUSE"):
        patch.delenv(name, raising=False)
    patch.setenv("WANDB_BASE_URL", box.base_url)
    patch.setenv("WANDB_API_KEY", box.key)
    patch.setenv("HOME", str(home))
    patch.setenv("NETRC", str(home / "netrc"))
    patch.chdir(home)
    patch.setattr("wandb_warehouse.sync.orchestration.WandbClient", Hasty)


def run_cli(*arguments: object) -> Ended:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(map(str, arguments)))
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Ended(code, out.getvalue(), err.getvalue())


def fill(box: Sandbox) -> None:
    """Three runs, one of them exported to its middle."""
    for number in range(3):
        run_id = f"run-{number:02}-id"
        box.add_run("e", "p", run_id, rows=training(30, seed=number), config={"n": number}, tags=["a"])
    box.export("e", "p", "run-00-id", 15)


def move(box: Sandbox) -> None:
    """Two runs go on, one gets another tag, a fourth begins with everything exported."""
    box.append_rows("e", "p", "run-00-id", training(10, seed=50, first=30))
    box.append_rows("e", "p", "run-01-id", training(10, seed=51, first=30))
    box.edit("e", "p", "run-02-id", tags=["a", "b"])
    box.add_run("e", "p", "run-03-id", rows=training(20, seed=3), config={"n": 3})
    box.export("e", "p", "run-03-id", 19)


def edited(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    """A change of an answer's JSON, made in place."""

    def changed(body: bytes) -> bytes:
        answer = json.loads(body)
        change(answer)
        return json.dumps(answer).encode()

    return changed


def _bytes_of(place: Path) -> bytes:
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return b"".join(path.read_bytes() for path in files if path.name != ".lock")


@dataclass(frozen=True)
class World:
    """A sandbox, a file and a lake published before it moved, and the digest of what it holds now."""

    box: Sandbox
    old: Mapping[str, Path]
    """By destination: `duckdb` and `filesystem`."""
    now: Mapping[str, str]

    def put(self, place: Path, destination: str = "duckdb") -> str:
        """Put the published warehouse at a place; gives the sha256 of its bytes."""
        old = self.old[destination]
        if old.is_dir():
            shutil.copytree(old, place)
        else:
            shutil.copy(old, place)
        return self.sha256(place)

    @staticmethod
    def sha256(place: Path) -> str:
        """Digest of every byte of a file, or of the files of a lake."""
        return hashlib.sha256(_bytes_of(place)).hexdigest()

    def assert_untouched(self, place: Path, before: str) -> None:
        """The warehouse is byte for byte what it was and nothing lies beside it: so is the next sync's task."""
        assert self.sha256(place) == before
        beside = [path.name for path in place.parent.iterdir() if path.name.startswith(place.name)]
        assert sorted(beside) in ([place.name], [place.name, f"{place.name}.lock"])
        if place.is_dir():
            assert not [path for path in place.iterdir() if path.name.startswith((".work", ".reader"))]

    def assert_heals(self, place: Path) -> None:
        """The next sync, without a fault, makes the warehouse equal to one that never met any."""
        self.box.faults.clear()
        ended = run_cli("sync", "e/p", "-w", place)
        assert ended.code == 0, ended.err
        assert content_digest(place) == self.now
