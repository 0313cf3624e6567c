"""A running sandbox, raw requests to it, and the official client in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from real_client.official import isolated
from wandb_warehouse.sandbox import Sandbox

Ask = Callable[..., Any]
RunScript = Callable[..., Any]

_PRELUDE = """
import json, math, os, sys
import wandb
out = {}
"""
_CODA = """
with open(os.environ["ANSWER_FILE"], "w") as answer:
    json.dump(out, answer)
"""


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def ask(box: Sandbox) -> Iterator[Ask]:
    """GraphQL requests with the sandbox's key: the data of a successful one, the response of `raw=True`."""
    with httpx.Client(base_url=box.base_url, auth=("api", box.key), trust_env=False) as client:

        def post(query: str, *, raw: bool = False, **variables: Any) -> Any:
            response = client.post("/graphql", json={"query": query, "variables": variables})
            if raw:
                return response
            assert response.status_code == 200, response.text
            body = response.json()
            assert "errors" not in body, body
            return body["data"]

        yield post


@pytest.fixture(scope="session")
def run_script() -> Iterator[RunScript]:
    """Run a script against a sandbox under the official client, isolated; what it puts into `out` comes back."""
    with tempfile.TemporaryDirectory() as top:

        def run(source: str, target: Sandbox, **extra: str) -> Any:
            # A home for every process: the client's cache of exports never expires and would mix sandboxes up.
            home = Path(tempfile.mkdtemp(dir=top))
            directory = str(home)
            answer = home / "answer.json"
            script = home / "script.py"
            script.write_text(_PRELUDE + source + _CODA)
            env = isolated(home, target, ANSWER_FILE=str(answer), SCRATCH=directory, **extra)
            done = subprocess.run(
                [sys.executable, str(script)],
                env=env,
                cwd=directory,
                timeout=120,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-4000:]
            return json.loads(answer.read_text())

        yield run
