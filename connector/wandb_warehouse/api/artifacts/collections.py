"""Types and collections of artifacts."""

from collections.abc import Mapping, Sequence
from typing import Any

from wandb_warehouse.api.artifacts.collection import ArtifactCollection, stored_collections
from wandb_warehouse.api.pieces.matching import matches, ordered
from wandb_warehouse.api.pieces.resumed import ResumedPages
from wandb_warehouse.api.session import Session, time_text
from wandb_warehouse.api.stored import absent, require_project
from wandb_warehouse.errors import NotStoredError

__all__ = [
    "ArtifactCollection",
    "ArtifactCollections",
    "ArtifactType",
    "ArtifactTypes",
    "ProjectArtifactCollections",
]


class ArtifactTypes(ResumedPages["ArtifactType"]):
    """Types of artifacts of a project, by name: those that have a collection.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        per_page: types made at a time.
        start: `cursor` of an earlier list, to go on where it stopped.

    Raises:
        NotStoredError: when the first is asked for, the warehouse has no such project.

    Source: `wandb.apis.public.ArtifactTypes`.
    """

    def __init__(
        self, session: Session, entity: str, project: str, per_page: int = 50, start: str | None = None
    ) -> None:
        super().__init__(per_page, start)
        self._session = session
        self.entity = entity
        self.project = project

    def _find(self) -> Sequence[str]:
        require_project(self._session, self.entity, self.project)
        return sorted({row["type"] for row in stored_collections(self._session, self.entity, self.project)})

    def _convert(self, row: str) -> "ArtifactType":
        return ArtifactType(self._session, self.entity, self.project, row, {"name": row})


class ArtifactType:
    """A type of artifacts: model, dataset, and what else writers call theirs.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        type_name: the type.
        attrs: what is known of it already.

    Raises:
        NotStoredError: the project has no artifact of that type.

    Source: `wandb.apis.public.ArtifactType`.
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        type_name: str,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self._session = session
        self.entity = entity
        self.project = project
        self.type = type_name
        self._attrs = dict(attrs or self.load())

    def load(self) -> dict[str, Any]:
        """Look the type up, and give what is known of it."""
        if not stored_collections(self._session, self.entity, self.project, self.type):
            raise NotStoredError(
                f"Could not find artifact type {self.type!r}",
                mend=f"sync {self.entity}/{self.project}, or mend the name",
            )
        return {"name": self.type}

    @property
    def id(self) -> str:
        """Nothing: the warehouse does not hold ids of types, and raises NotStoredError."""
        raise absent("id", f"artifact type {self.type}")

    @property
    def name(self) -> str:
        """The type."""
        return str(self._attrs["name"])

    def collections(
        self,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> "ArtifactCollections":
        """Give the collections of the type; arguments and errors as `ArtifactCollections`."""
        return ArtifactCollections(
            self._session, self.entity, self.project, self.type, filters, order, per_page, start
        )

    def collection(self, name: str) -> ArtifactCollection:
        """Give a collection of the type by its name.

        Raises:
            NotStoredError: there is none.
        """
        return ArtifactCollection(self._session, self.entity, self.project, name, self.type)

    def __repr__(self) -> str:
        return f"<ArtifactType {self.type}>"


class ProjectArtifactCollections(ResumedPages[ArtifactCollection]):
    """Artifact collections of a project, oldest first: those that have a version.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        filters: a filter in MongoDB's form over `name`, `type` and `createdAt`.
        order: one of these with + (ascending) or - (descending).
        per_page: collections made at a time.
        start: `cursor` of an earlier list, to go on where it stopped.

    Raises:
        NotStoredError: when the first is asked for, the warehouse has no such project.
        OperationError: when the first is asked for, the filter or the order is not understood.

    Source: `wandb.apis.public.ProjectArtifactCollections`.
    """

    type_name: str | None = None

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> None:
        super().__init__(per_page, start)
        self._session = session
        self.entity = entity
        self.project = project
        self.filters = filters
        self.order = order

    def _find(self) -> Sequence[dict[str, Any]]:
        require_project(self._session, self.entity, self.project)
        rows = stored_collections(self._session, self.entity, self.project, self.type_name)
        return ordered([row for row in rows if matches(self.filters, _fields(row))], self.order, _fields)

    def _convert(self, row: dict[str, Any]) -> ArtifactCollection:
        return ArtifactCollection(
            self._session, self.entity, self.project, row["collection"], row["type"], attrs=row
        )


class ArtifactCollections(ProjectArtifactCollections):
    """Artifact collections of one type, `type_name`; the rest as `ProjectArtifactCollections`.

    Source: `wandb.apis.public.ArtifactCollections`.
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        type_name: str,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> None:
        super().__init__(session, entity, project, filters, order, per_page, start)
        self.type_name = type_name


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": row["collection"], "type": row["type"], "createdAt": time_text(row["created_at"])}
