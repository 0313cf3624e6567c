"""The official client logs again, links, deletes and renames artifacts, and makes a project, by its public API."""

from typing import Any

from wandb_warehouse.sandbox import Sandbox

DO = """
api = wandb.Api(timeout=60)

def tell(name):
    found = wandb.Api(timeout=60)
    try:
        version = found.artifact("sandbox/p/" + name)
    except wandb.errors.CommError:
        return None
    return [version.version, version.state, sorted(version.aliases), version.is_link]

def refused(work):
    try:
        work()
    except Exception as error:
        return [type(error).__name__, str(error)]

maker = api.run("sandbox/p/second")
out["new contents"] = maker.log_artifact(api.artifact("sandbox/p/model:v0"), aliases=["best"], tags=["t"]).name
out["logged"] = [found.name for found in api.run("sandbox/p/second").logged_artifacts()]
out["creator"] = api.artifact("sandbox/p/model:v0").logged_by().id
out["logged again"] = tell("model:best")
out["refused"] = refused(api.artifact("sandbox/p/model:v1").delete)
out["other project"] = refused(lambda: api.run("sandbox/other/third").log_artifact(api.artifact("sandbox/p/model:v0")))

first = api.artifact("sandbox/p/model:v1").link("sandbox/p/picks", aliases=["x"])
out["linked"] = [first.qualified_name, first.version, first.source_qualified_name, first.linked_at is not None]
second = api.artifact("sandbox/p/model:v0").link("sandbox/p/picks")
out["links"] = [tell("picks:v0"), tell("picks:v1"), api.artifact("sandbox/p/picks:latest").source_name]
out["once"] = api.artifact("sandbox/p/model:v1").link("sandbox/p/picks").version
out["into versions"] = refused(lambda: api.artifact("sandbox/p/model:v1").link("sandbox/p/data"))
out["aliases of the source"] = api.artifact("sandbox/p/model:v1").aliases
api.artifact("sandbox/p/picks:x").unlink()
out["unlinked"] = [tell("picks:v0"), tell("model:v1")]

api.artifact("sandbox/p/model:v1").delete(delete_aliases=True)
out["deleted"] = [tell("model:v1"), tell("model:latest"), tell("model:v0")]
every = api.artifacts("model", "sandbox/p/model")
out["listed"] = [found.name for found in every]
states = type(every)(api._service_api, "sandbox", "p", "model", "model", filters={})
out["of all states"] = [[found.name, found.state] for found in states]
with wandb.init(project="p", id="later") as run:
    artifact = wandb.Artifact("model", type="model")
    with artifact.new_file("data.txt") as file:
        file.write("later")
    run.log_artifact(artifact).wait()
out["number"] = tell("model:latest")[0]

model = api.artifact_collection("model", "sandbox/p/model")
model.name, model.description, model.tags, model.type = "net", "about", ["a", "b"], "network"
model.save()
model.tags = ["b"]
model.save()
net = wandb.Api(timeout=60).artifact_collection("network", "sandbox/p/net")
out["collection"] = [net.description, sorted(net.tags), [found.name for found in net.artifacts()], net.aliases]
net.delete()
out["gone"] = [tell("net:v0"), tell("picks:v1")]
out["left"] = sorted(found.name for found in api.project("p", "sandbox").collections())
out["kinds"] = [kind.name for kind in wandb.Api(timeout=60).artifact_types("sandbox/p")]
api.create_project("fresh", "sandbox")
out["fresh"] = [len(api.runs("sandbox/fresh")), "fresh" in [found.name for found in api.projects("sandbox")]]
"""


def test_the_real_client_changes_artifacts(box: Sandbox, run_script: Any) -> None:
    """Numbers, aliases and links are as its documentation and its issues tell of W&B."""
    for project, run in (("p", "first"), ("p", "second"), ("other", "third")):
        box.add_run("sandbox", project, run)
    for digest in ("a", "b"):
        box.add_artifact("sandbox", "p", "model", digest, run_id="first")
    box.add_artifact("sandbox", "p", "data", "c", kind="dataset")
    seen = run_script(DO, box)
    for name, words in (
        ("refused", "artifact has aliases: latest"),
        ("into versions", "not a collection of links"),
    ):
        kind, text = seen.pop(name)
        assert (kind, words in text) == ("CommError", True)
    assert seen.pop("other project") == ["CommError", "A run can't log an artifact to a different project."]
    assert seen == {
        "new contents": "model:v0",
        "logged": ["model:v0"],
        "creator": "first",
        "logged again": ["v0", "COMMITTED", ["best"], False],
        "linked": ["sandbox/p/picks:v0", "v0", "sandbox/p/model:v1", True],
        "links": [["v0", "COMMITTED", ["x"], True], ["v1", "COMMITTED", ["latest"], True], "model:v0"],
        "once": "v0",
        "aliases of the source": ["latest"],
        "unlinked": [None, ["v1", "COMMITTED", ["latest"], False]],
        "deleted": [None, None, ["v0", "COMMITTED", ["best"], False]],
        "listed": ["model:v0"],
        "of all states": [["model:v1", "DELETED"], ["model:v0", "COMMITTED"]],
        "number": "v2",
        "collection": ["about", ["b"], ["net:v2", "net:v0"], ["best", "latest"]],
        "gone": [None, None],
        "left": ["data", "picks"],
        "kinds": ["dataset", "model"],
        "fresh": [0, True],
    }
