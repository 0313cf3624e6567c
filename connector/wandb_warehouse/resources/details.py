"""The details of many runs, with those that the server cannot serve told apart from the rest."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isqrt
from typing import Any, TypeVar

from wandb_warehouse.client import WandbClient, slices
from wandb_warehouse.errors import RemoteError
from wandb_warehouse.resources.listing import ProjectPath

__all__ = ["Detail", "one_line", "parts", "read_details"]

T = TypeVar("T")

_RUNS_PER_REQUEST = 250
_REQUESTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Detail:
    """What the server said of one run: its node, or why there is none."""

    run_id: str
    node: dict[str, Any] | None
    error: str | None = None


async def read_details(
    client: WandbClient, path: ProjectPath, run_ids: Sequence[str]
) -> AsyncGenerator[list[Detail], None]:
    """Yield the details of runs in batches; runs that are gone by now are left out.

    Raises:
        RemoteError: the server as a whole does not answer, rather than for some runs.
    """
    batches = slices(run_ids, _RUNS_PER_REQUEST)

    def asked(batch: Sequence[str]) -> asyncio.Task[list[Detail]]:
        return asyncio.create_task(_read(client, path, batch))

    # The next ones are under way while the caller works on these.
    under_way = deque(map(asked, islice(batches, _REQUESTS_AT_ONCE)))
    try:
        while under_way:
            details = await under_way.popleft()
            under_way.extend(map(asked, islice(batches, 1)))
            yield details
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _read(client: WandbClient, path: ProjectPath, run_ids: Sequence[str]) -> list[Detail]:
    try:
        found = await client.run_details(path.entity, path.project, run_ids)
    except RemoteError as error:
        await client.viewer()  # where the server itself is down, no run is to blame
        if len(run_ids) == 1:
            return [Detail(run_ids[0], None, one_line(error))]
    else:
        return [Detail(run_id, found[run_id]) for run_id in run_ids if run_id in found]
    return [detail for part in parts(run_ids) for detail in await _read(client, path, part)]


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut two or more items into about as many parts as each then has: three rounds find one among hundreds."""
    return slices(items, max(1, isqrt(len(items))))


def one_line(error: Exception) -> str:
    """Text of an error without its line breaks."""
    return " ".join(str(error).split())
