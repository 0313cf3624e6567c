"""A private event loop on its own thread, so that dlt's plain generators can drive the asynchronous client."""

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

__all__ = ["EventLoopThread"]

T = TypeVar("T")

_THREADS = max(3, os.cpu_count() or 1)
"""Threads that convert and write. More than there are cores only wait for each other, and the loop for them."""

_AHEAD = 4  # finished items that may wait for the consumer: enough to overlap, too few to fill the disk


class EventLoopThread:
    """Runs coroutines for callers that are not asynchronous; a context manager that leaves nothing running."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS, "wandb-warehouse-work"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="wandb-warehouse-io", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._cancel_others())
        self.call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one coroutine to its end and return what it returns; an interrupt cancels it first."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, source: AsyncIterator[T]) -> Iterator[T]:
        """Yield what an asynchronous iterator yields, while it goes on working a few items ahead."""
        items: queue.Queue[tuple[bool, Any]] = queue.Queue()
        room = threading.Semaphore(_AHEAD)

        async def pump() -> None:
            try:
                async for item in source:
                    await asyncio.to_thread(room.acquire)
                    items.put((True, item))
            finally:
                items.put((False, None))

        future = asyncio.run_coroutine_threadsafe(pump(), self._loop)
        try:
            while (got := items.get())[0]:
                room.release()
                yield got[1]
            future.result()
        finally:
            room.release(_AHEAD)
            future.cancel()

    async def _cancel_others(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
