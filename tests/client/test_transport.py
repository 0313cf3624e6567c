"""Which answer means which error, and what is tried again."""

import asyncio
import gzip
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from wandb_warehouse.client import Limits, Stats, WandbClient
from wandb_warehouse.client.transport import _decoded, _parsed
from wandb_warehouse.errors import (
    AuthError,
    FatalRemoteError,
    RetriableRemoteError,
    WarehouseError,
)

JSON = {"content-type": "application/json"}
UNKNOWN = {"message": 'Cannot query field "x" on type "Y".'}
VIEWER = {"data": {"viewer": {"id": "u", "entity": "team"}}}


def gql(*errors: Any, status: int = 200, data: Any = None) -> httpx.Response:
    """A GraphQL answer."""
    return httpx.Response(status, json={"data": data, "errors": list(errors)})


def refused(code: int, **more: Any) -> Callable[[], httpx.Response]:
    """An answer with a status, made anew for every try."""
    return lambda: httpx.Response(code, **more)


FAILURES: list[tuple[str, Callable[[], httpx.Response], type[WarehouseError], int, int]] = [
    # name, answer, error, exit code, requests sent
    ("401", refused(401, json={"errors": [{"message": "user is not logged in"}]}), AuthError, 3, 1),
    ("403", refused(403, json={"error": "permission denied"}), AuthError, 3, 1),
    ("400", refused(400, json={"error": {"message": "bad"}}), FatalRemoteError, 4, 1),
    ("404 html", refused(404, html="<html>"), FatalRemoteError, 4, 1),
    ("405", refused(405), FatalRemoteError, 4, 1),
    ("409", refused(409), FatalRemoteError, 4, 1),
    ("410", refused(410), FatalRemoteError, 4, 1),
    ("413", refused(413), FatalRemoteError, 4, 1),
    ("422", refused(422), FatalRemoteError, 4, 1),
    ("501", refused(501), FatalRemoteError, 4, 1),
    ("302", refused(302, headers={"location": "https://evil.example"}), FatalRemoteError, 4, 1),
    ("408", refused(408), RetriableRemoteError, 4, 5),
    ("429", refused(429), RetriableRemoteError, 4, 5),
    ("500", refused(500), RetriableRemoteError, 4, 5),
    ("502 html", refused(502, html="<html>"), RetriableRemoteError, 4, 5),
    ("503", refused(503), RetriableRemoteError, 4, 5),
    ("504", refused(504), RetriableRemoteError, 4, 5),
    ("200 html", refused(200, html="<html>"), RetriableRemoteError, 4, 5),
    ("200 no type", refused(200, content=b'{"data":{}}'), RetriableRemoteError, 4, 5),
    ("200 cut", refused(200, content=b'{"data":{"viewer":', headers=JSON), RetriableRemoteError, 4, 5),
    ("200 empty", refused(200, content=b"", headers=JSON), RetriableRemoteError, 4, 5),
    ("200 list", refused(200, json=[1]), RetriableRemoteError, 4, 5),
    ("200 no data", refused(200, json={}), RetriableRemoteError, 4, 5),
    ("200 bad utf-8", refused(200, content=b'{"data":"\xff"}', headers=JSON), RetriableRemoteError, 4, 5),
    ("viewer null", lambda: gql(data={"viewer": None}), AuthError, 3, 1),
    ("permission code", lambda: gql({"message": "no", "extensions": {"code": "PERMISSION_ERROR"}}), AuthError, 3, 1),
    ("partial data", lambda: gql({"message": "boom"}, data=VIEWER["data"]), FatalRemoteError, 4, 1),
    ("string error", lambda: gql("boom"), FatalRemoteError, 4, 1),
    ("unknown field", lambda: gql(UNKNOWN, status=400), FatalRemoteError, 4, 1),
    ("unknown field 200", lambda: gql(UNKNOWN), FatalRemoteError, 4, 1),
    ("rate limit 200", lambda: gql({"message": "rate limit exceeded"}), RetriableRemoteError, 4, 5),
    ("deadline 200", lambda: gql({"message": "context deadline exceeded"}), RetriableRemoteError, 4, 5),
    ("internal 200", lambda: gql({"message": "Internal server error"}), RetriableRemoteError, 4, 5),
    ("too deep", refused(200, content=b'{"a":' * 5000 + b"1", headers=JSON), FatalRemoteError, 4, 1),
    ("encoding", refused(200, content=b"x", headers={"content-encoding": "br"} | JSON), FatalRemoteError, 4, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind", "code", "sent"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES]
)
def test_each_failure_has_its_error_exit_code_and_number_of_tries(
    make_client: Callable[..., WandbClient],
    answer: Callable[[], httpx.Response],
    kind: type[WarehouseError],
    code: int,
    sent: int,
) -> None:
    """What may pass is tried 5 times, what cannot once; every error is one line and says how to mend it."""

    async def ask() -> WandbClient:
        async with make_client(lambda _request: answer()) as client:
            with pytest.raises(WarehouseError) as caught:
                await client.viewer()
            assert type(caught.value) is kind or (kind is FatalRemoteError and isinstance(caught.value, kind))
            assert caught.value.exit_code == code
            assert caught.value.mend
            assert "\n" not in str(caught.value)
            return client

    client = asyncio.run(ask())
    assert (client.stats.requests, client.stats.retries) == (sent, sent - 1)


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError],
)
def test_a_network_failure_is_tried_again_and_leaves_no_trace(
    make_client: Callable[..., WandbClient], failure: type[httpx.HTTPError]
) -> None:
    """Two failures, then an answer: the caller sees the answer only, the counts tell the rest."""
    failures = iter([failure("x"), failure("x")])

    def handler(_request: httpx.Request) -> httpx.Response:
        for error in failures:
            raise error
        return httpx.Response(200, json=VIEWER)

    async def ask() -> Stats:
        async with make_client(handler) as client:
            assert (await client.viewer())["entity"] == "team"
            return client.stats

    counts = asyncio.run(ask())
    assert (counts.requests, counts.retries) == (3, 2)


def test_waits_grow_and_are_random(make_client: Callable[..., WandbClient], fake_time: Any) -> None:
    """Each wait is a random part of a bound that doubles, so that many clients do not return together."""
    waits: list[list[float]] = []
    for _ in range(20):
        fake_time.slept.clear()

        async def ask() -> float:
            async with make_client(lambda _r: httpx.Response(500), limits=Limits(breaker_after=99)) as client:
                with pytest.raises(RetriableRemoteError):
                    await client.viewer()
                return client.stats.waited_seconds

        waited = asyncio.run(ask())
        assert waited == pytest.approx(sum(fake_time.slept))
        waits.append(list(fake_time.slept))
    for place, bound in enumerate([0.5, 1.0, 2.0, 4.0]):
        column = [row[place] for row in waits]
        assert all(0 <= wait <= bound for wait in column)
        assert max(column) > bound / 2
        assert len(set(column)) == len(column)


def test_retry_after_is_waited_for(make_client: Callable[..., WandbClient], fake_time: Any) -> None:
    """A 429 that asks for 40 s is tried again after at least 40 s, and the wait is counted."""
    answers = iter([httpx.Response(429, headers={"retry-after": "40"}), httpx.Response(200, json=VIEWER)])

    async def ask() -> float:
        async with make_client(lambda _r: next(answers)) as client:
            await client.viewer()
            return client.stats.waited_seconds

    start = fake_time.now
    assert asyncio.run(ask()) == pytest.approx(fake_time.now - start)
    assert 40 <= fake_time.now - start <= 40.5


def test_the_breaker_stops_sending_to_a_server_that_is_down(
    make_client: Callable[..., WandbClient], fake_time: Any
) -> None:
    """After 7 failures in a row nothing is sent; after its rest one request goes through and closes it."""
    up = False

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=VIEWER) if up else httpx.Response(500)

    async def ask() -> None:
        nonlocal up
        limits = Limits(breaker_after=7, breaker_seconds=60)
        async with make_client(handler, limits=limits) as client:
            for sent in (5, 7, 7, 7):
                with pytest.raises(RetriableRemoteError):
                    await client.viewer()
                assert client.stats.requests == sent
            up = True
            with pytest.raises(RetriableRemoteError, match="7 times in a row"):
                await client.viewer()
            fake_time.now += 60
            for _ in range(3):
                await client.viewer()
            assert client.stats.requests == 10

    asyncio.run(ask())


def test_rate_limits_do_not_open_the_breaker(make_client: Callable[..., WandbClient]) -> None:
    """A server that asks to slow down is not down."""

    async def ask() -> None:
        async with make_client(lambda _r: httpx.Response(429), limits=Limits(breaker_after=3)) as client:
            for sent in (5, 10):
                with pytest.raises(RetriableRemoteError):
                    await client.viewer()
                assert client.stats.requests == sent

    asyncio.run(ask())


def test_requests_are_what_the_server_expects(make_client: Callable[..., WandbClient], key: str) -> None:
    """One POST of JSON to {base}/graphql with Basic auth, user `api`; names travel as variables only."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(
            200, json={"data": {"models": {"edges": [], "pageInfo": {"hasNextPage": False}}}}
        )

    async def ask() -> None:
        async with make_client(handler, base_url="https://wandb.example/api/wandb/") as client:
            await client.projects('na"me$ {x}')

    asyncio.run(ask())
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "https://wandb.example/api/wandb/graphql")
    assert request.headers["authorization"] == httpx.BasicAuth("api", key)._auth_header
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.content)
    assert body["variables"]["entity"] == 'na"me$ {x}'
    assert "na" + '"me' not in body["query"]
    assert body["operationName"] in body["query"]


@pytest.mark.parametrize("encoded", [False, True])
def test_an_answer_larger_than_allowed_is_refused(
    make_client: Callable[..., WandbClient], encoded: bool
) -> None:
    """The cap holds for decompressed bytes; such an answer is not asked for again."""
    content = json.dumps({"data": {"viewer": {"id": "x" * 200_000}}}).encode()
    headers = JSON | ({"content-encoding": "gzip"} if encoded else {})
    body = gzip.compress(content) if encoded else content

    async def ask(most: int) -> int:
        def handler(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=httpx.ByteStream(body), headers=headers)

        async with make_client(handler, limits=Limits(max_bytes=most)) as client:
            try:
                assert len((await client.viewer())["id"]) == 200_000
            finally:
                assert client.stats.requests == 1
                assert client.stats.bytes <= most + 1 or not encoded
            return client.stats.bytes

    assert asyncio.run(ask(len(content))) == len(content)
    with pytest.raises(FatalRemoteError, match="exceeds"):
        asyncio.run(ask(len(content) - 1))


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_any_json_is_read_exactly(value: Any) -> None:
    """Integers of any size, doubles to the last bit and lone surrogates come back as Python's own writer sent them."""
    parsed = _parsed(json.dumps({"data": value}).encode(), exact=True)
    assert parsed == {"data": value}
    assert json.dumps(parsed) == json.dumps({"data": value}), "types and the sign of zero too"


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (b'{"a":NaN}', math.isnan),
        (b'{"a":-Infinity}', lambda a: a == -math.inf),
        (b'{"a":1e400}', lambda a: a == math.inf),
        (b'{"a":"tab\there"}', lambda a: a == "tab\there"),
        (b'{"a":' + b"9" * 5000 + b"}", lambda a: a == math.inf),
    ],
)
def test_what_strict_parsers_refuse_is_read(text: bytes, check: Callable[[Any], bool]) -> None:
    """Bare NaN, overflowing numbers and control characters do not make an answer unreadable."""
    assert check(_parsed(text, exact=False)["a"])


class Chunks(httpx.AsyncByteStream):
    def __init__(self, chunks: Sequence[bytes]) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> Any:
        for chunk in self.chunks:
            yield chunk


async def decode(chunks: Sequence[bytes], most: int = 10**6) -> bytes:
    """The body of a gzip answer that arrives in these chunks."""
    response = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(chunks))
    return b"".join([chunk async for chunk in _decoded(response, most)])


@settings(max_examples=examples(60))
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3), st.integers(1, 50))
def test_gzip_is_read_whole_or_not_at_all(members: list[bytes], width: int) -> None:
    """Any cut into chunks and members gives the bytes back; every proper prefix of a stream is refused."""
    body = b"".join(gzip.compress(member) for member in members)
    chunks = [body[i : i + width] for i in range(0, len(body), width)]
    assert asyncio.run(decode(chunks)) == b"".join(members)
    last = len(gzip.compress(members[-1]))
    for missing in {1, 4, 8, last - 1, width} & set(range(1, last)):
        with pytest.raises(RetriableRemoteError, match="cut"):
            asyncio.run(decode([body[:-missing]]))


def test_damaged_gzip_is_an_error() -> None:
    """A flipped byte does not pass the checksum."""
    body = bytearray(gzip.compress(b"history" * 100))
    body[-6] ^= 1
    with pytest.raises(RetriableRemoteError, match="damaged"):
        asyncio.run(decode([bytes(body)]))


def test_a_gzip_bomb_is_unpacked_in_bounded_pieces() -> None:
    """64 MiB of zeros in 64 KB never give a piece above the cap."""
    body = gzip.compress(bytes(64 * 2**20))

    async def largest() -> int:
        response = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks([body]))
        return max([len(chunk) async for chunk in _decoded(response, 10_000)])

    assert asyncio.run(largest()) == 10_001
