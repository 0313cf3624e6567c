"""Runs to judge operations by: every kind under one key, what is missing, ties, names of quotes, dots and slashes.

The same runs go into a warehouse, through our own builders, and to Node.js as they are.
"""

import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.world import World
from wandb_warehouse.arrow.values import classify, flatten

__all__ = ["GIVEN", "harsh_world"]

ENTITY = "acme"
PROJECTS = ("vision", "speech.v2", "größe")
GIVEN = {"run": "run-0", "run1": "run-1", "run2": "run-2"}
"""Ids of the runs that programs name."""

_START = datetime(2026, 1, 29, 22, 30, tzinfo=UTC)
_NUMBERS = (0, 1, -2.5, 0.5, 64, 1e300, 3e-05, 2**53 + 1, -0.0, 1e21)
_TEXTS = ("text", "7", " 8.5 ", "", "Ünïcode ß", "it's", 'say "hi"', "-1e3", "a,b;c", "--x", "$&")
_LISTS: tuple[Any, ...] = (
    [1, 2],
    [],
    ["a", "b"],
    [64, "x", None, 1.5],
    [[1], [2]],
    [{"units": 3}, {"units": None}],
)
_OBJECTS: tuple[Any, ...] = ({}, {"x": 1}, {"x": {"y": None, "z": "deep"}})
_TAGS = ("baseline", "ablation", "Größe", "it's", 'say "hi"', "a-b-c")

Maker = Callable[[random.Random], Any]


def _of(*choices: Any) -> Maker:
    return lambda rng: rng.choice(choices)


def _any(rng: random.Random) -> Any:
    kinds = (_NUMBERS, _TEXTS, _LISTS, _OBJECTS, (True, False, None), (math.nan, math.inf, -math.inf))
    return rng.choice(rng.choice(kinds))


_CONFIG: dict[str, Maker] = {
    "lr": _of(0.001, 0.01, 0.01, 0.1, 1, 3e-05, "auto", None),
    "batch": _of(16, 32, 64, 128),
    "learning_rate": _of(0.001, 0.02, 0.02, 0.3),
    "model_type": _of("cnn", "mlp", "Cnn", "ré-net", None),
    "flag": _of(True, False),
    "layers": _of([64, 32], [8, 8, 8], ["a", "b"], [1.5, "x", None], []),
    "blocks": _of([{"units": 64, "kind": "conv"}, {"units": 8}], [{"units": 32}]),
    "mixed": _any,
    "a/b": _of(1, 2, 3),
    'it\'s "x"': _of(1, "y"),
    "größe": _of(1, 2, "groß"),
    "optimizer": _of(
        {"name": "adam", "lr": 0.5}, {"name": "sgd", "deep": {"er": 2}}, {"name": "adam", "lr": None}
    ),
    "data.size": _of(10, 20),
    "none": _of(None),
}
_SUMMARY: dict[str, Maker] = {
    "accuracy": _of(0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 0.9, 0.95, 1, 0, math.nan, "0.8", None),
    "loss": _of(0.25, 0.5, 1.5, 2, 1e9, math.nan, math.inf, -math.inf),
    "val/loss": _of(0.5, 1.25, 4, "4"),
    "best_val_loss": _of(0.5, 0.75),
    "note": _of("good run", "Bad", "", "good", " spaced\u00a0"),
    "mixed": _any,
    "state": _of("custom", "finished", None),
    "best": _of({"loss": 0.25, "step": 3}, {"loss": 1.5}),
    "sample": _of({"_type": "image-file", "path": "a.png", "width": 3}),
}
_PRESENT = {"state": 0.2, "batch": 0.95, "data.size": 0.4, "sample": 0.3}


def _document(rng: random.Random, makers: dict[str, Maker]) -> dict[str, Any]:
    return {key: make(rng) for key, make in makers.items() if rng.random() < _PRESENT.get(key, 0.7)}


def _config(rng: random.Random) -> dict[str, Any]:
    config = _document(rng, _CONFIG)
    if "data.size" not in config and rng.random() < 0.5:
        config["data"] = {"size": rng.choice([10, 30]), "name": "set"}  # nested here, dotted in other runs
    return config


def harsh_world(seed: int, count: int = 220) -> World:
    """Generate runs of three projects; everything follows from the seed."""
    rng = random.Random(seed)
    nodes: dict[str, list[dict[str, Any]]] = {project: [] for project in PROJECTS}
    names = ("history", "artifacts", "artifact_aliases", "run_artifacts")
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    artifacts = _artifacts(rng, tables)
    judged = []
    for number in range(count):
        project = rng.choice(PROJECTS)
        # Times that are equal, and some a millisecond apart.
        created = _START + timedelta(hours=rng.randrange(150), milliseconds=rng.choice([0, 0, 1]))
        config, summary = _config(rng), _document(rng, _SUMMARY)
        run = {
            "entity": ENTITY,
            "project": project,
            "id": f"run-{number}",
            "name": rng.choice([f"{rng.choice(['amber', 'Blue', 'ß-coral'])}-lake-{number % 30}", "same"]),
            "state": rng.choice(["finished", "finished", "failed", "crashed", "running"]),
            "user": rng.choice(["ann", "bob"]),
            "group": rng.choice([None, "g1", "g2"]),
            "jobType": rng.choice([None, "train", "eval"]),
            "sweep": rng.choice([None, None, "s1"]),
            "notes": rng.choice([None, "", "line\nbreak", "rerun"]),
            "tags": rng.sample(_TAGS, rng.choice([0, 0, 1, 2, 3])),
            "createdAt": _time(created),
            "heartbeatAt": None
            if rng.random() < 0.2
            else _time(created + timedelta(seconds=rng.randrange(900))),
            "runtime": rng.choice([None, 0, 12.5, 3600, 7200]),
            "config": config,
            "summary": summary,
            "history": _history(rng) if number % 3 == 0 else [],
            **{
                direction: [each for each in artifacts if rng.random() < 0.15]
                for direction in ("logged", "used")
            },
        }
        nodes[project].append(_node(run))
        _rows(run, tables)
        judged.append(_judged(run))
    judged.sort(key=lambda run: (run["createdAt"], run["entity"], run["project"], run["id"]))
    return World(nodes, judged, tables)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _node(run: dict[str, Any]) -> dict[str, Any]:
    """A run as the API gives it."""
    same = ("state", "group", "jobType", "notes", "tags", "createdAt", "heartbeatAt")
    return {
        **{name: run[name] for name in same},
        "id": f"storage-{run['id']}",
        "name": run["id"],
        "displayName": run["name"],
        "user": {"username": run["user"], "name": "A"},
        "sweepName": run["sweep"],
        "computeSeconds": run["runtime"],
        "config": json.dumps({key: {"value": value} for key, value in run["config"].items()}),
        "summaryMetrics": json.dumps(run["summary"]),
    }


def _history(rng: random.Random) -> list[dict[str, Any]]:
    rows = []
    for step in sorted(rng.sample(range(60), rng.randrange(1, 24))):
        makers: dict[str, Maker] = {
            "loss": _of(0.5, 1, 2.25, math.nan, "diverged", None),
            "val/acc": lambda rng: round(rng.random(), 6),
            "gpu": _of({"mem": 3, "util": 0.5}, {"mem": 4}),
        }
        kept = {name: make(rng) for name, make in makers.items() if rng.random() < 0.6}
        rows.append({"_step": step, "epoch": step // 10, **kept})
    return rows


def _artifacts(rng: random.Random, tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Versions of collections with the aliases that point to them."""
    made = []
    collections = [
        ("model", "model", 4),
        ("training-data", "dataset", 5),
        ("preprocessing-pipeline", "code", 1),
    ]
    for collection, kind, versions in [*collections, ("it's", "dataset", 2)]:
        for number in range(versions):
            aliases = (["latest"] if number == versions - 1 else []) + (["best"] if number == 1 else [])
            place: dict[str, Any] = {
                "entity": ENTITY,
                "project": "vision",
                "collection": collection,
                "type": kind,
            }
            place |= {"artifact_id": f"{collection}#{number}", "version_index": number}
            judged = {
                "name": collection,
                "version": f"v{number}",
                "type": kind,
                "size": rng.choice([0, 100, 5 * 10**9]) + number,
                "digest": f"digest{number}",
                "state": "COMMITTED",
                "description": rng.choice([None, "made by hand"]),
                "createdAt": _time(_START + timedelta(hours=rng.randrange(90))),
                "metadata": {"rows": rng.choice([10, 20]), "source": {"url": "s3://x"}},
                "aliases": sorted(aliases),
            }
            stored = {
                name: value for name, value in judged.items() if name not in ("name", "aliases", "createdAt")
            }
            tables["artifacts"].append({**place, **stored, "created_at": judged["createdAt"]})
            tables["artifact_aliases"] += [{**place, "alias": alias} for alias in aliases]
            made.append({**judged, "place": place})
    return made


def _rows(run: dict[str, Any], tables: dict[str, list[dict[str, Any]]]) -> None:
    """A run's rows in the tables that its node does not give."""
    key = {"entity": run["entity"], "project": run["project"], "run_id": run["id"]}
    for row in run["history"]:
        for name, value in flatten({name: value for name, value in row.items() if name != "_step"}):
            kind, number, text = classify(value)
            leaf = {
                "key": name,
                "step": row["_step"],
                "seq": 0,
                "type": kind,
                "value": number,
                "value_json": text,
            }
            tables["history"].append({**key, **leaf})
    for direction in ("logged", "used"):
        for artifact in run[direction]:
            place = {
                name: value for name, value in artifact["place"].items() if name not in ("entity", "project")
            }
            of = {f"artifact_{name}": artifact["place"][name] for name in ("entity", "project")}
            tables["run_artifacts"].append(
                {**key, **of, **place, "direction": direction, "version": artifact["version"]}
            )


def _judged(run: dict[str, Any]) -> dict[str, Any]:
    edges = {
        direction: [
            {name: value for name, value in artifact.items() if name != "place"}
            for artifact in sorted(
                run[direction], key=lambda each: (each["name"], each["place"]["version_index"])
            )
        ]
        for direction in ("logged", "used")
    }
    return {**run, **edges}
