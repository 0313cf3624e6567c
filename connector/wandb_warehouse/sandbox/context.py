"""What every resolver knows: the store, who asks, and where the server is."""

from dataclasses import dataclass, field

from wandb_warehouse.sandbox.artifacts import Artifact, Collection
from wandb_warehouse.sandbox.shelf import ArtifactShelf
from wandb_warehouse.sandbox.store import Project, Run, Store

__all__ = ["Context", "Forbidden", "Origins"]


class Forbidden(Exception):  # noqa: N818 -- named after the status it becomes
    """The request is refused; `status` is what HTTP says about it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Origins:
    """Where the server is. The object store has an origin of its own, as clients send the key to the API's."""

    api: str
    storage: str


@dataclass(frozen=True)
class Context:
    """One GraphQL request: `viewer` is the user of the key, None for a key nobody has."""

    store: Store
    shelf: ArtifactShelf
    viewer: str | None
    origins: Origins
    reads_only: bool = False
    """The request is a query: nothing changes while it is answered."""
    selected: dict[tuple[str, str | None], list[Run]] = field(default_factory=dict)
    """Runs of a project that passed a filter, so far in this query."""

    def readable(self, entity: str | None, name: str | None) -> Project | None:
        """A project the viewer may read; None hides whether it is unknown or closed."""
        if self.viewer is None:
            return None
        project = self.store.projects.get((entity or self.viewer, name or "uncategorized"))
        if project is None or (project.readers is not None and self.viewer not in project.readers):
            return None
        return project

    def run(self, entity: str | None, project: str | None, name: str) -> Run:
        """A run a mutation names.

        Raises:
            Forbidden: There is none.
        """
        run = self.store.find_run(entity or str(self.viewer), project or "uncategorized", name)
        if run is None:
            raise Forbidden(f"run {entity}/{project}/{name} not found", 404)
        return run

    def run_by_id(self, storage_id: str) -> Run:
        """A run a mutation names by its opaque id.

        Raises:
            Forbidden: There is none.
        """
        run = self.store.run_by_id(storage_id)
        if run is None:
            raise Forbidden(f"run {storage_id} not found", 404)
        return run

    def artifact(self, artifact_id: str) -> Artifact:
        """An artifact version a mutation names.

        Raises:
            Forbidden: There is none.
        """
        if artifact_id not in self.shelf.artifacts:
            raise Forbidden(f"artifact {artifact_id} not found", 404)
        return self.shelf.artifacts[artifact_id]

    def collection(self, collection_id: str) -> Collection:
        """An artifact collection a mutation names.

        Raises:
            Forbidden: There is none.
        """
        found = next((c for c in self.shelf.collections.values() if c.id == collection_id), None)
        if found is None:
            raise Forbidden(f"artifact collection {collection_id} not found", 404)
        return found

    def url(self, path: str) -> str:
        """Absolute URL of a path of the API."""
        return self.origins.api + path

    def storage(self, path: str) -> str:
        """Absolute URL of a signed path of the object store."""
        return self.origins.storage + path
