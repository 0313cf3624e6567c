"""The W&B API as an async client: one method a question, JSON objects out."""

import difflib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from wandb_warehouse.client import documents
from wandb_warehouse.client.answers import (
    BatchSize,
    Exports,
    Node,
    Pager,
    RunPage,
    Sample,
    Window,
    aliased,
    exports_of,
    in_batches,
    name_of,
    nodes_of,
    rows_of,
    samples_of,
)
from wandb_warehouse.client.artifact_files import ArtifactFiles
from wandb_warehouse.client.blobs import Blobs
from wandb_warehouse.client.catalog import Catalog
from wandb_warehouse.client.connection import Connection
from wandb_warehouse.client.documents import Document
from wandb_warehouse.client.governor import Governor
from wandb_warehouse.client.retry import Limits, Retries, Stats, TooHeavyError, UnknownFieldError
from wandb_warehouse.client.transport import Reply, Transport
from wandb_warehouse.errors import (
    AuthError,
    FatalRemoteError,
    ProjectNotFoundError,
    RemoteError,
    WarehouseError,
)

__all__ = ["WandbClient"]

ORDER = "+created_at"
"""Cursors are offsets into a list made anew for every page, so only a key that never changes pages safely.
W&B reads an order without a sign as descending in places."""


class WandbClient:
    """Asks a W&B server; an async context manager, used within one event loop.

    Every failure is an error of `wandb_warehouse.errors`: AuthError, ProjectNotFoundError,
    RetriableRemoteError once the tries are used up, FatalRemoteError where repeating would not help.

    Example:
        async with WandbClient(connection) as client:
            async for page in client.list_runs("team", "project"):
                details = await client.run_details("team", "project", [run["name"] for run in page.nodes])
    """

    def __init__(
        self,
        connection: Connection,
        *,
        limits: Limits = Limits(),  # noqa: B008  (frozen: one shared default is safe)
        governor: Governor | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        blob_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.stats = Stats()
        """What this client did so far."""
        self._connection = connection
        self._limits = limits
        governor = governor or Governor()
        self._transport = Transport(
            connection,
            limits,
            governor,
            self.stats,
            Retries(limits, governor, self.stats),
            transport=transport,
        )
        self._blobs = Blobs(
            limits,
            governor,
            self.stats,
            Retries(limits, governor, self.stats),
            private_allowed=lambda: connection.is_private or self._transport.peer_is_private,
            transport=blob_transport,
        )
        self.catalog = Catalog(self._transport, self._blobs, limits, self._project)
        """Artifacts, files, sweeps and whatever else a project holds, as complete lists."""
        self.artifact_files = ArtifactFiles(self._transport, self._blobs, limits)
        """Single files of artifacts, by reference."""
        self._lacking: frozenset[str] = frozenset()
        self._details_size = BatchSize(limits.details_batch)
        self._alias_size = BatchSize(limits.alias_batch)
        self._sample_size = BatchSize(limits.alias_batch)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.aclose()
        await self._blobs.aclose()

    async def viewer(self) -> Node:
        """The owner of the key: `id`, `entity`, `username`, `teams`; AuthError for an unknown key."""
        reply = await self._transport.graphql(documents.VIEWER, {})
        viewer = reply.data.get("viewer")
        if not isinstance(viewer, dict):
            raise AuthError(
                f"{self._connection.base_url} does not know the key from {self._connection.key_source}",
                mend="copy the key again from the settings page of your W&B account on that server",
            )
        return viewer

    async def projects(self, entity: str) -> list[Node]:
        """All projects of an entity the key may see: `id`, `name`, `entityName`, `createdAt`."""
        found: dict[str, Node] = {}
        pager = Pager()
        more = True
        while more:
            variables = {"entity": entity, "after": pager.after, "first": 100}
            reply = await self._transport.graphql(documents.PROJECTS, variables)
            models = reply.data.get("models")
            if models is None:
                await self.viewer()  # to the server a refused key looks like an unknown entity
                raise ProjectNotFoundError(
                    f"{self._connection.base_url} shows no entity {entity!r} to this key",
                    mend="check the name, or ask its owner for access",
                )
            nodes, _hidden = nodes_of(models)
            found.update((str(node.get("name")), node) for node in nodes)
            more = pager.advance(models)
        return list(found.values())

    async def list_runs(
        self,
        entity: str,
        project: str,
        *,
        filters: Node | None = None,
        page_size: int = 1000,
        names_only: bool = False,
    ) -> AsyncIterator[RunPage]:
        """Pages of a project's runs, oldest first; the first request also brings the project and the count.

        Fields of a run: `id name displayName state createdAt heartbeatAt historyLineCount tags group jobType
        notes sweepName user{username name}`, with `names_only` just `name`. `filters` is W&B's MongoDB-style
        object. Runs may be missed while the list moves: compare the distinct ids with the first and the last
        page's `run_count`.
        """
        seen: set[str] = set()
        fields = documents.NAME if names_only else documents.LIGHT_FIELDS
        pager, more = Pager(), True
        while more:
            variables = {
                "entity": entity,
                "project": project,
                "filters": json.dumps(filters or {}),
                "order": ORDER,
                "after": pager.after,
                "first": page_size,
            }
            try:
                reply = await self._ask(
                    lambda lacking: documents.list_runs(lacking, fields), variables, splittable=page_size > 1
                )
            except TooHeavyError:
                # Cursors are offsets, so a smaller page goes on from the same place.
                page_size = max(1, page_size // 2)
                continue
            node = await self._project(reply, entity, project)
            runs = node.pop("runs", None)
            nodes, hidden = nodes_of(runs)
            fresh = {name_of(run): run for run in nodes if name_of(run) not in seen}
            seen |= fresh.keys()
            more = pager.advance(runs)
            count, total = node.pop("runCount", None), node.pop("runTotal", None)
            if not isinstance(count, int) or reply.date is None:
                lacks = "a Date header" if reply.date is None else "their count"
                raise FatalRemoteError(
                    f"{self._connection.base_url} listed runs without {lacks}",
                    mend="check for a proxy that changes its answers",
                )
            repeated = len(nodes) - len(fresh)
            yield RunPage(node, count, list(fresh.values()), reply.date, hidden, repeated, total)

    async def run_details(self, entity: str, project: str, run_ids: Sequence[str]) -> dict[str, Node]:
        """All fields of many runs by run id.

        One request asks for `Limits.details_batch` runs, for fewer where that is too heavy. Next to the light
        fields: `projectId readOnly commit host description computeSeconds config summaryMetrics systemMetrics
        historyKeys` (config and metrics as JSON text). A field the server does not have is absent. A run that
        the filtered list leaves out is asked for by its name; one that is gone is absent from the result. If
        one run alone cannot be fetched, the call fails: ask run by run to find it.
        """
        asked = list(dict.fromkeys(run_ids))

        async def listed(ids: Sequence[str], *, splittable: bool) -> list[Node | None]:
            found = await self._listed_details(entity, project, ids, splittable=splittable)
            return [found.get(run_id) for run_id in ids]

        async def named(ids: Sequence[str], *, splittable: bool) -> list[Node | None]:
            variables: Node = {"entity": entity, "project": project}
            variables.update((f"n{i}", run_id) for i, run_id in enumerate(ids))
            reply = await self._ask(
                lambda lacking: documents.runs_by_name(len(ids), lacking), variables, splittable=splittable
            )
            return aliased(await self._project(reply, entity, project), len(ids))

        found = dict(zip(asked, await in_batches(asked, self._details_size, listed), strict=True))
        missing = [run_id for run_id in asked if found[run_id] is None]
        found.update(zip(missing, await in_batches(missing, self._alias_size, named), strict=True))
        return {run_id: node for run_id, node in found.items() if node is not None}

    async def look_up(self, entity: str, project: str, run_ids: Sequence[str]) -> dict[str, Node | None]:
        """Light fields of runs by their names; None where an answer without errors has the project and not the run."""

        async def ask(ids: Sequence[str], *, splittable: bool) -> list[Node | None]:
            variables: Node = {"entity": entity, "project": project}
            variables.update((f"n{i}", run_id) for i, run_id in enumerate(ids))
            reply = await self._ask(
                lambda lacking: documents.runs_looked_up(len(ids), lacking), variables, splittable=splittable
            )
            return aliased(await self._project(reply, entity, project), len(ids), told=True)

        asked = list(dict.fromkeys(run_ids))
        return dict(zip(asked, await in_batches(asked, self._alias_size, ask), strict=True))

    async def internal_id(self, entity: str, project: str) -> str | None:
        """The id a project keeps under every name; None where the key reads no such project, empty for no such ids."""
        names = {"entity": entity, "project": project}
        reply = await self._ask(documents.project_ids, names, splittable=False)
        node = reply.data.get("project")
        if not isinstance(node, dict):
            await self.viewer()  # to a refused key no project is shown either
            return None
        return str(node.get("internalId") or "")

    async def exports(
        self, entity: str, project: str, asks: Sequence[tuple[str, Sequence[str]]]
    ) -> dict[str, Exports]:
        """History exports of many runs, `asks` being (run id, keys wanted of the live tail).

        Absent from the result: runs that are gone. A server without exports gives none for every run. The
        order of the addresses is not stable, and an empty `live` does not prove that the exports are
        complete. Integers of `live` are exact; other numbers are doubles (`history_rows` gives the text).
        """

        async def ask(part: Sequence[tuple[str, Sequence[str]]], *, splittable: bool) -> list[Node | None]:
            if "parquetHistory" in self._lacking:
                return [{} for _ in part]
            variables: Node = {"entity": entity, "project": project}
            for i, (run_id, keys) in enumerate(part):
                variables |= {f"n{i}": run_id, f"k{i}": list(keys)}
            document = documents.parquet_exports(len(part))
            try:
                reply = await self._transport.graphql(document, variables, splittable=splittable, exact=True)
            except UnknownFieldError as error:
                if error.field != "parquetHistory":
                    raise
                self._lacking |= {error.field}
                return [{} for _ in part]
            return aliased(await self._project(reply, entity, project), len(part))

        answers = await in_batches(asks, self._alias_size, ask)
        return {
            run_id: exports_of(node.get("parquetHistory"))
            for (run_id, _keys), node in zip(asks, answers, strict=True)
            if node is not None
        }

    async def history_rows(self, entity: str, project: str, windows: Sequence[Window]) -> list[list[str]]:
        """JSON texts of the history rows of each window, in the order of `windows`.

        A run that is gone gives none. What is too heavy for one answer is asked for in parts, down to single
        steps.
        """

        async def ask(part: Sequence[Window], *, splittable: bool) -> list[list[str]]:
            divisible = len(part) == 1 and part[0].max_step - part[0].min_step > 1
            variables: Node = {"entity": entity, "project": project}
            for i, window in enumerate(part):
                variables |= {
                    f"n{i}": window.run_id,
                    f"a{i}": window.min_step,
                    f"b{i}": window.max_step,
                    f"s{i}": window.samples,
                }
            document = documents.history_windows(len(part))
            try:
                reply = await self._transport.graphql(document, variables, splittable=splittable or divisible)
            except TooHeavyError:
                if not divisible:
                    raise
                halves = [await ask([half], splittable=False) for half in part[0].halves()]
                return [[row for (rows,) in halves for row in rows]]
            nodes = aliased(await self._project(reply, entity, project), len(part))
            return [rows_of(node) for node in nodes]

        return await in_batches(windows, self._alias_size, ask)

    async def sampled_rows(self, entity: str, project: str, asks: Sequence[Sample]) -> list[list[Node]]:
        """Rows of each sample in the order of `asks`: objects with `_step` and the keys, steps maybe as doubles.

        A run that is gone gives none. Samples of one run that follow each other share an alias.
        """

        async def ask(part: Sequence[Sample], *, splittable: bool) -> list[list[Node]]:
            specs: dict[str, list[str]] = {}
            for sample in part:
                specs.setdefault(sample.run_id, []).append(sample.spec)
            variables: Node = {"entity": entity, "project": project}
            for i, (run_id, own) in enumerate(specs.items()):
                variables |= {f"n{i}": run_id, f"s{i}": own}
            document = documents.sampled_histories(len(specs))
            reply = await self._transport.graphql(document, variables, splittable=splittable, exact=True)
            nodes = aliased(await self._project(reply, entity, project), len(specs))
            rows = {
                run_id: iter(samples_of(node, len(own)))
                for (run_id, own), node in zip(specs.items(), nodes, strict=True)
            }
            return [next(rows[sample.run_id]) for sample in part]

        return await in_batches(asks, self._sample_size, ask)

    async def download(self, url: str, path: Path) -> int:
        """Bytes of a signed address's file, put at `path` whole or not at all; ExpiredUrlError: ask anew."""
        return await self._blobs.download(url, path)

    async def fetch(self, url: str, path: Path, held: int) -> bytes | int:
        """As `download`, but for a file of at most `held` bytes: that is given, and nothing put at `path`."""
        return await self._blobs.fetch(url, path, held)

    async def _listed_details(
        self, entity: str, project: str, ids: Sequence[str], *, splittable: bool
    ) -> dict[str, Node]:
        found: dict[str, Node] = {}
        pager = Pager()
        more = True
        while more:
            variables = {
                "entity": entity,
                "project": project,
                "filters": json.dumps({"name": {"$in": list(ids)}}),
                "order": ORDER,
                "after": pager.after,
                "first": len(ids),
            }
            reply = await self._ask(documents.run_details, variables, splittable=splittable)
            runs = (await self._project(reply, entity, project)).get("runs")
            nodes, _hidden = nodes_of(runs)
            found.update((name_of(node), node) for node in nodes)
            # A server that ignores the filter would page through the whole project: the rest is asked for by
            # name.
            more = pager.advance(runs) and len(found) < len(ids) and found.keys() <= set(ids)
        return found

    async def _ask(
        self, build: Callable[[frozenset[str]], Document], variables: Node, *, splittable: bool
    ) -> Reply:
        """Ask without the optional fields this server lacks, which it names one by one."""
        while True:
            lacking = self._lacking
            try:
                return await self._transport.graphql(build(lacking), variables, splittable=splittable)
            except UnknownFieldError as error:
                if error.field not in documents.OPTIONAL_FIELDS or error.field in lacking:
                    raise
                self._lacking |= {error.field}

    async def _project(self, reply: Reply, entity: str, project: str) -> Node:
        node = reply.data.get("project")
        if isinstance(node, dict):
            return node
        raise await self._no_project(entity, project)

    async def _no_project(self, entity: str, project: str) -> WarehouseError:
        """Why the server shows no project; a refused key raises at once."""
        await self.viewer()
        try:
            known = [str(node.get("name")) for node in await self.projects(entity)]
        except RemoteError:
            known = []  # the suggestion is a courtesy; the error below is what happened
        names = {name.lower(): name for name in known}
        hint = "check the name, or ask its owner for access"
        if close := [names[name] for name in difflib.get_close_matches(project.lower(), names, n=3)]:
            hint = f"did you mean {' or '.join(close)}?"
        what = f"{self._connection.base_url} shows no project {f'{entity}/{project}'!r} to this key"
        return ProjectNotFoundError(what, mend=hint)
