"""What a project holds beside its runs' details and history: asked for by alias, page by page, to the end."""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wandb_warehouse.client import lists
from wandb_warehouse.client.answers import (
    BatchSize,
    Node,
    Pager,
    aliased,
    in_batches,
    name_of,
    nodes_of,
    slices,
)
from wandb_warehouse.client.blobs import Blobs
from wandb_warehouse.client.documents import Document
from wandb_warehouse.client.lists import PagedList
from wandb_warehouse.client.retry import Limits, TooHeavyError, UnknownFieldError
from wandb_warehouse.client.transport import Reply, Transport
from wandb_warehouse.errors import FatalRemoteError

__all__ = ["Catalog", "Found", "is_inside"]

_REPORT = "report it with the server's version"
_WALKS = 3
"""Times a list is walked that changed under the walk: cursors are offsets, so what leaves it hides another entry."""

_MANY = 20
"""Runs from which on they are asked for as a filtered list rather than each by its name."""
_ENTRIES = 25_000
"""Entries that the first pages of many runs may come to in one answer."""

ProjectOf = Callable[[Reply, str, str], Awaitable[Node]]


@dataclass(frozen=True, slots=True)
class Found:
    """All entries of one list, each once."""

    nodes: list[Node]
    missing: int = 0
    """Entries the server counts beyond those it gave."""


@dataclass(slots=True)
class _Walk:
    """One list on its way to its last page."""

    place: Mapping[str, str]
    first: int
    nodes: dict[str, Node] = field(default_factory=dict)
    hidden: int = 0
    pager: Pager = field(default_factory=Pager)
    walks: int = 1
    more: bool = True
    gone: bool = False
    missing: int = 0
    totals: set[int] = field(default_factory=set)
    """What the pages of this walk said the list counts."""

    def take(self, connection: Any, wanted: PagedList) -> None:
        """Take a page over; start again where the list changed meanwhile, or ends short of its own count."""
        nodes, hidden = nodes_of(connection)
        self.hidden += hidden
        edges = [edge for edge in connection["edges"] if edge and isinstance(edge.get("node"), dict)]
        for edge, node in zip(edges, nodes, strict=True):
            key = node.get(wanted.key)
            if key is None:
                raise FatalRemoteError(f"the server sent an entry without {wanted.key}", mend=_REPORT)
            beside = {name: value for name, value in edge.items() if name not in {"node", "cursor"}}
            self.nodes[str(key)] = {**node, "edge": beside}
        total = connection.get("totalCount")
        if isinstance(total, int):
            self.totals.add(total)
        self.more = self.pager.advance(connection)
        if self.more:
            return
        self.missing = max(0, total - len(self.nodes) - self.hidden) if isinstance(total, int) else 0
        if (self.missing or len(self.totals) > 1) and self.walks < _WALKS:
            self.walks, self.hidden, self.pager, self.more = self.walks + 1, 0, Pager(), True
            self.nodes, self.totals = {}, set()


class Catalog:
    """Lists of a project and its runs, each complete; part of the client, which hands in how it asks.

    A field the server lacks is left out; a list it does not have is empty.
    """

    def __init__(self, transport: Transport, blobs: Blobs, limits: Limits, project_of: ProjectOf) -> None:
        self._transport = transport
        self._blobs = blobs
        self._limits = limits
        self._project_of = project_of
        self._size = BatchSize(limits.alias_batch)
        self._lacking: dict[str, frozenset[str]] = {}

    async def lists(
        self, wanted: PagedList, entity: str, project: str, places: Sequence[Mapping[str, str]]
    ) -> list[Found | None]:
        """All entries of one list at each place (see `PagedList`); None where the place is gone."""
        walks = [_Walk(place, wanted.first) for place in places]

        async def ask(batch: Sequence[_Walk], *, splittable: bool) -> list[None]:
            shorter = len(batch) == 1 and batch[0].first > 1
            try:
                nodes = await self._page(wanted, entity, project, batch, splittable=splittable or shorter)
            except TooHeavyError:
                if not shorter:
                    raise
                batch[0].first //= 2  # asked again from the same place, with shorter pages
                return [None]
            for walk, node in zip(batch, nodes, strict=True):
                if node is None:
                    walk.gone, walk.more = True, False
                else:
                    walk.take(node, wanted)
            return [None] * len(batch)

        if wanted.of_runs and len(walks) >= _MANY:
            await self._first_pages(wanted, entity, project, walks)
        while pending := [walk for walk in walks if walk.more]:
            await in_batches(pending, self._size, ask)
        return [None if walk.gone else Found(list(walk.nodes.values()), walk.missing) for walk in walks]

    async def project_list(self, wanted: PagedList, entity: str, project: str) -> Found:
        """All entries of a list of the project itself."""
        (found,) = await self.lists(wanted, entity, project, [{}])
        return found or Found([])

    async def runs(
        self,
        name: str,
        fields: Sequence[str],
        entity: str,
        project: str,
        asks: Sequence[tuple[str, int]],
    ) -> list[Node | None]:
        """Some fields of many runs, `asks` being (run id, the number for `{s}` in a field); None: it is gone."""

        async def ask(batch: Sequence[tuple[str, int]], *, splittable: bool) -> list[Node | None]:
            variables: Node = {"entity": entity, "project": project}
            for i, (run_id, number) in enumerate(batch):
                variables |= {f"n{i}": run_id, f"s{i}": number}

            def build(lacking: frozenset[str]) -> Document:
                return lists.run_fields(name, fields, len(batch), lacking)

            reply = await self._ask(name, build, variables, splittable=splittable)
            if reply is None:
                return [{} for _ in batch]
            return aliased(await self._project_of(reply, entity, project), len(batch))

        if len(asks) < _MANY or any("{s}" in field for field in fields):
            return await in_batches(asks, self._size, ask)
        found = await self._filtered(
            name,
            lambda lacking: lists.filtered_run_fields(name, fields, lacking),
            entity,
            project,
            run_ids=[run_id for run_id, _ in asks],
            size=self._limits.details_batch,
        )
        rest = [each for each in asks if each[0] not in found]
        found.update(
            (run_id, node)
            for (run_id, _), node in zip(rest, await in_batches(rest, self._size, ask), strict=True)
        )
        return [found[run_id] for run_id, _ in asks]

    async def members(self, entity: str) -> list[Node] | None:
        """Members of a team: `username`, `name`; None where the server does not say."""
        reply = await self._ask("Members", lists.members, {"entity": entity})
        team = reply.data.get("entity") if reply else None
        found = team.get("members") if isinstance(team, dict) else None
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise FatalRemoteError("the server sent members that are no list", mend=_REPORT)
        return found

    async def run_file(self, entity: str, project: str, run_id: str, name: str) -> bytes | None:
        """Contents of a file of a run, which is small; None where there is none."""
        with tempfile.TemporaryDirectory(prefix="wandb-warehouse-") as folder:
            target = Path(folder) / "file"
            size = await self.save_run_file(
                entity, project, run_id, name, target=target, most=self._limits.max_bytes
            )
            return None if size is None else target.read_bytes()

    async def save_run_file(
        self, entity: str, project: str, run_id: str, name: str, *, target: Path, most: int
    ) -> int | None:
        """Bytes of a file of a run, put at `target`; None where there is none.

        The request to the server carries the key; the storage it may redirect to is asked without. `name` is never a
        path of ours.

        Raises:
            FatalRemoteError: it is larger than `most`, or its name leads out of the run.
        """
        if not is_inside(name):
            raise FatalRemoteError("its name leads out of the files of the run", mend="report the run to W&B")
        path = "/".join(["files", *(quote(part, safe="") for part in (entity, project, run_id)), quote(name)])
        answer = await self._transport.file(path)
        if answer is None:
            return None
        if not isinstance(answer, bytes):
            return await self._blobs.download(answer.url, target, most)
        if len(answer) > most:
            raise FatalRemoteError(f"{name} exceeds {most} bytes", mend="report it")
        await asyncio.to_thread(target.write_bytes, answer)
        return len(answer)

    async def _first_pages(
        self, wanted: PagedList, entity: str, project: str, walks: Sequence[_Walk]
    ) -> None:
        """Take the first page of each run's list, as far as a filtered list gives it."""
        found = await self._filtered(
            wanted.name,
            wanted.first_pages,
            entity,
            project,
            run_ids=[walk.place["n"] for walk in walks],
            size=min(self._limits.details_batch, max(1, _ENTRIES // wanted.first)),
            whole=wanted.field,
            more={"f": wanted.first},
        )
        for walk in walks:
            node = found.get(walk.place["n"])
            if node is not None and node.get("at") is not None:
                walk.take(node["at"], wanted)

    async def _filtered(
        self,
        name: str,
        build: Callable[[frozenset[str]], Document],
        entity: str,
        project: str,
        *,
        run_ids: Sequence[str],
        size: int,
        whole: str | None = None,
        more: Node | None = None,
    ) -> dict[str, Node | None]:
        """Runs that a filtered list gives, by id. Absent: those it leaves out, refuses or is too slow for."""

        async def ask(batch: Sequence[str]) -> dict[str, Node]:
            variables: Node = {
                "entity": entity,
                "project": project,
                "filters": json.dumps({"name": {"$in": list(batch)}}),
                "first": len(batch),
                **(more or {}),
            }
            try:
                reply = await self._ask(name, build, variables, splittable=True, whole=whole)
            except (TooHeavyError, FatalRemoteError):
                return {}  # each is asked for by its name
            if reply is None:
                return {}
            nodes, _hidden = nodes_of((await self._project_of(reply, entity, project)).get("runs"))
            return {name_of(node): node for node in nodes}

        asked = list(dict.fromkeys(run_ids))
        answers = await asyncio.gather(*map(ask, slices(asked, size)))
        return {run_id: nodes[run_id] for nodes in answers for run_id in asked if run_id in nodes}

    async def _page(
        self,
        wanted: PagedList,
        entity: str,
        project: str,
        batch: Sequence[_Walk],
        *,
        splittable: bool,
    ) -> list[Any]:
        variables: Node = {"entity": entity, "project": project}
        for i, walk in enumerate(batch):
            variables |= {f"{letter}{i}": value for letter, value in walk.place.items()}
            variables |= {f"a{i}": walk.pager.after, f"f{i}": walk.first}
        reply = await self._ask(
            wanted.name,
            lambda lacking: wanted.document(len(batch), lacking),
            variables,
            splittable=splittable,
            whole=wanted.field,
        )
        if reply is None:
            return [{"edges": [], "pageInfo": {"hasNextPage": False}} for _ in batch]
        node = await self._project_of(reply, entity, project)
        return [wanted.found(node, i) for i in range(len(batch))]

    async def _ask(
        self,
        name: str,
        build: Callable[[frozenset[str]], Document],
        variables: Node,
        *,
        splittable: bool = False,
        whole: str | None = None,
    ) -> Reply | None:
        """Ask without the fields this server lacks, which it names one by one; None where nothing is left."""
        while True:
            lacking = self._lacking.get(name, frozenset())
            document = build(lacking)
            if whole in lacking or not document.text:
                return None
            try:
                return await self._transport.graphql(document, variables, splittable=splittable)
            except UnknownFieldError as error:
                known = {whole, *lists.droppable(document.text)}
                if error.field is None or error.field in lacking or error.field not in known:
                    raise
                self._lacking[name] = lacking | {error.field}


def is_inside(name: str) -> bool:
    """Tell whether a file's name can only mean a file below what it is asked of: no way up, no root, no address."""
    steps = name.split("/")
    odd = any(ord(letter) < ord(" ") or letter == "\\" for letter in name)
    return not odd and ":" not in steps[0] and not {"", ".", ".."} & set(steps)
