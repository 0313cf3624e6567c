"""Contents of files, which are at W&B: by our own client, so that nothing needs to be installed for them."""

import asyncio
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from wandb_warehouse.api.session import Session
from wandb_warehouse.client import Limits, WandbClient
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.settings import resolve_connection

__all__ = ["save_file", "waited"]

T = TypeVar("T")


def save_file(session: Session, place: tuple[str, str, str], name: str, target: Path, size: int) -> None:
    """Download a file of a run to `target`.

    Args:
        session: names the server; key and address that it does not have are looked up as for a sync.
        place: entity, project and run.
        name: the file.
        target: where it is to be; its directory is there.
        size: bytes that are expected.

    Raises:
        AuthError: there is no key.
        FatalRemoteError: the server has no such file, or not so that it fits on the disk.
        RetriableRemoteError: the server did not answer, however often it was asked.
    """
    connection = resolve_connection(base_url=session.base_url, api_key=session.api_key)
    limits = Limits()
    # A file may have grown since the warehouse was filled.
    limits = replace(limits, max_bytes=max(limits.max_bytes, 2 * size))
    if session.timeout is not None:
        limits = replace(limits, timeout=session.timeout)
    most = shutil.disk_usage(target.parent).free

    async def download() -> int | None:
        async with WandbClient(connection, limits=limits) as client:
            return await client.catalog.save_run_file(*place, name, target=target, most=most)

    if waited(download()) is None:
        raise FatalRemoteError(
            f"W&B has no file {name} of run {'/'.join(place)}", mend="look whether the run still has it"
        )


def waited(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end, also where a loop runs already, as in a notebook."""
    with ThreadPoolExecutor(1, thread_name_prefix="wandb-warehouse") as thread:
        return thread.submit(asyncio.run, work).result()
