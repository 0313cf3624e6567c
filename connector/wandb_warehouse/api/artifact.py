"""`Artifact`: one version of an artifact, as the warehouse knows it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

from wandb_warehouse.api.artifact_contents import ArtifactContents
from wandb_warehouse.api.lineage import runs_of_version, stored_versions
from wandb_warehouse.api.session import Session, document, plain, time_text
from wandb_warehouse.api.stored import absent
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.collections import ArtifactCollection
    from wandb_warehouse.api.run import Run

__all__ = ["Artifact"]

_PLACE = ("entity", "project", "collection", "version")
_REGISTRY = "wandb-registry-"


class Artifact(ArtifactContents):
    """A version of an artifact.

    Of a version of another project, which is not in the warehouse, there is what runs that logged or used it tell:
    `id`, `entity`, `project`, `name`, `version`, `type`, `logged_by()`, `used_by()`. For the rest it raises
    `NotStoredError`.
    Its files are at W&B: `download`, `files`, `manifest` and the like go there through the official client.

    Args:
        session: what the objects of an `Api` share.
        row: what is stored of it.
        name: name it was asked for by; None for collection and version.

    Source: `wandb.Artifact`, of what was logged.

    Example:
        >>> model = Api().artifact("my-team/my-project/model:best")  # doctest: +SKIP
        >>> model.version, model.metadata["acc"], model.logged_by().config  # doctest: +SKIP
    """

    def __init__(self, session: Session, row: Mapping[str, Any], name: str | None = None) -> None:
        self._session = session
        self._row = dict(row)
        version = self._row["version"]
        base = name or self._row["collection"]
        self._name = base if ":" in base or version is None else f"{base}:{version}"
        self._source: dict[str, Any] | None = None
        self._changed: dict[str, Any] = {}
        self._read: dict[str, Any] = {}

    def _held(self, column: str) -> Any:
        if not self._row["stored"]:
            raise NotStoredError(
                f"the warehouse does not hold {column} of artifact {self.qualified_name}",
                mend=f"sync {self.entity}/{self.project}, too",
            )
        return self._row[column]

    @property
    def id(self) -> str | None:
        """Opaque global id of the version; None for a draft."""
        return None if self.is_draft() else str(self._row["artifact_id"])

    @property
    def entity(self) -> str:
        """Team or user of the project that the collection belongs to."""
        return str(self._row["entity"])

    @property
    def project(self) -> str:
        """Project that the collection belongs to."""
        return str(self._row["project"])

    @property
    def name(self) -> str:
        """Collection and version, or the alias it was asked for by: `model:v3`, `model:best`."""
        return self._name

    @property
    def qualified_name(self) -> str:
        """Entity, project and name."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def version(self) -> str | None:
        """Version in the collection, like `v3`; None for a draft."""
        return self._row["version"]  # type: ignore[no-any-return]

    @property
    def type(self) -> str:
        """Type: model, dataset, run_table and the like."""
        return str(self._row["type"])

    @property
    def collection(self) -> "ArtifactCollection":
        """The collection it was found in.

        Raises:
            NotStoredError: the collection's project is not in the warehouse.
        """
        return _collection(self._session, self._row, self.type)

    @property
    def is_link(self) -> bool:
        """Whether the version was linked into the collection from another one."""
        return bool(self._row.get("is_linked"))

    def _origin(self) -> dict[str, Any]:
        if not self.is_link:
            return self._row
        if self._source is None:
            found = self._session.reader.rows("artifact_source", {"artifact": self._row["artifact_id"]})
            if not found:
                raise NotStoredError(
                    f"Unable to fetch source artifact for linked artifact {self.name}",
                    mend="sync the project that it was made in, too",
                )
            self._source = {name: plain(found[0][name]) for name in _PLACE}
        return self._source

    @property
    def source_entity(self) -> str:
        """Entity of the collection that the version was made in; errors as all of `source_`: `NotStoredError`."""
        return str(self._origin()["entity"])

    @property
    def source_project(self) -> str:
        """Project of the collection that the version was made in."""
        return str(self._origin()["project"])

    @property
    def source_name(self) -> str:
        """Collection and version where it was made."""
        found = self._origin()
        return f"{found['collection']}:{found['version']}"

    @property
    def source_qualified_name(self) -> str:
        """Entity, project, collection and version where it was made."""
        return f"{self.source_entity}/{self.source_project}/{self.source_name}"

    @property
    def source_version(self) -> str | None:
        """Version in the collection where it was made."""
        return self._origin()["version"]  # type: ignore[no-any-return]

    @property
    def source_collection(self) -> "ArtifactCollection":
        """The collection that the version was made in; errors as `collection`."""
        return _collection(self._session, self._origin(), self.type)

    @property
    def source_artifact(self) -> "Artifact":
        """The version where it was made: itself where it is no link.

        Raises:
            NotStoredError: the project that it was made in is not in the warehouse.
        """
        if not self.is_link:
            return self
        found = self._origin()
        stored = stored_versions(
            self._session, **{name: found[name] for name in _PLACE[:3]}, ids=[self._row["artifact_id"]]
        )
        return Artifact(
            self._session,
            stored[0] if stored else {**self._row, **found, "is_linked": False, "stored": False},
        )

    @property
    def linked_artifacts(self) -> "list[Artifact]":
        """The version as it was linked into collections that are in the warehouse; none for a link."""
        if self.is_link:
            return []
        found = stored_versions(self._session, ids=[self._row["artifact_id"]])
        return [
            Artifact(self._session, {**row, "aliases": [*row["aliases"], row["version"]]})
            for row in found
            if row["is_linked"]
        ]

    @property
    def url(self) -> str:
        """Address of the version's page; empty for one of a registry, whose organization is not stored."""
        collection, version = self._row["collection"], self.version
        if self.is_link and self.project.startswith(_REGISTRY):
            return ""
        if self.is_link and "model" in {self.type, self.project.removesuffix("-registry")}:
            chosen = quote(f"{self.entity}/{self.project}/{collection}", safe="")
            place = f"{self.entity}/registry/model?selectionPath={chosen}&view=membership&version={version}"
        else:
            place = f"{self.entity}/{self.project}/artifacts/{quote(self.type)}/{quote(collection)}/{version}"
        return urljoin(self._session.app_url, place)

    @property
    def state(self) -> str:
        """PENDING, COMMITTED or DELETED."""
        return str(self._held("state"))

    def is_draft(self) -> bool:
        """Tell whether the version is not committed yet."""
        return self._row["state"] == "PENDING" if self._row["stored"] else self.version is None

    @property
    def digest(self) -> str:
        """Digest of the contents."""
        return str(self._held("digest"))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return int(self._held("size"))

    @property
    def file_count(self) -> int:
        """Files of the version."""
        return int(self._held("file_count"))

    @property
    def commit_hash(self) -> str | None:
        """Hash the server gave the commit; None where it gave none."""
        return self._held("commit_hash")  # type: ignore[no-any-return]

    @property
    def created_at(self) -> str:
        """Creation time: ISO 8601 in UTC."""
        return str(time_text(self._held("created_at")))

    @property
    def updated_at(self) -> str:
        """Time of the last change, of the creation where there is none: ISO 8601 in UTC."""
        return time_text(self._held("updated_at")) or self.created_at

    @property
    def history_step(self) -> int | None:
        """Last step of its run's history before it was logged; None where it was logged by no run."""
        step = self._held("history_step")
        return None if step is None else max(0, step - 1)

    @property
    def linked_at(self) -> str | None:
        """When it was linked, None where it is no link; a link's time is not in the warehouse: NotStoredError."""
        if self.is_link:
            raise absent("linked_at", f"artifact {self.qualified_name}")
        return None

    @property
    def digest_algorithm(self) -> Any:
        """Nothing: not in the warehouse, and raises NotStoredError."""
        raise absent("digest_algorithm", f"artifact {self.qualified_name}")

    def _value(self, name: str) -> Any:
        """What may be changed: the value that was set, else what is stored, the same object every time."""
        if name not in self._read:
            stored = self._held("ttl_seconds" if name == "ttl" else name)
            match name:
                case "metadata":
                    stored = document(stored) or {}
                case "tags":
                    stored = document(stored) or []
                case "ttl":
                    stored = None if stored is None else timedelta(seconds=stored)
            self._read[name] = stored
        return self._read[name]

    def logged_by(self) -> "Run | None":
        """Give the run that made the version; None where a user did.

        Raises:
            RunNotFoundError: the run is not in the warehouse, or was deleted.
            NotStoredError: the version is of another project, and no run of the warehouse made it.
        """
        if self._row["stored"]:
            names = ("created_by_entity", "created_by_project", "created_by_run_id")
            entity, project, run = (plain(self._row[name]) for name in names)
            return _run(self._session, str(entity), str(project), run) if run else None
        return next(iter(self._runs("logged")), None) or self._held("logged_by")

    def used_by(self) -> "list[Run]":
        """Give the runs of the warehouse that used the version, oldest first."""
        return self._runs("used")

    def _runs(self, direction: str) -> "list[Run]":
        found = runs_of_version(self._session, self._row["artifact_id"], direction)
        return [_run(self._session, *place) for place in found]

    def __repr__(self) -> str:
        return f"<Artifact {self.id or self.name}>"


def _run(session: Session, entity: str, project: str, run_id: str) -> "Run":
    """A run in the state of the warehouse that is read."""
    from wandb_warehouse.api.run import Run

    return Run(session, entity, project, run_id)


def _collection(session: Session, place: Mapping[str, Any], kind: str) -> "ArtifactCollection":
    from wandb_warehouse.api.collections import ArtifactCollection

    return ArtifactCollection(session, place["entity"], place["project"], place["collection"], kind)
