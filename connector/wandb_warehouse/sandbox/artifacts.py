"""Artifacts in memory: versions, the collections they were made in, and those they were linked into.

What the server does is told by its clients. The queries and docstrings of `wandb` 0.31: a version keeps its number for
good; `latest` goes to what was linked last; a version with aliases is deleted with `deleteAliases` only; a link is
taken away without its version. wandb/wandb#6153 and #11340: contents that a version of the collection has already are
that version, with further aliases. wandb/weave#528: `latest` goes to no other version where it is deleted.
wandb/docs#2995: a collection without versions is listed still. Guesses: what else logged a version is among the outputs
of its run, a deleted version is no output and no input, and a version is linked into a collection once.
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wandb_warehouse.sandbox.store import File, Project, Run, opaque

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Artifact", "Collection", "Link", "Portfolio"]


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
    algorithm: str = "MANIFEST_MD5"
    aliases: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    ttl: int | None = None
    """Seconds it is kept, negative for ever; None as its project has it."""
    state: str = "PENDING"
    version: int | None = None
    updated_at: float | None = None
    manifest: File = field(default_factory=lambda: File("wandb_manifest.json"))
    logged_by: list[Run] = field(default_factory=list)
    """Runs it is an output of: its creator, and who logged the same contents."""
    used_by: list[Run] = field(default_factory=list)
    links: "list[tuple[Portfolio, Link]]" = field(default_factory=list)
    """Where it was linked into."""

    @property
    def artifact(self) -> "Artifact":
        """Itself, as a link has the version that it leads to."""
        return self

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

    number: int
    project: Project
    type: str
    name: str
    created_at: float
    artifacts: list[Artifact] = field(default_factory=list)
    client_id: str | None = None
    description: str | None = None
    tags: list[str] = field(default_factory=list)
    state: str = "READY"

    @property
    def id(self) -> str:
        """The opaque id."""
        return opaque("ArtifactCollection", self.number)

    @property
    def committed(self) -> list[Artifact]:
        """Versions in order."""
        return [artifact for artifact in self.artifacts if artifact.state == "COMMITTED"]

    @property
    def members(self) -> "Sequence[Artifact | Link]":
        """Versions in any state, in order, each with its number and its aliases here."""
        return self.artifacts

    @property
    def named(self) -> "list[Artifact | Link]":
        """Versions that are found by their numbers and aliases."""
        return [each for each in self.members if each.artifact.state == "COMMITTED"]

    def find(self, alias: str) -> "Artifact | Link | None":
        """The version of an alias or of `v<number>`."""
        return next((each for each in self.named if alias in (f"v{each.version}", *each.aliases)), None)


@dataclass(eq=False)
class Link:
    """A version in a collection that it was not made in."""

    artifact: Artifact
    version: int
    created_at: float
    aliases: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Portfolio(Collection):
    """A collection of links."""

    links: list[Link] = field(default_factory=list)
    linked: int = 0
    """Links there ever were: the number of the next."""

    @property
    def members(self) -> "Sequence[Artifact | Link]":
        """The links."""
        return self.links
