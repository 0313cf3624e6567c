"""What an `Artifact` leaves to W&B: its contents, and changes of it."""

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, cast

from wandb_warehouse.api.changes.artifacts import change_artifact, link_artifact
from wandb_warehouse.api.changes.differing import same
from wandb_warehouse.api.session import Session

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.version import Artifact

__all__ = ["ArtifactContents"]


class ArtifactContents:
    """The half of `Artifact` that needs the server, through the official client.

    Every method raises `MissingExtraError` where that client is not installed.
    """

    _session: Session
    _read: dict[str, Any]
    _changed: dict[str, Any]

    def _value(self, name: str) -> Any:
        """What may be changed of the version, as it is here."""
        raise NotImplementedError

    def _stored(self, name: str) -> Any:
        """What may be changed of the version, as it was stored when it was read."""
        raise NotImplementedError

    def _official(self) -> Any:
        return self._session.official().artifact(self._artifact._exact_name)

    @property
    def manifest(self) -> Any:
        """Names and digests of the files (`ArtifactManifest` of the official client)."""
        return self._official().manifest

    def files(self, names: list[str] | None = None, per_page: int = 50, start: str | None = None) -> Any:
        """Give the files, or those of some names."""
        return self._official().files(names, per_page, start)

    def download(
        self,
        root: str | PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:
        """Download the files, and give the directory they are in."""
        found = self._official()
        return str(found.download(root, allow_missing_references, skip_cache, path_prefix, multipart))

    def file(self, root: str | None = None) -> str:
        """Download the only file of the version, and give its path."""
        return str(self._official().file(root))

    def get_entry(self, name: str | PathLike[str]) -> Any:
        """Give a file of the version by its name."""
        return self._official().get_entry(name)

    def get_path(self, name: str | PathLike[str]) -> Any:
        """Give what `get_entry` gives, under its old name."""
        return self.get_entry(name)

    def get(self, name: str) -> Any:
        """Give a table, an image or the like that was put into the version."""
        return self._official().get(name)

    def checkout(self, root: str | None = None) -> str:
        """Make a directory hold the files of the version and nothing else, and give it."""
        return str(self._official().checkout(root))

    def verify(self, root: str | None = None) -> None:
        """Compare downloaded files with the manifest."""
        self._official().verify(root)

    def json_encode(self) -> dict[str, Any]:
        """Give the version as a run's config would hold it."""
        return dict(self._official().json_encode())

    def new_draft(self) -> Any:
        """Give a draft of the next version, with the files of this one, to be logged by the official client."""
        return self._official().new_draft()

    @property
    def incremental(self) -> bool:
        """Whether it is a draft that adds to another version: never, it was logged."""
        return False

    @property
    def distributed_id(self) -> None:
        """Id that several writers of one draft share: none, it was logged."""
        return

    @property
    def use_as(self) -> None:
        """Nothing, under a name W&B gave up."""
        warnings.warn("The use_as property of Artifact is deprecated.", stacklevel=2)

    def wait(self, timeout: int | None = None) -> Self:  # noqa: ARG002 -- W&B's signature
        """Give the version: there is nothing to wait for."""
        return self

    def finalize(self) -> None:
        """Do nothing: a version that was logged is final."""

    @property
    def description(self) -> str | None:
        """Description; what is set reaches W&B by `save`."""
        return self._value("description")  # type: ignore[no-any-return]

    @description.setter
    def description(self, description: str | None) -> None:
        self._set("description", description)

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata as the writer set it; what is set reaches W&B by `save`."""
        return self._value("metadata")  # type: ignore[no-any-return]

    @metadata.setter
    def metadata(self, metadata: Mapping[str, Any]) -> None:
        self._set("metadata", dict(metadata))

    @property
    def aliases(self) -> list[str]:
        """Aliases of the version in its collection, by name; what is set reaches W&B by `save`."""
        return self._value("aliases")  # type: ignore[no-any-return]

    @aliases.setter
    def aliases(self, aliases: Iterable[str]) -> None:
        self._set("aliases", list(aliases))

    @property
    def tags(self) -> list[str]:
        """Tags of the version in stored order; what is set reaches W&B by `save`."""
        return self._value("tags")  # type: ignore[no-any-return]

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._set("tags", list(tags))

    @property
    def ttl(self) -> timedelta | None:
        """Time the version is kept; None where it is kept for ever. What is set reaches W&B by `save`."""
        return self._value("ttl")  # type: ignore[no-any-return]

    @ttl.setter
    def ttl(self, ttl: timedelta | None) -> None:
        self._set("ttl", ttl)

    def _set(self, name: str, value: Any) -> None:
        self._read[name] = self._changed[name] = value

    def save(self, project: str | None = None, settings: Any = None) -> None:
        """Write what was changed here to W&B, and bring what shows the version up to date; errors as `Run.update`.

        Lists and metadata that were changed in place are written, too; what was only read stays as W&B has it.
        """

        def write(theirs: Any) -> None:
            for name in {*self._changed, *self._read}:
                if name in self._changed or not same(self._read[name], self._stored(name)):
                    setattr(theirs, name, self._read[name])
            theirs.save(project, settings)

        change_artifact(self._session, self._artifact, "save", write)
        self._artifact._reload()

    def link(self, target_path: str, aliases: Iterable[str] | None = None) -> Any:
        """Link the version into another collection at W&B, and give the link.

        It is the official client's where the warehouse has not the project of that collection. Errors as `save`.
        """
        from wandb_warehouse.api.artifacts.versions import find_artifact

        made, path = link_artifact(self._session, self._artifact, target_path, aliases)
        return made if path is None else find_artifact(self._session, path)

    def unlink(self) -> None:
        """Take the version out of the collection it was linked into, at W&B; errors as `save`."""
        change_artifact(self._session, self._artifact, "unlink", lambda theirs: theirs.unlink())

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version at W&B, or the link if it is one; errors as `save`.

        Args:
            delete_aliases: delete it with its aliases; without it a version that has some is refused.
        """
        change_artifact(
            self._session,
            self._artifact,
            "delete",
            lambda theirs: theirs.delete(delete_aliases),
            lineage=not self._artifact.is_link,
        )

    @property
    def _artifact(self) -> "Artifact":
        return cast("Artifact", self)
