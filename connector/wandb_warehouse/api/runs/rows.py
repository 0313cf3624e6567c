"""What the warehouse stores of runs, as W&B's API tells it.

Of a small project all runs are read with the first list of them, or with the second one that is asked for by itself:
whoever asks for two asks for more. Documents stay texts until somebody looks into them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from wandb_warehouse.api.session import Session, document, plain, time_text
from wandb_warehouse.api.stored import project_attributes
from wandb_warehouse.arrow import escape, unescape
from wandb_warehouse.warehouse import columns

__all__ = ["DOCUMENTS", "StoredRuns", "documents_of", "look_up", "parsed", "read_runs"]

_FEW = 1_000
"""Runs of a project that are read at once."""
DOCUMENTS = {
    "config": "config",
    "rawconfig": "raw_config",
    "summaryMetrics": "summary",
    "systemMetrics": "system_metrics",
    "historyKeys": "history_keys",
}
"""Columns of the documents, by W&B's names."""
_TEXTS = list(DOCUMENTS.values())


@dataclass(frozen=True)
class StoredRuns:
    """Some runs of a project."""

    place: Mapping[str, int]
    """Row of each run."""
    values: Mapping[str, list[Any]]
    documents: pa.Table

    @classmethod
    def read(
        cls, session: Session, entity: str, project: str, runs: Sequence[str] | None, *, whole: bool
    ) -> "StoredRuns":
        """Read runs by their ids, all for None; `whole` with their documents."""
        wanted = None if runs is None else [escape(run) for run in runs]
        asked = {"entity": entity, "project": project, "runs": wanted, "whole": whole}
        table = session.reader.table("runs", asked)
        values = columns(table.drop_columns(_TEXTS))
        place = {unescape(run): row for row, run in enumerate(values["run_id"])}
        return cls(place, values, table.select(_TEXTS))

    def __contains__(self, run: object) -> bool:
        return run in self.place

    def light(self, run: str) -> dict[str, Any]:
        """Give what the API tells of a run without its documents."""
        row = self.place[run]
        return _light({name: values[row] for name, values in self.values.items()})

    def texts(self, run: str) -> dict[str, Any]:
        """Give the texts of a run's documents."""
        row = self.place[run]
        return {name: self.documents[name][row].as_py() for name in self.documents.column_names}


def _all(session: Session, entity: str, project: str) -> StoredRuns | None:
    """Give all runs of a small project; None for another one."""
    known = project_attributes(session, entity, project)
    if not known or (known[0]["run_count"] or 0) > _FEW:
        return None

    def read() -> StoredRuns:
        return StoredRuns.read(session, entity, project, None, whole=True)

    found: StoredRuns = session.once(("runs", entity, project), read)
    return found


def read_runs(session: Session, entity: str, project: str, runs: Sequence[str]) -> StoredRuns:
    """Read at least the runs of these ids, as far as they are stored; not necessarily with their documents."""
    stored = _all(session, entity, project) if len(runs) > 1 else None
    return stored or StoredRuns.read(session, entity, project, runs, whole=False)


def look_up(
    session: Session, entity: str, project: str, run: str
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Give what the API tells of a run that is asked for by itself, and the texts of its documents."""
    before: set[str] = session.once(("looked up", entity, project), set)
    stored = _all(session, entity, project) if before - {run} else None
    before.add(run)
    stored = stored or StoredRuns.read(session, entity, project, [run], whole=True)
    return (stored.light(run), stored.texts(run)) if run in stored else None


def documents_of(
    session: Session, entity: str, project: str, runs: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Give the texts of the documents of runs, by id."""
    stored = _all(session, entity, project) or StoredRuns.read(session, entity, project, runs, whole=True)
    return {run: stored.texts(run) for run in runs if run in stored}


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


def parsed(texts: Mapping[str, Any], name: str) -> Any:
    """Give the document of one of W&B's names, of the texts of all; there is always an object but of history keys."""
    column = DOCUMENTS[name]
    value = document(texts.get(column))
    return value if name == "historyKeys" else value or {}
