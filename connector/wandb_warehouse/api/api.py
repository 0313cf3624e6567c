"""`Api`: where everything begins, as with the official client."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.changes import writing
from wandb_warehouse.api.pieces.paths import Home, parse_artifact, parse_item, parse_project
from wandb_warehouse.api.runs.listing import Runs
from wandb_warehouse.api.runs.run import Run
from wandb_warehouse.api.session import Session
from wandb_warehouse.api.stored import stored_projects
from wandb_warehouse.api.users import User
from wandb_warehouse.errors import NotStoredError
from wandb_warehouse.settings import api_address, load_settings, parse_warehouse
from wandb_warehouse.warehouse import Reader

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.collections import (
        ArtifactCollection,
        ArtifactCollections,
        ArtifactType,
        ArtifactTypes,
    )
    from wandb_warehouse.api.artifacts.versions import Artifact, Artifacts
    from wandb_warehouse.api.projects import Project, Projects
    from wandb_warehouse.api.sweeps import Sweep, Sweeps

__all__ = ["Api"]


class Api:
    """W&B's public API over a warehouse: nothing is asked of a server to read.

    All objects of one `Api` show one published state of the warehouse; `flush` moves on to the newest.

    Args:
        overrides: `entity`, `project`, `run` and `base_url` to take instead of what the environment says.
        timeout: seconds for a request to the server, where one is made.
        api_key: key for what goes to the server: changes, and contents of files.
        warehouse: a DuckDB file, or the directory or address of a lake; by default as `wandb-warehouse` itself reads
            it (`WANDB_WAREHOUSE`, `.dlt`, `./wandb.duckdb`).

    Raises:
        StoreError: there is no warehouse, or it cannot be read.

    Source: `wandb.Api`.

    Example:
        >>> from wandb_warehouse import Api  # doctest: +SKIP
        >>> for run in Api(warehouse="wandb.duckdb").runs("my-team/my-project"):  # doctest: +SKIP
        ...     print(run.name, run.summary.get("loss"))
    """

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        timeout: int | None = None,
        api_key: str | None = None,
        *,
        warehouse: Path | str | None = None,
    ) -> None:
        configured = load_settings()
        given = dict(overrides or {})
        self.settings: dict[str, Any] = {
            "base_url": api_address(given.get("base_url")),
            "entity": configured.entity,
            "project": configured.project,
            "organization": None,
            **given,
        }
        self.settings["base_url"] = str(self.settings["base_url"]).rstrip("/")
        self.api_key = api_key
        place = configured.warehouse if warehouse is None else parse_warehouse(str(warehouse))
        self._session = Session(Reader(place), self.settings["base_url"], api_key, timeout)
        self._runs: dict[str, Any] = {}
        self._sweeps: dict[str, Sweep] = {}
        self._stored()  # a warehouse that is not there is told of here, not at the first run

    def _stored(self) -> list[tuple[str, str]]:
        """Entity and project of everything that is stored."""
        return [(row["entity"], row["project"]) for row in stored_projects(self._session)]

    @property
    def _home(self) -> Home:
        return Home(self.default_entity, self.settings["project"])

    @property
    def client(self) -> None:
        """Nothing: there is no connection to a server behind this API."""
        return None

    @property
    def user_agent(self) -> str:
        """How this client names itself."""
        from importlib.metadata import version

        return f"wandb-warehouse {version('wandb-warehouse')}"

    @property
    def default_entity(self) -> str | None:
        """Entity of paths that name none: as set, else the only one of the warehouse; None where it has several."""
        entities = {entity for entity, _ in self._stored()}
        configured = self.settings["entity"]
        return str(configured) if configured else next(iter(entities)) if len(entities) == 1 else None

    @property
    def viewer(self) -> User:
        """The default entity as a user; who owns the key, only the server knows."""
        entity = self.default_entity
        return User({"username": entity, "entity": entity, "teams": sorted({e for e, _ in self._stored()})})

    def flush(self) -> None:
        """Forget what was read: what is asked for next comes from the state of the warehouse that is published now."""
        self._runs.clear()
        self._sweeps.clear()
        self._session.renew()

    def projects(self, entity: str | None = None, per_page: int = 200) -> "Projects":
        """Give the projects of an entity.

        Raises:
            ValueError: no entity is named, and the warehouse has several.
        """
        from wandb_warehouse.api.projects import Projects

        return Projects(self._session, self._entity(entity), per_page=per_page)

    def project(self, name: str, entity: str | None = None) -> "Project":
        """Give a project by its name."""
        from wandb_warehouse.api.projects import Project

        return Project(self._session, self._entity(entity), name, {})

    def _entity(self, entity: str | None) -> str:
        found = entity or self.default_entity
        if found is None:
            raise ValueError("entity must be passed as a parameter, or set in settings")
        return found

    def runs(
        self,
        path: str | None = None,
        filters: dict[str, Any] | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> Runs:
        """Give the runs of a project that pass a filter.

        Args:
            path: `entity/project`, or `project`; None for the project that is set.
            filters: a MongoDB-style filter; docs/filters.md describes it.
            order: fields with + (ascending) or - (descending), separated by commas.
            per_page: runs made at a time.
            include_sweeps: give each run its sweep at once.
            lazy: read configs, summaries and the like when they are first asked for.

        Raises:
            OperationError: when the runs are reached, the filter or the order is not understood.
            NotStoredError: when the runs are reached, the warehouse has no such project.
        """
        key = (path or "") + str(filters or {}) + str(order)
        if key not in self._runs:
            entity, project = parse_project(path, self._home)
            made = Runs(
                self._session,
                self._entity(entity),
                project,
                filters,
                order,
                per_page,
                include_sweeps=include_sweeps,
                lazy=lazy,
            )
            self._runs[key] = made
        found: Runs = self._runs[key]
        if not lazy:
            found.upgrade_to_full()
        return found

    def run(self, path: str = "") -> Run:
        """Give a run by `entity/project/run_id`, `project/run_id` or `run_id`; what is left out is taken as set.

        Raises:
            ValueError: the path lacks a part.
            RunNotFoundError: the warehouse has no such run.
        """
        if path not in self._runs:
            entity, project, run_id = parse_item(path or self.settings.get("run") or "", self._home)
            self._runs[path] = Run(self._session, entity, project, run_id, lazy=False)
        found: Run = self._runs[path]
        return found

    def create_run(
        self, *, run_id: str | None = None, project: str | None = None, entity: str | None = None
    ) -> Run:
        """Create a run at W&B, and give it as the warehouse has it then; arguments and errors as `Run.create`."""
        return Run.create(self, run_id, project, entity)

    def create_project(self, name: str, entity: str) -> None:
        """Create a project at W&B and in the warehouse; errors as `Run.create`."""
        writing.create_project(self._session, name, entity)

    def sweep(self, path: str = "") -> "Sweep":
        """Give a sweep by `entity/project/sweep_id`, `project/sweep_id` or `sweep_id`.

        Raises:
            ValueError: the path lacks a part.
            NotStoredError: the warehouse has no such sweep.
        """
        from wandb_warehouse.api.sweeps import Sweep

        if path not in self._sweeps:
            entity, project, sweep_id = parse_item(path, self._home)
            self._sweeps[path] = Sweep(self._session, entity, project, sweep_id)
        return self._sweeps[path]

    def sweeps(
        self, path: str | None = None, per_page: int = 50, filters: dict[str, Any] | None = None
    ) -> "Sweeps":
        """Give the sweeps of a project; the official client has them at `Project.sweeps`."""
        from wandb_warehouse.api.sweeps import Sweeps

        entity, project = parse_project(path, self._home)
        return Sweeps(self._session, self._entity(entity), project, per_page=per_page, filters=filters)

    def artifact(self, name: str, type: str | None = None) -> "Artifact":  # noqa: A002 -- W&B's name
        """Give an artifact version by `entity/project/collection:alias`; the alias is `latest` where there is none.

        Raises:
            ValueError: no name is given, or the artifact is of another type.
            NotStoredError: the warehouse has no such version.
        """
        from wandb_warehouse.api.artifacts.versions import find_artifact

        if name is None:
            raise ValueError("You must specify name= to fetch an artifact.")
        return find_artifact(self._session, parse_artifact(name, self._home), type)

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002 -- W&B's name
        """Tell whether the warehouse has an artifact version."""
        try:
            self.artifact(name, type)
        except NotStoredError:
            return False
        return True

    def artifacts(
        self,
        type_name: str,
        name: str,
        order: str | None = None,
        per_page: int = 50,
        tags: str | list[str] | None = None,
        start: str | None = None,
    ) -> "Artifacts":
        """Give the versions of a collection, newest first; those that have all of `tags`."""
        from wandb_warehouse.api.artifacts.versions import Artifacts

        path = parse_artifact(name, self._home)
        return Artifacts(
            self._session,
            self._entity(path.entity),
            path.project,
            path.collection,
            type_name,
            order=order,
            per_page=per_page,
            tags=tags,
            start=start,
        )

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> "Artifacts":
        """Give what `artifacts` gives, under its old name."""
        return self.artifacts(type_name, name, per_page=per_page)

    def artifact_types(self, project: str | None = None, start: str | None = None) -> "ArtifactTypes":
        """Give the types of artifacts of a project."""
        from wandb_warehouse.api.artifacts.collections import ArtifactTypes

        entity, name = parse_project(project, self._home)
        return ArtifactTypes(self._session, self._entity(entity), name, start=start)

    def artifact_type(self, type_name: str, project: str | None = None) -> "ArtifactType":
        """Give a type of artifacts by its name.

        Raises:
            NotStoredError: the project has no artifact of that type.
        """
        from wandb_warehouse.api.artifacts.collections import ArtifactType

        entity, name = parse_project(project, self._home)
        return ArtifactType(self._session, self._entity(entity), name, type_name)

    def artifact_collections(
        self,
        project_name: str,
        type_name: str,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> "ArtifactCollections":
        """Give the collections of a type of artifacts."""
        from wandb_warehouse.api.artifacts.collections import ArtifactCollections

        entity, name = parse_project(project_name, self._home)
        return ArtifactCollections(
            self._session, self._entity(entity), name, type_name, order=order, per_page=per_page, start=start
        )

    def artifact_collection(self, type_name: str, name: str) -> "ArtifactCollection":
        """Give a collection of artifacts by `entity/project/collection`.

        Raises:
            NotStoredError: the warehouse has no such collection.
        """
        from wandb_warehouse.api.artifacts.collections import ArtifactCollection

        path = parse_artifact(name, self._home)
        return ArtifactCollection(
            self._session, self._entity(path.entity), path.project, path.collection, type_name
        )

    def artifact_collection_exists(self, name: str, type: str) -> bool:  # noqa: A002 -- W&B's name
        """Tell whether the warehouse has a collection of artifacts."""
        try:
            self.artifact_collection(type, name)
        except NotStoredError:
            return False
        return True

    def from_path(self, path: str) -> "Project | Run | Sweep":
        """Give a project, a run or a sweep by its path: `entity/project`, `.../runs/id`, `.../sweeps/id`.

        Raises:
            ValueError: the path is none of these.
        """
        match path.strip("/ ").split("/"):
            case [project] if project:
                return self.project(project)
            case [entity, project]:
                return self.project(project, entity)
            case [_, _, _]:
                return self.run(path)
            case [_, _, kind, _] if kind.startswith("run"):
                return self.run(path)
            case [_, _, kind, _] if kind.startswith("sweep"):
                return self.sweep(path)
        raise ValueError("Invalid path, should be TEAM/PROJECT/TYPE/ID where TYPE is runs or sweeps")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(
            f"{type(self).__name__} has no {name!r}: `wandb.Api()` has what the warehouse does not hold; "
            "docs/python.md lists what is here"
        )
