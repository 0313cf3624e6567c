"""`ArtifactCollection`: a named sequence of artifact versions, as the warehouse knows it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.artifacts.lineage import stored_versions
from wandb_warehouse.api.changes.artifacts import Shown
from wandb_warehouse.api.changes.writing import at_wandb
from wandb_warehouse.api.session import Session, plain, time_text
from wandb_warehouse.api.stored import absent, escaped
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.versions import Artifacts

__all__ = ["ArtifactCollection", "stored_collections"]


class ArtifactCollection:
    """A named sequence of artifact versions of one type.

    Its description, tags, ids and time of change are at W&B only: asked for, they raise NotStoredError. Name, type,
    description and tags can be set, and reach W&B by `save`.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        name: the collection.
        type: type of its artifacts.
        organization: taken as it is.
        attrs: what is stored of it, where it is known already.

    Raises:
        NotStoredError: the warehouse has no such collection.

    Source: `wandb.apis.public.ArtifactCollection`.
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        name: str,
        type: str,  # noqa: A002 -- W&B's name
        organization: str | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self._session = session
        self.entity = entity
        self.project = project
        self.organization = organization
        self._attrs = dict(attrs or self.load(entity, project, type, name))
        self._changed: dict[str, Any] = {}

    def load(self, entity: str, project: str, type_: str, name: str) -> dict[str, Any]:
        """Look a collection up, and give what is stored of it.

        Raises:
            NotStoredError: the warehouse has no such collection.
        """
        found = stored_collections(self._session, entity, project, type_, name)
        if not found:
            raise NotStoredError(
                f"Could not find artifact collection {name!r} of type {type_!r} in {entity}/{project}",
                mend=f"sync {entity}/{project}, or mend the name",
            )
        return found[0]

    @property
    def name(self) -> str:
        """Name of the collection; what is set reaches W&B by `save`."""
        return str(self._changed.get("name", self._attrs["collection"]))

    @name.setter
    def name(self, name: str) -> None:
        self._changed["name"] = name

    @property
    def type(self) -> str:
        """Type of its artifacts; what is set reaches W&B by `save`."""
        return str(self._changed.get("type", self._attrs["type"]))

    @type.setter  # noqa: A003 -- W&B's name
    def type(self, type: str) -> None:  # noqa: A002 -- as above
        if not self.is_sequence():
            raise ValueError("Type can only be changed if the artifact collection is a sequence.")
        self._changed["type"] = type

    @property
    def created_at(self) -> str:
        """Creation time of its oldest version: ISO 8601 in UTC."""
        return str(time_text(self._attrs["created_at"]))

    @property
    def aliases(self) -> list[str]:
        """Aliases of all its versions, by name."""
        return [str(plain(alias)) for alias in self._attrs["aliases"] or ()]

    def is_sequence(self) -> bool:
        """Tell whether versions are made in it, rather than linked into it."""
        return not self._attrs["is_linked"]

    @property
    def project_internal_id(self) -> str | None:
        """Internal id of the project, stable under renames."""
        return plain(self._attrs["project_id"])

    @property
    def id(self) -> str:
        """Nothing: not in the warehouse, and raises NotStoredError."""
        raise self._absent("id")

    @property
    def project_id(self) -> str:
        """Nothing: not in the warehouse, and raises NotStoredError."""
        raise self._absent("project_id")

    @property
    def description(self) -> str | None:
        """What was set here, and reaches W&B by `save`; what W&B has is not in the warehouse: NotStoredError."""
        if "description" not in self._changed:
            raise self._absent("description")
        return self._changed["description"]  # type: ignore[no-any-return]

    @description.setter
    def description(self, description: str | None) -> None:
        self._changed["description"] = description

    @property
    def tags(self) -> list[str]:
        """What was set here, as `description`."""
        if "tags" not in self._changed:
            raise self._absent("tags")
        return self._changed["tags"]  # type: ignore[no-any-return]

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._changed["tags"] = list(tags)

    @property
    def updated_at(self) -> str | None:
        """Nothing: not in the warehouse, and raises NotStoredError."""
        raise self._absent("updated_at")

    def _absent(self, name: str) -> NotStoredError:
        return absent(name, f"artifact collection {self.name}")

    def artifacts(self, per_page: int = 50, start: str | None = None) -> "Artifacts":
        """Give the versions, newest first.

        Args:
            per_page: versions made at a time.
            start: `cursor` of an earlier list, to go on where it stopped.
        """
        from wandb_warehouse.api.artifacts.versions import Artifacts

        return Artifacts(
            self._session,
            self.entity,
            self.project,
            str(self._attrs["collection"]),
            str(self._attrs["type"]),
            per_page=per_page,
            start=start,
        )

    def change_type(self, new_type: str) -> None:
        """Give its artifacts another type at W&B, and bring the project in the warehouse up to date.

        Errors as `Run.update`.
        """
        with self._changing("change_type") as found:
            found.change_type(new_type)
        self._attrs["type"] = new_type

    def save(self) -> None:
        """Write to W&B what was set of name, type, description and tags; then as `change_type`."""
        with self._changing("save") as found:
            for name, value in self._changed.items():
                setattr(found, name, value)
            found.save()
        self._attrs |= {"collection": self.name, "type": self.type}
        for name in ("name", "type"):
            self._changed.pop(name, None)

    def delete(self) -> None:
        """Delete the collection and its versions, or its links, at W&B; errors as `change_type`."""
        with self._changing("delete") as found:
            found.delete()

    @contextmanager
    def _changing(self, name: str) -> Iterator[Any]:
        """Give the official client's form of it; then bring up to date what shows its versions."""
        known, kind = str(self._attrs["collection"]), str(self._attrs["type"])
        place = {"entity": self.entity, "project": self.project, "collection": known}
        ids = [str(row["artifact_id"]) for row in stored_versions(self._session, **place)]
        shown = Shown.of(self._session, ids)
        path = f"{self.entity}/{self.project}/{known}"
        client = self._session.official()
        with at_wandb(f"ArtifactCollection.{name} of {path}"):
            yield client.artifact_collection(kind, path)
        Shown(shown.projects | {(self.entity, self.project)}, shown.runs).refresh(self._session)

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"


def stored_collections(
    session: Session, entity: str, project: str, kind: str | None = None, name: str | None = None
) -> list[dict[str, Any]]:
    """Give what is stored of the collections of a project, oldest first; of one type, one name, or both."""

    def find() -> list[dict[str, Any]]:
        rows = session.reader.rows("artifact_collections", escaped(entity=entity, project=project))
        for row in rows:
            row["collection"], row["type"] = plain(row["collection"]), plain(row["type"])
        return rows

    return [
        row
        for row in session.once(("collections", entity, project), find)
        if kind in {None, row["type"]} and name in {None, row["collection"]}
    ]
