"""Limits, counts and the retry loop: bounded tries, full jitter, and a breaker for a server that is down."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from wandb_warehouse.client.governor import Governor
from wandb_warehouse.errors import FatalRemoteError, RetriableRemoteError

__all__ = [
    "ExpiredUrlError",
    "Limits",
    "RateLimitedError",
    "Retries",
    "Stats",
    "TooHeavyError",
    "TooLargeError",
    "UnknownFieldError",
]

T = TypeVar("T")


class TooHeavyError(RetriableRemoteError):
    """The answer took too long or was too large: ask for less in one request."""


class TooLargeError(TooHeavyError):
    """The answer is larger than we take, or than the server gives."""


class RateLimitedError(RetriableRemoteError):
    """The server asked to slow down (429); the governor already waits as told."""


class ExpiredUrlError(RetriableRemoteError):
    """A signed address is no longer good: ask W&B for a new one."""


class UnknownFieldError(FatalRemoteError):
    """The server's schema has no such field (an older or newer server)."""

    def __init__(self, what: str, *, mend: str = "", field: str | None = None) -> None:
        super().__init__(what, mend=mend)
        self.field = field


@dataclass(frozen=True)
class Limits:
    """Bounds of every request: tries, seconds, bytes, and how much one request asks for."""

    attempts: int = 5
    """Tries of one request, the first one counted."""
    timeout: float = 90.0
    """Seconds from sending an API request to its last byte, by the wall clock."""
    connect_timeout: float = 10.0
    """Seconds to reach a server."""
    blob_timeout: float = 900.0
    """Seconds from asking for a file to its last byte."""
    max_bytes: int = 64 * 2**20
    """Bytes of one API answer after decompression."""
    max_blob_bytes: int = 8 * 2**30
    """Bytes of one downloaded file."""
    backoff: float = 0.5
    """Seconds: the first wait is a random part of it, and each later one of twice as much."""
    backoff_max: float = 30.0
    """Seconds: the largest wait of our own; what the server asks for is bounded by the governor."""
    breaker_after: int = 20
    """Failed tries in a row, over all requests, after which nothing is sent for a while."""
    breaker_seconds: float = 30.0
    """Seconds for which nothing is sent then."""
    redirects: int = 3
    """Redirects followed by one download."""
    details_batch: int = 250
    """Runs whose details one request asks for, at most."""
    alias_batch: int = 50
    """Questions asked by alias in one request, at most."""


@dataclass
class Stats:
    """What a client did so far."""

    requests: int = 0
    """Requests sent, tries and downloads counted one by one."""
    retries: int = 0
    """Tries after a first one."""
    bytes: int = 0
    """Bytes received, after decompression."""
    waited_seconds: float = 0.0
    """Seconds waited for the server's limits and between tries, summed over concurrent requests."""


class Retries:
    """Repeats what may succeed later; shared by all requests to a server, which it lets rest when down."""

    def __init__(
        self,
        limits: Limits,
        governor: Governor,
        stats: Stats,
        *,
        jitter: Callable[[float], float] | None = None,
    ) -> None:
        self._limits = limits
        self._governor = governor
        self._stats = stats
        self._jitter = jitter or (lambda most: random.SystemRandom().uniform(0, most))
        self._failures = 0
        self._opened_at = 0.0

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Call `attempt` until it gives an answer, fails for good, or has been tried often enough."""
        for tried in range(1, self._limits.attempts + 1):
            self._check_breaker()
            try:
                answer = await attempt()
            except (TooLargeError, ExpiredUrlError):
                self._failures = 0  # the server lives, and would only answer the same again
                raise
            except TooHeavyError:
                self._failed()
                raise
            except RetriableRemoteError as error:
                if not isinstance(error, RateLimitedError):
                    self._failed()
                if tried == self._limits.attempts:
                    what = f"{error.what} ({tried} {'tries' if tried > 1 else 'try'})"
                    raise RetriableRemoteError(what, mend=error.mend) from error
            else:
                self._failures = 0
                return answer
            self._stats.retries += 1
            most = min(self._limits.backoff * 2 ** (tried - 1), self._limits.backoff_max)
            self._stats.waited_seconds += await self._governor.pause(self._jitter(most))
        what = "no try was allowed by Limits.attempts"
        raise ValueError(what)

    def _failed(self) -> None:
        self._failures += 1
        self._opened_at = self._governor.clock()

    def _check_breaker(self) -> None:
        if self._failures < self._limits.breaker_after:
            return
        if self._governor.clock() - self._opened_at >= self._limits.breaker_seconds:
            # One try goes through; it closes the breaker or opens it again.
            self._failures = self._limits.breaker_after - 1
            return
        raise RetriableRemoteError(
            f"the server failed {self._failures} times in a row, so nothing more was sent",
            mend="run the sync again when it answers",
        )
