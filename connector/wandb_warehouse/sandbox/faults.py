"""Faults a server or the network may show, injected on demand and carried out by an ASGI middleware.

| kind | what the caller sees | `value` |
|---|---|---|
| status | an answer with that status and W&B's REST error body | the status (500) |
| rate_limit | 429 with `Retry-After`, or with `RateLimit-*` only | seconds (1), a date, or `reset:<s>` |
| reset | the connection drops before the answer begins | |
| truncate | the body ends before its `Content-Length` | fraction kept (0.5) |
| gzip_cut | a gzip body that stops early, of the announced length | fraction kept (0.5) |
| html | 200 and a page, as from a proxy or a login wall | the page |
| graphql_error | 200 with `errors`, `data` null or (`partial`) real | the message, or `partial` |
| project_null | 200 with every top-level field null | |
| slow | the answer comes late | seconds (1) |
| drip | the body comes byte by byte | seconds between bytes (0.05) |
| expired_url | 403 with S3's "Request has expired" | |
| big_body | a well-formed JSON body of that size | bytes (64 MiB) |
| gzip_bomb | a small gzip body that unpacks to that size | bytes (256 MiB) |
| redirect | 302 to elsewhere | the address |
| headers | the real answer under other headers | `name: text`, one a line |
| changed | the real answer, its body made another by `change` | |
"""

import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from wandb_warehouse.sandbox.exchange import App, Exchange, Message, Receive, Send

__all__ = ["Fault", "FaultMiddleware", "FaultQueue"]


_FAREWELL = 5.0  # seconds the server gets to notice that we hung up; it takes one turn of the loop
_LOGIN_WALL = "<!doctype html><title>Sign in</title><p>Sign in to continue.</p>"


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, what it strikes and how often.

    `match` is a substring of the path or of the request body (operation names and fields are found there);
    the empty one strikes everything. `times` counts down, -1 is for ever. `skip` matching requests pass
    before. `retry_after` is sent along with `status`.
    """

    kind: str
    match: str = ""
    times: int = 1
    value: float | str | None = None
    retry_after: float | str | None = None
    skip: int = 0
    change: Callable[[bytes], bytes] | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(sorted(_KINDS))}")
        if self.times == 0 or self.times < -1:
            raise ValueError("times is a count, or -1 for ever")
        if (self.change is None) == (self.kind == "changed"):
            raise ValueError("`change` goes with the fault `changed`, and only with it")

    def number(self, default: float) -> float:
        """`value` as a number, or the kind's default."""
        return default if self.value is None else float(self.value)


class FaultQueue:
    """Faults waiting to strike, in the order they were injected; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._struck: list[Fault] = []

    def inject(self, fault: Fault) -> None:
        """Add a fault behind those that wait."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget the faults that wait and those that struck."""
        with self._lock:
            self._waiting.clear()
            self._struck.clear()

    @property
    def struck(self) -> list[Fault]:
        """Faults carried out so far, one entry for each time."""
        with self._lock:
            return list(self._struck)

    @property
    def waiting(self) -> list[Fault]:
        """Faults still to strike."""
        with self._lock:
            return list(self._waiting)

    def take(self, path: str, text: str) -> Fault | None:
        """First fault that matches a request's path or text, counted down by one."""
        with self._lock:
            for place, fault in enumerate(self._waiting):
                if fault.match in path or fault.match in text:
                    if fault.skip:
                        self._waiting[place] = replace(fault, skip=fault.skip - 1)
                        continue
                    if fault.times == 1:
                        del self._waiting[place]
                    elif fault.times > 1:
                        self._waiting[place] = replace(fault, times=fault.times - 1)
                    self._struck.append(fault)
                    return fault
        return None


async def _status(fault: Fault, exchange: Exchange) -> None:
    status = int(fault.number(500))
    headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    body = json.dumps({"error": f"injected answer with status {status}"}).encode()
    body = b"" if status in _WITHOUT_BODY else body
    await exchange.answer(status, body, "application/json", headers)


async def _rate_limit(fault: Fault, exchange: Exchange) -> None:
    value = str(1 if fault.value is None else fault.value)
    headers = {"retry-after": value}
    if value.startswith("reset:"):
        headers = {
            "ratelimit-limit": "1000",
            "ratelimit-remaining": "0",
            "ratelimit-reset": value.removeprefix("reset:"),
        }
    await exchange.answer(429, b'{"error": "rate limit exceeded"}', "application/json", headers)


async def _reset(_fault: Fault, exchange: Exchange) -> None:
    transport = exchange.transport
    if transport is None:
        raise RuntimeError("a reset needs the server's transport: see FaultMiddleware")
    # Closing without lingering makes the kernel send RST, which is what a dropped connection looks like.
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    await exchange.pause(_FAREWELL)


async def _truncate(fault: Fault, exchange: Exchange) -> None:
    status, headers, body = await exchange.collect()
    await exchange.start(status, len(body), headers)
    kept = body[: int(len(body) * fault.number(0.5))]
    await exchange.send({"type": "http.response.body", "body": kept, "more_body": True})
    await _hang_up(exchange)


async def _hang_up(exchange: Exchange) -> None:
    """Leave an answer unfinished."""
    if exchange.transport is not None:  # any other server hangs up by itself when an answer stays unfinished
        exchange.transport.close()
        await exchange.pause(_FAREWELL)


async def _gzip_cut(fault: Fault, exchange: Exchange) -> None:
    status, headers, body = await exchange.collect()
    packed = gzip.compress(body, mtime=0)
    kept = packed[: int(len(packed) * fault.number(0.5))]
    await exchange.start(status, len(kept), {**headers, "content-encoding": "gzip"})
    await exchange.send({"type": "http.response.body", "body": kept})


async def _html(fault: Fault, exchange: Exchange) -> None:
    page = _LOGIN_WALL if fault.value is None else str(fault.value)
    await exchange.answer(200, page.encode(), "text/html; charset=utf-8")


async def _graphql_error(fault: Fault, exchange: Exchange) -> None:
    data = None
    if fault.value == "partial":
        _, _, body = await exchange.collect()
        data = _data_of(body)
    message = "an injected error" if fault.value in {None, "partial"} else str(fault.value)
    answer = {"data": data, "errors": [{"message": message, "path": ["project"]}]}
    await exchange.answer(200, json.dumps(answer).encode(), "application/json")


async def _project_null(_fault: Fault, exchange: Exchange) -> None:
    _, _, body = await exchange.collect()
    fields = _data_of(body) or {"project": None}
    await exchange.answer(200, json.dumps({"data": dict.fromkeys(fields)}).encode(), "application/json")


def _data_of(body: bytes) -> dict[str, Any] | None:
    """The data of a GraphQL answer; a fault may be aimed at a file, which has none."""
    try:
        data = json.loads(body).get("data")
    except (ValueError, AttributeError):
        return None
    return data if isinstance(data, dict) else None


async def _slow(fault: Fault, exchange: Exchange) -> None:
    if await exchange.pause(fault.number(1.0)):
        await exchange.app(exchange.scope, exchange.receive, exchange.send)


async def _drip(fault: Fault, exchange: Exchange) -> None:
    status, headers, body = await exchange.collect()
    await exchange.start(status, len(body), headers)
    for place in range(len(body)):
        await exchange.send(
            {
                "type": "http.response.body",
                "body": body[place : place + 1],
                "more_body": place + 1 < len(body),
            }
        )
        if not await exchange.pause(fault.number(0.05)):
            return


async def _expired_url(_fault: Fault, exchange: Exchange) -> None:
    document = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    await exchange.answer(403, document, "application/xml")


async def _big_body(fault: Fault, exchange: Exchange) -> None:
    head, tail = b'{"data": "', b'"}'
    size = max(int(fault.number(64 * 2**20)), len(head) + len(tail))
    await exchange.start(200, size, {"content-type": "application/json"})
    await exchange.send({"type": "http.response.body", "body": head, "more_body": True})
    left = size - len(head) - len(tail)
    while left and not exchange.is_over:
        part = min(left, len(_FILLER))
        await exchange.send({"type": "http.response.body", "body": _FILLER[:part], "more_body": True})
        left -= part
    if left:
        await _hang_up(exchange)
    else:
        await exchange.send({"type": "http.response.body", "body": tail})


async def _gzip_bomb(fault: Fault, exchange: Exchange) -> None:
    size = int(fault.number(256 * 2**20))
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    parts = [packer.compress(b'{"data": "')]
    parts += [packer.compress(_FILLER) for _ in range(size // len(_FILLER))]
    body = b"".join([*parts, packer.compress(b'"}'), packer.flush()])
    await exchange.answer(200, body, "application/json", {"content-encoding": "gzip"})


async def _redirect(fault: Fault, exchange: Exchange) -> None:
    await exchange.answer(302, b"", "text/plain", {"location": str(fault.value)})


async def _headers(fault: Fault, exchange: Exchange) -> None:
    status, headers, body = await exchange.collect()
    for line in str(fault.value).splitlines():
        name, _, text = line.partition(":")
        headers[name.strip().lower()] = text.strip()
    await exchange.start(status, len(body), headers)
    await exchange.send({"type": "http.response.body", "body": body})


async def _changed(fault: Fault, exchange: Exchange) -> None:
    status, headers, body = await exchange.collect()
    if fault.change is not None:
        body = fault.change(body)
    await exchange.start(status, len(body), headers)
    await exchange.send({"type": "http.response.body", "body": body})


_WITHOUT_BODY = frozenset({204, 304})
_FILLER = b"x" * 65_536
_KINDS: dict[str, Callable[[Fault, Exchange], Awaitable[None]]] = {
    "status": _status,
    "rate_limit": _rate_limit,
    "reset": _reset,
    "truncate": _truncate,
    "gzip_cut": _gzip_cut,
    "html": _html,
    "graphql_error": _graphql_error,
    "project_null": _project_null,
    "slow": _slow,
    "drip": _drip,
    "expired_url": _expired_url,
    "big_body": _big_body,
    "gzip_bomb": _gzip_bomb,
    "redirect": _redirect,
    "headers": _headers,
    "changed": _changed,
}


class FaultMiddleware:
    """ASGI application that carries out the faults of a queue in front of another one.

    Dropping a connection needs the server's own transport. It is found on the object `send` is a method of:
    uvicorn's, or that of a middleware around this one which passes `transport` on.
    """

    def __init__(self, app: App, queue: FaultQueue) -> None:
        self.app = app
        self.queue = queue

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection: a request struck by a fault as the fault says, any other as it is."""
        if scope["type"] != "http" or not self.queue.waiting:
            await self.app(scope, receive, send)
            return
        body = await _request_body(receive)
        fault = self.queue.take(scope["path"], body.decode("utf-8", "replace"))
        exchange = Exchange(self.app, scope, _replay(body, receive), receive, send)
        if fault is None:
            await self.app(scope, exchange.receive, send)
        else:
            await _KINDS[fault.kind](fault, exchange)


async def _request_body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that hands out a body already read, then goes on where the real one stands."""
    unread = [body]

    async def again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return again
