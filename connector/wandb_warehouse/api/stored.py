"""What is stored of projects and sweeps, and what no warehouse holds."""

from typing import Any

from wandb_warehouse.api.session import Session, plain, time_text
from wandb_warehouse.arrow import escape
from wandb_warehouse.errors import NotStoredError

__all__ = [
    "SWEEP_FIELDS",
    "absent",
    "count_of",
    "escaped",
    "project_attributes",
    "require_project",
    "stored_projects",
    "sweep_attributes",
]

_TEXTS = {
    "name": "sweep_id",
    "displayName": "display_name",
    "method": "method",
    "state": "state",
    "description": "description",
    "config": "config_text",
}
SWEEP_FIELDS = ("id", *_TEXTS, "bestLoss", "createdAt", "updatedAt", "runCount", "runCountExpected")
"""What W&B's API tells of a sweep."""


def stored_projects(session: Session) -> list[dict[str, Any]]:
    """Give the rows of all projects, the oldest first."""
    found: list[dict[str, Any]] = session.once("projects", lambda: session.reader.rows("projects"))
    return found


def count_of(session: Session, what: str) -> int:
    """Give how many `artifacts` the warehouse has, or `edges` between them and runs."""
    sizes: dict[str, int] = session.once("sizes", lambda: session.reader.rows("sizes")[0])
    return sizes[what]


def require_project(session: Session, entity: str, project: str) -> None:
    """Make sure that a project is stored.

    Raises:
        NotStoredError: it is not.
    """
    if not project_attributes(session, entity, project):
        raise NotStoredError(
            f"Could not find project {project!r}", mend=f"sync {entity}/{project}, or mend the path"
        )


def project_attributes(session: Session, entity: str, project: str | None = None) -> list[dict[str, Any]]:
    """Give what W&B's API tells of the projects of an entity, oldest first, or of one of them."""
    known = [row for row in stored_projects(session) if plain(row["entity"]) == entity]
    return [
        {
            "id": plain(row["project_id"]),
            "name": plain(row["project"]),
            "entity_name": plain(row["entity"]),
            "created_at": time_text(row["created_at"]),
            "run_count": row["run_count"],
            "read_only": row["read_only"],
        }
        for row in known
        if project is None or plain(row["project"]) == project
    ]


def absent(name: str, whose: str) -> NotStoredError:
    """Give the error for what no warehouse holds."""
    return NotStoredError(f"the warehouse does not hold {name} of {whose}", mend="ask W&B for it")


def sweep_attributes(
    session: Session, entity: str, project: str, sweep_id: str | None = None
) -> list[dict[str, Any]]:
    """What W&B's API tells of sweeps, oldest first, or of one; and `_config`, the configuration as JSON."""

    def find() -> list[dict[str, Any]]:
        return [
            {
                "id": row["storage_id"],
                **{name: plain(row[column]) for name, column in _TEXTS.items()},
                "bestLoss": row["best_loss"],
                "createdAt": time_text(row["created_at"]),
                "updatedAt": time_text(row["updated_at"]),
                "runCount": row["run_count"],
                "runCountExpected": row["expected_run_count"],
                "_config": row["config"],
            }
            for row in session.reader.rows("sweeps", escaped(entity=entity, project=project))
        ]

    found = session.once(("sweeps", entity, project), find)
    return [row for row in found if sweep_id in {None, row["name"]}]


def escaped(**texts: str | None) -> dict[str, str | None]:
    """Give texts as they are stored, for a statement to compare with."""
    return {name: None if text is None else escape(text) for name, text in texts.items()}
