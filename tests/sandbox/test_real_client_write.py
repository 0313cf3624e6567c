"""The official client writes to the sandbox unpatched; what arrived is compared with what was logged."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from wandb_warehouse.sandbox import Sandbox, Switches
from wandb_warehouse.sandbox.store import Run, unwrap_config

WRITER = """
import numpy as np

run = wandb.init(project="p", id="rich", name="shown", config={"lr": 0.1, "opt": {"betas": [0.9, 0.99]}},
                 tags=["a", "b"], notes="a note", group="g", job_type="train")
for i in range(40):
    row = {"loss": 1 / (i + 1), "whole": float(i), "text": f"t{i}", "flag": i % 2 == 0, "b": {"c": i, "d": {"e": -i}}}
    if i == 3:
        row |= {"loss": math.nan, "up": math.inf, "down": -math.inf, "none": None}
    if i == 4:
        row |= {"big": 2**62, "huge": 2**70, "quote": 'say "NaN" \\u20ac'}
    run.log(row)
run.log({"hist": wandb.Histogram([1, 2, 3, 4])})
run.log({"table": wandb.Table(columns=["x", "y"], data=[[1, "one"], [2, "two"]])})
run.log({"image": wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8))})
run.config.update({"late": True})
run.summary["best"] = 0.25
run.finish()

run = wandb.init(project="p", id="broken")
run.use_artifact("run-rich-table:latest")
run.log({"x": 1})
run.finish(exit_code=1)

run = wandb.init(project="p", id="rich", resume="must")
run.log({"loss": 7})
run.finish()

run = wandb.init(project="p", id="fresh", resume="allow")
run.log({"loss": 1}, step=5)
run.log({"loss": 2}, step=90)
run.finish()

run = wandb.init(project="p", id="rewound")
for i in range(10):
    run.log({"x": i})
run.finish()
run = wandb.init(project="p", resume_from="rewound?_step=4")
run.log({"x": -1})
run.finish()

# The same id again without resume: the steps start over, the lines go on.
run = wandb.init(project="p", id="again")
for i in range(3):
    run.log({"first": i})
run.finish()
run = wandb.init(project="p", id="again")
for i in range(2):
    run.log({"second": i})
run.finish()
"""

EDITOR = """
api = wandb.Api(timeout=60)
run = api.run("sandbox/p/rich")
run.tags.append("c")
run.notes = "edited"
run.config["more"] = [1, 2]
run.display_name = "renamed"
run.update()
run.summary.update({"manual": 3})
api.run("sandbox/p/broken").delete()
out["left"] = sorted(run.id for run in wandb.Api(timeout=60).runs("sandbox/p"))
"""


@pytest.fixture(scope="module")
def written(run_script: Any) -> Iterator[Sandbox]:
    """A sandbox the client wrote its runs to."""
    with Sandbox() as box:
        run_script(WRITER, box)
        yield box


def find(box: Sandbox, name: str) -> Run:
    """A run of the project written."""
    run = box.store.find_run("sandbox", "p", name)
    assert run is not None
    return run


def rows(run: Run) -> list[dict[str, Any]]:
    """History rows, parsed by the standard library (which knows bare NaN)."""
    return [json.loads(line) for line in run.history.lines]


def test_scalars_arrive_exactly(written: Sandbox) -> None:
    """Every logged scalar arrives in its row: floats by repr, big integers whole, non-finite ones as such."""
    got = rows(find(written, "rich"))
    assert [row["_step"] for row in got] == list(range(44))
    for i, row in enumerate(got[:40]):
        assert row["whole"] == i
        assert row["text"] == f"t{i}"
        assert row["flag"] is (i % 2 == 0)
        assert row["b"] == {"c": i, "d": {"e": -i}}
        assert math.isnan(row["loss"]) if i == 3 else row["loss"] == 1 / (i + 1)
    assert (got[3]["up"], got[3]["down"], got[3]["none"]) == (math.inf, -math.inf, None)
    assert (got[4]["big"], got[4]["huge"], got[4]["quote"]) == (2**62, float(2**70), 'say "NaN" \u20ac')


def test_media_arrive_with_their_files(written: Sandbox) -> None:
    """Histograms, tables and images arrive as typed objects, and the files they name are uploaded."""
    run = find(written, "rich")
    by_key = {key: row[key] for row in rows(run) for key in ("hist", "table", "image") if key in row}
    assert by_key["hist"]["_type"] == "histogram"
    assert sum(by_key["hist"]["values"]) == 4
    for key in ("table", "image"):
        file = run.files[by_key[key]["path"]]
        assert len(file.body) == by_key[key]["size"]
    table = json.loads(run.files[by_key["table"]["path"]].body)
    assert table["data"] == [[1, "one"], [2, "two"]]
    assert {
        "config.yaml",
        "wandb-metadata.json",
        "wandb-summary.json",
        "requirements.txt",
    } <= run.files.keys()


def test_metadata_arrives(written: Sandbox) -> None:
    """Name, tags, notes, group, job type, config and summary are those of the writer."""
    run = find(written, "rich")
    assert (run.display_name, run.tags, run.notes) == ("shown", ["a", "b"], "a note")
    assert (run.group, run.job_type, run.username, run.state) == ("g", "train", "sandbox", "finished")
    config = unwrap_config(run.config)
    assert "t" in config.pop("_wandb")
    assert config == {"lr": 0.1, "opt": {"betas": [0.9, 0.99]}, "late": True}
    summary = json.loads(run.summary)
    assert (summary["best"], summary["loss"], summary["_step"]) == (0.25, 7, 43)


def test_exit_codes_become_states(written: Sandbox) -> None:
    """A run that ends with an error is failed, another one finished; both keep their rows."""
    assert [find(written, name).state for name in ("broken", "fresh", "again")] == [
        "failed",
        "finished",
        "finished",
    ]
    assert find(written, "broken").display_name


def test_resume_goes_on_where_the_run_was(written: Sandbox) -> None:
    """A resumed run appends behind its last step."""
    assert rows(find(written, "rich"))[-1] | {"_timestamp": 0, "_runtime": 0} == {
        "loss": 7, "_step": 43, "_timestamp": 0, "_runtime": 0,
    }  # fmt: skip


def test_a_rewind_drops_the_later_rows(written: Sandbox) -> None:
    """A run taken up at an earlier step loses the rows behind it and goes on from there."""
    got = rows(find(written, "rewound"))
    assert [(row["_step"], row["x"]) for row in got] == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, -1)]


def test_gaps_in_steps_stay(written: Sandbox) -> None:
    """Steps set by the user arrive as they are."""
    assert [row["_step"] for row in rows(find(written, "fresh"))] == [5, 90]


def test_a_run_started_over_repeats_steps(written: Sandbox) -> None:
    """The same id without resume continues the lines and repeats the steps; nothing is overwritten."""
    got = rows(find(written, "again"))
    assert [row["_step"] for row in got] == [0, 1, 2, 0, 1]
    assert [row.get("first", row.get("second")) for row in got] == [0, 1, 2, 0, 1]


ARTIFACTS = """
api = wandb.Api(timeout=60)
(made,) = api.run("sandbox/p/rich").logged_artifacts()
out["made"] = [made.name, made.type, made.state, made.aliases]
out["table"] = made.get("table").data
out["entries"] = sorted(api.artifact("sandbox/p/run-rich-table:v0").manifest.entries)
out["files"] = os.listdir(made.download(os.path.join(os.environ["SCRATCH"], "artifact")))
out["used"] = [artifact.name for artifact in api.run("sandbox/p/broken").used_artifacts()]
out["users"] = [run.id for run in made.used_by()]
out["maker"] = made.logged_by().id
"""


def test_artifacts_of_tables(written: Sandbox, run_script: Any) -> None:
    """A logged table becomes an artifact that the client finds, reads and downloads, with maker and user."""
    assert run_script(ARTIFACTS, written) == {
        "made": ["run-rich-table:v0", "run_table", "COMMITTED", ["latest"]],
        "table": [[1, "one"], [2, "two"]],
        "entries": ["table.table.json"],
        "files": ["table.table.json"],
        "used": ["run-rich-table:v0"],
        "users": ["broken"],
        "maker": "rich",
    }


def test_edits_and_deletion_through_the_public_api(run_script: Any) -> None:
    """`run.update()`, `summary.update()` and `run.delete()` change what the sandbox holds, and nothing else."""
    with Sandbox(switches=Switches(edits_move_heartbeat=False)) as box:
        box.add_run("sandbox", "p", "broken", rows=[{"x": 1}])
        run = box.add_run(
            "sandbox", "p", "rich", rows=[{"loss": 0.5}], config={"lr": 0.1}, tags=["a"], notes="n",
            created_at="2026-01-02T03:04:05Z",
        )  # fmt: skip
        heard = run.heartbeat_at
        answer = run_script(EDITOR, box)
        assert answer["left"] == ["rich"]
        assert (run.tags, run.notes, run.display_name) == (["a", "c"], "edited", "renamed")
        config = unwrap_config(run.config)
        assert (config["lr"], config["more"]) == (0.1, [1, 2])
        summary = json.loads(run.summary)
        assert (summary["manual"], summary["loss"]) == (3, 0.5)
        assert run.heartbeat_at == heard


AROUND = """
run = wandb.init(project="p", id="talker")
print("hello console")
run.log({"x": 1})
run.finish()
api = wandb.Api(timeout=60)
run = api.run("sandbox/p/talker")
out["console"] = [line.content for line in run.console_logs()]
with open("note.txt", "w") as note:
    note.write("a note")
run.upload_file("note.txt")
out["uploaded"] = [file.size for file in run.files() if file.name == "note.txt"]
for file in run.files():
    if file.name == "note.txt":
        file.delete()
out["left"] = [file.name for file in wandb.Api(timeout=60).run("sandbox/p/talker").files() if "note" in file.name]
out["created"] = api.create_run(project="p", run_id="made").id
out["updated"] = api.run("sandbox/p/made").update_state("failed")
out["state"] = wandb.Api(timeout=60).run("sandbox/p/made").state

fork = wandb.init(project="p", fork_from="talker?_step=0")
fork.log({"x": 2})
fork.finish()
out["fork"] = fork.id
"""


def test_what_else_a_client_does(run_script: Any) -> None:
    """Console lines, file uploads and deletions, runs made without a writer, state changes and forks all work."""
    with Sandbox() as box:
        got = run_script(AROUND, box)
        fork = find(box, got.pop("fork"))
        assert got == {
            "console": ["hello console"],
            "uploaded": [6],
            "left": [],
            "created": "made",
            "updated": True,
            "state": "failed",
        }
        assert unwrap_config(fork.config)["_wandb"]["branch_point"] == {"run_id": "talker", "step": 0}
        assert [(row["_step"], row["x"]) for row in rows(fork)] == [(1, 2)]
