"""The key leaves by one door: the authorization header of requests to the one server."""

import asyncio
import base64
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from wandb_warehouse.client import WandbClient, Window
from wandb_warehouse.client.connection import Secret
from wandb_warehouse.client.transport import _KeyForOneOrigin
from wandb_warehouse.errors import FatalRemoteError, WarehouseError

JSON = {"content-type": "application/json"}
SIGNED = "https://store.example/x.parquet?X-Amz-Signature=s1gnature"


def echoing(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """A server, or a proxy, that repeats the authorization it was sent."""

    def handler(request: httpx.Request) -> httpx.Response:
        scheme, _, packed = request.headers["authorization"].partition(" ")
        words = f"you sent {scheme} {packed} which is {base64.b64decode(packed).decode()}"
        return httpx.Response(status, json={"errors": [{"message": words}]})

    return handler


def breaking(request: httpx.Request) -> httpx.Response:
    """A library that puts the headers into its error."""
    message = f"illegal header {request.headers['authorization']}"
    raise httpx.LocalProtocolError(message, request=request)


def unreachable(request: httpx.Request) -> httpx.Response:
    """An error with the whole request in its words."""
    message = f"no route for {request.headers['authorization']}"
    raise httpx.ConnectError(message, request=request)


@pytest.mark.parametrize(
    "handler", [*(echoing(status) for status in (200, 400, 401, 403, 404, 429, 500)), breaking, unreachable]
)
@pytest.mark.parametrize(
    "question",
    [
        lambda c: c.viewer(),
        lambda c: c.projects("team"),
        lambda c: c.run_details("team", "p", ["a", "b"]),
        lambda c: c.exports("team", "p", [("a", ["_step"])]),
        lambda c: c.history_rows("team", "p", [Window("a", 0, 4, 4)]),
    ],
)
def test_no_error_and_no_log_line_shows_the_key(
    make_client: Callable[..., WandbClient],
    caplog: pytest.LogCaptureFixture,
    key: str,
    handler: Callable[[httpx.Request], httpx.Response],
    question: Callable[[WandbClient], Any],
) -> None:
    """Even where server and library repeat it, neither our message, its repr nor the log at DEBUG holds the key."""
    caplog.set_level(logging.DEBUG)

    async def ask() -> tuple[WandbClient, WarehouseError]:
        async with make_client(handler) as client:
            with pytest.raises(WarehouseError) as caught:
                await question(client)
            return client, caught.value

    client, error = asyncio.run(ask())
    packed = base64.b64encode(f"api:{key}".encode()).decode()
    shown = [str(error), repr(error), error.what, error.mend, repr(client), repr(vars(client)), caplog.text]
    chained: BaseException | None = error
    while isinstance(chained, WarehouseError):
        shown += [str(chained), *(repr(value) for value in vars(chained).values())]
        chained = chained.__cause__
    assert not [text for text in shown if key in text or packed in text]


def test_a_traceback_with_locals_does_not_show_the_key(
    make_client: Callable[..., WandbClient], key: str
) -> None:
    """What a debugger's traceback prints of our frames and httpx's holds no key."""

    async def ask() -> None:
        async with make_client(lambda _r: httpx.Response(500)) as client:
            await client.viewer()

    with pytest.raises(WarehouseError) as caught:
        asyncio.run(ask())
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    packed = base64.b64encode(f"api:{key}".encode()).decode()
    assert "viewer" in shown
    # `key` is a local of this test, and this frame is not part of what the product prints.
    shown = "\n".join(line for line in shown.splitlines() if not line.strip().startswith("key = "))
    assert key not in shown
    assert packed not in shown


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/graphql",
        "http://wandb.example/graphql",
        "https://wandb.example:8443/graphql",
        "https://wandb.example.evil.example/graphql",
        "https://wandb.example@evil.example/graphql",
    ],
)
def test_the_key_is_attached_to_one_origin_only(url: str) -> None:
    """A request with the key for another scheme, host or port is refused before it is sent."""
    auth = _KeyForOneOrigin(Secret("k" * 40), "https://wandb.example:443")
    request = httpx.Request("POST", url)
    with pytest.raises(FatalRemoteError):
        next(auth.auth_flow(request))
    assert "authorization" not in request.headers
    ours = next(auth.auth_flow(httpx.Request("POST", "https://wandb.example/graphql")))
    assert "authorization" in ours.headers


def test_environment_and_netrc_change_nothing(
    make_client: Callable[..., WandbClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies and netrc entries of the environment do not reach the store's requests."""
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine store.example login api password " + "n" * 40 + "\ndefault login x password y\n"
    )
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    seen: list[httpx.Request] = []

    def blobs(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x")

    async def run() -> None:
        async with make_client(None, blobs=blobs) as client:
            assert not client._transport._http._mounts
            await client.download("https://store.example/x", tmp_path / "x")
            (made,) = client._blobs._made  # no proxy of the environment around it
            assert isinstance(made, httpx.MockTransport)

    asyncio.run(run())
    assert [set(request.headers) & {"authorization", "cookie"} for request in seen] == [set()]


def test_signatures_of_addresses_are_not_logged(
    make_client: Callable[..., WandbClient], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """httpx would log whole addresses at INFO; nothing of a signed one shows up."""  # noqa: D403  (a name)
    caplog.set_level(logging.DEBUG)

    async def run(status: int) -> None:
        async with make_client(
            None, blobs=lambda _r: httpx.Response(status, content=b"PAR1    PAR1")
        ) as client:
            await client.download(SIGNED, tmp_path / "x.parquet")

    asyncio.run(run(200))
    with pytest.raises(WarehouseError) as caught:
        asyncio.run(run(403))
    assert "s1gnature" not in caplog.text + str(caught.value)
