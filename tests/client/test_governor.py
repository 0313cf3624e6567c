"""When the next request may start."""

import asyncio
import random
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from wandb_warehouse.client import Governor
from wandb_warehouse.client.governor import http_date, retry_after


def wait_of(governor: Governor, lane: str = "api") -> float:
    """Seconds the next request of a lane waits."""

    async def one() -> float:
        async with governor.slot(lane) as waited:
            return waited

    return asyncio.run(one())


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, {"retry-after": "7"}, 7.0),
        (429, {"retry-after": "0.25"}, 0.25),
        (503, {"retry-after": "3"}, 3.0),
        (429, {"retry-after": "86400"}, 300.0),
        (429, {"ratelimit-reset": "5"}, 5.0),
        (429, {"retry-after": "2", "ratelimit-reset": "5"}, 2.0),
        (200, {"ratelimit-remaining": "0", "ratelimit-reset": "4"}, 4.0),
        (200, {"ratelimit-remaining": "0", "ratelimit-reset": "9999"}, 300.0),
        (200, {"retry-after": "7"}, 0.0),
        (200, {"ratelimit-remaining": "900", "ratelimit-reset": "4", "ratelimit-limit": "1000"}, 0.0),
        (429, {"retry-after": "soon"}, 0.0),
        (429, {"retry-after": "-5"}, 0.0),
        (429, {"retry-after": "nan"}, 0.0),
        (429, {"retry-after": "inf"}, 0.0),
        (429, {"retry-after": "1e999"}, 0.0),
        (500, {}, 0.0),
    ],
)
def test_what_the_server_says_decides_the_next_start(
    fake_time: Any, status: int, headers: dict[str, str], expected: float
) -> None:
    """Retry-After and RateLimit-* are waited for, at most 300 s; what is no finite number is not believed."""
    governor = Governor(clock=fake_time.clock, sleep=fake_time.sleep)
    governor.observe("api", status, headers)
    assert wait_of(governor) == pytest.approx(expected)
    assert sum(fake_time.slept) == pytest.approx(expected)
    assert wait_of(governor) == 0, "waited once, not again"
    assert wait_of(governor, "blobs") == 0


def test_a_wait_holds_for_its_lane_only(fake_time: Any) -> None:
    """An object store that asks to slow down does not slow the API, nor the other way round."""
    governor = Governor(clock=fake_time.clock, sleep=fake_time.sleep)
    governor.observe("blobs", 429, {"retry-after": "50"})
    assert wait_of(governor, "api") == 0
    assert wait_of(governor, "blobs") == 50


def test_a_shorter_wait_does_not_shorten_a_longer_one(fake_time: Any) -> None:
    """Of several answers the latest time to resume counts."""
    governor = Governor(clock=fake_time.clock, sleep=fake_time.sleep)
    governor.observe("api", 429, {"retry-after": "60"})
    governor.observe("api", 429, {"retry-after": "1"})
    assert wait_of(governor) == 60


def test_a_low_quota_spreads_requests_over_the_window(fake_time: Any) -> None:
    """With 50 of 1000 left and 5 s to go, requests start 0.1 s apart, and freely once the window is over."""
    governor = Governor(clock=fake_time.clock, sleep=fake_time.sleep)
    low = {"ratelimit-limit": "1000", "ratelimit-remaining": "50", "ratelimit-reset": "5"}
    governor.observe("api", 200, low)
    assert [wait_of(governor) for _ in range(4)] == pytest.approx([0, 0.1, 0.1, 0.1])
    fake_time.now += 5
    assert [wait_of(governor) for _ in range(3)] == [0, 0, 0]


def test_a_request_already_waiting_heeds_a_later_answer(fake_time: Any) -> None:
    """A time that moves while a request sleeps is waited for too."""
    governor = Governor(clock=fake_time.clock, sleep=fake_time.sleep)
    governor.observe("api", 429, {"retry-after": "10"})

    async def sleep(seconds: float) -> None:
        await fake_time.sleep(seconds)
        if len(fake_time.slept) == 1:
            governor.observe("api", 429, {"retry-after": "20"})

    governor._sleep = sleep
    assert wait_of(governor) == 30


def test_concurrency_is_bounded_and_used() -> None:
    """Of 50 requests at once as many run as allowed: never more, and not fewer."""
    governor = Governor(concurrency=6)
    running, peaks = 0, []

    async def one() -> None:
        nonlocal running
        async with governor.slot("api"):
            running += 1
            peaks.append(running)
            await asyncio.sleep(0.001 * random.random())
            running -= 1

    async def many() -> None:
        await asyncio.gather(*(one() for _ in range(50)))

    for _loop in range(2):  # a second event loop is no trouble
        asyncio.run(many())
        assert max(peaks) == 6


def test_a_failing_request_gives_its_place_back() -> None:
    """Errors inside a slot do not use up the places."""
    governor = Governor(concurrency=1)

    async def failing() -> float:
        async with governor.slot("api"):
            return 1 / 0

    async def several() -> None:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(failing(), 5)

    asyncio.run(several())


def test_dates_are_measured_by_the_servers_own_clock() -> None:
    """A Retry-After date counts from the answer's Date; without one from the local clock; the past is no wait."""
    then = datetime(2031, 5, 4, 10, 0, 30, tzinfo=UTC)
    header = {"retry-after": format_datetime(then, usegmt=True)}
    dated = header | {"date": "Sun, 04 May 2031 10:00:00 GMT"}
    assert retry_after(dated, lambda: 0.0) == 30.0
    assert retry_after(header, lambda: then.timestamp() - 12) == 12.0
    assert retry_after(header, lambda: then.timestamp() + 12) == 0.0
    assert retry_after({}) is None


@pytest.mark.parametrize(
    "text", [None, "", "yesterday", "2026-11-20T16:00:00Z", "Fri, 99 Nov 2026 16:00:00 GMT"]
)
def test_what_is_no_http_date_is_none(text: str | None) -> None:
    """A date header nobody can read is taken as absent."""
    assert http_date(text) is None
