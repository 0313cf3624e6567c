"""The thread that serves the web application, and ends as soon as it is told to."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

__all__ = ["ServerThread", "build_server"]

_Message = MutableMapping[str, Any]
_App = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]

_STOP_TIMEOUT = 10.0
_GRACE = 0.25
"""Seconds that answers under way may take to end where the server is a thread."""
_LOOK_AGAIN = 0.002


def _config(app: _App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def build_server(app: _App) -> uvicorn.Server:
    """A quiet uvicorn server, to be ended by a signal."""
    return uvicorn.Server(_config(app))


class _PromptServer(uvicorn.Server):
    """A server that ends when it is told to: uvicorn looks ten times a second, and then waits for a tenth more."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def tell_to_end(self) -> None:
        """End it, from another thread."""
        self.should_exit = True
        if self._told is not None:
            loop, event = self._told
            with contextlib.suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(event.set)

    async def main_loop(self) -> None:
        """See `uvicorn.Server`: wait until it is told to end."""
        await self.on_tick(0)  # sets the headers of every answer
        event = asyncio.Event()
        self._told = asyncio.get_running_loop(), event
        if not self.should_exit:
            await event.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`: close everything, and cancel what is not done in time."""
        for each in (*self.servers, *(sockets or ())):
            each.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        end = time.monotonic() + _GRACE
        while (state.connections or state.tasks) and time.monotonic() < end:  # noqa: ASYNC110 -- as said below
            await asyncio.sleep(_LOOK_AGAIN)  # uvicorn tells nobody when they are done
        for task in state.tasks:
            task.cancel()


class ServerThread:
    """A server in a thread of this process."""

    def __init__(self, app: _App, listeners: list[socket.socket]) -> None:
        self._listeners = listeners
        self._server = _PromptServer(_config(app))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": listeners}, name="wandb-sandbox", daemon=True
        )

    def start(self) -> None:
        """Start serving; returns once connections are accepted (the socket listens already)."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.tell_to_end()
        self._thread.join(_STOP_TIMEOUT)
        for listener in self._listeners:
            listener.close()
