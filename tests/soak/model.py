"""What a warehouse must hold of a sandbox's project, by the sandbox's own records, and where it differs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import History, expected, plain_reader, stored
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.rows import loads
from wandb_warehouse.sandbox.store import Project, unwrap_config

__all__ = ["differences"]

Facts = dict[str, Any]
"""What is compared, by a name that tells where to look."""


def differences(box: Sandbox, warehouse: Path, entity: str) -> list[str]:
    """Where the warehouse is not what the sandbox holds of an entity's projects; empty is right.

    Compared are, run by run, light fields, config, summary, tags and every value of the history; which runs are
    deleted; artifact versions, aliases and edges. Nothing is taken from another warehouse.
    """
    with box.store.lock:
        want = {
            name: fact
            for (owner, _), project in box.store.projects.items()
            if owner == entity
            for name, fact in _served(box, project)
        }
    have = dict(_held(warehouse, entity))
    return [
        f"{name}: {_short(want.get(name))} expected, {_short(have.get(name))} held"
        for name in sorted(want.keys() | have.keys())
        if want.get(name) != have.get(name)
    ]


def _served(box: Sandbox, project: Project) -> Iterator[tuple[str, Any]]:
    for run in project.live_runs:
        place = f"{project.name}/{run.name}"
        yield (
            f"{place} fields",
            (run.display_name, run.state, run.notes, run.group, run.job_type, run.username),
        )
        yield f"{place} tags", list(run.tags)
        yield f"{place} times", (int(run.created_at), int(run.heartbeat_at))
        yield f"{place} config", unwrap_config(box.store.served(run.config))
        yield f"{place} summary", loads(box.store.served(run.summary))
        yield f"{place} rows", len(run.history)
        history = expected(run.history.lines)
        if history:
            yield f"{place} history", history
    for collection in box.shelf.of_project(project):
        for artifact in collection.committed:
            place = f"{project.name}/{collection.name}:v{artifact.version}"
            yield f"{place} digest", artifact.digest
            yield f"{place} aliases", sorted(artifact.aliases)
            edges = [("logged", artifact.creator), *(("used", user) for user in artifact.used_by)]
            for direction, by in edges:
                if by is not None and not by.deleted and project.runs.get(by.name) is by:
                    yield f"{place} {direction} by {by.name}", True


_RUNS = """
SELECT project, run_id, name, state, notes, run_group, job_type, username, tags, created_at, heartbeat_at, raw_config,
  summary, history_line_count
FROM runs WHERE entity = ? AND deleted_at IS NULL
"""
_HISTORY = """
SELECT project, run_id, key, step, seq, type, value, value_json
FROM history JOIN runs USING (entity, project, run_id) WHERE entity = ? AND deleted_at IS NULL
"""
_VERSIONS = """
SELECT project, collection, version, digest,
  list(alias ORDER BY alias) FILTER (alias IS NOT NULL) AS aliases
FROM artifacts LEFT JOIN artifact_aliases AS a USING (entity, project, collection, artifact_id)
WHERE entity = ? AND state = 'COMMITTED' GROUP BY ALL
"""
_EDGES = """
SELECT project, run_id, direction, collection, version
FROM run_artifacts JOIN runs USING (entity, project, run_id) WHERE entity = ? AND deleted_at IS NULL
"""
_STRAY = """
SELECT DISTINCT project, run_id FROM history WHERE entity = ?
EXCEPT SELECT project, run_id FROM runs WHERE entity = ?
"""


def _held(warehouse: Path, entity: str) -> Iterator[tuple[str, Any]]:
    for row in _rows(warehouse, _RUNS, entity):
        place = f"{row['project']}/{row['run_id']}"
        light = ("name", "state", "notes", "run_group", "job_type", "username")
        yield f"{place} fields", tuple(row[name] for name in light)
        yield f"{place} tags", json.loads(row["tags"])
        yield (
            f"{place} times",
            (int(row["created_at"].timestamp()), int(row["heartbeat_at"].timestamp())),
        )
        yield f"{place} config", json.loads(row["raw_config"])
        yield f"{place} summary", json.loads(row["summary"])
        yield f"{place} rows", row["history_line_count"]
    histories: dict[str, list[Facts]] = {}
    for row in _rows(warehouse, _HISTORY, entity):
        histories.setdefault(f"{row['project']}/{row['run_id']} history", []).append(row)
    found: dict[str, History] = {place: stored(rows) for place, rows in histories.items()}
    yield from found.items()
    for row in _rows(warehouse, _VERSIONS, entity):
        place = f"{row['project']}/{row['collection']}:{row['version']}"
        yield f"{place} digest", row["digest"]
        yield f"{place} aliases", row["aliases"] or []
    for row in _rows(warehouse, _EDGES, entity):
        yield (
            f"{row['project']}/{row['collection']}:{row['version']} {row['direction']} by {row['run_id']}",
            True,
        )
    for row in _rows(warehouse, _STRAY, entity, entity):
        yield f"{row['project']}/{row['run_id']} history without its run", True


def _rows(warehouse: Path, sql: str, *parameters: str) -> list[Facts]:
    with plain_reader(warehouse) as reader:
        found = reader.execute(sql, list(parameters))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _short(fact: Any) -> str:
    text = "nothing" if fact is None else repr(fact)
    return text if len(text) <= 300 else f"{text[:300]}..."
