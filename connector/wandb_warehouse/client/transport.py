"""GraphQL requests over one authenticated HTTP client, bounded in time and size."""

import asyncio
import json
import ssl
import zlib
from array import array
from base64 import b64encode
from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import orjson

from wandb_warehouse.client.connection import Connection, Secret, is_private_host, origin
from wandb_warehouse.client.documents import Document
from wandb_warehouse.client.governor import Governor, http_date
from wandb_warehouse.client.redaction import guard_logs, scrub
from wandb_warehouse.client.refusals import body_words, graphql_refusal, status_refusal
from wandb_warehouse.client.retry import Limits, Retries, Stats, TooHeavyError, TooLargeError
from wandb_warehouse.errors import AuthError, FatalRemoteError, RetriableRemoteError, WarehouseError

__all__ = ["Moved", "Reply", "Transport", "http_client", "network_error", "peer_address", "raw_chunks"]

USER_AGENT = "wandb-warehouse"
_LANE = "api"
_LATER = "run the sync again later"
_LONG_NUMBER = r"(^|[^0-9.])[0-9]{19}"
"""What orjson may round: it keeps integers of 64 bits only. Digits behind a point are no integer."""


@dataclass(frozen=True)
class Reply:
    """The `data` of an answer, and the server's clock (HTTP `Date`) where it says."""

    data: dict[str, Any]
    date: datetime | None


@dataclass(frozen=True)
class Moved:
    """The address a file is really at: the storage's, to be asked without the key."""

    url: str


class Transport:
    """Sends GraphQL documents, with the key, to one origin and nowhere else."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        governor: Governor,
        stats: Stats,
        retries: Retries,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = connection.base_url
        self._url = f"{connection.base_url}/graphql"
        self._key_source = connection.key_source
        self._limits = limits
        self._governor = governor
        self._stats = stats
        self._retries = retries
        auth = _KeyForOneOrigin(connection.api_key, connection.origin)
        self._http = http_client(limits, limits.timeout, transport, auth=auth)
        self.peer_is_private = False
        """Whether the server turned out to be in a private network, whatever its name looks like."""

    async def graphql(
        self,
        document: Document,
        variables: Mapping[str, Any],
        *,
        splittable: bool = False,
        exact: bool = False,
    ) -> Reply:
        """Answer to a document.

        `splittable`: less may be asked for instead, so an answer that is too slow or too large raises
        TooHeavyError at once and is not tried again as it is. `exact`: keep integers beyond 64 bits.
        """
        payload = orjson.dumps(
            {"operationName": document.name, "query": document.text, "variables": dict(variables)}
        )

        async def attempt() -> Reply:
            try:
                return await self._attempt(payload, exact=exact)
            except TooHeavyError as error:
                if splittable:
                    raise
                kind = FatalRemoteError if isinstance(error, TooLargeError) else RetriableRemoteError
                raise kind(error.what, mend=error.mend) from error

        return await self._retries.run(attempt)

    async def file(self, path: str) -> bytes | Moved | None:
        """Contents at a path under the base address, or where they are; None where the server has no such file."""

        async def attempt() -> bytes | Moved | None:
            try:
                return await self._attempt_file(path)
            except TooHeavyError as error:
                kind = FatalRemoteError if isinstance(error, TooLargeError) else RetriableRemoteError
                raise kind(error.what, mend=error.mend) from error

        return await self._retries.run(attempt)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _attempt_file(self, path: str) -> bytes | Moved | None:
        url = f"{self._base_url}/{path}"
        async with self._governor.slot(_LANE) as waited:
            self._stats.waited_seconds += waited
            self._stats.requests += 1
            try:
                async with (
                    asyncio.timeout(self._limits.timeout),
                    self._http.stream("GET", url, headers={"Accept": "*/*"}) as response,
                ):
                    self._governor.observe(_LANE, response.status_code, response.headers)
                    self._note_peer(response)
                    if response.has_redirect_location:
                        return Moved(str(response.url.join(response.headers["location"])))
                    body = await self._read(response)
            except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
                raise _scrubbed(network_error(error, url, self._limits.timeout), error) from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise self._named(_scrubbed(status_refusal(response.status_code, "", [])))
        announced = response.headers.get("content-length")
        encoded = "content-encoding" in response.headers
        if not encoded and announced is not None and announced != str(len(body)):
            raise RetriableRemoteError(f"W&B sent {len(body)} bytes of {announced}", mend=_LATER)
        return bytes(body)

    async def _attempt(self, payload: bytes, *, exact: bool) -> Reply:
        async with self._governor.slot(_LANE) as waited:
            self._stats.waited_seconds += waited
            self._stats.requests += 1
            try:
                async with (
                    asyncio.timeout(self._limits.timeout),
                    self._http.stream(
                        "POST", self._url, content=payload, headers={"Content-Type": "application/json"}
                    ) as response,
                ):
                    self._governor.observe(_LANE, response.status_code, response.headers)
                    self._note_peer(response)
                    body = await self._read(response)
            except (TimeoutError, httpx.HTTPError) as error:
                raise _scrubbed(network_error(error, self._url, self._limits.timeout), error) from error
        try:
            return _reply(response, body, exact=exact)
        except WarehouseError as error:
            raise self._named(_scrubbed(error)) from error.__cause__

    async def _read(self, response: httpx.Response) -> bytearray:
        body = bytearray()
        async for chunk in _decoded(response, self._limits.max_bytes):
            body += chunk
            self._stats.bytes += len(chunk)
            if len(body) > self._limits.max_bytes:
                raise _too_large(self._limits.max_bytes)
        return body

    def _named(self, error: WarehouseError) -> WarehouseError:
        """Say of a refusal which key was refused, by the place it came from."""
        if not isinstance(error, AuthError):
            return error
        return AuthError(f"{error.what} (with the key from {self._key_source})", mend=error.mend)

    def _note_peer(self, response: httpx.Response) -> None:
        address = peer_address(response)
        self.peer_is_private = self.peer_is_private or (address is not None and is_private_host(address))


class _KeyForOneOrigin(httpx.Auth):
    """Basic auth as W&B wants it, for requests to one origin; any other request is refused unsent."""

    def __init__(self, secret: Secret, allowed: str) -> None:
        self._secret = secret
        self._allowed = allowed

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if origin(str(request.url)) != self._allowed:
            raise FatalRemoteError(
                "a request with the key was about to leave for another server", mend="report it"
            )
        request.headers["Authorization"] = f"Basic {_basic(self._secret)}"
        yield request


def http_client(
    limits: Limits,
    timeout: float,
    transport: httpx.AsyncBaseTransport | None,
    *,
    auth: httpx.Auth | None = None,
) -> httpx.AsyncClient:
    """A client that follows no redirect, keeps no cookie and heeds no proxy or netrc of the environment."""
    guard_logs()
    return httpx.AsyncClient(
        auth=auth,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", "Accept": "application/json"},
        timeout=httpx.Timeout(timeout, connect=limits.connect_timeout, pool=None),
        follow_redirects=False,
        trust_env=False,
        transport=transport,
        verify=True if transport is not None else authorities(),
    )


def _scrubbed(error: WarehouseError, cause: BaseException | None = None) -> WarehouseError:
    """The error without secrets, and its cause too, should a server or a library have repeated one."""
    scrub(error)
    if cause is not None:
        scrub(cause)
    return error


@cache
def authorities() -> ssl.SSLContext:
    """Whom to trust: reading them takes longer than a request, and every client trusts the same."""
    context = httpx.create_ssl_context(trust_env=False)
    # The system's authorities too: self-hosted servers often have a private one.
    context.load_default_certs()
    return context


def network_error(error: Exception, url: str, deadline: float) -> WarehouseError:
    """The error for a request that got no whole answer; names the server, never the whole address."""
    server = origin(url)
    if isinstance(error, httpx.ConnectTimeout):
        return RetriableRemoteError(f"{server} could not be reached in time", mend=_LATER)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return TooHeavyError(f"{server} did not answer within {deadline:g} s", mend=_LATER)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            mend = "point SSL_CERT_FILE to the certificate authority of your server"
            return FatalRemoteError(f"{server} shows a certificate that cannot be verified", mend=mend)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return RetriableRemoteError(
            f"{server} could not be reached ({error})", mend=f"check the address, or {_LATER}"
        )
    return RetriableRemoteError(f"the connection to {server} broke ({type(error).__name__})", mend=_LATER)


def peer_address(response: httpx.Response) -> str | None:
    """The address the answer really came from; None where there is no socket (in tests)."""
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    return str(peer[0]) if isinstance(peer, tuple) and peer else None


async def raw_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it was sent, before decompression.

    httpx decompresses without noticing that the compressed stream is cut, and without a bound.
    """
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        what = "the transport gave a body that cannot be read asynchronously"
        raise TypeError(what)
    async for chunk in stream:
        yield chunk


async def _decoded(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """The body, decompressed piece by piece: no piece exceeds `most` by more than a byte."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        async for chunk in raw_chunks(response):
            yield chunk
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise FatalRemoteError(f"W&B answered in an encoding not asked for, {encoding!r}", mend="report it")
    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        async for chunk in raw_chunks(response):
            raw = chunk
            while raw:
                if member.eof:  # gzip allows several members one after the other
                    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
                yield member.decompress(raw, most + 1)
                raw = member.unconsumed_tail or member.unused_data
    except zlib.error as error:
        raise RetriableRemoteError("W&B's compressed answer is damaged", mend=_LATER) from error
    if not member.eof:
        raise RetriableRemoteError("W&B's compressed answer arrived cut", mend=_LATER)


def _too_large(most: int) -> TooLargeError:
    return TooLargeError(f"W&B's answer exceeds {most} bytes", mend="report it with the size of your runs")


def _reply(response: httpx.Response, body: bytearray, *, exact: bool) -> Reply:
    content_type = response.headers.get("content-type", "")
    is_json = "json" in content_type.partition(";")[0].lower()
    parsed = _parsed(body, exact=exact) if is_json else None
    if not response.is_success:
        raise status_refusal(response.status_code, *body_words(parsed))
    if not is_json:
        raise RetriableRemoteError(
            f"W&B answered {content_type or 'something without a type'} in place of JSON",
            mend="check that the base address (WANDB_BASE_URL) is the API's",
        )
    if not isinstance(parsed, dict):
        raise RetriableRemoteError("W&B's answer is no JSON object, or arrived cut", mend=_LATER)
    errors = parsed.get("errors")
    if errors:
        raise graphql_refusal(errors if isinstance(errors, list) else [errors])
    data = parsed.get("data")
    if not isinstance(data, dict):
        raise RetriableRemoteError("W&B's answer holds no data", mend=_LATER)
    return Reply(data, http_date(response.headers.get("date")))


def _parsed(body: bytes | bytearray, *, exact: bool) -> Any:
    """The JSON value of a body, None if it is none; bare NaN, surrogates and control characters pass."""
    if not (exact and _has_long_number(body)):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the standard parser below takes what W&B's own client takes
    try:
        return json.loads(body, strict=False, parse_int=_integer)
    except RecursionError as error:
        raise FatalRemoteError("W&B's answer is nested too deep to be read", mend="report it") from error
    except ValueError:
        return None


def _has_long_number(body: bytes | bytearray) -> bool:
    # Arrow takes a tenth of the time of `re`. Imported here, since a command that asks nothing needs no
    # Arrow; its arrays are made from buffers, since `pa.array` would import pandas.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    ends = array("q", (0, len(body)))
    text = pa.Array.from_buffers(
        pa.large_binary(), 1, [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(body)]
    )
    return bool(pc.match_substring_regex(text, _LONG_NUMBER)[0].as_py())


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts: infinite as a double
        return float(digits)


def _basic(secret: Secret) -> str:
    return b64encode(f"api:{secret.reveal()}".encode()).decode()
