"""What changes W&B: it is at the server, the warehouse shows it, and nothing else is touched."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from real_client.official import isolated
from support import contents, options, query, training
from wandb_warehouse.arrow import Selection
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync

P = ("e", "p")
HERE = Path(__file__).parent


def process(home: Path, box: Sandbox | None = None) -> dict[str, Any]:
    """How to start a process that knows nothing of this machine, and of the key where to find it."""
    home.mkdir(exist_ok=True)
    told = {} if box is None else {"BOX_URL": box.base_url, "BOX_KEY": box.key}
    return {"env": isolated(home, **told), "cwd": home, "timeout": 280, "capture_output": True, "text": True}


class World(NamedTuple):
    """A sandbox that was written to, its warehouse, and what was seen."""

    box: Sandbox
    warehouse: Path
    seen: dict[str, Any]
    printed: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One sandbox, one sync, every change once."""
    home = tmp_path_factory.mktemp("writing")
    warehouse = home / "wandb.duckdb"
    with Sandbox() as box:
        for number in range(1, 6):
            config = {"lr": 0.1, "old": 1, "nested": {"inner": 1, "other": 2}, "secret": number}
            box.add_run(*P, f"r{number}", rows=training(30, seed=number), config=config, tags=["t"])
        for name in ("live", "live2"):
            box.add_run(*P, name, rows=training(5), state="running")
        for digest in ("a", "b"):
            box.add_artifact(*P, "model", digest, run_id="r1")
        sync(options(box, warehouse))
        sifted = options(box, home / "sifted.duckdb", selection=Selection((), ("secret", "loss")))
        sync(sifted)
        answer = home / "answer.json"
        script = [
            sys.executable,
            str(HERE / "writing_steps.py"),
            *map(str, (warehouse, sifted.warehouse, answer)),
        ]
        done = subprocess.run(script, check=False, **process(home / "home", box))
        assert done.returncode == 0, done.stderr[-4000:]
        yield World(box, warehouse, json.loads(answer.read_text()), done.stdout + done.stderr)


STEPS: dict[str, dict[str, Any]] = {
    "update": {
        "name": "a name", "notes": "notes ü", "group": "some group", "description": "what it is", "job_type": "eval",
        "tags": ["t", "more"],
        "config": {
            "lr": 0.5, "nested": {"inner": [1, None, {"x": "y"}], "other": 2}, "new": 2**60, "secret": 1,
        },
        "summary": {"acc": 0.25},
    },
    "save": {"tags": ["only"], "name": "a name", "summary": {"acc": 0.25}},
    "summary": {"summary": {"acc": 0.75, "deep": {"x": {"y": 1}}, "odd": None}},
    "within the summary": {"summary": {"acc": 0.75, "deep": {"x": {"y": 1, "z": 2}}}},
    "beside others": {"notes": "theirs", "summary": {"mine": 4, "theirs": 2}},
    "state": {"state": "failed"},
    "stop": {"state": "running"},
    "upload": {"files": ["file.txt"]},
    "delete a file": {"files": []},
    "use": {"used": ["model:v0"]},
    "log": {"logged": ["model:v0 []", "model:v1 ['best', 'latest']"]},
    "artifact": {"logged": ["model:v0 ['chosen']", "model:v1 ['best', 'latest']"]},
    "create": {"state": "running", "config": {}, "summary": {}},
    "create pending": {"state": "pending"},
    "create elsewhere": {"state": "running"},
}  # fmt: skip
"""What each step is to leave of its run; NaN in a summary the official client writes as null."""


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_change_is_at_the_server_and_in_the_warehouse(world: World, step: str) -> None:
    """The official client reads the change from the server, and the warehouse shows what it reads."""
    found = world.seen[step]
    for name, value in STEPS[step].items():
        there = found["server"][name]
        assert (there if name != "summary" else {key: there[key] for key in value}) == value
    # As text: NaN is not equal to itself.
    shown, there = (json.dumps(found[side], sort_keys=True) for side in ("warehouse", "server"))
    assert shown == there


@pytest.mark.slow
@pytest.mark.parametrize("step", [*STEPS, "delete"])
def test_other_runs_stay_as_they_are(world: World, step: str) -> None:
    """Not a row of another run is another one, its ledger among them."""
    before, after = world.seen[step]["rest"]
    assert before == after


@pytest.mark.slow
def test_what_a_sync_left_out_stays_at_the_server(world: World) -> None:
    """An update from a warehouse without some keys takes none of them from the server, and brings none here."""
    found = world.seen["sifted"]
    rest = {"old": 1, "nested": {"inner": 1, "other": 2}, "lr": 0.7}
    assert found["server"]["config"] == {**rest, "secret": 5}
    assert found["warehouse"]["config"] == rest
    assert {"loss", "mine"} <= found["server"]["summary"].keys()
    assert found["warehouse"]["summary"].keys() == found["server"]["summary"].keys() - {"loss"}
    assert found["rest"][0] == found["rest"][1]


@pytest.mark.slow
def test_what_methods_give(world: World) -> None:
    """A file and a run of ours; whether the state was set."""
    seen = world.seen
    assert seen["state is set"] is True
    assert seen["uploaded"] == ["wandb_warehouse.api.runs.files", "file.txt", 8]
    assert seen["used"] == "model:v0"
    assert seen["made"] == ["wandb_warehouse.api.runs.run", "made", "running"]
    assert seen["artifact of the server"] == seen["artifact of the warehouse"] == "described"
    assert "flag" not in seen["update"]["server"]["summary"]
    assert seen["projects"] == ["fourth", "p"]


@pytest.mark.slow
def test_a_run_is_told_to_stop(world: World) -> None:
    """The server has the flag, which nothing that can be read shows."""
    runs = world.box.store.projects[P].runs
    assert [name for name, run in runs.items() if run.stopped] == ["live2"]


@pytest.mark.slow
def test_a_deleted_run_is_gone(world: World) -> None:
    """Neither side shows it; its rows stay, with the time of the proof; to change it is refused."""
    assert (world.seen["delete"]["server"], world.seen["delete"]["warehouse"]) == (None, None)
    assert world.seen["listed"] == ["live", "live2", "made", "pending", "r1", "r2", "r3", "r5"]
    told = query(world.warehouse, "SELECT run_id, state FROM run_ledger WHERE state = 'deleted'")
    assert told == [("r4", "deleted")]
    marked = "SELECT run_id FROM runs WHERE deleted_at IS NOT NULL"
    assert query(world.warehouse, marked) == [("r4",)]
    assert query(world.warehouse, "SELECT count(*) FROM history WHERE run_id = 'r4'") != [(0,)]
    assert world.seen["update what is deleted"][0] == "RunNotFoundError"


@pytest.mark.slow
def test_refusals_are_errors_of_ours(world: World) -> None:
    """What the server refuses is one line; what is asked for wrongly is what the official client says."""
    kind, text = world.seen["delete what has aliases"]
    assert (kind, "\n" in text) == ("FatalRemoteError", False)
    assert text.startswith("Artifact.delete of e/p/model:v1 failed: ")
    assert world.seen["log what is no artifact"][0] == "TypeError"
    assert world.seen["use what is no artifact"][0] == "ValueError"
    assert world.seen["upload nothing"][0] == "FileNotFoundError"


@pytest.mark.slow
def test_the_key_is_shown_nowhere(world: World) -> None:
    """Neither in what is printed nor in an error."""
    assert world.box.key not in world.printed
    assert world.box.key not in json.dumps(world.seen)


@pytest.mark.slow
def test_the_warehouse_is_what_a_sync_makes(world: World) -> None:
    """A sweep afterwards reads what others changed and is owed, and no history; then the warehouse is as a new one."""
    projects = ("e/p", "e/third", "e/fourth")
    told = sync(options(world.box, world.warehouse, *projects, sweep=True))
    assert (told.rows, told.runs_deleted) == (0, 0)
    assert sync(options(world.box, world.warehouse, *projects)).generation is None
    new = world.warehouse.with_name("new.duckdb")
    sync(options(world.box, new, *projects))
    assert contents(world.warehouse) == contents(new)


CALLS = """
run = api.run("e/p/r1")
calls = {
    "update": run.update, "save": run.save, "delete": run.delete, "stop": run.stop,
    "create": lambda: type(run).create(api, "x", "p", "e"), "update_state": lambda: run.update_state("failed"),
    "upload_file": lambda: run.upload_file(__file__), "log_artifact": lambda: run.log_artifact(None),
    "use_artifact": lambda: run.use_artifact(None), "summary.update": lambda: run.summary.update({"x": 1}),
    "create_run": lambda: api.create_run(run_id="x"), "create_project": lambda: api.create_project("x", "e"),
}
told = {}
for name, call in calls.items():
    try:
        call()
    except Exception as error:
        told[name] = [type(error).__name__, str(error), repr(error.__cause__)]
assert api.run("e/p/r1").config["lr"] == 0.1 and len(api.runs("e/p")) == 1
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """A sandbox and a warehouse of one run."""
    warehouse = tmp_path_factory.mktemp("small") / "wandb.duckdb"
    with Sandbox() as box:
        box.add_run(*P, "r1", rows=[{"loss": 1}], config={"lr": 0.1})
        sync(options(box, warehouse))
        yield box, warehouse


def _told(small: tuple[Sandbox, Path], prelude: str, arguments: str) -> dict[str, list[str]]:
    box, warehouse = small
    script = warehouse.with_name("calls.py")
    script.write_text(
        textwrap.dedent(prelude)
        + "import json, os\nfrom wandb_warehouse import Api\n"
        + f"api = Api({arguments}, warehouse={str(warehouse)!r})\n"
        + CALLS
    )
    done = subprocess.run(
        [sys.executable, str(script)], check=False, **process(warehouse.with_name("home"), box)
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert box.key not in done.stdout + done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert len(found) == 12
    return found


WITH_KEY = 'overrides={"base_url": os.environ["BOX_URL"]}, api_key=os.environ["BOX_KEY"]'
WITHOUT = {
    "not there": "import sys\nsys.modules['wandb'] = None\n",
    "a directory of runs": "import sys, types\nsys.modules['wandb'] = types.ModuleType('wandb')\n",
}


@pytest.mark.parametrize("how", WITHOUT)
def test_without_the_official_client(small: tuple[Sandbox, Path], how: str) -> None:
    """Every method that changes something names the extra to install; reading goes on."""
    told = _told(small, WITHOUT[how], WITH_KEY)
    assert {kind for kind, _, _ in told.values()} == {"MissingExtraError"}
    (text,) = {text for _, text, _ in told.values()}
    assert "pip install 'wandb-warehouse[write]'" in text
    assert "\n" not in text


@pytest.mark.slow
def test_without_a_key(small: tuple[Sandbox, Path]) -> None:
    """Every method says in one line that there is no key, and asks nobody for one."""
    told = _told(small, "", 'overrides={"base_url": os.environ["BOX_URL"]}')
    assert {kind for kind, _, _ in told.values()} == {"AuthError"}
    (text,) = {text for _, text, _ in told.values()}
    assert text.startswith("there is no W&B key for 127.0.0.1; ")
    assert "\n" not in text


@pytest.mark.slow
def test_with_a_key_that_is_refused(small: tuple[Sandbox, Path]) -> None:
    """Every method says so, and no message has the key."""
    wrong = "0123456789abcdef" * 2 + "01234567"
    told = _told(small, "", f'overrides={{"base_url": os.environ["BOX_URL"]}}, api_key={wrong!r}')
    assert {kind for kind, _, _ in told.values()} == {"AuthError"}
    assert wrong not in json.dumps(told)


def test_reading_imports_neither_the_official_client_nor_the_loader(small: tuple[Sandbox, Path]) -> None:
    """Neither `wandb` nor dlt is imported by who reads."""
    script = f"""
    import sys
    from wandb_warehouse import Api
    run = Api(warehouse={str(small[1])!r}).run("e/p/r1")
    run.config, run.summary, run.history(pandas=False)
    assert not {{"wandb", "dlt"}} & set(sys.modules), "imported"
    """
    home = small[1].with_name("home")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, **process(home))
    assert done.returncode == 0, done.stderr
