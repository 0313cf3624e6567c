"""What is stored of projects and sweeps, and what no warehouse holds."""

from typing import Any

from wandb_warehouse.api.session import Session, plain, time_text
from wandb_warehouse.errors import NotStoredError

__all__ = ["SWEEP_FIELDS", "absent", "project_attributes", "require_project", "sweep_attributes"]

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
    return [
        {
            "id": plain(row["project_id"]),
            "name": plain(row["project"]),
            "entity_name": plain(row["entity"]),
            "created_at": time_text(row["created_at"]),
            "run_count": row["run_count"],
            "read_only": row["read_only"],
        }
        for row in session.reader.rows("entity_projects", {"entity": entity, "project": project})
    ]


def absent(name: str, whose: str) -> NotStoredError:
    """Give the error for what no warehouse holds."""
    return NotStoredError(f"the warehouse does not hold {name} of {whose}", mend="ask W&B for it")


def sweep_attributes(
    session: Session, entity: str, project: str, sweep_id: str | None = None
) -> list[dict[str, Any]]:
    """What W&B's API tells of sweeps, and `_config`, the configuration as JSON."""
    asked = {"entity": entity, "project": project, "sweep": sweep_id}
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
        for row in session.reader.rows("sweeps", asked)
    ]
