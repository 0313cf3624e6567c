"""The server around the API: where it listens, its clock, its log, its faults, and how fast it serves."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from wandb_warehouse.sandbox import DEFAULT_KEY, Fault, Sandbox, Switches

Ask = Callable[..., Any]
VIEWER = "query WhoAmI { viewer { username } }"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "8.8.8.8"])
def test_only_loopback(host: str) -> None:
    """Any address but a loopback one is refused before anything listens."""
    with pytest.raises(ValueError, match="loopback"):
        Sandbox(host=host).start()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_addresses(host: str) -> None:
    """Both families of loopback serve, and a stopped server is gone."""
    with Sandbox(host=host) as box:
        answer = httpx.post(
            f"{box.base_url}/graphql", json={"query": VIEWER}, auth=("api", DEFAULT_KEY), trust_env=False
        )
        assert answer.json() == {"data": {"viewer": {"username": "sandbox"}}}
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{box.base_url}/graphql", json={"query": VIEWER}, trust_env=False)


def test_an_answer_that_takes_long_keeps_no_server() -> None:
    """A server that is stopped ends although an answer is under way, long before that would be given."""
    others = set(threading.enumerate())
    box = Sandbox().start()
    box.inject(Fault("slow", value=60))
    port = urlsplit(box.base_url).port
    with socket.create_connection(("127.0.0.1", port)) as client:
        body = json.dumps({"query": VIEWER}).encode()
        client.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: box\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        while not box.requests:
            time.sleep(0.005)
        box.stop()
        left = set(threading.enumerate()) - others
        assert not [thread for thread in left if thread.name == "wandb-sandbox"]
        assert not client.recv(1000).startswith(b"HTTP/1.1 200")


def test_keys_name_their_users() -> None:
    """Every key given is its own user's, by Basic or Bearer authorization; the default key is then unknown."""
    with Sandbox(keys={"a" * 40: "ada", "b" * 40: "bob"}) as box:
        assert (box.key, box.entity) == ("a" * 40, "ada")

        def who(**options: Any) -> Any:
            response = httpx.post(
                f"{box.base_url}/graphql", json={"query": VIEWER}, trust_env=False, **options
            )
            return response.json()["data"]["viewer"]

        assert who(auth=("api", "b" * 40)) == {"username": "bob"}
        assert who(headers={"Authorization": "Bearer " + "a" * 40}) == {"username": "ada"}
        assert who(auth=("api", DEFAULT_KEY)) is None
        assert who(headers={"Authorization": "Basic ???"}) is None


def test_the_date_header_is_the_servers_clock(box: Sandbox, ask: Ask) -> None:
    """Answers are dated by the clock that tests push forward, once each."""
    first = ask(VIEWER, raw=True)
    box.advance(86_400)
    second = ask(VIEWER, raw=True)
    assert len(second.headers.get_list("date")) == 1
    ahead = parsedate_to_datetime(second.headers["date"]) - parsedate_to_datetime(first.headers["date"])
    assert 86_400 <= ahead.total_seconds() <= 86_410


def test_requests_are_recorded(box: Sandbox, ask: Ask) -> None:
    """Every request is remembered with method, path and operation, struck by a fault or not."""
    box.inject(Fault("status", match="WhoAmI", value=503))
    assert ask(VIEWER, raw=True).status_code == 503
    assert ask(VIEWER) == {"viewer": {"username": "sandbox"}}
    httpx.get(f"{box.base_url}/files/e/p/r/none.txt", trust_env=False)
    assert box.requests == [
        ("POST", "/graphql", "WhoAmI"), ("POST", "/graphql", "WhoAmI"), ("GET", "/files/e/p/r/none.txt", ""),
    ]  # fmt: skip
    box.clear_requests()
    assert box.requests == []


def test_a_dropped_connection(box: Sandbox, ask: Ask) -> None:
    """A reset reaches the client as a broken connection, and the next request is served."""
    box.inject(Fault("reset"))
    with pytest.raises(httpx.TransportError):
        ask(VIEWER, raw=True)
    assert ask(VIEWER)


def test_storage_is_another_origin(box: Sandbox, ask: Ask) -> None:
    """Signed URLs lead to an origin of their own, which refuses the key and a time past their lifetime."""
    box.switches = Switches(url_lifetime=60)
    box.add_run("e", "p", "r", rows=[{"x": 1}])
    box.export("e", "p", "r")
    field = 'parquetHistory(liveKeys: ["x"]) { parquetUrls }'
    query = f'{{ project(name: "p", entityName: "e") {{ run(name: "r") {{ {field} }} }} }}'

    def signed() -> str:
        (url,) = ask(query)["project"]["run"]["parquetHistory"]["parquetUrls"]
        return str(url)

    url = signed()
    assert url.startswith(box.storage_url + "/")
    assert urlsplit(url).netloc != urlsplit(box.base_url).netloc
    assert httpx.get(url, trust_env=False).content[:4] == b"PAR1"
    assert httpx.get(url, auth=("api", box.key), trust_env=False).status_code == 400
    box.advance(120)
    assert httpx.get(url, trust_env=False).status_code == 403
    assert httpx.get(signed(), trust_env=False).status_code == 200


def test_latency() -> None:
    """Every request waits the latency out."""
    with Sandbox(latency=0.2) as box:
        start = time.perf_counter()
        httpx.post(f"{box.base_url}/graphql", json={"query": VIEWER}, trust_env=False)
        assert time.perf_counter() - start >= 0.2


def test_bodies_that_are_no_request(box: Sandbox) -> None:
    """A body that is not JSON, or holds no query, answers 400."""
    for body in (b"{", b"[]", b'{"query": 1}'):
        response = httpx.post(f"{box.base_url}/graphql", content=body, trust_env=False)
        assert response.status_code == 400


def test_import_without_the_web_extra() -> None:
    """The package imports without the web libraries; only starting a server asks for them."""
    source = """
import sys
for name in ("starlette", "uvicorn", "graphql"):
    sys.modules[name] = None
import wandb_warehouse.sandbox as sandbox
try:
    sandbox.Sandbox().start()
except ModuleNotFoundError as error:
    print(error.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split(".")[0].strip() in {"starlette", "uvicorn", "graphql"}


def test_run_forever_ends_at_an_interrupt() -> None:
    """The blocking form fills, says where it is, serves, and ends cleanly at Ctrl-C."""
    source = """
from wandb_warehouse.sandbox import run_forever
run_forever(port=0, fill=lambda box: box.add_run("e", "p", "r"), ready=lambda box: print(box.base_url, flush=True))
print("over")
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        body = {"query": '{ project(name: "p", entityName: "e") { runCount } }'}
        answer = httpx.post(f"{url}/graphql", json=body, auth=("api", DEFAULT_KEY), trust_env=False)
        assert answer.json() == {"data": {"project": {"runCount": 1}}}
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("over\n", "")


def test_unknown_runs_and_fields_are_named(box: Sandbox) -> None:
    """Driving a run that is not there, or a field a run lacks, fails at once."""
    with pytest.raises(KeyError, match="e/p/none"):
        box.delete("e", "p", "none")
    with pytest.raises(TypeError, match="colour"):
        box.add_run("e", "p", "r", colour="red")
    box.add_run("e", "p", "r")
    with pytest.raises(TypeError, match="colour"):
        box.edit("e", "p", "r", colour="red")
