"""`Artifact`: one version of an artifact, as the warehouse knows it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.artifacts.contents import ArtifactContents
from wandb_warehouse.api.artifacts.lineage import stored_versions
from wandb_warehouse.api.artifacts.place import ArtifactPlace
from wandb_warehouse.api.artifacts.together import Together
from wandb_warehouse.api.session import Session, document, time_text
from wandb_warehouse.api.stored import absent
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.run import Run

__all__ = ["Artifact"]


class Artifact(ArtifactPlace, ArtifactContents):
    """A version of an artifact.

    Of a version of another project, which is not in the warehouse, there is what runs that logged or used it tell:
    `id`, `entity`, `project`, `name`, `version`, `type`, `logged_by()`, `used_by()`. For the rest it raises
    `NotStoredError`.
    Its files are at W&B: `download`, `files`, `manifest` and the like go there through the official client.

    Args:
        session: what the objects of an `Api` share.
        row: what is stored of it.
        name: name it was asked for by; None for collection and version.
        together: versions that were listed with it.

    Source: `wandb.Artifact`, of what was logged.

    Example:
        >>> model = Api().artifact("my-team/my-project/model:best")  # doctest: +SKIP
        >>> model.version, model.metadata["acc"], model.logged_by().config  # doctest: +SKIP
    """

    def __init__(
        self,
        session: Session,
        row: Mapping[str, Any],
        name: str | None = None,
        together: Together | None = None,
    ) -> None:
        super().__init__(session, row, name)
        self._together = together or Together(session, [self._row])
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
    def digest_algorithm(self) -> Any:
        """Nothing: not in the warehouse, and raises NotStoredError."""
        raise absent("digest_algorithm", f"artifact {self.qualified_name}")

    def _reload(self) -> None:
        """Take what is stored of it now, where something is."""
        place = {name: self._row[name] for name in ("entity", "project", "collection")}
        for row in stored_versions(self._session, **place, ids=[self._row["artifact_id"]]):
            self._row = row
        self._read.clear()
        self._changed.clear()

    def _value(self, name: str) -> Any:
        """What may be changed: the value that was set, else what is stored, the same object every time."""
        if name not in self._read:
            self._read[name] = self._stored(name)
        return self._read[name]

    def _stored(self, name: str) -> Any:
        stored = self._held("ttl_seconds" if name == "ttl" else name)
        match name:
            case "metadata":
                return document(stored) or {}
            case "tags":
                return document(stored) or []
            case "aliases":
                return list(stored)
            case "ttl":
                return None if stored is None else timedelta(seconds=stored)
        return stored

    def logged_by(self) -> "Run | None":
        """Give the run that made the version; None where a user did.

        Raises:
            RunNotFoundError: the run is not in the warehouse, or was deleted.
            NotStoredError: the version is of another project, and no run of the warehouse made it.
        """
        if self._row["stored"]:
            return self._together.creator(self._row)
        found = self._together.runs(self._row["artifact_id"], "logged")
        return found[0] if found else self._held("logged_by")

    def used_by(self) -> "list[Run]":
        """Give the runs of the warehouse that used the version, oldest first."""
        return self._together.runs(self._row["artifact_id"], "used")

    def __repr__(self) -> str:
        return f"<Artifact {self.id or self.name}>"
