"""Where an `Artifact` was made, and where it was linked into."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urljoin

from wandb_warehouse.api.artifacts.lineage import stored_versions
from wandb_warehouse.api.session import Session, plain
from wandb_warehouse.api.stored import absent
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.collections import ArtifactCollection

__all__ = ["ArtifactPlace"]

_PLACE = ("entity", "project", "collection", "version")
_REGISTRY = "wandb-registry-"


class ArtifactPlace:
    """The part of `Artifact` that says where it is: its collection, the one it was made in, those it was linked into.

    Args:
        session: what the objects of an `Api` share.
        row: what is stored of it.
        name: name it was asked for by; None for collection and version.
    """

    def __init__(self, session: Session, row: Mapping[str, Any], name: str | None = None) -> None:
        self._session = session
        self._row = dict(row)
        version = self._row["version"]
        base = name or self._row["collection"]
        self._name = base if ":" in base or version is None else f"{base}:{version}"
        self._source: dict[str, Any] | None = None

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
    def _exact_name(self) -> str:
        """Entity, project, collection and version: an alias that it was asked for by may have moved since."""
        return f"{self.entity}/{self.project}/{self._name.partition(':')[0]}:{self.version}"

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
    def source_artifact(self) -> Self:
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
        return type(self)(
            self._session,
            stored[0] if stored else {**self._row, **found, "is_linked": False, "stored": False},
        )

    @property
    def linked_artifacts(self) -> list[Self]:
        """The version as it was linked into collections that are in the warehouse; none for a link."""
        if self.is_link:
            return []
        found = stored_versions(self._session, ids=[self._row["artifact_id"]])
        return [
            type(self)(self._session, {**row, "aliases": [*row["aliases"], row["version"]]})
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
    def linked_at(self) -> str | None:
        """When it was linked, None where it is no link; a link's time is not in the warehouse: NotStoredError."""
        if self.is_link:
            raise absent("linked_at", f"artifact {self.qualified_name}")
        return None


def _collection(session: Session, place: Mapping[str, Any], kind: str) -> "ArtifactCollection":
    from wandb_warehouse.api.artifacts.collections import ArtifactCollection

    return ArtifactCollection(session, place["entity"], place["project"], place["collection"], kind)
