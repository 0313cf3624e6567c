"""`Projects` of an entity, and each `Project`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.pieces import html
from wandb_warehouse.api.pieces.attributes import Attrs
from wandb_warehouse.api.pieces.pages import Pages
from wandb_warehouse.api.session import Session
from wandb_warehouse.api.stored import absent, project_attributes
from wandb_warehouse.api.sweeps import Sweeps
from wandb_warehouse.api.users import User
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.collections import ArtifactTypes, ProjectArtifactCollections

__all__ = ["Project", "Projects"]


class Projects(Pages["Project"]):
    """Projects of an entity that are in the warehouse, oldest first.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        per_page: projects made at a time.

    Source: `wandb.apis.public.Projects`.

    Example:
        >>> [project.name for project in Api().projects("my-team")]  # doctest: +SKIP
    """

    def __init__(self, session: Session, entity: str, per_page: int = 50) -> None:
        super().__init__(per_page)
        self._session = session
        self.entity = entity

    @property
    def length(self) -> None:
        """Nothing, as the public API has it; `len` tells how many there are."""
        return

    def _find(self) -> Sequence[dict[str, Any]]:
        return project_attributes(self._session, self.entity)

    def _convert(self, row: dict[str, Any]) -> "Project":
        return Project(self._session, self.entity, row["name"], row)

    def __repr__(self) -> str:
        return f"<Projects {self.entity}>"


class Project(Attrs):
    """A project of the warehouse.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user that owns it.
        project: its name.
        attrs: what is known of it already, by the public API's names; empty for reading it when it is asked for.

    Attributes, beside the properties: `name`, `entity`, `entity_name` (str), `created_at` (str, ISO 8601 in UTC),
    `run_count` (runs the server counted when last synced), `read_only` (bool).

    Source: `wandb.apis.public.Project`. The warehouse does not hold its owner, nor whether it is a benchmark.
    """

    def __init__(self, session: Session, entity: str, project: str, attrs: Mapping[str, Any]) -> None:
        super().__init__(attrs)
        self._session = session
        self._is_loaded = bool(attrs)
        self.name = project
        self.entity = entity

    def _load(self) -> None:
        if not self._is_loaded:
            self._is_loaded = True
            found = project_attributes(self._session, self.entity, self.name)
            self._attrs = dict(found[0]) if found else {}

    @property
    def id(self) -> str:
        """Internal id, stable under renames (W&B `internalId`; the opaque id is not stored).

        Raises:
            NotStoredError: the warehouse has no such project.
        """
        self._load()
        if "id" not in self._attrs:
            raise NotStoredError(f"Project {self.name} not found", mend=f"sync {self.entity}/{self.name}")
        return str(self._attrs["id"])

    @property
    def owner(self) -> User:
        """Nobody: the warehouse does not hold who owns a project.

        Raises:
            NotStoredError: always.
        """
        raise NotStoredError(
            f"No user found for project {self.name}", mend="the warehouse does not hold it; ask W&B"
        )

    @property
    def is_benchmark(self) -> bool:
        """Nothing: not in the warehouse, and raises NotStoredError."""
        raise absent("is_benchmark", f"project {self.name}")

    @property
    def path(self) -> list[str]:
        """Entity and name."""
        return [self.entity, self.name]

    @property
    def url(self) -> str:
        """Address of the project's page."""
        return f"{self._session.app_url}{self.entity}/{self.name}/workspace"

    def artifacts_types(self, per_page: int = 50) -> "ArtifactTypes":
        """Give the types of artifacts of the project."""
        from wandb_warehouse.api.artifacts.collections import ArtifactTypes

        return ArtifactTypes(self._session, self.entity, self.name, per_page)

    def collections(
        self, filters: Mapping[str, Any] | None = None, order: str | None = None, per_page: int = 50
    ) -> "ProjectArtifactCollections":
        """Give the artifact collections of the project.

        Args:
            filters: a filter in MongoDB's form over what the warehouse knows of a collection.
            order: a field with + (ascending) or - (descending).
            per_page: collections made at a time.

        Raises:
            OperationError: when the first is asked for, the filter or the order is not understood.
        """
        from wandb_warehouse.api.artifacts.collections import ProjectArtifactCollections

        return ProjectArtifactCollections(
            self._session, self.entity, self.name, filters=filters, order=order, per_page=per_page
        )

    def sweeps(
        self,
        per_page: int = 50,
        filters: dict[str, Any] | None = None,
        order: str | None = None,  # noqa: ARG002 -- W&B's signature
    ) -> Sweeps:
        """Give the sweeps of the project.

        Args:
            per_page: sweeps made at a time.
            filters: see `Sweeps`.
            order: taken and left aside, as the public API does.
        """
        return Sweeps(self._session, self.entity, self.name, per_page=per_page, filters=filters)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Give the project as HTML that needs no server: what it is, and a way to its page at W&B."""
        self._load()
        facts = {"created": self._attrs.get("created_at"), "runs": self._attrs.get("run_count")}
        return html.page(f"Project {self.name}", self.url, facts, height=height, hidden=hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self._load()
        return super().__getattr__(name)

    def __repr__(self) -> str:
        return f"<Project {'/'.join(self.path)}>"
