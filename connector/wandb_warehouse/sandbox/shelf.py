"""All artifacts of a server: how versions are made, linked, deleted, and where their contents lie."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from wandb_warehouse.sandbox.artifacts import Artifact, Collection, Link, Portfolio
from wandb_warehouse.sandbox.store import File, Project, Run, Store

__all__ = ["ArtifactShelf", "Taken"]


class Taken(ValueError):  # noqa: N818 -- named after what is wrong
    """The name is the one of another collection."""


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
        """A new pending version, or the one that has this digest already; its aliases and tags are added to that.

        Raises:
            Taken: the name is the one of a collection of links.
        """
        names = wanted.get("artifactCollectionNames") or [wanted.get("artifactCollectionName")]
        name, now = str(names[0]), self._store.now()
        key = (project.entity, project.name, name)
        collection = self.collections.get(key)
        if collection is None:
            collection = Collection(self._store.number(), project, wanted["artifactTypeName"], name, now)
            collection.client_id = wanted.get("sequenceClientID")
            self.collections[key] = collection
        if isinstance(collection, Portfolio):
            raise Taken(f"{name} is a collection of links")
        aliases = [alias["alias"] for alias in wanted.get("aliases") or []]
        tags = [tag["tagName"] for tag in wanted.get("tags") or []]
        known = [each for each in collection.committed if each.digest == wanted["digest"]]
        if known and wanted.get("enableDigestDeduplication"):
            self.alias(collection, known[-1], aliases)
            known[-1].tags = list(dict.fromkeys([*known[-1].tags, *tags]))
            known[-1].logged_by += [run] if run and run not in known[-1].logged_by else []
            return known[-1]
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
            algorithm=wanted.get("digestAlgorithm") or "MANIFEST_MD5",
            aliases=aliases,
            tags=tags,
            ttl=wanted.get("ttlDurationSeconds"),
            logged_by=[run] if run else [],
        )
        collection.artifacts.append(artifact)
        self.artifacts[artifact.id] = artifact
        return artifact

    def commit(self, artifact: Artifact) -> None:
        """Give the version its number; its aliases, `latest` among them, move here from older ones."""
        if artifact.state == "COMMITTED":
            return
        older = [other for other in artifact.collection.artifacts if other.version is not None]
        artifact.version, artifact.state = len(older), "COMMITTED"
        self.alias(artifact.collection, artifact, [*artifact.aliases, "latest"])

    def alias(self, collection: Collection, member: Artifact | Link, aliases: Iterable[str]) -> None:
        """Give aliases to a version of a collection; they move here from other ones of it."""
        moving = set(aliases)
        for other in collection.named:
            other.aliases = [alias for alias in other.aliases if alias not in moving]
        member.aliases = sorted({*member.aliases, *moving})

    def made_by(self, run: Run) -> list[Artifact]:
        """Versions that a run made."""
        return [each for each in self.artifacts.values() if each.creator is run]

    def delete(self, artifact: Artifact) -> None:
        """Delete a version, with its aliases and the links to it."""
        artifact.state, artifact.aliases = "DELETED", []
        for portfolio, link in list(artifact.links):
            self.unlink(portfolio, link)

    def link(
        self, artifact: Artifact, project: Project, name: str, aliases: Iterable[str]
    ) -> tuple[Portfolio, Link]:
        """Link a version into a collection, which is made where it is new; `latest` goes to what is new in it.

        Raises:
            Taken: versions are made in the collection, or it is of another type.
        """
        key = (project.entity, project.name, name)
        kind = artifact.collection.type
        portfolio = self.collections.get(key)
        if portfolio is None:
            portfolio = Portfolio(self._store.number(), project, kind, name, self._store.now())
            self.collections[key] = portfolio
        if not (isinstance(portfolio, Portfolio) and portfolio.type == kind):
            raise Taken(f"{name} is not a collection of links to artifacts of type {kind}")
        link = next((link for link in portfolio.links if link.artifact is artifact), None)
        if link is None:
            link = Link(artifact, portfolio.linked, self._store.now())
            portfolio.linked += 1
            portfolio.links.append(link)
            artifact.links.append((portfolio, link))
            aliases = [*aliases, "latest"]
        self.alias(portfolio, link, aliases)
        return portfolio, link

    def unlink(self, portfolio: Portfolio, link: Link) -> None:
        """Take a link away."""
        portfolio.links.remove(link)
        link.artifact.links.remove((portfolio, link))

    def remove(self, collection: Collection) -> None:
        """Delete a collection with its versions, or its links."""
        collection.state = "DELETED"
        for artifact in collection.artifacts:
            self.delete(artifact)
        if isinstance(collection, Portfolio):
            for link in list(collection.links):
                self.unlink(collection, link)
        del self.collections[collection.project.entity, collection.project.name, collection.name]

    def call(self, collection: Collection, name: str) -> None:
        """Give a collection another name.

        Raises:
            Taken: there is one of that name.
        """
        home = (collection.project.entity, collection.project.name)
        if self.collections.get((*home, name), collection) is not collection:
            raise Taken(f"there is a collection {name} already")
        del self.collections[*home, collection.name]
        collection.name = name
        self.collections[*home, name] = collection

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
