"""Runs to judge operations and filters by: every kind under one key, what is missing, ties, names made of quotes.

The same runs go into a warehouse, through our own builders, and to the judges as plain values.
"""

import json
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wandb_warehouse.arrow import run_tables
from wandb_warehouse.arrow.runs import stored_table
from wandb_warehouse.arrow.values import classify, flatten
from wandb_warehouse.warehouse import Build, insert_rows

__all__ = ["World", "make_world"]

_START = datetime(2026, 1, 5, 22, 30, tzinfo=UTC)
_STATES = ("finished", "finished", "finished", "failed", "crashed", "running")
_TAGS = ("baseline", "ablation", "Größe", "it's", 'say "hi"')
_ENTITY = "acme"


@dataclass(frozen=True)
class World:
    """Generated runs, as the API gives them and as a judge reads them."""

    nodes: dict[str, list[dict[str, Any]]]
    """Nodes of each project."""
    runs: list[dict[str, Any]]
    """For a judge, in the order of their creation: flattened config and summary, history rows, artifacts."""
    tables: dict[str, list[dict[str, Any]]]
    """Rows of the tables beside those that nodes give."""

    def write(self, folder: Path) -> Path:
        """Put the runs into a warehouse."""
        build = Build.create(None, folder)
        build.prepare_tables()
        self.fill(build.path)
        build.create_views()
        return Path(build.path)

    def fill(self, path: Path) -> None:
        """Put the runs into a build."""
        with duckdb.connect(path) as connection:
            for project, nodes in self.nodes.items():
                made = run_tables(_ENTITY, project, f"id-{project}", nodes)
                for name in ("runs", "run_config", "run_summary", "run_tags"):
                    _insert(connection, name, made[name])
            for name, rows in self.tables.items():
                _insert(connection, name, stored_table(name, rows))


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("incoming", rows)
    insert_rows(connection, name)


def _mixed(rng: random.Random) -> Any:
    return rng.choice(
        [0, 1, -2.5, 0.5, True, False, "text", "7", " 8.5 ", "", [1, 2], ["a", "b"], {"x": 1}, None]
    )


def _accuracy(rng: random.Random) -> Any:
    # Few numbers, so that there are ties.
    return rng.choice(
        [0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 0.9, 0.95, 1, 0, math.nan, math.inf, -math.inf, "0.8", None]
    )


_CONFIG = {
    "lr": lambda rng: rng.choice([0.001, 0.01, 0.01, 0.1, 1, 3e-05, "auto"]),
    "batch": lambda rng: rng.choice([16, 32, 64, 128]),
    "model_type": lambda rng: rng.choice(["cnn", "mlp", "Cnn", "ré-net", None]),
    "flag": lambda rng: rng.choice([True, False]),
    "layers": lambda rng: rng.choice([[64, 32], [8, 8, 8], ["a", "b"], [1.5, "x", None]]),
    "mixed": _mixed,
    "a/b": lambda rng: rng.choice([1, 2, 3]),
    'it\'s "x"': lambda rng: rng.choice([1, "y"]),
    "optimizer": lambda rng: rng.choice(
        [{"name": "adam", "lr": 0.5}, {"name": "sgd", "deep": {"er": 2}}, {"name": "adam"}, "none", {}]
    ),
}
_SUMMARY = {
    "accuracy": _accuracy,
    "loss": lambda rng: rng.choice([0.25, 0.5, 1.5, 2, 2**53 + 2, math.nan]),
    "val/loss": lambda rng: rng.choice([0.5, 1.25, 4]),
    "note": lambda rng: rng.choice(["good run", "Bad", "", "good"]),
    "state": lambda rng: rng.choice(["custom", "finished"]),
    "mixed": _mixed,
}
_PRESENT = {"state": 0.2, "batch": 0.95}


def _document(rng: random.Random, makers: dict[str, Any]) -> dict[str, Any]:
    return {key: make(rng) for key, make in makers.items() if rng.random() < _PRESENT.get(key, 0.75)}


def make_world(seed: int, count: int = 220) -> World:
    """Generate runs of two projects; everything follows from the seed."""
    rng = random.Random(seed)
    nodes: dict[str, list[dict[str, Any]]] = {"vision": [], "speech": []}
    judged = []
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("history", "artifacts", "artifact_aliases", "run_artifacts")
    }
    artifacts = _artifacts(tables)
    for number in range(count):
        project = rng.choice(list(nodes))
        run_id = f"r{rng.randrange(10**8):08d}-{number}"
        config, summary = _document(rng, _CONFIG), _document(rng, _SUMMARY)
        # Equal times, and several within a millisecond of each other.
        created = _START + timedelta(hours=rng.randrange(200), milliseconds=rng.choice([0, 0, 1]))
        tags = rng.sample(_TAGS, rng.choice([0, 0, 1, 2, 3]))
        user = rng.choice(["ann", "bob"])
        node = {
            "id": f"storage-{number}",
            "name": run_id,
            "displayName": rng.choice(
                [f"{rng.choice(['amber', 'Blue', 'coral'])}-lake-{number % 30}", "same name"]
            ),
            "state": rng.choice(_STATES),
            "user": {"username": user, "name": "A"},
            "group": rng.choice([None, "g1", "g2"]),
            "jobType": rng.choice([None, "train", "eval"]),
            "tags": tags,
            "createdAt": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "heartbeatAt": None,
            "computeSeconds": rng.choice([None, 0, 12.5, 3600, 7200]),
            "config": json.dumps({key: {"value": value} for key, value in config.items()}),
            "summaryMetrics": json.dumps(summary),
        }
        nodes[project].append(node)
        key = {"entity": _ENTITY, "project": project, "run_id": run_id}
        edges = _edges(rng, key, artifacts, tables)
        judged.append(
            {
                "id": f"{_ENTITY}/{project}/{run_id}",
                **key,
                "name": node["displayName"],
                "state": node["state"],
                "user": user,
                "group": node["group"],
                "jobType": node["jobType"],
                "tags": tags,
                "createdAt": node["createdAt"],
                "runtime": node["computeSeconds"],
                "config": dict(flatten(config)),
                "summary": dict(flatten(summary)),
                "history": _history(rng, key, tables["history"]) if number % 4 == 0 else [],
                **edges,
            }
        )
    judged.sort(key=lambda run: (run["createdAt"], run["entity"], run["project"], run["run_id"]))
    return World(nodes, judged, tables)


def _history(rng: random.Random, key: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few rows with sparse keys; the judge's rows have their step as `_step`."""
    judged = []
    for step in sorted(rng.sample(range(40), rng.randrange(1, 8))):
        row: dict[str, Any] = {"loss": rng.choice([0.5, 1, 2.25, math.nan, "diverged"]), "acc": rng.random()}
        kept = {name: value for name, value in row.items() if rng.random() < 0.7} or {"acc": 0.5}
        for name, value in kept.items():
            kind, number, text = classify(value)
            rows.append(
                {
                    **key,
                    "key": name,
                    "step": step,
                    "seq": 0,
                    "type": kind,
                    "value": number,
                    "value_json": text,
                }
            )
        judged.append({**kept, "_step": step})
    return judged


def _artifacts(tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Versions of three collections, with the aliases that point to them."""
    made = []
    for collection, kind, versions in (
        ("model", "model", 4),
        ("data-set", "dataset", 2),
        ("it's", "dataset", 1),
    ):
        for number in range(versions):
            artifact = {
                "entity": _ENTITY,
                "project": "vision",
                "collection": collection,
                "artifact_id": f"{collection}#{number}",
                "type": kind,
                "version": f"v{number}",
                "version_index": number,
                "size": 100 * (number + 1),
                "digest": f"digest{number}",
                "state": "COMMITTED",
            }
            aliases = (["latest"] if number == versions - 1 else []) + (["best"] if number == 1 else [])
            for alias in aliases:
                same = ("entity", "project", "collection", "artifact_id", "type", "version_index")
                tables["artifact_aliases"].append({**{name: artifact[name] for name in same}, "alias": alias})
            tables["artifacts"].append(artifact)
            made.append({**artifact, "aliases": sorted(aliases)})
    return made


def _edges(
    rng: random.Random,
    key: dict[str, str],
    artifacts: list[dict[str, Any]],
    tables: dict[str, list[dict[str, Any]]],
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for direction in ("logged", "used"):
        chosen = [artifact for artifact in artifacts if rng.random() < 0.2]
        for artifact in chosen:
            tables["run_artifacts"].append(
                {
                    **key,
                    "direction": direction,
                    "artifact_entity": artifact["entity"],
                    "artifact_project": artifact["project"],
                    **{name: artifact[name] for name in ("artifact_id", "collection", "type", "version")},
                    "version_index": artifact["version_index"],
                }
            )
        chosen.sort(key=lambda artifact: (artifact["collection"], artifact["version_index"]))
        found[direction] = [
            {
                "name": artifact["collection"],
                **{name: artifact[name] for name in ("version", "type", "size", "digest", "aliases")},
            }
            for artifact in chosen
        ]
    return found
