"""Object storage behind signed URLs, with the manners of S3 that matter to a downloader.

A URL is signed for one method: a HEAD on a URL signed for GET is refused, and so is a GET on one signed for
PUT. An `Authorization` header next to a signature is an error. A single byte range is honoured; a header
asking for several, or one that is no byte range, is ignored and the whole object sent.
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = [
    "BadSignatureError",
    "BlobStore",
    "ExpiredError",
    "MissingError",
    "StorageError",
    "UnsatisfiableRangeError",
    "parse_range",
    "storage_routes",
]

Clock = Callable[[], float]


class StorageError(Exception):
    """A refusal of the store, answered as an XML document with the status and code of S3."""

    status = 400
    code = "InvalidRequest"


class ExpiredError(StorageError):
    """The URL's lifetime is over."""

    status = 403
    code = "AccessDenied"


class BadSignatureError(StorageError):
    """The signature is missing, or was made for another path, method or lifetime."""

    status = 403
    code = "SignatureDoesNotMatch"


class MissingError(StorageError):
    """There is no such object."""

    status = 404
    code = "NoSuchKey"


class TwoMechanismsError(StorageError):
    """The request carries an Authorization header besides the signature in its URL."""

    code = "InvalidArgument"


class BadDigestError(StorageError):
    """The body is not the one whose Content-MD5 was sent along."""

    code = "BadDigest"


class UnsatisfiableRangeError(StorageError):
    """The range asked for begins beyond the object's end."""

    status = 416
    code = "InvalidRange"


def _canonical(path: str) -> str:
    """One spelling of a path, without its query: clients escape the same characters differently."""
    return quote(unquote(path.partition("?")[0]))


class BlobStore:
    """Objects in memory, reached by paths of the form `/storage/<random>/<name>?Expires=..&Signature=..`.

    Example:
        >>> blobs = BlobStore(clock=lambda: 1000.0)
        >>> path, _, query = blobs.put("a.txt", b"hello", lifetime=60).partition("?")
        >>> blobs.get(path, dict(pair.split("=") for pair in query.split("&")), now=1060.0)
        b'hello'
    """

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._bodies: dict[str, bytes] = {}
        self._receivers: dict[str, Callable[[bytes], None]] = {}

    def put(self, name: str, body: bytes, *, lifetime: float | None = None) -> str:
        """Store an object under a fresh path and return its URL, signed for GET; `lifetime` is in seconds."""
        path = self._fresh(name)
        self._bodies[path] = body
        return self.sign(path, lifetime=lifetime)

    def upload(
        self, name: str, receive: Callable[[bytes], None] | None = None, *, lifetime: float | None = None
    ) -> str:
        """URL signed for PUT of an object that does not exist yet; `receive` is called with what was put."""
        path = self._fresh(name)
        if receive is not None:
            self._receivers[path] = receive
        return self.sign(path, method="PUT", lifetime=lifetime)

    def sign(self, path: str, *, method: str = "GET", lifetime: float | None = None) -> str:
        """Sign a path (a query is dropped) for one method; without a lifetime the URL never expires."""
        path = _canonical(path)
        query = {} if lifetime is None else {"Expires": str(int(self._clock() + lifetime))}
        query["Signature"] = self._signature(method, path, query.get("Expires", ""))
        return f"{path}?{urlencode(query)}"

    def get(self, path: str, query: Mapping[str, str], now: float) -> bytes:
        """Body of an object.

        Raises:
            BadSignatureError: the query is not a signature of this path for GET.
            ExpiredError: `now` is past the URL's lifetime.
            MissingError: the object does not exist.
        """
        self.check("GET", path, query, now)
        path = _canonical(path)
        if path not in self._bodies:
            raise MissingError("The specified key does not exist.")
        return self._bodies[path]

    def receive(self, path: str, query: Mapping[str, str], now: float, body: bytes) -> None:
        """Store what was put to a URL that `upload` gave out; errors are those of `get`."""
        self.check("PUT", path, query, now)
        path = _canonical(path)
        self._bodies[path] = body
        if path in self._receivers:
            self._receivers[path](body)

    def remove(self, path: str) -> None:
        """Remove an object, if it is there; URLs to it lead nowhere from now on."""
        self._bodies.pop(_canonical(path), None)

    def check(self, method: str, path: str, query: Mapping[str, str], now: float) -> None:
        """Raise unless the query is a signature of this method and path that has not expired."""
        expires = query.get("Expires", "")
        if not hmac.compare_digest(
            self._signature(method, _canonical(path), expires), query.get("Signature", "")
        ):
            raise BadSignatureError("The request signature we calculated does not match the one provided.")
        if expires and now > int(expires):
            raise ExpiredError("Request has expired")

    def _fresh(self, name: str) -> str:
        return f"/storage/{secrets.token_hex(8)}/{quote(name)}"

    def _signature(self, method: str, path: str, expires: str) -> str:
        text = f"{method}\n{path}\n{expires}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end (exclusive) of a Range header, or None where the whole object is to be sent.

    Raises:
        UnsatisfiableRangeError: the range begins beyond the object's end.

    Example:
        >>> parse_range("bytes=-8", 100)
        (92, 100)
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size:
        raise UnsatisfiableRangeError("The requested range is not satisfiable")
    return start, stop


def _xml(error: StorageError, headers: Mapping[str, str] | None = None) -> Response:
    document = f"<Error><Code>{error.code}</Code><Message>{error}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'
    return Response(body, error.status, headers, "application/xml")


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def storage_routes(blobs: BlobStore, clock: Clock) -> list[Route]:
    """Routes serving the store; `clock` gives the time lifetimes are judged by, in unix seconds.

    They belong on another origin (host or port) than the API: a client sends its credentials to every URL under the
    API's base URL, and such a request is refused here as S3 refuses it.
    """

    def download(request: Request, path: str) -> Response:
        body = blobs.get(path, request.query_params, clock())
        headers = {"Accept-Ranges": "bytes", "ETag": _etag(body)}
        try:
            part = parse_range(request.headers.get("range"), len(body))
        except UnsatisfiableRangeError as error:
            return _xml(error, {"Content-Range": f"bytes */{len(body)}"})
        if part is None:
            return Response(body, 200, headers, "application/octet-stream")
        start, stop = part
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        return Response(body[start:stop], 206, headers, "application/octet-stream")

    async def upload(request: Request, path: str) -> Response:
        body = await request.body()
        digest = request.headers.get("content-md5")
        if digest not in {None, b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}:
            raise BadDigestError("The Content-MD5 you specified did not match what we received.")
        blobs.receive(path, request.query_params, clock(), body)
        return Response(b"", 200, {"ETag": _etag(body)})

    async def serve(request: Request) -> Response:
        path = quote(request.scope["path"])
        try:
            if "authorization" in request.headers:
                raise TwoMechanismsError("Only one auth mechanism allowed")
            if request.method == "HEAD":
                blobs.check("HEAD", path, request.query_params, clock())
            return await upload(request, path) if request.method == "PUT" else download(request, path)
        except StorageError as error:
            return _xml(error)

    return [Route("/storage/{rest:path}", serve, methods=["GET", "HEAD", "PUT"])]
