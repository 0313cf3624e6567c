"""What lies beside runs and histories: written by the official client, told by it, and synced."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

from api import beside_reader
from api.runs_place import Place, rows_of
from real_client.official import OfficialClient
from support import options
from wandb_warehouse import Api
from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import SyncOptions, sync


@dataclass
class Beside:
    """A server that the official client filled, its warehouse, and what each says."""

    box: Sandbox
    warehouse: Path
    sweeps: dict[str, str]
    """Ids by what the writer calls them."""
    theirs: beside_reader.Facts
    ours: beside_reader.Facts

    def api(self) -> Api:
        """Ours, over the warehouse."""
        return Api({"base_url": self.box.base_url}, api_key=self.box.key, warehouse=self.warehouse)


SWEPT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("smallest", {"loss": 0.5}),
    ("smallest", {"loss": 0.125}),
    ("largest", {"val": {"acc": 0.5}}),
    ("largest", {"val": {"acc": 0.75}}),
)
"""Sweeps of further runs, and their summaries."""


def load(
    box: Sandbox, warehouse: Path, *projects: str, destination: Literal["duckdb", "filesystem"] = "duckdb"
) -> Path:
    """Sync projects of the sandbox."""
    options = SyncOptions(
        tuple(ProjectPath("sandbox", project) for project in projects),
        Connection(box.base_url, Secret(box.key), "argument"),
        warehouse,
        destination=destination,
        opt_in=frozenset({"console_logs"}),
    )
    assert sync(options).quarantined == {}
    return warehouse


Change = Callable[[str], Api]


@pytest.fixture
def change(beside: Beside, tmp_path: Path) -> Change:
    """Changes a copy of the warehouse, and gives ours over it."""

    def write(sql: str) -> Api:
        path = tmp_path / "wandb.duckdb"
        shutil.copyfile(beside.warehouse, path)
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute(sql)
        return Api({"base_url": beside.box.base_url}, warehouse=path)

    return write


@pytest.fixture(scope="session")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Project `p` of the sandbox, synced; it uses an artifact of the project `other`, which is not."""
    scratch = tmp_path_factory.mktemp("beside")
    with Sandbox() as box:
        client = OfficialClient(box, "p", scratch)
        client.run("../api/beside_writer.py", str(scratch / "sweeps.json"))
        sweeps = json.loads((scratch / "sweeps.json").read_text())
        for number, (name, summary) in enumerate(SWEPT):
            box.add_run(
                "sandbox", "p", f"swept{number}", config={"lr": number}, summary=summary, sweep=sweeps[name],
                created_at=f"2031-01-01T00:00:0{number}Z",
            )  # fmt: skip
        client.run("../api/beside_reader.py", str(scratch / "theirs.json"))
        theirs = json.loads((scratch / "theirs.json").read_text())
        made = Beside(box, load(box, scratch / "wandb.duckdb", "p"), sweeps, theirs, {})
        made.ours = told(made.api())
        yield made


def told(api: Api) -> beside_reader.Facts:
    """What ours says, as it is after a passage through JSON."""
    facts: beside_reader.Facts = json.loads(json.dumps(beside_reader.tell(api)))
    return facts


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The project `e/p` of a sandbox, in a file and in a lake; nobody changes either."""
    folder = tmp_path_factory.mktemp("api")
    with Sandbox() as box:
        for number in range(12):
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
