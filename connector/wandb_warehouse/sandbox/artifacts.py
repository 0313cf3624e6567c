"""Artifacts in memory: versions of collections, their manifests and files."""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from wandb_warehouse.sandbox.store import File, Project, Run, Store, opaque

__all__ = ["Artifact", "ArtifactShelf", "Collection"]


@dataclass(eq=False)
class Artifact:
    """One version of an artifact; `version` stays None until it is committed."""

    number: int
    collection: "Collection"
    digest: str
    created_at: float
    client_id: str | None
    description: str | None
    metadata: str | None
    history_step: int | None
    creator: Run | None
    aliases: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    state: str = "PENDING"
    version: int | None = None
    manifest: File = field(default_factory=lambda: File("wandb_manifest.json"))
    used_by: list[Run] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The opaque id."""
        return opaque("Artifact", self.number)

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Manifest entries by path; empty until the manifest is uploaded."""
        contents = json.loads(self.manifest.body or b"{}").get("contents", {})
        return dict(contents)

    @property
    def size(self) -> int:
        """Bytes of all files, by the manifest."""
        return sum(entry.get("size") or 0 for entry in self.entries.values())


@dataclass(eq=False)
class Collection:
    """A named sequence of artifact versions of one type."""

    project: Project
    type: str
    name: str
    created_at: float
    artifacts: list[Artifact] = field(default_factory=list)
    client_id: str | None = None

    @property
    def id(self) -> str:
        """The opaque id."""
        return opaque("ArtifactCollection", self.project.entity, self.project.name, self.name)

    @property
    def committed(self) -> list[Artifact]:
        """Versions in order."""
        return [artifact for artifact in self.artifacts if artifact.state == "COMMITTED"]

    def find(self, alias: str) -> Artifact | None:
        """The version of an alias or of `v<number>`."""
        return next((a for a in self.committed if alias in (f"v{a.version}", *a.aliases)), None)


class ArtifactShelf:
    """All artifacts of a server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.artifacts: dict[str, Artifact] = {}
        self.collections: dict[tuple[str, str, str], Collection] = {}
        self._contents: dict[tuple[str, str, str], File] = {}

    def of_project(self, project: Project) -> list[Collection]:
        """Collections of a project."""
        return [c for c in self.collections.values() if c.project is project]

    def collection(self, project: Project, name: str) -> Collection | None:
        """A collection by name."""
        return self.collections.get((project.entity, project.name, name))

    def rename(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Let what a project has be found under its new entity and name."""
        self.collections = {
            (*new, name) if (entity, project) == old else (entity, project, name): collection
            for (entity, project, name), collection in self.collections.items()
        }
        self._contents = {
            (*new, digest) if (entity, project) == old else (entity, project, digest): file
            for (entity, project, digest), file in self._contents.items()
        }

    def by_client_id(self, client_id: str) -> str | None:
        """Opaque id of the artifact, or of its collection, that a client named by an id of its own."""
        for artifact in self.artifacts.values():
            if artifact.client_id == client_id:
                return artifact.id
        return next((c.id for c in self.collections.values() if c.client_id == client_id), None)

    def create(self, project: Project, run: Run | None, wanted: dict[str, Any]) -> Artifact:
        """A new pending version, or the latest one when its digest is the same."""
        names = wanted.get("artifactCollectionNames") or [wanted.get("artifactCollectionName")]
        name, now = str(names[0]), self._store.now()
        key = (project.entity, project.name, name)
        collection = self.collections.get(key)
        if collection is None:
            collection = Collection(project, wanted["artifactTypeName"], name, now)
            collection.client_id = wanted.get("sequenceClientID")
            self.collections[key] = collection
        latest = collection.find("latest")
        if latest and latest.digest == wanted["digest"]:
            return latest
        artifact = Artifact(
            number=self._store.number(),
            collection=collection,
            digest=wanted["digest"],
            created_at=now,
            client_id=wanted.get("clientID"),
            description=wanted.get("description"),
            metadata=wanted.get("metadata"),
            history_step=wanted.get("historyStep"),
            creator=run,
            aliases=[alias["alias"] for alias in wanted.get("aliases") or []],
            tags=[tag["tagName"] for tag in wanted.get("tags") or []],
        )
        collection.artifacts.append(artifact)
        self.artifacts[artifact.id] = artifact
        return artifact

    def commit(self, artifact: Artifact) -> None:
        """Give the version its number; its aliases, `latest` among them, move here from older ones."""
        if artifact.state == "COMMITTED":
            return
        older = artifact.collection.committed
        moving = {*artifact.aliases, "latest"}
        for other in older:
            other.aliases = [alias for alias in other.aliases if alias not in moving]
        artifact.version, artifact.state = len(older), "COMMITTED"
        artifact.aliases = sorted(moving)

    def content(self, artifact: Artifact, digest: str) -> File | None:
        """Stored content by its base64 MD5."""
        project = artifact.collection.project
        return self._contents.get((project.entity, project.name, digest))

    def await_content(self, artifact: Artifact, name: str, digest: str) -> str | None:
        """Path to upload content to; None when the project holds it already."""
        project = artifact.collection.project
        if (project.entity, project.name, digest) in self._contents:
            return None
        return self._store.upload_path(name, partial(self._receive, project, name, digest))

    def put(self, artifact: Artifact, name: str, digest: str, body: bytes) -> None:
        """Store content that no writer uploaded."""
        self._receive(artifact.collection.project, name, digest, body)

    def _receive(self, project: Project, name: str, digest: str, body: bytes) -> None:
        stored = File(name, body, self._store.now(), self._store.blobs.put(name, body))
        self._contents[project.entity, project.name, digest] = stored

    def await_manifest(self, artifact: Artifact) -> str:
        """Path to upload the manifest to."""

        def receive(body: bytes) -> None:
            name = artifact.manifest.name
            artifact.manifest = File(name, body, self._store.now(), self._store.blobs.put(name, body))

        return self._store.upload_path(artifact.manifest.name, receive)
