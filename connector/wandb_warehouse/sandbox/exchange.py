"""One exchange of the ASGI server: a request to be answered in another way than the application would."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

__all__ = ["App", "Exchange", "Message", "Receive", "Send"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Exchange:
    """A request to be answered or passed on: what the server handed over, and the application behind."""

    app: App
    scope: Message
    receive: Receive
    """For the application: gives the request body again."""
    waiting: Receive
    """For the middleware: the body is read, so it waits until the client goes."""
    send: Send

    async def answer(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with a whole body of our own."""
        await self.start(status, len(body), {"content-type": content_type, **(headers or {})})
        await self.send({"type": "http.response.body", "body": body})

    async def start(self, status: int, length: int, headers: dict[str, str]) -> None:
        """Begin an answer that promises `length` bytes."""
        pairs = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        pairs.append((b"content-length", str(length).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})

    async def collect(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers without the length, and whole body of the application's answer."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, keep)
        start = next(message for message in messages if message["type"] == "http.response.start")
        headers = {
            name.decode("latin-1").lower(): text.decode("latin-1") for name, text in start.get("headers", [])
        }
        headers.pop("content-length", None)
        parts = (message.get("body", b"") for message in messages if message["type"] == "http.response.body")
        return start["status"], headers, b"".join(parts)

    @property
    def is_over(self) -> bool:
        """Whether the client has gone, as far as the connection tells."""
        return self.transport is not None and self.transport.is_closing()

    @property
    def transport(self) -> asyncio.Transport | None:
        """Connection to the client, where the object behind `send` has one."""
        return getattr(getattr(self.send, "__self__", None), "transport", None)

    async def pause(self, seconds: float) -> bool:
        """Wait; False as soon as the client has gone, so that no answer outlives its reader."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            try:
                message = await asyncio.wait_for(self.waiting(), left)
            except TimeoutError:
                break
            if message["type"] == "http.disconnect":
                return False
        return True
