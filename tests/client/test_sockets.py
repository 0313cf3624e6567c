"""Real connections that go wrong: cut, slow, reset, compressed and cut, redirected."""

import asyncio
import gzip
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable

import pytest

from wandb_warehouse.client import Connection, Governor, Limits, Secret, WandbClient
from wandb_warehouse.errors import FatalRemoteError, RetriableRemoteError, WarehouseError

BODY = json.dumps({"data": {"viewer": {"id": "u", "entity": "team" * 50}}}).encode()
Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(*lines: str, status: str = "200 OK") -> bytes:
    """Status line and headers of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, "", ""]).encode()


def send(*parts: bytes) -> Act:
    """Write these bytes and close."""

    async def act(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return act


async def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def dribble(writer: asyncio.StreamWriter) -> None:
    """Send a right answer, a byte every 50 ms."""
    writer.write(head(f"Content-Length: {len(BODY)}"))
    for byte in BODY:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def hang(_writer: asyncio.StreamWriter) -> None:
    """Send nothing."""
    await asyncio.sleep(30)


PACKED = gzip.compress(BODY)
WHOLE = send(head(f"Content-Length: {len(BODY)}"), BODY)
FAULTS: dict[str, Act] = {
    "length cut": send(head(f"Content-Length: {len(BODY)}"), BODY[:-20]),
    "chunked cut": send(head("Transfer-Encoding: chunked"), b"40\r\n" + BODY[:64] + b"\r\n"),
    "close cut": send(head("Connection: close"), BODY[:-20]),
    "gzip cut": send(head("Content-Encoding: gzip", "Connection: close"), PACKED[:-9]),
    "gzip cut, length right": send(
        head("Content-Encoding: gzip", f"Content-Length: {len(PACKED) - 9}"), PACKED[:-9]
    ),
    "reset": reset,
    "no answer": send(),
    "garbage": send(b"\x00\x01not http at all\r\n\r\n"),
    "huge header": send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000 + b"\r\n\r\n"),
}


async def exchange(acts: list[Act], limits: Limits) -> tuple[WandbClient, WarehouseError | None, float]:
    """Ask for the viewer at a server that acts so, connection by connection, the last act for ever."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        act = acts[min(count, len(acts) - 1)]
        count += 1
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(x[15:]) for x in asked.decode().split("\r\n") if x.lower().startswith("content-length:")
            )
            await reader.readexactly(length)
            await act(writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client hung up, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def no_wait(_seconds: float) -> None: ...

    connection = Connection(f"http://127.0.0.1:{port}", Secret("k" * 40), "argument")
    start, failure = time.monotonic(), None
    async with server, WandbClient(connection, limits=limits, governor=Governor(sleep=no_wait)) as client:
        try:
            assert (await client.viewer())["entity"] == "team" * 50
        except WarehouseError as error:
            failure = error
    return client, failure, time.monotonic() - start


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_connection_is_tried_again_and_never_believed(fault: str) -> None:
    """Once broken, then whole: the answer is the whole one. Broken for ever: RetriableRemoteError after 3 tries."""
    limits = Limits(attempts=3, timeout=5)
    client, failure, _ = asyncio.run(exchange([FAULTS[fault], WHOLE], limits))
    assert failure is None
    assert (client.stats.requests, client.stats.retries) == (2, 1)
    client, failure, _ = asyncio.run(exchange([FAULTS[fault]], limits))
    assert type(failure) is RetriableRemoteError
    assert client.stats.requests == 3


@pytest.mark.parametrize("act", [dribble, hang])
def test_a_slow_answer_ends_at_the_deadline(act: Act) -> None:
    """Bytes that keep trickling do not prolong a request: the deadline is for all of it."""
    _client, failure, seconds = asyncio.run(exchange([act], Limits(attempts=1, timeout=0.4)))
    assert type(failure) is RetriableRemoteError
    assert "within 0.4 s" in str(failure)
    assert 0.4 <= seconds < 3


def test_a_gzip_bomb_costs_no_more_than_the_cap() -> None:
    """A body that unpacks to 256 MiB is given up at the cap, fast."""
    bomb = gzip.compress(bytes(256 * 2**20), 9)
    act = send(head("Content-Encoding: gzip", f"Content-Length: {len(bomb)}"), bomb)
    client, failure, seconds = asyncio.run(exchange([act], Limits(max_bytes=2**20)))
    assert type(failure) is FatalRemoteError
    assert client.stats.requests == 1
    assert client.stats.bytes <= 2**20 + 1
    assert seconds < 5


def test_compressed_answers_are_read() -> None:
    """The ordinary case: gzip over a real connection."""
    act = send(head("Content-Encoding: gzip", f"Content-Length: {len(PACKED)}"), PACKED)
    client, failure, _ = asyncio.run(exchange([act], Limits()))
    assert failure is None
    assert client.stats.bytes == len(BODY)


def test_the_key_does_not_follow_a_redirect() -> None:
    """A second server to which the API redirects sees no connection at all."""

    async def scene() -> tuple[WarehouseError | None, int]:
        visits = 0

        async def other(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal visits
            visits += 1
            writer.close()

        server = await asyncio.start_server(other, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        location = f"Location: http://127.0.0.1:{port}/graphql"
        async with server:
            act = send(head(location, "Content-Length: 0", status="307 Temporary Redirect"))
            _client, failure, _ = await exchange([act], Limits())
        return failure, visits

    failure, visits = asyncio.run(scene())
    assert type(failure) is FatalRemoteError
    assert visits == 0


def test_an_unreachable_server_is_named() -> None:
    """Nobody listens: RetriableRemoteError with the address, exit 4."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def no_wait(_seconds: float) -> None: ...

    async def ask() -> None:
        connection = Connection(f"http://127.0.0.1:{port}", Secret("k" * 40), "argument")
        async with WandbClient(connection, governor=Governor(sleep=no_wait)) as client:
            await client.viewer()

    with pytest.raises(RetriableRemoteError, match=f"http://127.0.0.1:{port} could not be reached.*5 tries"):
        asyncio.run(ask())
