"""Signed object storage: lifetimes, methods, ranges, uploads, as a downloader meets them."""

import asyncio
import hashlib
from base64 import b64encode
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from wandb_warehouse.sandbox.storage import (
    BadSignatureError,
    BlobStore,
    ExpiredError,
    MissingError,
    UnsatisfiableRangeError,
    parse_range,
    storage_routes,
)


class Bucket:
    """A store behind its routes, with a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.blobs = BlobStore(clock=lambda: self.now)
        self.app = Starlette(routes=list(storage_routes(self.blobs, lambda: self.now)))

    def ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """Response of the routes to one request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://storage") as client:
                return await client.request(method, url, headers=headers, content=content)

        return asyncio.run(ask())


@pytest.fixture
def bucket() -> Bucket:
    """An empty store."""
    return Bucket()


def test_a_stored_object_comes_back_whole(bucket: Bucket) -> None:
    """A signed URL gives the body with its length and digest, for names of any characters."""
    for name in ("a.parquet", "media/images/ü ?#%.png", "x'(!)*"):
        body = name.encode() * 100
        url = bucket.blobs.put(name, body)
        assert url.startswith("/storage/")
        response = bucket.ask("GET", url)
        assert (response.status_code, response.content) == (200, body)
        assert response.headers["content-length"] == str(len(body))
        assert response.headers["etag"].strip('"') == hashlib.md5(body).hexdigest()


def test_every_object_has_a_url_of_its_own(bucket: Bucket) -> None:
    """Two objects of one name do not share a path."""
    first, second = (bucket.blobs.put("same", body) for body in (b"1", b"2"))
    assert [bucket.ask("GET", url).content for url in (first, second)] == [b"1", b"2"]


def test_a_url_expires_by_the_given_clock(bucket: Bucket) -> None:
    """A URL works until its lifetime is over, then answers 403 with S3's document; a fresh one works."""
    url = bucket.blobs.put("a", b"body", lifetime=60)
    bucket.now += 60
    assert bucket.ask("GET", url).status_code == 200
    bucket.now += 1
    response = bucket.ask("GET", url)
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (
        403,
        "application/xml",
    )
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in response.text
    assert bucket.ask("GET", bucket.blobs.sign(url, lifetime=60)).content == b"body"


@pytest.mark.parametrize("lifetime", [None, 60.0])
def test_a_signature_is_of_one_path_method_and_lifetime(bucket: Bucket, lifetime: float | None) -> None:
    """HEAD on a URL signed for GET, another path, a longer lifetime and no signature at all are refused."""
    url = bucket.blobs.put("a", b"body", lifetime=lifetime)
    other = bucket.blobs.put("b", b"other", lifetime=lifetime)
    refused = [
        bucket.ask("HEAD", url),
        bucket.ask("PUT", url, content=b"new"),
        bucket.ask("GET", other.partition("?")[0] + "?" + url.partition("?")[2]),
        bucket.ask("GET", url.partition("?")[0]),
        bucket.ask("GET", url + "0"),
        bucket.ask(
            "GET", url.replace("Expires=1000060", "Expires=1000061") if lifetime else url + "&Expires=9999999"
        ),
        bucket.ask("GET", bucket.blobs.upload("c")),
    ]
    assert [response.status_code for response in refused] == [403] * len(refused)
    assert bucket.ask("GET", url).content == b"body"


def test_an_authorization_header_is_an_error(bucket: Bucket) -> None:
    """Credentials next to a signature answer 400, so a client that leaks its key to storage notices."""
    url = bucket.blobs.put("a", b"body")
    response = bucket.ask("GET", url, headers={"Authorization": "Basic YXBpOms="})
    assert response.status_code == 400
    assert "<Code>InvalidArgument</Code>" in response.text


def test_a_range_is_answered_in_part(bucket: Bucket) -> None:
    """206 with Content-Range for a single range, 416 with the size beyond the end, the whole for several."""
    url = bucket.blobs.put("a", b"0123456789")
    part = bucket.ask("GET", url, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    tail = bucket.ask("GET", url, headers={"Range": "bytes=-3"})
    assert (tail.status_code, tail.content, tail.headers["content-range"]) == (206, b"789", "bytes 7-9/10")
    beyond = bucket.ask("GET", url, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    several = bucket.ask("GET", url, headers={"Range": "bytes=0-1,4-5"})
    assert (several.status_code, several.content) == (200, b"0123456789")


@given(st.integers(0, 12), st.integers(0, 15), st.integers(0, 15))
def test_ranges_are_slices(size: int, first: int, last: int) -> None:
    """Each of the three forms of a range selects the bytes whose indices it names, and only those."""
    indices = range(size)
    forms = {
        f"bytes={first}-{last}": [i for i in indices if first <= i <= last],
        f"bytes={first}-": [i for i in indices if first <= i],
        f"bytes=-{last}": list(indices)[-last:] if last else [],
    }
    for header, expected in forms.items():
        try:
            part = parse_range(header, size)
        except UnsatisfiableRangeError:
            assert expected == []
            continue
        if part is None:
            assert last < first
            assert header == f"bytes={first}-{last}"
        else:
            assert list(range(*part)) == expected
            assert expected


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,2-3", "bytes=4-2"]
)
def test_what_is_no_single_byte_range_is_ignored(header: str | None) -> None:
    """Headers that name no byte range, several or a reversed one ask for the whole."""
    assert parse_range(header, 10) is None


def test_an_upload_is_received_once_it_is_put(bucket: Bucket) -> None:
    """PUT on an upload URL stores the body, tells whoever waits for it, and a GET URL then serves it."""
    received: list[bytes] = []
    url = bucket.blobs.upload("wandb-summary.json", received.append, lifetime=60)
    readable = bucket.blobs.sign(url)
    assert bucket.ask("GET", readable).status_code == 404
    digest = b64encode(hashlib.md5(b"{}").digest()).decode()
    assert bucket.ask("PUT", url, {"Content-MD5": digest}, b"other").status_code == 400
    assert received == []
    assert bucket.ask("PUT", url, {"Content-MD5": digest}, b"{}").status_code == 200
    assert received == [b"{}"]
    assert bucket.ask("GET", readable).content == b"{}"
    bucket.now += 61
    assert bucket.ask("PUT", url, content=b"late").status_code == 403
    assert received == [b"{}"]


def test_the_store_alone_tells_why_it_refuses(bucket: Bucket) -> None:
    """Without the web part, `get` returns the body or raises what stands in its way."""
    path, _, text = bucket.blobs.put("a (1)!", b"body", lifetime=5).partition("?")
    query = dict(parse_qsl(text))
    for spelling in (path, unquote(path)):
        assert bucket.blobs.get(spelling, query, bucket.now) == b"body"
    with pytest.raises(ExpiredError):
        bucket.blobs.get(path, query, bucket.now + 6)
    with pytest.raises(BadSignatureError):
        bucket.blobs.get(path, {}, bucket.now)
    bucket.blobs.remove(path)
    with pytest.raises(MissingError):
        bucket.blobs.get(path, query, bucket.now)
