"""Faults, each seen from the client's side of a real connection to a small application under uvicorn."""

import asyncio
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
import uvicorn

from wandb_warehouse.sandbox.exchange import App, Message, Receive, Send
from wandb_warehouse.sandbox.faults import Fault, FaultMiddleware, FaultQueue

ANSWER = {"data": {"project": {"name": "p", "runs": ["r"] * 50}}}
BODY = json.dumps(ANSWER).encode()
CALLS: list[str] = []


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Answer every path with the same document, and `/echo` with the request's own body."""
    CALLS.append(scope["path"])
    body = BODY
    if scope["path"] == "/echo":
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-own", b"1"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Served:
    """The application behind a queue of faults, on a loopback port."""

    def __init__(self, queue: FaultQueue, port: int) -> None:
        self.queue = queue
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def strike(self, kind: str, value: float | str | None = None, **options: float | str) -> httpx.Response:
        """Response to a request a fault of that kind strikes."""
        self.queue.inject(Fault(kind, value=value, **options))  # type: ignore[arg-type]  # options vary by test
        return self.post()

    def post(self, path: str = "/graphql", content: bytes = b"{}", timeout: float = 5.0) -> httpx.Response:
        """Response to a request of its own connection."""
        return httpx.post(self.url + path, content=content, timeout=timeout, trust_env=False)

    def raw(self) -> bytes:
        """All bytes the server sends before it hangs up, for a request that asks it to keep the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            received = b""
            while part := connection.recv(65_536):
                received += part
        return received


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """One server for the module."""
    queue = FaultQueue()
    app: App = FaultMiddleware(application, queue)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Served(queue, listener.getsockname()[1])
    server.should_exit = True
    thread.join(10)
    listener.close()
    assert not thread.is_alive()


@pytest.fixture
def served(running: Served) -> Iterator[Served]:
    """The server without faults left over."""
    running.queue.clear()
    yield running
    assert running.queue.waiting == []


def untouched(response: httpx.Response) -> bool:
    """Whether a response is the application's own."""
    return response.status_code == 200 and response.json() == ANSWER and response.headers["x-own"] == "1"


def test_without_faults_everything_passes(served: Served) -> None:
    """The middleware changes neither answers nor request bodies while it has nothing to do."""
    assert untouched(served.post())
    assert served.post("/echo", b"abc").content == b"abc"


def test_a_fault_strikes_what_it_matches_as_often_as_told(served: Served) -> None:
    """Paths and request texts are matched, others pass with their body intact, and the count runs down."""
    served.queue.inject(Fault("status", match="RunParquetHistory", times=2, value=503))
    asked = json.dumps({"operationName": "RunParquetHistory", "query": "query { x }"}).encode()
    other = json.dumps({"query": "query { viewer { id } }"}).encode()
    assert served.post("/echo", other).content == other
    assert [served.post("/echo", asked).status_code for _ in range(3)] == [503, 503, 200]
    served.queue.inject(Fault("status", match="/storage/", value=500))
    assert untouched(served.post("/graphql"))
    assert served.post("/storage/a").status_code == 500
    assert [fault.value for fault in served.queue.struck] == [503, 503, 500]


def test_a_fault_may_last_for_ever(served: Served) -> None:
    """With -1 a fault strikes until the queue is cleared."""
    served.queue.inject(Fault("status", times=-1, value=500))
    assert [served.post().status_code for _ in range(5)] == [500] * 5
    served.queue.clear()
    assert untouched(served.post())


def test_faults_strike_in_the_order_they_were_injected(served: Served) -> None:
    """A script of failures is a sequence of injections."""
    for status in (500, 502, 429):
        served.queue.inject(Fault("status", value=status))
    assert [served.post().status_code for _ in range(4)] == [500, 502, 429, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 501, 502, 503, 504])
def test_status(served: Served, status: int) -> None:
    """Any status comes with W&B's REST error body and, if told, the time to wait."""
    response = served.strike("status", status, retry_after=2.5)
    assert (response.status_code, response.headers["retry-after"]) == (status, "2.5")
    assert isinstance(response.json()["error"], str)


def test_rate_limit(served: Served) -> None:
    """429 tells the wait in seconds, as a date, or by the RateLimit headers alone."""
    date = format_datetime(datetime(2026, 1, 2, tzinfo=UTC), usegmt=True)
    told = [served.strike("rate_limit", value) for value in (None, 7, date, "reset:5")]
    assert [response.status_code for response in told] == [429] * 4
    assert [response.headers.get("retry-after") for response in told] == ["1", "7", date, None]
    assert told[3].headers["ratelimit-reset"] == "5"
    assert told[3].headers["ratelimit-remaining"] == "0"


def test_reset(served: Served) -> None:
    """The connection is dropped without a byte of answer."""
    served.queue.inject(Fault("reset"))
    with pytest.raises(ConnectionResetError):
        served.raw()
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        served.strike("reset")
    assert untouched(served.post())


@pytest.mark.parametrize("kept", [None, 0.0, 0.25])
def test_truncate(served: Served, kept: float | None) -> None:
    """The length announced is the whole body's, the bytes sent are a part of it, and a client notices."""
    served.queue.inject(Fault("truncate", value=kept))
    head, _, body = served.raw().partition(b"\r\n\r\n")
    assert f"content-length: {len(BODY)}".encode() in head.lower()
    assert body == BODY[: int(len(BODY) * (0.5 if kept is None else kept))]
    with pytest.raises(httpx.RemoteProtocolError):
        served.strike("truncate", kept)


def test_gzip_cut(served: Served) -> None:
    """HTTP finds the body complete; only the end of the compressed stream is missing."""
    served.queue.inject(Fault("gzip_cut", value=0.7))
    with httpx.stream("POST", served.url, content=b"{}", trust_env=False) as response:
        packed = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) == len(packed)
    stream = zlib.decompressobj(wbits=31)
    unpacked = stream.decompress(packed)
    assert BODY.startswith(unpacked)
    assert unpacked != BODY
    assert not stream.eof


def test_html(served: Served) -> None:
    """A page comes with status 200."""
    response = served.strike("html")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.text.startswith("<!doctype html>")
    assert served.strike("html", "<p>proxy").text == "<p>proxy"


def test_graphql_error(served: Served) -> None:
    """Errors come under status 200, with data null or beside the real data."""
    alone = served.strike("graphql_error", "permission denied")
    assert (alone.status_code, alone.json()["data"]) == (200, None)
    assert alone.json()["errors"][0]["message"] == "permission denied"
    partial = served.strike("graphql_error", "partial")
    assert partial.json()["data"] == ANSWER["data"]
    assert len(partial.json()["errors"]) == 1


def test_project_null(served: Served) -> None:
    """The project is null and nothing says why."""
    assert served.strike("project_null").json() == {"data": {"project": None}}


def test_slow(served: Served) -> None:
    """The right answer, late; a client that gives up earlier gets none."""
    started = time.monotonic()
    assert untouched(served.strike("slow", 0.3))
    assert time.monotonic() - started >= 0.3
    served.queue.inject(Fault("slow", value=30))
    with pytest.raises(httpx.ReadTimeout):
        served.post(timeout=0.2)


def test_a_client_that_left_is_not_waited_for(served: Served) -> None:
    """When the client goes during the wait, the request never reaches the application."""
    served.queue.inject(Fault("slow", value=0.4))
    with pytest.raises(httpx.ReadTimeout):
        served.post("/left", timeout=0.1)
    time.sleep(0.5)
    assert "/left" not in CALLS


def test_drip(served: Served) -> None:
    """Each read gets a byte in time, the whole takes as long as the body has bytes."""
    started = time.monotonic()
    assert served.strike("drip", 0.001).content == BODY
    assert time.monotonic() - started >= 0.001 * len(BODY)
    served.queue.inject(Fault("drip", value=0.05))
    with httpx.stream("POST", served.url, content=b"{}", timeout=1.0, trust_env=False) as response:
        parts = [part for part, _ in zip(response.iter_raw(), range(5), strict=False)]
    assert b"".join(parts) == BODY[: sum(map(len, parts))]
    assert max(map(len, parts)) < 5


def test_expired_url(served: Served) -> None:
    """Storage answers 403 with the document S3 sends for a stale signature."""
    response = served.strike("expired_url")
    assert (response.status_code, response.headers["content-type"]) == (403, "application/xml")
    assert b"Request has expired" in response.content


def test_big_body(served: Served) -> None:
    """A valid document of the size asked for."""
    response = served.strike("big_body", 1_000_003)
    assert len(response.content) == 1_000_003
    assert set(response.json()) == {"data"}


@pytest.mark.parametrize(
    "options", [{"kind": "meteor"}, {"kind": "slow", "times": 0}, {"kind": "slow", "times": -2}]
)
def test_a_fault_that_could_not_strike_is_refused(options: dict[str, object]) -> None:
    """Unknown kinds and counts that mean nothing raise when the fault is made."""
    with pytest.raises(ValueError, match=r"unknown fault|times"):
        Fault(**options)  # type: ignore[arg-type]  # the point of the test


def test_a_reset_needs_the_servers_transport() -> None:
    """Where no connection can be dropped, a reset says so instead of passing."""
    queue = FaultQueue()
    queue.inject(Fault("reset"))

    async def ask() -> None:
        transport = httpx.ASGITransport(FaultMiddleware(application, queue))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            await client.get("/")

    with pytest.raises(RuntimeError, match="transport"):
        asyncio.run(ask())


def test_threads_share_a_queue_without_losing_count() -> None:
    """Eight threads taking at once strike exactly as often as the fault says."""
    queue = FaultQueue()
    queue.inject(Fault("slow", times=2000))
    taken: list[int] = []

    def take() -> None:
        taken.append(sum(queue.take("/", "") is not None for _ in range(400)))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 2000
    assert len(queue.struck) == 2000


def test_gzip_bomb(served: Served) -> None:
    """A small body unpacks to the size asked for, as valid JSON."""
    served.queue.inject(Fault("gzip_bomb", value=4 * 2**20))
    with httpx.stream("POST", served.url, content=b"{}", trust_env=False) as response:
        packed = b"".join(response.iter_raw())
    assert len(packed) < 2**16
    assert len(json.loads(zlib.decompress(packed, wbits=31))["data"]) == 4 * 2**20


def test_redirect(served: Served) -> None:
    """The answer leads elsewhere and holds nothing."""
    response = served.strike("redirect", "http://127.0.0.1:9/x")
    assert (response.status_code, response.headers["location"]) == (302, "http://127.0.0.1:9/x")
    assert response.content == b""


def test_headers(served: Served) -> None:
    """The real body comes under other headers; those not named stay."""
    response = served.strike("headers", "Content-Type: text/plain\nx-more: y")
    assert (response.headers["content-type"], response.headers["x-more"]) == ("text/plain", "y")
    assert (response.headers["x-own"], response.content) == ("1", BODY)


def test_changed(served: Served) -> None:
    """The body is what the change makes of the real one."""
    served.queue.inject(Fault("changed", change=lambda body: body[:10]))
    assert served.post().content == BODY[:10]
    with pytest.raises(ValueError, match="change"):
        Fault("changed")
    with pytest.raises(ValueError, match="change"):
        Fault("reset", change=lambda body: body)


def test_a_fault_may_begin_in_the_middle(served: Served) -> None:
    """Requests that match pass as often as the fault says; then it strikes."""
    served.queue.inject(Fault("status", value=401, skip=2))
    assert [served.post().status_code for _ in range(4)] == [200, 200, 401, 200]


def test_statuses_without_a_body_have_none(served: Served) -> None:
    """204 comes without a body, as HTTP has it."""
    response = served.strike("status", 204)
    assert (response.status_code, response.content) == (204, b"")
