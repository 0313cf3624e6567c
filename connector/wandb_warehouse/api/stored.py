"""What is stored of projects, and what no warehouse holds."""

from typing import Any

from wandb_warehouse.api.session import Session, plain, time_text
from wandb_warehouse.errors import NotStoredError

__all__ = ["absent", "project_attributes", "require_project"]


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
