"""What comes back: shapes of answers, checked, and the walk over pages and batches of them."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from wandb_warehouse.client.retry import TooHeavyError
from wandb_warehouse.errors import FatalRemoteError

__all__ = [
    "BatchSize",
    "Exports",
    "Node",
    "Pager",
    "RunPage",
    "Sample",
    "Window",
    "aliased",
    "exports_of",
    "in_batches",
    "name_of",
    "nodes_of",
    "rows_of",
    "samples_of",
    "slices",
]

A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)
B = TypeVar("B")
Node = dict[str, Any]
"""A JSON object as the server sent it."""

_REPORT = "report it with the server's version"
EMPTY_PAGES = 100
"""Empty pages in a row that are believed; a server may hide rows, but not for ever."""


@dataclass(frozen=True)
class RunPage:
    """One page of a project's runs, with the project and the server's count of its runs."""

    project: Node
    run_count: int
    """Runs the server counts for the filter, read anew with every page."""
    nodes: list[Node]
    """Runs not seen on an earlier page."""
    server_time: datetime
    """The server's clock when it answered (UTC, whole seconds)."""
    hidden: int = 0
    """Entries of the page that the server left null."""
    repeated: int = 0
    """Entries of the page seen before: the list moved while it was paged."""
    run_total: int | None = None
    """Runs of the project whatever the filter; None where the server does not say."""


@dataclass(frozen=True)
class Exports:
    """History exports of a run: signed addresses of parquet files, and the rows not exported yet."""

    urls: tuple[str, ...]
    live: list[Node]


@dataclass(frozen=True)
class Window:
    """Steps of a run's history from `min_step` to below `max_step`, at most `samples` rows.

    A window holding more than `samples` rows is sampled by the server: ask for as many as it can hold.
    """

    run_id: str
    min_step: int
    max_step: int
    samples: int

    def halves(self) -> "tuple[Window, Window]":
        """The two halves of the window's steps."""
        middle = (self.min_step + self.max_step) // 2
        return (
            Window(self.run_id, self.min_step, middle, self.samples),
            Window(self.run_id, middle, self.max_step, self.samples),
        )


@dataclass(frozen=True)
class Sample:
    """A sample of metrics of a run: at most `samples` of the rows that have all of them."""

    run_id: str
    keys: tuple[str, ...]
    samples: int

    @property
    def spec(self) -> str:
        """The question as W&B takes it: rows come only where they have every key named."""
        return json.dumps({"keys": ["_step", *self.keys], "samples": self.samples})


class Ask(Protocol[A_contra, B]):
    """Asks one request for a batch; `splittable` says that less may be asked for, should it be too heavy."""

    async def __call__(self, batch: Sequence[A_contra], /, *, splittable: bool) -> list[B]: ...


class BatchSize:
    """How much one request asks for: halved when too heavy, doubled again when it went well."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.size = most

    def too_heavy(self, tried: int) -> None:
        """Ask for less from now on, since `tried` at once was too much."""
        self.size = max(1, min(self.size, tried // 2))

    def went_well(self, tried: int) -> None:
        """Ask for more from now on, if `tried` was all that was allowed."""
        if tried >= self.size:
            self.size = min(self._most, self.size * 2)


class Pager:
    """Walks a connection by its cursors, and refuses one that does not move or never ends."""

    def __init__(self) -> None:
        self.after: str | None = None
        self._seen: set[str] = set()
        self._empty = 0

    def advance(self, connection: Any) -> bool:
        """Move past a page; False where it is the last one by `pageInfo`, which alone decides."""
        info = connection.get("pageInfo") if isinstance(connection, dict) else None
        if not isinstance(info, dict):
            raise FatalRemoteError("the server sent a page without pageInfo", mend=_REPORT)
        if not info.get("hasNextPage"):
            return False
        edges = connection["edges"]
        cursor = info.get("endCursor") or ((edges[-1] or {}).get("cursor") if edges else None)
        self._empty = 0 if edges else self._empty + 1
        if not isinstance(cursor, str) or cursor in self._seen or self._empty > EMPTY_PAGES:
            raise FatalRemoteError("the server announces a next page but does not get to it", mend=_REPORT)
        self._seen.add(cursor)
        self.after = cursor
        return True


def name_of(run: Node) -> str:
    """The run's id, which W&B calls its name."""
    name = run.get("name")
    if not isinstance(name, str) or not name:
        raise FatalRemoteError("the server sent a run without an id", mend=_REPORT)
    return name


def nodes_of(connection: Any) -> tuple[list[Node], int]:
    """The nodes of a connection, and how many were null."""
    edges = connection.get("edges") if isinstance(connection, dict) else None
    if not isinstance(edges, list) or not all(edge is None or isinstance(edge, dict) for edge in edges):
        raise FatalRemoteError("the server sent a list without edges", mend=_REPORT)
    nodes = [edge["node"] for edge in edges if edge is not None and isinstance(edge.get("node"), dict)]
    return nodes, len(edges) - len(nodes)


def aliased(project: Node, count: int, *, told: bool = False) -> list[Node | None]:
    """The `count` runs asked for by alias; None for one that is gone, and with `told` only where the server says so."""
    answers = [project.get(f"r{i}") for i in range(count)]
    silent = told and not all(f"r{i}" in project for i in range(count))
    if silent or not all(node is None or isinstance(node, dict) for node in answers):
        raise FatalRemoteError("the server sent something else than runs", mend=_REPORT)
    return answers


def exports_of(answer: Any) -> Exports:
    """The exports of a run; none where the server sent null."""
    answer = answer or {}
    urls = (answer.get("parquetUrls") or []) if isinstance(answer, dict) else None
    live = (answer.get("liveData") or []) if isinstance(answer, dict) else None
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise FatalRemoteError("the server sent history exports without addresses", mend=_REPORT)
    if not isinstance(live, list) or not all(isinstance(row, dict) for row in live):
        raise FatalRemoteError("the server sent live rows that are no objects", mend=_REPORT)
    return Exports(tuple(urls), live)


def rows_of(node: Node | None) -> list[str]:
    """The JSON texts of a run's history; none for a run that is gone."""
    rows = node.get("history") if node is not None else None
    rows = rows if rows is not None else []
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise FatalRemoteError("the server sent history rows that are no JSON text", mend=_REPORT)
    return rows


def samples_of(node: Node | None, count: int) -> list[list[Node]]:
    """The rows of a run's `count` samples; none for a run that is gone."""
    lists = node.get("sampledHistory") if node is not None else None
    lists = lists if lists is not None else [[]] * count
    if (
        not isinstance(lists, list)
        or len(lists) != count
        or not all(
            isinstance(rows, list | None) and all(isinstance(row, dict) for row in rows or ())
            for rows in lists
        )
    ):
        raise FatalRemoteError("the server sent samples that are no lists of rows", mend=_REPORT)
    return [rows or [] for rows in lists]


async def in_batches(items: Sequence[A], size: BatchSize, ask: Ask[A, B]) -> list[B]:
    """Answers for all items in order, asked for in concurrent batches, each halved while it is too heavy."""

    async def part(batch: Sequence[A]) -> list[B]:
        try:
            answers = await ask(batch, splittable=len(batch) > 1)
        except TooHeavyError:
            size.too_heavy(len(batch))
            middle = len(batch) // 2
            return [*await part(batch[:middle]), *await part(batch[middle:])]
        size.went_well(len(batch))
        return answers

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(batch)) for batch in slices(items, size.size)]
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__
    return [answer for task in tasks for answer in task.result()]


def slices(items: Sequence[A], size: int) -> Iterator[Sequence[A]]:
    """Cut items into slices of at most `size`."""
    return (items[at : at + size] for at in range(0, len(items), size))
