"""A clock that does not wait, and clients over scripted answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from wandb_warehouse.client import Connection, Governor, Limits, Secret, WandbClient

KEY = "c0ffee" + "5" * 34
Handler = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Awaitable[httpx.Response]]


class FakeTime:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Seconds now."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def fake_time() -> FakeTime:
    """A clock of the test's own."""
    return FakeTime()


@pytest.fixture
def key() -> str:
    """The key the clients of this room are given: it must show up nowhere."""
    return KEY


@pytest.fixture
def make_client(fake_time: FakeTime) -> Callable[..., WandbClient]:
    """A client whose API (and downloads) are answered by functions, at https://wandb.example unless told otherwise."""

    def make(
        api: Handler | None = None,
        *,
        blobs: Handler | None = None,
        base_url: str = "https://wandb.example",
        limits: Limits | None = None,
    ) -> WandbClient:
        def unasked(request: httpx.Request) -> httpx.Response:
            what = f"nothing was to be asked here: {request.url}"
            raise AssertionError(what)

        def transport(handler: Any) -> httpx.MockTransport:
            return httpx.MockTransport(handler or unasked)

        return WandbClient(
            Connection(base_url, Secret(KEY), "argument"),
            limits=limits or Limits(),
            governor=Governor(clock=fake_time.clock, sleep=fake_time.sleep),
            transport=transport(api),
            blob_transport=transport(blobs),
        )

    return make
