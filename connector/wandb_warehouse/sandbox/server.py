"""The web application, and the loopback addresses it is served on."""

import asyncio
import base64
import gzip
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wandb_warehouse.sandbox import filestream
from wandb_warehouse.sandbox.context import Context, Origins
from wandb_warehouse.sandbox.faults import FaultMiddleware, FaultQueue
from wandb_warehouse.sandbox.graphql_api import answer, operation_name
from wandb_warehouse.sandbox.rows import loads
from wandb_warehouse.sandbox.shelf import ArtifactShelf
from wandb_warehouse.sandbox.storage import storage_routes
from wandb_warehouse.sandbox.store import Store

__all__ = ["Recorded", "application", "bind", "origin"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Recorded(NamedTuple):
    """One request the server saw; `operation` is the GraphQL operation's name, else empty."""

    method: str
    path: str
    operation: str


def _user(request: Request, store: Store) -> str | None:
    """The user whose key the request carries, by Basic or Bearer authorization."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:
            return None
    return store.keys.get(key)


async def _json_body(request: Request) -> Any:
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return loads(body) if body else {}


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


class _Routes:
    """Handlers that share one store."""

    def __init__(self, store: Store, shelf: ArtifactShelf, origins: Origins) -> None:
        self.store = store
        self.shelf = shelf
        self.origins = origins

    async def graphql(self, request: Request) -> Response:
        """`POST /graphql`."""
        try:
            asked = await _json_body(request)
        except json.JSONDecodeError as error:
            return _json({"error": f"the request is not JSON: {error}"}, 400)
        context = Context(self.store, self.shelf, _user(request, self.store), self.origins)
        with self.store.lock:
            found = answer(asked, context)
        return Response(found.body, found.status, media_type="application/json")

    async def file_stream(self, request: Request) -> Response:
        """`POST /files/<entity>/<project>/<run>/file_stream`."""
        if _user(request, self.store) is None:
            return _json({"error": "user is not logged in"}, 401)
        body = await _json_body(request)
        with self.store.lock:
            run = self.store.find_run(**request.path_params)
            if run is None:
                return _json({"error": "run not found"}, 404)
            return _json(filestream.receive(self.store, run, body))

    async def run_file(self, request: Request) -> Response:
        """`GET /files/<entity>/<project>/<run>/<name>`: the authenticated download."""
        if _user(request, self.store) is None:
            return _json({"error": "user is not logged in"}, 401)
        place = dict(request.path_params)
        file_name = place.pop("file")
        with self.store.lock:
            run = self.store.find_run(**place)
            file = run.files.get(file_name) if run else None
        if file is None or file.updated_at is None:
            return _json({"error": "file not found"}, 404)
        return Response(file.body, media_type=file.mimetype)

    async def artifact_file(self, request: Request) -> Response:
        """`GET /artifactsV2/<region>/<entity>/<project>/<collection>/<artifact>/<hex MD5>/<name>`, with the key."""
        if _user(request, self.store) is None:
            return _json({"error": "user is not logged in"}, 401)
        place = request.path_params
        with self.store.lock:
            artifact = self.shelf.artifacts.get(place["artifact"])
            digest = base64.b64encode(bytes.fromhex(place["digest"])).decode()
            content = self.shelf.content(artifact, digest) if artifact else None
        if content is None:
            return _json({"error": "file not found"}, 404)
        return Response(content.body, media_type=content.mimetype)


class _Stamp:
    """The way out of one request: adds the server's own `Date`; its `transport` is the server's."""

    def __init__(self, send: Send, date: str) -> None:
        self.transport = getattr(getattr(send, "__self__", None), "transport", None)
        self._send = send
        self._date = date

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            if not any(name == b"date" for name, _ in headers):  # a fault may have put another one there
                headers.append((b"date", self._date.encode()))
            message["headers"] = headers
        await self._send(message)


class _Front:
    """Records every request, waits the latency out and stamps the answer with the server's time."""

    def __init__(self, app: App, store: Store, log: list[Recorded], latency: float) -> None:
        self.app = app
        self.store = store
        self.log = log
        self.latency = latency

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        operation = ""
        if scope["path"] == "/graphql":
            body, receive = await _peek(receive)
            try:
                operation = operation_name(loads(body))
            except ValueError:
                operation = ""
        self.log.append(Recorded(scope["method"], scope["path"], operation))
        if self.latency:
            await asyncio.sleep(self.latency)
        await self.app(scope, receive, _Stamp(send, self.store.clock.http_date()).send)


async def _peek(receive: Receive) -> tuple[bytes, Receive]:
    """The whole request body, and a receive that hands it out again."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    unread = [body]

    async def again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return body, again


def application(
    store: Store,
    shelf: ArtifactShelf,
    faults: FaultQueue,
    log: list[Recorded],
    *,
    origins: Origins,
    latency: float = 0.0,
) -> App:
    """The ASGI application serving a store and its artifacts."""
    routes = _Routes(store, shelf, origins)
    inner = Starlette(
        routes=[
            Route("/graphql", routes.graphql, methods=["POST"]),
            Route("/files/{entity}/{project}/{name}/file_stream", routes.file_stream, methods=["POST"]),
            Route("/files/{entity}/{project}/{name}/{file:path}", routes.run_file, methods=["GET"]),
            Route(
                "/artifactsV2/{region}/{entity}/{project}/{collection}/{artifact}/{digest}/{name:path}",
                routes.artifact_file,
                methods=["GET"],
            ),
            *storage_routes(store.blobs, store.clock),
        ]
    )
    return _Front(FaultMiddleware(inner, faults), store, log, latency)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; port 0 takes a free one.

    Raises:
        ValueError: The host is no loopback address.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the sandbox serves loopback addresses only, not {host}")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on connections; without it every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener


def origin(listener: socket.socket) -> str:
    """URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
