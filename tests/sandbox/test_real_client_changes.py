"""The official client sees what was renamed, moved, deleted, forked, edited and given another alias."""

from typing import Any

from wandb_warehouse.sandbox import Sandbox

LOOK = """
api = wandb.Api(timeout=60)

def found(path):
    try:
        return api.run(path).id
    except Exception as error:
        return str(error)

for project in ("old", "new", "target"):
    try:
        out[project] = [run.id for run in api.runs("sandbox/" + project)]
    except ValueError as error:
        out[project] = str(error)
asked = ("old/kept", "new/kept", "new/moved", "target/moved", "new/gone")
out["runs"] = {name: found("sandbox/" + name) for name in asked}
out["rows"] = [row["loss"] for row in api.run("sandbox/target/moved").scan_history()]
edited = api.run("sandbox/new/kept")
out["edited"] = [edited.config["lr"], edited.summary["best"]]
fork = api.run("sandbox/new/fork")
out["fork"] = [fork.rawconfig["_wandb"]["branch_point"], [row["_step"] for row in fork.scan_history()]]
out["best"] = api.artifact("sandbox/new/model:best").version
"""


def test_the_real_client_sees_the_changes(box: Sandbox, run_script: Any) -> None:
    """Old names are unknown, new ones lead to the same runs with all they have; deleted runs are not found."""
    old = ("sandbox", "old")
    for name in ("kept", "moved", "gone"):
        box.add_run(*old, name, rows=[{"loss": 1.5}, {"loss": 0.5}], config={"lr": 1})
    for digest in ("a", "b"):
        box.add_artifact(*old, "model", digest, aliases=["best"], run_id="kept")
    before = box.store.projects[old].runs["kept"].updated_at
    box.advance(60)
    box.edit(*old, "kept", config={"lr": 2}, summary={"best": 3}, quietly=True)
    assert box.store.projects[old].runs["kept"].updated_at == before
    box.fork(*old, "kept", "fork", 0)
    box.append_rows(*old, "fork", [{"_step": 1, "loss": 7}])
    box.delete(*old, "gone")
    box.move_run(*old, "moved", "target")
    box.move_alias(*old, "model", "best", 0)
    box.rename_project(*old, "new")
    seen = run_script(LOOK, box)
    runs = seen.pop("runs")
    assert (runs["new/kept"], runs["target/moved"]) == ("kept", "moved")
    for name in ("old/kept", "new/moved", "new/gone"):
        assert "Could not find" in runs[name], runs[name]
    assert "Could not find project" in seen.pop("old")
    assert seen == {
        "new": ["kept", "fork"],
        "target": ["moved"],
        "rows": [1.5, 0.5],
        "edited": [2, 3],
        "fork": [{"run_id": "kept", "step": 0}, [1]],
        "best": "v0",
    }
