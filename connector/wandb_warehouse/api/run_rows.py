"""What the warehouse stores of runs, as W&B's API tells it."""

from collections.abc import Mapping, Sequence
from typing import Any

from wandb_warehouse.api.session import Session, document, plain, time_text
from wandb_warehouse.arrow import escape, unescape

__all__ = ["documents_of", "light_rows", "look_up", "parsed"]

_FEW = 1_000
"""Runs of a project that are read at once."""


def light_rows(session: Session, entity: str, project: str, runs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give what the API tells of runs without their documents, by id."""
    asked = {"entity": entity, "project": project, "runs": [escape(run) for run in runs]}
    return {plain(row["run_id"]) or "": _light(row) for row in session.reader.rows("runs", asked)}


_Looked = tuple[dict[str, Any], Mapping[str, Any]]
"""What the API tells of a run, and the texts of its documents."""


def look_up(session: Session, entity: str, project: str, run: str) -> _Looked | None:
    """Give a run that is asked for by itself; with the second one of a small project come all of them."""
    known: dict[str, _Looked] = session.once(("runs", entity, project), dict)
    if run in known:
        return known[run]
    count = session.once("sizes", lambda: session.reader.rows("sizes")[0])["runs"]
    wanted = None if known and count <= _FEW else [escape(run)]
    for row in session.reader.rows("runs_whole", {"entity": entity, "project": project, "runs": wanted}):
        known[plain(row["run_id"]) or ""] = _light(row), row
    return known.get(run)


def _light(row: Mapping[str, Any]) -> dict[str, Any]:
    username = plain(row["username"])
    return {
        "id": row["storage_id"],
        "tags": document(row["tags"]) or [],
        "name": plain(row["run_id"]),
        "displayName": plain(row["name"]),
        "sweepName": plain(row["sweep_id"]),
        "state": row["state"],
        "group": plain(row["run_group"]),
        "jobType": plain(row["job_type"]),
        "commit": plain(row["commit"]),
        "readOnly": row["read_only"],
        "createdAt": time_text(row["created_at"]),
        "heartbeatAt": time_text(row["heartbeat_at"]),
        "description": plain(row["description"]),
        "notes": plain(row["notes"]),
        "historyLineCount": row["history_line_count"],
        "user": None if username is None else {"name": plain(row["user_name"]), "username": username},
        "projectId": row["project_id"],
        "lastStep": row["last_step"],
    }


def documents_of(
    session: Session, entity: str, project: str, runs: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Give the texts of the documents of runs, by id."""
    asked = {"entity": entity, "project": project, "runs": [escape(run) for run in runs]}
    return {unescape(row["run_id"]): row for row in session.reader.rows("run_documents", asked)}


def parsed(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Give documents by W&B's names, of their texts."""
    return {
        "config": document(texts.get("config")) or {},
        "rawconfig": document(texts.get("raw_config")) or {},
        "summaryMetrics": document(texts.get("summary")) or {},
        "systemMetrics": document(texts.get("system_metrics")) or {},
        "historyKeys": document(texts.get("history_keys")),
    }
