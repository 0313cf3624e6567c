"""Downloads of signed addresses: no credentials, whole files or none."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import httpx

from wandb_warehouse.client.connection import is_private_host, origin
from wandb_warehouse.client.governor import Governor
from wandb_warehouse.client.redaction import guard_logs, scrub
from wandb_warehouse.client.retry import (
    ExpiredUrlError,
    Limits,
    RateLimitedError,
    Retries,
    Stats,
    TooHeavyError,
)
from wandb_warehouse.client.transport import (
    USER_AGENT,
    authorities,
    network_error,
    peer_address,
    raw_chunks,
)
from wandb_warehouse.errors import FatalRemoteError, RemoteError, RetriableRemoteError, StoreError

__all__ = ["Blobs"]

_LANE = "blobs"
_LATER = "run the sync again later"
_MAGIC = b"PAR1"
_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""How object stores refuse an old signature (S3 403, Google 400) or a file that was exported anew (404)."""
_FOLLOWED = frozenset({301, 302, 303, 307, 308})


class Blobs:
    """Fetches files by signed address over a client of its own that knows neither key nor cookies.

    `private_allowed` tells whether addresses in private networks, and plain http to them, are to be expected:
    only where the W&B server itself is in one.
    """

    def __init__(
        self,
        limits: Limits,
        governor: Governor,
        stats: Stats,
        retries: Retries,
        *,
        private_allowed: Callable[[], bool],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        guard_logs()
        self._limits = limits
        self._governor = governor
        self._stats = stats
        self._retries = retries
        self._private_allowed = private_allowed
        self._transport = transport
        self._made: list[httpx.AsyncBaseTransport] = []
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._headers = [
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "keep-alive"),
        ]
        waits = httpx.Timeout(limits.blob_timeout, connect=limits.connect_timeout, pool=None)
        self._extensions = {"timeout": waits.as_dict()}

    async def download(self, url: str, path: Path, most: int | None = None) -> int:
        """Bytes of the file, which appears at `path` once it is whole; at most `most`.

        A `*.parquet` must begin and end as parquet does. Raises ExpiredUrlError, without trying
        again, where the address is no longer good.
        """
        most = min(self._limits.max_blob_bytes, most or self._limits.max_blob_bytes)
        got = await self._retries.run(lambda: self._attempt(url, _PartFile(path, most)))
        return got if isinstance(got, int) else len(got)

    async def fetch(self, url: str, path: Path, held: int) -> bytes | int:
        """The file itself where it has at most `held` bytes; else as `download`.

        A small file is written, opened and removed in more time than it is read in.
        """
        most = self._limits.max_blob_bytes
        return await self._retries.run(lambda: self._attempt(url, _PartFile(path, most, held=held)))

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._made:
            await transport.aclose()

    async def _attempt(self, url: str, made: "_PartFile") -> bytes | int:
        async with self._governor.slot(_LANE) as waited:
            self._stats.waited_seconds += waited
            with made as part:
                try:
                    async with asyncio.timeout(self._limits.blob_timeout):
                        with self._borrowed() as http:
                            await self._follow(http, url, part)
                except (TimeoutError, httpx.HTTPError) as error:
                    failure = network_error(error, url, self._limits.blob_timeout)
                    if isinstance(failure, TooHeavyError):  # a file cannot be asked for in parts
                        failure = RetriableRemoteError(failure.what, mend=failure.mend)
                    scrub(failure)
                    scrub(error)
                    raise failure from error
                return part.publish()

    @contextmanager
    def _borrowed(self) -> Iterator[httpx.AsyncBaseTransport]:
        """A transport that nobody else uses meanwhile; it follows nothing, and knows neither key nor cookies.

        A connection pool looks at each of its connections for every request, at a cost that exceeds the download of a
        small file: pools of one connection are made, as many as downloads run at once. For the same reason there is
        no `httpx.AsyncClient` around them.
        """
        if not self._idle:
            made = self._transport or httpx.AsyncHTTPTransport(verify=authorities(), trust_env=False)
            self._made.append(made)
            self._idle.append(made)
        transport = self._idle.pop()
        try:
            yield transport
        finally:
            self._idle.append(transport)

    async def _follow(self, http: httpx.AsyncBaseTransport, url: str, part: "_PartFile") -> None:
        target = _parsed(url)
        for _ in range(self._limits.redirects + 1):
            self._check_address(target)
            self._stats.requests += 1
            request = httpx.Request("GET", target, headers=self._headers, extensions=self._extensions)
            response = await http.handle_async_request(request)
            try:
                self._governor.observe(_LANE, response.status_code, response.headers)
                if not self._private_allowed():
                    peer = peer_address(response)
                    if peer is not None and is_private_host(peer):
                        raise _forbidden(target)
                if response.status_code not in _FOLLOWED:
                    await self._receive(response, target, part)
                    return
                target = _parsed(response.headers.get("location", ""), base=target)
            finally:
                await response.aclose()
        raise FatalRemoteError(f"{origin(url)} redirected too often", mend="report it")

    async def _receive(self, response: httpx.Response, target: httpx.URL, part: "_PartFile") -> None:
        if response.status_code != 200:
            raise _refused(response.status_code, origin(str(target)))
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise FatalRemoteError(
                f"{origin(str(target))} sent a file in an encoding not asked for", mend="report it"
            )
        announced = response.headers.get("content-length")
        async for chunk in raw_chunks(response):
            part.write(chunk)
            self._stats.bytes += len(chunk)
        if announced is not None and announced != str(part.size):
            raise RetriableRemoteError(
                f"{origin(str(target))} sent {part.size} bytes of {announced}", mend=_LATER
            )

    def _check_address(self, target: httpx.URL) -> None:
        host = target.raw_host.decode("ascii")
        private = is_private_host(host)
        plain = target.scheme == "http" and private and self._private_allowed()
        if not host or target.userinfo or not (target.scheme == "https" or plain):
            raise FatalRemoteError(
                f"W&B gave a download address at {host!r} that is not plainly https",
                mend="report it to the server's owner",
            )
        if private and not self._private_allowed():
            raise _forbidden(target)


class _PartFile:
    """A file under a name of its own until it is whole; removed otherwise. Up to `held` bytes there is none."""

    def __init__(self, path: Path, most: int, *, held: int = 0) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(6).hex()}.part")
        self._most = most
        self._held = held
        self._chunks: list[bytes] = []
        self._file: BinaryIO | None = None
        self._head = b""
        self._tail = b""
        self.size = 0

    def __enter__(self) -> Self:
        if not self._held:
            self._file = self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        with suppress(OSError):  # flushing to a full disk fails again; the write before has been reported
            self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._most:
            raise FatalRemoteError(
                f"a download exceeds {self._most} bytes", mend="report it with the run's size"
            )
        if len(self._head) < len(_MAGIC):
            self._head = (self._head + chunk)[: len(_MAGIC)]
        self._tail = (self._tail + chunk[-len(_MAGIC) :])[-len(_MAGIC) :]
        if self._file is None and self.size <= self._held:
            self._chunks.append(chunk)
            return
        if self._file is None:
            self._file = self._opened()
            chunk = b"".join([*self._chunks, chunk])
            self._chunks.clear()
        try:
            self._file.write(chunk)
        except OSError as error:
            raise self._unwritable(error) from error

    def publish(self) -> bytes | int:
        """Give the file its name; gives its size, or what it holds where there is none."""
        if self._path.suffix == ".parquet" and not self._is_parquet():
            raise RetriableRemoteError("a history export is no parquet file, or arrived cut", mend=_LATER)
        if self._file is None:
            return b"".join(self._chunks)
        try:
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error
        return self.size

    def _opened(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        try:
            return os.fdopen(os.open(self._part, flags, 0o600), "wb")
        except OSError as error:
            raise self._unwritable(error) from error

    def _is_parquet(self) -> bool:
        # Smallest file: both magics and the length of the footer between them.
        return self._head == _MAGIC == self._tail and self.size >= 12

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._path} cannot be written ({error.strerror}, {self.size} bytes in)",
            mend="free the disk or the path",
        )


def _refused(status: int, server: str) -> RemoteError:
    if status in _EXPIRED:
        return ExpiredUrlError(
            f"{server} answered {status}: the signed address is no longer good", mend=_LATER
        )
    kind = RateLimitedError if status == 429 else RetriableRemoteError
    return kind(f"{server} answered {status} to a download", mend=_LATER)


def _parsed(url: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """The address as httpx itself will read it, so that what is checked is what is asked."""
    try:
        return base.join(url) if base is not None else httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        scrub(error)
        raise FatalRemoteError("W&B gave a download address that is none", mend="report it") from error


def _forbidden(target: httpx.URL) -> FatalRemoteError:
    return FatalRemoteError(
        f"a download led to {origin(str(target))}, in a private network, but W&B itself is not in one",
        mend="report it to the server's owner",
    )
