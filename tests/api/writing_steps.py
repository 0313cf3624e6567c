"""Changes W&B by our own surface, step by step, and writes down what both sides then show. Run as a script.

Arguments: warehouse, one that lacks some keys, file for the answer. `BOX_URL` and `BOX_KEY` say where the server is. Of
each step: what the official client reads from the server, what a freshly opened warehouse shows, and whether all else
in it is as before.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import wandb

from wandb_warehouse import Api
from wandb_warehouse.schema import TABLES

FIELDS = ("name", "tags", "notes", "description", "group", "job_type", "state")
URL, KEY = os.environ["BOX_URL"], os.environ["BOX_KEY"]


def _theirs() -> Any:
    return wandb.Api(overrides={"base_url": URL}, api_key=KEY, timeout=60)


def _server(path: str) -> dict[str, Any] | None:
    try:
        run = _theirs().run(path)
    except wandb.Error:
        return None
    return {
        **{field: getattr(run, field) for field in FIELDS},
        "config": run.config,
        "summary": run.summary._json_dict,
        "files": sorted(file.name for file in run.files()),
        "logged": sorted(f"{found.name} {sorted(found.aliases)}" for found in run.logged_artifacts()),
        "used": sorted(found.name for found in run.used_artifacts()),
    }


def _warehouse(warehouse: str, path: str) -> dict[str, Any] | None:
    try:
        run = Api(warehouse=warehouse).run(path)
    except ValueError:
        return None
    of_run = "entity || '/' || project || '/' || run_id = ?"
    with duckdb.connect(warehouse, read_only=True) as reader:

        def asked(sql: str) -> list[Any]:
            return sorted(row[0] for row in reader.execute(sql, [path]).fetchall())

        linked = f"FROM run_artifacts WHERE {of_run} AND direction"
        aliases = """(SELECT coalesce(string_agg('''' || alias || '''', ', ' ORDER BY alias), '')
            FROM artifact_aliases WHERE artifact_aliases.artifact_id = run_artifacts.artifact_id)"""
        return {
            **{field: getattr(run, field) for field in FIELDS},
            "config": run.config,
            "summary": dict(run.summary_metrics),
            "files": asked(f"SELECT name FROM files WHERE {of_run}"),
            "logged": asked(
                f"SELECT collection || ':' || version || ' [' || {aliases} || ']' {linked} = 'logged'"
            ),
            "used": asked(f"SELECT collection || ':' || version {linked} = 'used'"),
        }


def _rest(warehouse: str, run_id: str) -> str:
    """Digest of the rows of all other runs, their ledger with it, without the times of our own work."""
    told = hashlib.sha256()
    with duckdb.connect(warehouse, read_only=True) as reader:
        for table in TABLES.values():
            if not table.per_run:
                continue
            names = ", ".join(f'"{name}"' for name in table.names if name != "synced_at")
            sql = f'SELECT {names} FROM "{table.name}" WHERE run_id <> ? ORDER BY ALL'
            told.update(repr((table.name, reader.execute(sql, [run_id]).fetchall())).encode())
    return told.hexdigest()


class Steps:
    """What was done, and what was seen then."""

    def __init__(self, warehouse: str) -> None:
        self.seen: dict[str, Any] = {}
        self._warehouse = warehouse

    @contextmanager
    def step(self, name: str, path: str) -> Iterator[None]:
        """Do something to one run."""
        run_id = path.rpartition("/")[2]
        before = _rest(self._warehouse, run_id)
        yield
        self.seen[name] = {
            "server": _server(path),
            "warehouse": _warehouse(self._warehouse, path),
            "rest": [before, _rest(self._warehouse, run_id)],
        }

    def refused(self, name: str, work: Callable[[], Any]) -> None:
        """Take note of an error."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is what is looked for
            self.seen[name] = [type(error).__name__, str(error)]
        else:
            self.seen[name] = None


def main(warehouse: str, without: str, answer: str) -> None:
    """Do everything once."""
    api = Api(overrides={"base_url": URL}, api_key=KEY, warehouse=warehouse)
    steps = Steps(warehouse)

    with steps.step("update", "e/p/r1"):
        run = api.run("e/p/r1")
        run.name, run.notes, run.group = "a name", "notes ü", "some group"
        run.description, run.job_type = "what it is", "eval"
        run.tags.append("more")
        run.config["lr"] = 0.5
        run.config["nested"]["inner"] = [1, None, {"x": "y"}]
        run.config["new"] = 2**60
        del run.config["old"]
        run.summary["acc"] = 0.25
        del run.summary["flag"]
        run.update()
    with steps.step("save", "e/p/r1"):
        run.tags = ["only"]
        run.save()
    with steps.step("summary", "e/p/r2"):
        api.run("e/p/r2").summary.update({"acc": 0.75, "deep": {"x": {"y": 1}}, "odd": float("nan")})
    with steps.step("within the summary", "e/p/r2"):
        api.run("e/p/r2").summary["deep"]["x"].update({"z": 2})
    with steps.step("beside others", "e/p/r3"):
        mine = api.run("e/p/r3")
        theirs = _theirs().run("e/p/r3")
        theirs.notes, theirs.config["theirs"] = "theirs", 1
        theirs.summary["theirs"] = 2
        theirs.update()
        mine.config["mine"] = 3
        mine.summary["mine"] = 4
        mine.update()
    with steps.step("state", "e/p/live"):
        steps.seen["state is set"] = api.run("e/p/live").update_state("failed")
    with steps.step("stop", "e/p/live2"):
        api.run("e/p/live2").stop()
    Path("up").mkdir()
    Path("up/file.txt").write_text("contents")
    with steps.step("upload", "e/p/r1"):
        uploaded = api.run("e/p/r1").upload_file("up/file.txt", root="up")
        steps.seen["uploaded"] = [type(uploaded).__module__, uploaded.name, uploaded.size]
    with steps.step("delete a file", "e/p/r1"):
        api.run("e/p/r1").file("file.txt").delete()
    with steps.step("use", "e/p/r2"):
        steps.seen["used"] = api.run("e/p/r2").use_artifact(api.artifact("e/p/model:v0")).name
    with steps.step("log", "e/p/r1"):
        api.run("e/p/r1").log_artifact(_theirs().artifact("e/p/model:v1"), aliases=["best"], tags=["t"])
    steps.refused("delete what has aliases", api.artifact("e/p/model:v1").delete)

    with steps.step("artifact", "e/p/r1"):
        version = api.artifact("e/p/model:v0")
        version.description, version.metadata = "described", {"n": 1}
        version.aliases.append("chosen")
        version.save()
    steps.seen["artifact of the server"] = _theirs().artifact("e/p/model:v0").description
    steps.seen["artifact of the warehouse"] = Api(warehouse=warehouse).artifact("e/p/model:v0").description

    with steps.step("create", "e/p/made"):
        made = api.create_run(run_id="made", project="p", entity="e")
        steps.seen["made"] = [type(made).__module__, made.id, made.state]
    with steps.step("create pending", "e/p/pending"):
        type(made).create(api, "pending", "p", "e", "pending")
    api.create_project("fourth", "e")
    steps.seen["projects"] = sorted(project.name for project in api.projects("e"))
    with steps.step("create elsewhere", "e/third/first"):
        api.create_run(run_id="first", project="third", entity="e")
    with steps.step("delete", "e/p/r4"):
        gone = api.run("e/p/r4")
        gone.delete()
    steps.refused("update what is deleted", gone.update)
    steps.seen["listed"] = sorted(run.id for run in api.runs("e/p"))
    steps.refused("log what is no artifact", lambda: api.run("e/p/r1").log_artifact("model"))
    steps.refused("use what is no artifact", lambda: api.run("e/p/r1").use_artifact("model"))
    steps.refused("upload nothing", lambda: api.run("e/p/r1").upload_file("nothing.txt"))

    sifted = Steps(without)
    with sifted.step("sifted", "e/p/r5"):
        run = Api(overrides={"base_url": URL}, api_key=KEY, warehouse=without).run("e/p/r5")
        run.config["lr"], run.summary["mine"] = 0.7, 1
        run.update()
    Path(answer).write_text(json.dumps(steps.seen | sifted.seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
