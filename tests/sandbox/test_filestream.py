"""The writer's stream, spoken by hand: line numbers, heartbeats, ends, and refusals."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.store import Run

Post = Callable[..., httpx.Response]


@pytest.fixture
def run(box: Sandbox) -> Run:
    """A running run without rows, last heard of an hour ago."""
    made = box.add_run("e", "p", "r", state="running", summary={})
    made.heartbeat_at -= 3600
    return made


@pytest.fixture
def post(box: Sandbox, run: Run) -> Iterator[Post]:
    """Post one request of the stream, as JSON or as bytes."""
    with httpx.Client(base_url=box.base_url, auth=("api", box.key), trust_env=False) as client:

        def send(body: Any, run_id: str = "r", **options: Any) -> httpx.Response:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return client.post(f"/files/e/p/{run_id}/file_stream", content=content, **options)

        yield send


def chunk(name: str, offset: int, *lines: object) -> dict[str, Any]:
    """A request with lines of one file."""
    content = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return {"files": {name: {"offset": offset, "content": content}}}


def test_history_is_written_by_line_numbers(run: Run, post: Post) -> None:
    """Chunks append where they say; one sent again changes nothing."""
    first = chunk("wandb-history.jsonl", 0, {"_step": 0}, {"_step": 1})
    second = chunk("wandb-history.jsonl", 2, '{"_step":2,"x":NaN}')
    for body in (first, second, first, second):
        assert post(body).json() == {}
    assert run.history.lines == [b'{"_step": 0}', b'{"_step": 1}', b'{"_step":2,"x":NaN}']
    assert run.history.steps == [0, 1, 2]


def test_every_stream_has_its_place(run: Run, post: Post) -> None:
    """Events append, the summary is replaced, and console lines may rewrite earlier ones."""
    post(chunk("wandb-events.jsonl", 0, {"system.cpu": 1.5}))
    post(chunk("wandb-summary.json", 0, {"a": 1}))
    post(chunk("wandb-summary.json", 0, {"a": 2}))
    post(chunk("output.log", 0, "one", "50%"))
    post(chunk("output.log", 1, "100%"))
    post(chunk("output.log", 3, "late"))
    assert run.system_metrics == {"system.cpu": 1.5}
    assert json.loads(run.summary) == {"a": 2}
    assert run.log == ["one", "100%", "", "late"]


def test_an_empty_request_is_a_heartbeat(box: Sandbox, run: Run, post: Post) -> None:
    """Any request moves the heartbeat to the server's time and revives a crashed run."""
    box.advance(0)
    assert run.state == "crashed"
    before = run.heartbeat_at
    post({})
    assert run.state == "running"
    assert before + 3600 <= run.heartbeat_at <= box.store.clock()


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"complete": True, "exitcode": 0}, "finished"),
        ({"complete": True, "exitcode": 3}, "failed"),
        ({"preempting": True}, "preempting"),
        ({"complete": False}, "running"),
    ],
)
def test_states(run: Run, post: Post, body: dict[str, Any], state: str) -> None:
    """The end of the stream decides the state of the run by its exit code."""
    post(body)
    assert run.state == state


def test_a_stop_reaches_the_writer(run: Run, post: Post, ask: Callable[..., Any]) -> None:
    """A run that is to stop is told so in the answers of its stream."""
    ask("mutation($i: ID!) { stopRun(input: {id: $i}) { success } }", i=run.storage_id)
    assert post({}).json() == {"stopped": True}


def test_refusals(box: Sandbox, post: Post) -> None:
    """An unknown run answers 404 and an unknown key 401, each with an error in the REST form."""
    assert post({}, run_id="none").status_code == 404
    refused = post({}, auth=("api", "f" * 40))
    assert (refused.status_code, refused.json()) == (401, {"error": "user is not logged in"})


def test_bodies_as_writers_may_send_them(run: Run, post: Post) -> None:
    """Compressed bodies and lone surrogates, escaped once or twice, arrive with their meaning."""
    packed = gzip.compress(json.dumps(chunk("wandb-history.jsonl", 0, {"_step": 0})).encode())
    assert post(packed, headers={"Content-Encoding": "gzip"}).status_code == 200
    lines = b'["{\\"a\\":\\"\\\\ud800\\"}","{\\"a\\":\\"\\ud800\\"}"]'
    raw = b'{"files":{"wandb-history.jsonl":{"offset":1,"content":' + lines + b"}}}"
    assert post(raw).status_code == 200
    assert [json.loads(line) for line in run.history.lines[1:]] == [{"a": "\ud800"}] * 2
