"""Versions of artifacts: those of a collection, those of a run, and one by its name."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from wandb_warehouse.api.artifacts.lineage import stored_versions
from wandb_warehouse.api.artifacts.together import Together, run_versions
from wandb_warehouse.api.artifacts.version import Artifact
from wandb_warehouse.api.pieces.matching import matches, ordered
from wandb_warehouse.api.pieces.paths import ArtifactPath
from wandb_warehouse.api.pieces.resumed import ResumedPages
from wandb_warehouse.api.session import Session, document, time_text
from wandb_warehouse.api.stored import require_project
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.run import Run

__all__ = ["Artifact", "Artifacts", "RunArtifacts", "find_artifact"]

_FIELDS = {
    "id": "artifact_id",
    "versionIndex": "version_index",
    "version": "version",
    "state": "state",
    "description": "description",
    "digest": "digest",
    "size": "size",
    "fileCount": "file_count",
    "historyStep": "history_step",
    "commitHash": "commit_hash",
    "ttlDurationSeconds": "ttl_seconds",
    "aliases": "aliases",
}
"""What versions are filtered and ordered by, and the columns; times, tags and metadata come to these."""

_COMMITTED = {"state": "COMMITTED"}


class Artifacts(ResumedPages[Artifact]):
    """Versions of a collection, newest first.

    The length counts those of all tags.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        collection_name: name of the collection.
        type: type of its artifacts.
        filters: a filter in MongoDB's form, `{"state": "COMMITTED"}` where there is none; over `versionIndex`, `state`,
            `size`, `createdAt`, `tags`, `aliases`, `digest`, `description`, `metadata` and what else a version has.
        order: a field with + (ascending) or - (descending).
        per_page: versions made at a time.
        tags: give those that have all of these tags.
        start: `cursor` of an earlier list, to go on where it stopped.

    Raises:
        NotStoredError: when the first is asked for, the warehouse has no such collection.
        OperationError: when the first is asked for, the filter or the order is not understood.

    Source: `wandb.apis.public.Artifacts`.
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        collection_name: str,
        type: str,  # noqa: A002 -- W&B's name
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,
        tags: str | list[str] | None = None,
        start: str | None = None,
    ) -> None:
        super().__init__(per_page, start)
        self._session = session
        self.entity = entity
        self.project = project
        self.collection_name = collection_name
        self.type = type
        self.filters = _COMMITTED if filters is None else filters
        self.order = order
        self.tags = [tags] if isinstance(tags, str) else list(tags or ())
        self._together: Together | None = None

    def _find(self) -> Sequence[dict[str, Any]]:
        found = stored_versions(
            self._session, entity=self.entity, project=self.project, collection=self.collection_name
        )
        rows = [row for row in found if row["type"] == self.type]
        if not rows:
            raise NotStoredError(
                f"Could not find artifact collection {self.collection_name!r} of type {self.type!r}",
                mend=f"sync {self.entity}/{self.project}, or mend the name",
            )
        if self.filters == _COMMITTED:
            rows = [row for row in rows if row["state"] == "COMMITTED"]
        else:
            rows = [row for row in rows if matches(self.filters, _fields(row))]
        return ordered(rows, self.order, _fields)

    def convert_objects(self) -> list[Artifact]:
        """Make the versions of the last page."""
        self._together = Together(self._session, self._page or ())
        return super().convert_objects()

    def _convert(self, row: dict[str, Any]) -> Artifact | None:
        found = Artifact(self._session, row, together=self._together)
        return found if set(self.tags) <= set(found.tags) else None


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {"createdAt": "created_at", "updatedAt": "updated_at"}
    return {
        **{name: row[column] for name, column in _FIELDS.items()},
        **{name: time_text(row[column]) for name, column in times.items()},
        **{name: document(row[name]) for name in ("tags", "metadata")},
    }


class RunArtifacts(ResumedPages[Artifact]):
    """Versions that a run logged, or used, oldest first.

    Args:
        session: what the objects of an `Api` share.
        run: the run.
        mode: `logged` or `used`.
        per_page: versions made at a time.
        start: `cursor` of an earlier list, to go on where it stopped.

    Raises:
        ValueError: another mode.

    Source: `wandb.apis.public.RunArtifacts`.
    """

    def __init__(
        self,
        session: Session,
        run: "Run",
        mode: Literal["logged", "used"] = "logged",
        per_page: int = 50,
        start: str | None = None,
    ) -> None:
        if mode not in {"logged", "used"}:
            raise ValueError("mode must be logged or used")
        super().__init__(per_page, start)
        self._session = session
        self._mode = mode
        self._together: Together | None = None
        self.run = run

    def _find(self) -> Sequence[dict[str, Any]]:
        rows, self._together = run_versions(self._session, self.run, self._mode)
        return rows

    def _convert(self, row: dict[str, Any]) -> Artifact | None:
        return Artifact(self._session, row, together=self._together) if row["project"] is not None else None


def find_artifact(session: Session, path: ArtifactPath, type: str | None = None) -> Artifact:  # noqa: A002 -- W&B's name
    """Give the version that a path names by its version or an alias.

    Raises:
        NotStoredError: the warehouse has no such version.
        ValueError: no entity is known, or the version is of another type.
    """
    if path.entity is None:
        raise ValueError(
            "Could not determine entity. Please include the entity as part of the artifact name path."
        )
    place = f"{path.entity}/{path.project}"
    require_project(session, path.entity, path.project)
    for row in stored_versions(session, entity=path.entity, project=path.project, collection=path.collection):
        if path.alias in {row["version"], *row["aliases"]} and row["state"] != "DELETED":
            break
    else:
        raise NotStoredError(
            f"artifact membership {path.name!r} not found in {place!r}",
            mend=f"sync {place}, or mend the name",
        )
    found = Artifact(session, row, path.name)
    if type is not None and found.type != type:
        raise ValueError(f"type {type!r} specified but this artifact is of type {found.type!r}")
    return found
