"""Changes artifacts of twin projects, step by step: one by the official client, one by ours. Run as a script.

Arguments: warehouse, file for the answer. `BOX_URL` and `BOX_KEY` say where the server is. Of each step: what the
official client then tells of either project, what ours tells of its own, and whether all else of the warehouse is as
before.
"""

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from wandb_warehouse import Api
from wandb_warehouse.schema import TABLES

OURS, THEIRS = "e/ours", "e/theirs"
AFAR = "afar"
"""Ends the name of the twins' neighbours, that links lead into."""
CHANGING = {"artifacts", "artifact_aliases", "run_artifacts"}
"""Tables in which something of our own project may change."""


def official() -> Any:
    """The official client, which remembers nothing."""
    import wandb  # noqa: PLC0415 - the tests import this module, too

    return wandb.Api(overrides=_server(), api_key=os.environ["BOX_KEY"], timeout=60)


def _server() -> dict[str, str]:
    return {"base_url": os.environ["BOX_URL"]}


def _version(api: Any, path: str, found: Any) -> dict[str, Any]:
    """What is told of a version asked for by its name: lists tell some of a link otherwise."""
    version = api.artifact(f"{path}/{found.name}")
    maker = version.logged_by()
    return {
        **{
            name: getattr(version, name)
            for name in ("id", "version", "state", "description", "metadata", "digest")
        },
        "aliases": sorted(version.aliases),
        "tags": sorted(version.tags),
        "ttl": version.ttl and version.ttl.total_seconds(),
        "updated": version.updated_at >= version.created_at,
        "source": version.source_qualified_name,
        "links": sorted(link.qualified_name for link in version.linked_artifacts),
        "made by": maker and maker.id,
        "used by": sorted(run.id for run in version.used_by()),
        "by alias": sorted(
            api.artifact(f"{path}/{found.name.partition(':')[0]}:{alias}").version
            for alias in version.aliases
        ),
    }


def tell(api: Any, path: str) -> dict[str, Any]:
    """What an API tells of the artifacts of a project, and of its neighbour, with neutral names of both."""
    told: dict[str, Any] = {}
    for place in (path, path + AFAR):
        for kind in api.artifact_types(place):
            for collection in kind.collections():
                versions = {found.name: _version(api, place, found) for found in collection.artifacts()}
                if (
                    versions or collection.is_sequence()
                ):  # the warehouse knows a collection of links by its links
                    told[f"{place} {kind.name} {collection.name}"] = {
                        "sequence": collection.is_sequence(),
                        "aliases": sorted(collection.aliases),
                        "versions": versions,
                    }
        for run in api.runs(place, order="+created_at"):
            told[f"{place}/{run.id}"] = {
                "logged": sorted(found.qualified_name for found in run.logged_artifacts()),
                "used": sorted(found.qualified_name for found in run.used_artifacts()),
                "summary": dict(run.summary_metrics),
            }
        for name in ("model:v0", "model:v1", "model:latest", "picks:v0"):
            told[f"{place} has {name}"] = api.artifact_exists(f"{place}/{name}")
    neutral: dict[str, Any] = json.loads(json.dumps(told).replace(path, "e/twin"))
    return neutral


def rest(warehouse: str, without: str | None) -> str:
    """Digest of all rows but those of artifacts of our own projects, without the times of our own work.

    `without`: a run of ours that is deleted, and changes its row and its project's.
    """
    told = hashlib.sha256()
    with duckdb.connect(warehouse, read_only=True) as reader:
        for table in TABLES.values():
            if table.name == "sync_log" or (without and table.name == "projects"):
                continue
            names = ", ".join(f'"{name}"' for name in table.names if name != "synced_at")
            wanted = "project NOT LIKE 'ours%'" if table.name in CHANGING else "true"
            wanted += f" AND (project, run_id) <> ('ours', '{without}')" if table.per_run and without else ""
            found = reader.execute(f"SELECT {names} FROM {table.name} WHERE {wanted} ORDER BY ALL").fetchall()
            told.update(repr((table.name, found)).encode())
    return told.hexdigest()


def _log(api: Any, path: str) -> Any:
    run = api.run(f"{path}/r2")
    return run.log_artifact(api.artifact(f"{path}/model:v0"), aliases=["best"], tags=["again"])


def _use(api: Any, path: str) -> Any:
    return api.run(f"{path}/r2").use_artifact(api.artifact(f"{path}/model:v1"), use_as="input")


def _use_afar(api: Any, path: str) -> Any:
    return api.run(f"{path}{AFAR}/r9").use_artifact(api.artifact(f"{path}/model:v1"))


def _save(api: Any, path: str) -> None:
    version = api.artifact(f"{path}/model:best")
    version.aliases.remove("best")
    version.aliases.append("chosen")
    version.description, version.metadata["n"], version.tags = "described ü", 2, ["again", "more"]
    version.ttl = timedelta(days=2)
    version.save()
    # The alias it was asked for by is gone: it is the same version still.
    version.tags.remove("again")
    version.save()


def _keep(api: Any, path: str) -> None:
    version = api.artifact(f"{path}/model:chosen")
    version.ttl = None
    version.save()


def _link(api: Any, path: str) -> Any:
    version = api.artifact(f"{path}/model:chosen")
    version.link(f"{path}/picks", aliases=["first"])
    return api.artifact(f"{path}/model:v1").link(f"{path}/picks")


def _link_afar(api: Any, path: str) -> Any:
    return api.artifact(f"{path}/model:v1").link(f"{path}{AFAR}/picks", aliases=["far"])


def _alias_of_link(api: Any, path: str) -> None:
    link = api.artifact(f"{path}/picks:first")
    link.aliases = ["second", "latest"]
    link.save()


def _unlink(api: Any, path: str) -> None:
    api.artifact(f"{path}/picks:second").unlink()


def _delete_link(api: Any, path: str) -> None:
    api.artifact(f"{path}/picks:v1").delete()


def _delete_links(api: Any, path: str) -> None:
    api.artifact_collection("model", f"{path}{AFAR}/picks").delete()


def _delete(api: Any, path: str) -> None:
    version = api.artifact(f"{path}/model:v1")
    version.link(f"{path}/picks")  # the link goes with it
    version.delete(delete_aliases=True)


def _collection(api: Any, path: str) -> None:
    collection = api.artifact_collection("model", f"{path}/model")
    collection.name, collection.type = "renamed", "network"
    collection.description, collection.tags = "of networks", ["kept"]
    collection.save()


def _change_type(api: Any, path: str) -> None:
    api.artifact_collection("dataset", f"{path}/data").change_type("text")


def _delete_collection(api: Any, path: str) -> None:
    api.artifact_collection("network", f"{path}/renamed").delete()


def _delete_run(api: Any, path: str) -> None:
    api.run(f"{path}/r2").delete(delete_artifacts=True)


STEPS: Mapping[str, Callable[[Any, str], Any]] = {
    "log again": _log,
    "use": _use,
    "use elsewhere": _use_afar,
    "save": _save,
    "keep for ever": _keep,
    "link": _link,
    "link elsewhere": _link_afar,
    "alias of a link": _alias_of_link,
    "unlink": _unlink,
    "delete a link": _delete_link,
    "delete a collection of links": _delete_links,
    "delete": _delete,
    "save a collection": _collection,
    "change a type": _change_type,
    "delete a collection": _delete_collection,
    "delete a run": _delete_run,
}
GONE = {"delete a run": "r2"}


def _refused(work: Callable[[], Any]) -> list[str] | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        return [type(error).__name__, str(error)]
    return None


def _tag_badly(version: Any) -> None:
    version.tags = ["bad!"]  # the official client looks at tags here, ours as it saves them
    version.save()


def _refusals(api: Any, path: str) -> dict[str, Any]:
    """What is refused, by either client."""
    import wandb  # noqa: PLC0415 - as above

    version, run = api.artifact(f"{path}/model:v1"), api.run(f"{path}/r2")
    draft = wandb.Artifact("draft", type="model")
    asked = {
        "tags": partial(_tag_badly, version),
        "log a draft": partial(run.log_artifact, draft),
        "log a name": partial(run.log_artifact, "model:v0"),
        "use a draft": partial(run.use_artifact, draft),
        "use a name": partial(run.use_artifact, "model:v0"),
        "delete": version.delete,
        "unlink": version.unlink,
        "link": partial(version.link, "e/nowhere/picks"),
        "type": partial(api.artifact_collection("model", f"{path}/model").change_type, "job"),
    }
    return {name: _refused(work) for name, work in asked.items()}


def _states(seen: dict[str, Any], warehouse: str) -> None:
    with duckdb.connect(warehouse, read_only=True) as reader:
        sql = "SELECT collection, version, state FROM artifacts WHERE project = 'ours' AND type = 'model' ORDER BY ALL"
        seen["states"] = reader.execute(sql).fetchall()


def _written(seen: dict[str, Any], _: str) -> None:
    collection = official().artifact_collection("network", f"{OURS}/renamed")
    seen["collection"] = [collection.description, sorted(collection.tags)]


BETWEEN: Mapping[str, Callable[[dict[str, Any], str], None]] = {
    "delete": _states,
    "save a collection": _written,
}
"""What is looked at after a step, beside what is told."""


def _shown(given: Any, path: str) -> Any:
    return given and given.qualified_name.replace(path, "e/twin")


def main(warehouse: str, answer: str) -> None:
    """Do everything once on either side."""
    api = Api(overrides=_server(), api_key=os.environ["BOX_KEY"], warehouse=warehouse)
    seen: dict[str, Any] = {"refused": [_refusals(official(), THEIRS), _refusals(api, OURS)]}
    for name, step in STEPS.items():
        theirs = _shown(step(official(), THEIRS), THEIRS)
        without = GONE.get(name)
        before = rest(warehouse, without)
        ours = _shown(step(api, OURS), OURS)
        if without:
            api.flush()  # either client remembers lists of runs
        told = official()
        seen[name] = {
            "given": [theirs, ours],
            "server": [tell(told, THEIRS), tell(told, OURS)],
            "warehouse": tell(Api(warehouse=warehouse), OURS),
            "same": tell(api, OURS),
            "rest": [before, rest(warehouse, without)],
        }
        if name in BETWEEN:
            BETWEEN[name](seen, warehouse)
    official().create_project("made-by-theirs", "e")
    api.create_project("made-by-ours", "e")
    seen["projects"] = [sorted(project.name for project in each.projects("e")) for each in (official(), api)]
    Path(answer).write_text(json.dumps(seen))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
