"""Changes of artifacts: ours do at W&B what the official client's do, and the warehouse shows them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from api.artifact_steps import AFAR, OURS, STEPS, THEIRS
from api.test_writing import process
from support import contents, options, query, training
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync

pytestmark = pytest.mark.slow

PROJECTS = (OURS, OURS + AFAR, THEIRS)
"""Those that are synced; the neighbour of the official client's project is not."""


class World(NamedTuple):
    """A sandbox whose artifacts were changed, its warehouse, and what was seen."""

    box: Sandbox
    warehouse: Path
    seen: dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Twin projects, one sync, every change once on either side."""
    home = tmp_path_factory.mktemp("artifacts")
    warehouse = home / "wandb.duckdb"
    with Sandbox() as box:
        for path in (OURS, THEIRS):
            entity, project = path.split("/")
            for number in (1, 2):
                box.add_run(entity, project, f"r{number}", rows=training(5, seed=number))
            box.add_run(entity, project + AFAR, "r9", rows=training(3))
            for digest in ("a", "b"):
                box.add_artifact(entity, project, "model", digest, run_id="r1")
            box.add_artifact(entity, project, "data", "c", kind="dataset", run_id="r2")
        sync(options(box, warehouse, *PROJECTS))
        answer = home / "answer.json"
        script = [
            sys.executable,
            str(Path(__file__).with_name("artifact_steps.py")),
            str(warehouse),
            str(answer),
        ]
        done = subprocess.run(script, check=False, **process(home / "home", box))
        assert done.returncode == 0, done.stderr[-4000:]
        yield World(box, warehouse, json.loads(answer.read_text()))


@pytest.mark.parametrize("step", STEPS)
def test_our_change_is_the_official_one(world: World, step: str) -> None:
    """The official client tells the same of both projects, and both gave the same."""
    found = world.seen[step]
    theirs, ours = map(_nameless, found["server"])
    assert ours == theirs
    assert found["given"][0] == found["given"][1]


@pytest.mark.parametrize("step", STEPS)
def test_the_warehouse_shows_the_change(world: World, step: str) -> None:
    """A new `Api` and the one that wrote tell what the official client does; nothing else is another row."""
    found = world.seen[step]
    assert found["warehouse"] == found["server"][1]
    assert found["same"] == found["server"][1]
    assert found["rest"][0] == found["rest"][1]


def test_every_step_changes_something(world: World) -> None:
    """What is told differs from step to step."""
    told = [world.seen[step]["warehouse"] for step in STEPS]
    assert [
        name for name, one, next_one in zip(list(STEPS)[1:], told, told[1:], strict=False) if one == next_one
    ] == []


def _nameless(told: dict[str, Any]) -> Any:
    """What is told, without ids, which twins do not share."""
    return json.loads(re.sub(r'"id": "[^"]*"', '"id": null', json.dumps(told)))


def test_what_is_deleted_is_marked(world: World) -> None:
    """Its row stays and says so, as a sync leaves it; aliases, edges and links are gone."""
    told = world.seen["delete"]["warehouse"]
    assert told["e/twin has model:v1"] is told["e/twin has model:latest"] is False
    assert told["e/twin has model:v0"] is True
    assert (told["e/twin/r2"]["used"], told["e/twinafar/r9"]["used"]) == ([], [])
    assert not [name for name in told if "picks" in name and "has" not in name]
    states = (
        "SELECT project, collection, state, count(*) FROM artifacts WHERE project LIKE 'ours%' GROUP BY ALL"
    )
    assert query(world.warehouse, states) == [("ours", "data", "DELETED", 1)]
    assert world.seen["states"] == [["model", "v0", "COMMITTED"], ["model", "v1", "DELETED"]]


def test_a_collection_is_written(world: World) -> None:
    """With description and tags, which only W&B shows."""
    assert world.seen["collection"] == ["of networks", ["kept"]]


def test_refusals(world: World) -> None:
    """What the server refuses is an error of ours, with its words; what the official client does is its own."""
    theirs, ours = world.seen["refused"]
    of_the_server = {"delete": "artifact has aliases: latest", "link": "project e/nowhere not found"}
    assert theirs.keys() == ours.keys() > of_the_server.keys()
    for name, (kind, text) in ours.items():
        if name in of_the_server:
            assert kind == "FatalRemoteError"
            assert of_the_server[name] in text
            assert of_the_server[name] in theirs[name][1]
        else:
            assert kind == ("TypeError" if name == "log a name" else "ValueError")
            said = text.replace(OURS, THEIRS)
            assert said.startswith("You must pass") if name.endswith("a name") else said == theirs[name][1]


def test_a_new_project(world: World) -> None:
    """It is at the server and in the warehouse."""
    theirs, ours = world.seen["projects"]
    assert {"made-by-ours", "made-by-theirs"} <= set(theirs)
    assert set(ours) == {path.split("/")[1] for path in PROJECTS} | {"made-by-ours"}


def test_the_warehouse_is_what_a_sync_makes(world: World) -> None:
    """A sync afterwards of what was changed by others leaves it as a new one is."""
    paths = (*PROJECTS, "e/made-by-ours")
    sync(options(world.box, world.warehouse, *paths, sweep=True))
    new = world.warehouse.with_name("new.duckdb")
    sync(options(world.box, new, *paths))
    assert contents(world.warehouse) == contents(new)
