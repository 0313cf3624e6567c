"""Files of artifacts by the references that values of a run hold: found, checked, downloaded without the key."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wandb_warehouse.client import documents
from wandb_warehouse.client.answers import BatchSize, Node, Pager, in_batches, nodes_of
from wandb_warehouse.client.blobs import Blobs
from wandb_warehouse.client.retry import Limits
from wandb_warehouse.client.transport import Transport
from wandb_warehouse.errors import FatalRemoteError

__all__ = ["ArtifactEntry", "ArtifactFiles", "EntryRef"]

_PAGE = 500
_REPORT = "report it with the server's version"
_BY_CLIENT = "wandb-client-artifact://"
_BY_ID = "wandb-artifact://"


@dataclass(frozen=True, slots=True)
class EntryRef:
    """A file of an artifact: the artifact by its own id, or by the one its writer gave it, and the file's name."""

    name: str
    artifact_id: str | None = None
    client_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "EntryRef | None":
        """Read `wandb-client-artifact://<client id>/<name>` or `wandb-artifact://<id in hex>/<name>`; else None."""
        for scheme in (_BY_CLIENT, _BY_ID):
            owner, slash, name = text.removeprefix(scheme).partition("/")
            if not text.startswith(scheme) or not (owner and slash and name):
                continue
            if scheme == _BY_CLIENT:
                return cls(name, client_id=owner)
            try:
                return cls(name, base64.b64encode(bytes.fromhex(owner)).decode())
            except ValueError:
                return None
        return None

    def beside(self, name: str) -> str:
        """Write the reference to another file of the same artifact."""
        if self.artifact_id is None:
            return f"{_BY_CLIENT}{self.client_id}/{name}"
        return f"{_BY_ID}{base64.b64decode(self.artifact_id).hex()}/{name}"


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """A file of an artifact as the server has it, with its signed address."""

    name: str
    url: str
    size: int | None
    md5: str | None
    """Base64."""


class ArtifactFiles:
    """Part of the client, which hands in how it asks."""

    def __init__(self, transport: Transport, blobs: Blobs, limits: Limits) -> None:
        self._transport = transport
        self._blobs = blobs
        self._size = BatchSize(limits.alias_batch)

    async def find(self, refs: Sequence[EntryRef]) -> list[ArtifactEntry | None]:
        """The entries that references name, in their order; None for one that is not there (any more)."""
        ids = await self._ids([ref.client_id for ref in refs if ref.client_id is not None])
        homes = [ref.artifact_id or ids.get(ref.client_id or "") for ref in refs]
        asks = [(home, ref.name) for home, ref in zip(homes, refs, strict=True) if home is not None]

        async def ask(batch: Sequence[tuple[str, str]], *, splittable: bool) -> list[ArtifactEntry | None]:
            variables: Node = {}
            for i, (home, name) in enumerate(batch):
                variables |= {f"a{i}": home, f"n{i}": [name]}
            document = documents.artifact_files(len(batch))
            reply = await self._transport.graphql(document, variables, splittable=splittable)
            return [_named(reply.data.get(f"r{i}"), name) for i, (_home, name) in enumerate(batch)]

        found = iter(await in_batches(asks, self._size, ask))
        return [None if home is None else next(found) for home in homes]

    async def under(self, ref: EntryRef, folder: str) -> list[ArtifactEntry]:
        """All files of the artifact that lie in a folder, in the server's order; none where it is gone."""
        home = ref.artifact_id or (await self._ids([ref.client_id or ""])).get(ref.client_id or "")
        if home is None:
            return []
        found: dict[str, ArtifactEntry] = {}
        pager = Pager()
        more = True
        while more:
            variables = {"artifact": home, "after": pager.after, "first": _PAGE}
            reply = await self._transport.graphql(documents.artifact_listing(), variables)
            artifact = reply.data.get("artifact")
            if not isinstance(artifact, dict):
                return []
            entries = (_entry(node) for node in nodes_of(artifact.get("files"))[0])
            found |= {entry.name: entry for entry in entries if entry is not None}
            more = pager.advance(artifact["files"])
        return [entry for name, entry in found.items() if name.startswith(f"{folder}/")]

    async def download(self, entry: ArtifactEntry, path: Path, most: int) -> int:
        """Bytes of an entry, put at `path` whole or not at all.

        Raises:
            ExpiredUrlError: the address is no longer good; ask for the entry anew.
            FatalRemoteError: it is larger than `most`, or not the file that the server announced.
        """
        size = await self._blobs.download(entry.url, path, most)
        if entry.size is not None and size != entry.size:
            raise FatalRemoteError(f"it has {size} bytes in place of {entry.size}", mend=_REPORT)
        if entry.md5 is not None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
            if base64.b64encode(digest).decode() != entry.md5:
                raise FatalRemoteError("its contents have another MD5 than the server says", mend=_REPORT)
        return size

    async def _ids(self, client_ids: Sequence[str]) -> dict[str, str]:
        """Ids of artifacts by the ids their writers gave them, `<id>:<alias>` included; unknown ones are absent."""

        async def ask(batch: Sequence[str], *, splittable: bool) -> list[str | None]:
            variables = {f"c{i}": client_id for i, client_id in enumerate(batch)}
            document = documents.artifacts_by_client_id(len(batch))
            reply = await self._transport.graphql(document, variables, splittable=splittable)
            nodes = [reply.data.get(f"r{i}") for i in range(len(batch))]
            return [node.get("serverID") if isinstance(node, dict) else None for node in nodes]

        asked = list(dict.fromkeys(client_ids))
        answers = await in_batches(asked, self._size, ask)
        return {name: found for name, found in zip(asked, answers, strict=True) if isinstance(found, str)}


def _named(artifact: Any, name: str) -> ArtifactEntry | None:
    if not isinstance(artifact, dict) or artifact.get("files") is None:
        return None
    entries = map(_entry, nodes_of(artifact["files"])[0])
    return next((entry for entry in entries if entry is not None and entry.name == name), None)


def _entry(node: Node) -> ArtifactEntry | None:
    """An entry; None for one without contents of its own, as references to elsewhere are."""
    name, url, size, md5 = (node.get(field) for field in ("name", "directUrl", "sizeBytes", "md5"))
    if not isinstance(name, str) or not isinstance(url, str) or not url:
        return None
    return ArtifactEntry(
        name, url, None if size is None else int(size), md5 if isinstance(md5, str) and md5 else None
    )
