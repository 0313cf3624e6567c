"""One rate governor for all requests: how many at once, and when the next may start.

W&B limits requests per user and, by database time, per project; it says so by `Retry-After` and
`RateLimit-*`. What one answer says holds for every request of the same lane.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from weakref import WeakKeyDictionary

__all__ = ["Governor", "http_date", "retry_after"]

CONCURRENCY = {"api": 8, "blobs": 24}
"""Requests of each lane at once; an object store has no quota of W&B's, and small files wait for the network only."""

LOW_QUOTA = 0.1
"""Below this share of the quota, requests are spread over the rest of the window."""


@dataclass
class _Lane:
    """What is known of one server: gates by event loop, and the times before which nothing starts."""

    gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = field(
        default_factory=WeakKeyDictionary
    )
    resume_at: float = -math.inf
    next_start: float = -math.inf
    interval: float = 0.0
    interval_until: float = -math.inf


class Governor:
    """Lets at most `concurrency` requests of a lane run at once, and none before the server wants it.

    A lane is a server as far as its limits go: `api` and `blobs`, each with its
    own `CONCURRENCY` unless one is given. Waits are capped at `max_wait` seconds,
    whatever the server says. It is bound to no event loop; `clock` (seconds, monotonic), `wall` (seconds
    since 1970) and `sleep` can be replaced, so that tests do not wait.
    """

    def __init__(
        self,
        *,
        concurrency: int | None = None,
        max_wait: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._concurrency = concurrency
        self._max_wait = max_wait
        self.clock = clock
        self._wall = wall
        self._sleep = sleep
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def slot(self, lane: str) -> AsyncIterator[float]:
        """Hold one of the lane's places; gives the seconds waited for the server's limits."""
        state = self._lanes.setdefault(lane, _Lane())
        loop = asyncio.get_running_loop()
        if loop not in state.gates:
            state.gates[loop] = asyncio.Semaphore(self._concurrency or CONCURRENCY[lane])
        async with state.gates[loop]:
            waited = await self.pause(self._reserve(state))
            # Another answer may have moved the time while this request slept.
            while (left := state.resume_at - self.clock()) > 0:
                waited += await self.pause(left)
            yield waited

    async def pause(self, seconds: float) -> float:
        """Sleep, at most `max_wait`; gives the seconds slept."""
        seconds = min(max(seconds, 0.0), self._max_wait)
        if seconds > 0:
            await self._sleep(seconds)
        return seconds

    def observe(self, lane: str, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer: `Retry-After` on 429 and 5xx, `RateLimit-Remaining` and `-Reset` on any."""
        state = self._lanes.setdefault(lane, _Lane())
        now = self.clock()
        reset = _number(headers.get("ratelimit-reset"))
        if status == 429 or status >= 500:
            wait = retry_after(headers, self._wall)
            if wait is None and status == 429:
                wait = reset
            self._hold(state, now, wait)
        remaining = _number(headers.get("ratelimit-remaining"))
        if remaining is None or reset is None:
            return
        limit = _number(headers.get("ratelimit-limit"))
        if remaining < 1:
            self._hold(state, now, reset)
        elif limit and remaining < limit * LOW_QUOTA:
            state.interval = min(reset / remaining, self._max_wait)
            state.interval_until = now + min(reset, self._max_wait)
        else:
            state.interval = 0.0

    def _hold(self, state: _Lane, now: float, wait: float | None) -> None:
        if wait is not None:
            state.resume_at = max(state.resume_at, now + min(wait, self._max_wait))

    def _reserve(self, state: _Lane) -> float:
        """Take the next start of the lane; gives the seconds until then."""
        now = self.clock()
        start = max(now, state.resume_at)
        if start < state.interval_until and state.interval:
            start = max(start, state.next_start)
            state.next_start = start + state.interval
        return start - now


def retry_after(headers: Mapping[str, str], wall: Callable[[], float] = time.time) -> float | None:
    """Seconds that `Retry-After` asks for; None without it.

    It holds seconds, fractions allowed, or an RFC 1123 date. A date is measured from the answer's own
    `Date`, so that a wrong local clock does not matter.

    >>> retry_after({"retry-after": "1.5"})
    1.5
    >>> retry_after({"retry-after": "Fri, 20 Nov 2026 16:00:30 GMT", "date": "Fri, 20 Nov 2026 16:00:00 GMT"})
    30.0
    """
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    until = http_date(text)
    if until is None:
        return None
    now = http_date(headers.get("date")) or datetime.fromtimestamp(wall(), UTC)
    return max((until - now).total_seconds(), 0.0)


def http_date(text: str | None) -> datetime | None:
    """The moment an HTTP date names, in UTC; None where there is none or it is not a date.

    >>> http_date("Fri, 20 Nov 2026 16:00:30 GMT").isoformat()
    '2026-11-20T16:00:30+00:00'
    """
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _number(text: str | None) -> float | None:
    """A finite number of at least 0, or None."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
