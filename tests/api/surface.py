"""Reads a project through the public API's surface and writes what it got. Run as a script, by either client.

Arguments: module that has `Api` (`wandb` or `wandb_warehouse`), path of the project, file for the answer. Every value
is written with the name of its type, so that 1 and 1.0, a tuple and a list, a missing and a null value stay apart.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

ATTRIBUTES = (
    "id", "name", "state", "entity", "username", "project", "path", "url", "storage_id", "created_at", "heartbeat_at",
    "tags", "notes", "description", "group", "job_type", "commit", "sweep_name", "sweep", "read_only", "config",
    "rawconfig", "summary_metrics", "system_metrics", "history_keys", "lastHistoryStep", "_project_internal_id",
    "display_name", "displayName", "createdAt", "heartbeatAt", "jobType", "history_line_count", "historyLineCount",
    "systemMetrics", "summaryMetrics", "projectId", "readOnly", "metadata",
)  # fmt: skip
"""Read of a run that was asked for by its path."""

LISTED = (
    "id",
    "name",
    "state",
    "created_at",
    "tags",
    "group",
    "config",
    "summary_metrics",
    "user",
    "rawconfig",
)
"""Read of a run in a list."""


def written(value: Any) -> Any:
    """A value with its type's name, for JSON."""
    name = type(value).__name__
    if isinstance(value, Mapping):
        return [name, {str(key): written(value[key]) for key in sorted(value, key=str)}]
    if isinstance(value, list | tuple):
        return [name, [written(each) for each in value]]
    if isinstance(value, str | bool | int | None):
        return [name, value]
    if isinstance(value, float):
        return [name, repr(value)]
    if name in {"User", "Sweep", "Run", "Runs"}:
        return [name, repr(value)]
    return [name, repr(value)]


def frame(value: Any) -> Any:
    """A data frame as its columns, by name: the type of each, and its values."""
    return {
        "rows": len(value),
        "columns": {
            str(name): [str(value[name].dtype), [written(each) for each in value[name].tolist()]]
            for name in sorted(value.columns)
        },
    }


def tried(ask: Callable[[], Any]) -> Any:
    """What a question gives, or that it fails."""
    try:
        return written(ask())
    except Exception as error:  # noqa: BLE001 -- what is raised is the answer
        return ["raises", type(error).__name__]


def histories(run: Any, *, whole: bool) -> dict[str, Any]:
    """The ways to a run's history, `whole` with those that few take, with samples enough for all rows."""
    answers: dict[str, Any] = {
        "rows": tried(lambda: run.history(pandas=False)),
        "loss": tried(lambda: run.history(keys=["loss"], pandas=False)),
        "system": tried(lambda: run.history(stream="system", pandas=False)),
        "scan": tried(lambda: list(run.scan_history())),
        "scan of a key": tried(lambda: list(run.scan_history(keys=["loss"]))),
        "frame": frame(run.history()),
    }
    return answers | (_rarely(run) if whole else {})


def _rarely(run: Any) -> dict[str, Any]:
    return {
        "two keys": tried(lambda: run.history(keys=["loss", "val/acc"], pandas=False)),
        "other axis": tried(lambda: run.history(keys=["loss"], x_axis="_runtime", pandas=False)),
        "epochs": tried(lambda: run.history(keys=["epoch"], x_axis="epoch", pandas=False)),
        "no such key": tried(lambda: run.history(keys=["nothing/like it"], pandas=False)),
        "keys no list": tried(lambda: run.history(keys="loss", pandas=False)),
        "keys no texts": tried(lambda: run.history(keys=[1], pandas=False)),
        "keys of the system": tried(lambda: run.history(keys=["loss"], stream="system", pandas=False)),
        "scan of steps": tried(lambda: list(run.scan_history(min_step=3, max_step=11))),
        "scan of pages": tried(lambda: list(run.scan_history(page_size=4))),
        "scan beyond": tried(lambda: list(run.scan_history(min_step=1000))),
        "scan keys no list": tried(lambda: run.scan_history(keys="loss")),
        "frame of a key": frame(run.history(keys=["loss", "epoch"])),
    }


_OBJECTS = {"best", "nested", "histogram", "_wandb"}
"""Entries of a summary that are objects: their order is the server's."""


def summary(run: Any) -> dict[str, Any]:
    """A summary as the dict-like object that it is."""
    found = run.summary
    return {
        "keys": tried(lambda: sorted(found.keys())),
        "items": tried(lambda: {key: repr(value) for key, value in found.items() if key not in _OBJECTS}),
        "attribute": tried(lambda: found.epoch),
        "missing": tried(lambda: found.get("no such", 7)),
        "item": tried(lambda: found["loss"]),
        "no item": tried(lambda: found["no such"]),
        "nested": tried(lambda: found["best"]["at"]),
        "nested attribute": tried(lambda: found.best.loss),
        "in": tried(lambda: ("loss" in found, "no such" in found, " loss " in found)),
        "type": tried(lambda: type(found["best"]).__name__),
    }


def one(api: Any, path: str, *, whole: bool) -> dict[str, Any]:
    """Everything of one run."""
    run = api.run(path)
    return {
        "attributes": {name: tried(partial(getattr, run, name)) for name in ATTRIBUTES},
        "user": tried(lambda: (run.user.name, run.user.username)),
        "json config": tried(lambda: json.loads(run.json_config)),
        "repr": tried(lambda: repr(run)),
        "no attribute": tried(lambda: run.nothing_like_it),
        "again": tried(lambda: api.run(path) is run),
        "loaded": tried(lambda: sorted({"id", "name", "state", "config", "tags"} & set(run.load()))),
        "summary": summary(run),
        "histories": histories(run, whole=whole),
    }


FILTERS: dict[str, dict[str, Any]] = {
    "state": {"filters": {"state": "finished"}},
    "config": {"filters": {"config.lr": {"$gte": 0.01}}},
    "nested config": {"filters": {"config.optimizer.name": "adam"}},
    "summary": {"filters": {"summary_metrics.loss": {"$lt": 0.5}}},
    "tags": {"filters": {"tags": {"$in": ["baseline"]}}},
    "or": {"filters": {"$or": [{"group": "seeds"}, {"jobType": "eval"}]}},
    "expression": {"filters": {"display_name": {"$regex": "^name 1"}}},
    "descending": {"order": "-created_at"},
    "by summary": {"order": "+summary_metrics.best.loss"},
    "by config": {"order": "-config.seed.value"},
    "nobody": {"filters": {"config.lr": 77}},
}


def _ids(api: Any, path: str, ask: Mapping[str, Any]) -> list[str]:
    return [run.id for run in api.runs(path, **ask)]


def lists(api: Any, path: str) -> dict[str, Any]:
    """Lists of runs: filters, orders, pages, indices, cursors, histories."""
    runs = api.runs(path, per_page=17)
    answers: dict[str, Any] = {
        "length": tried(lambda: len(runs)),
        "before": tried(lambda: runs.more),
        "first": tried(lambda: runs[0].id),
        "more": tried(lambda: runs.more),
        "cursor": tried(lambda: type(runs.cursor).__name__),
        "objects": tried(lambda: len(runs.objects)),
        "slice": tried(lambda: [run.id for run in runs[3:21]]),
        "all": tried(lambda: [run.id for run in runs]),
        "again": tried(lambda: [run.id for run in runs]),
        "no more": tried(lambda: runs.more),
        "beyond": tried(lambda: runs[10_000]),
        "next": tried(lambda: next(iter(runs)).id),
        "same": tried(lambda: api.runs(path, per_page=17) is runs),
        "repr": tried(lambda: repr(runs)),
        "kept": tried(lambda: (runs.entity, runs.project, runs.filters, runs.order, runs.per_page)),
        "variables": tried(lambda: sorted({"perPage", "cursor"} & set(runs.variables))),
    }
    for name, ask in FILTERS.items():
        answers[f"filter {name}"] = tried(partial(_ids, api, path, ask))
    for lazy in (True, False):
        listed = api.runs(path, order="-created_at", lazy=lazy, per_page=50)
        answers[f"attributes, lazy={lazy}"] = {
            run.id: {name: tried(partial(getattr, run, name)) for name in LISTED} for run in listed
        }
        api.flush()
    few = api.runs(path, {"config.batch": 16, "state": "finished"})
    for stream in ("default", "system"):
        rows = few.histories(stream=stream)
        answers[f"histories {stream}"] = written(rows)
    answers["histories of a key"] = written(few.histories(keys=["loss"]))
    answers["frame of histories"] = frame(few.histories(format="pandas"))
    answers["frame of a key"] = frame(few.histories(keys=["loss"], format="pandas"))
    answers["columns of histories"] = written(list(few.histories(format="pandas").columns))
    answers["frame of nobody"] = frame(api.runs(path, {"config.lr": 77}).histories(format="pandas"))
    polars = few.histories(keys=["loss"], format="polars")
    answers["polars"] = written(
        [list(polars.columns), [str(each) for each in polars.dtypes], polars.to_dicts()]
    )
    answers["no format"] = tried(lambda: few.histories(format="csv"))
    return answers


def beside(api: Any, path: str) -> dict[str, Any]:
    """Paths, and what is not there."""
    entity, project = path.split("/")
    first = next(iter(api.runs(path))).id
    home = type(api)(overrides={"entity": entity, "project": project})
    return {
        "forms": tried(
            lambda: [
                api.run(form).id
                for form in (f"{path}/runs/{first}", f"/{path}/{first}", f"{entity}/{project}:{first}")
            ]
        ),
        "defaults": tried(
            lambda: (home.run(first).id, home.run(f"{project}/{first}").id, len(home.runs(project)))
        ),
        "default entity": tried(lambda: home.settings["entity"]),
        "no run": tried(lambda: bool(api.run(f"{path}/nothing-like-it"))),
        "no project": tried(lambda: len(list(api.runs(f"{entity}/nothing-like-it")))),
        "bad path": tried(lambda: api.run("")),
        "from path": tried(lambda: repr(api.from_path(f"{path}/runs/{first}"))),
    }


def main(module: str, path: str, answer: str) -> None:
    """Read the project and write the answer."""
    with contextlib.redirect_stderr(sys.stdout):
        api = import_module(module).Api(timeout=120)
        ids = [run.id for run in api.runs(path, per_page=100)]
        found = {
            "runs": {run: one(api, f"{path}/{run}", whole=place < 40) for place, run in enumerate(ids)},
            "lists": lists(api, path),
            "beside": beside(api, path),
        }
    Path(answer).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
