"""The official client, in processes of its own that share nothing with this machine's configuration."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wandb_warehouse.sandbox import Sandbox

__all__ = ["Life", "OfficialClient", "isolated"]

_SCRIPTS = Path(__file__).parent
_PATIENCE = 60.0


def isolated(home: Path, box: Sandbox | None = None, **more: str) -> dict[str, str]:
    """Environment of a process that knows nothing of this machine, and of a sandbox where it is given one with its key.

    Args:
        home: an existing directory for all it keeps.
        box: the server that the official client is to talk to.
        **more: further variables.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    own = ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR")
    env |= {name: str(home / name.lower()) for name in own}
    env |= {"HOME": str(home), "NETRC": str(home / "netrc"), "TMPDIR": str(home), "WANDB_DIR": str(home)}
    env |= {"WANDB_ERROR_REPORTING": "false"}
    if box is not None:
        env |= {"WANDB_BASE_URL": box.base_url, "WANDB_API_KEY": box.key, "WANDB_SILENT": "true"}
    return env | more


class OfficialClient:
    """Runs the scripts of this directory against a sandbox."""

    def __init__(self, box: Sandbox, project: str, scratch: Path) -> None:
        self.box, self.project, self._scratch = box, project, scratch

    def _setting(self) -> dict[str, Any]:
        # A home for every process: the client's cache of exports never expires and is never checked.
        home = Path(tempfile.mkdtemp(dir=self._scratch))
        return {"env": isolated(home, self.box), "cwd": home}

    def run(self, script: str, *arguments: str) -> None:
        """Run a script to its end."""
        done = subprocess.run(
            [sys.executable, str(_SCRIPTS / script), *arguments],
            timeout=180,
            capture_output=True,
            text=True,
            check=False,
            **self._setting(),
        )
        assert done.returncode == 0, done.stderr[-4000:]

    def read(self) -> dict[str, dict[str, Any]]:
        """Read the project by `wandb.Api()`: everything of every run, by its id."""
        answer = Path(tempfile.mkdtemp(dir=self._scratch)) / "answer.json"
        self.run("reader.py", f"{self.box.entity}/{self.project}", str(answer))
        read: dict[str, dict[str, Any]] = json.loads(answer.read_text())
        return read

    @contextmanager
    def life(self) -> Iterator["Life"]:
        """Start a run's writer that does as it is told."""
        with subprocess.Popen(
            [sys.executable, str(_SCRIPTS / "life.py"), self.project],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            **self._setting(),
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield Life(self, process.stdin, process.stdout)
            finally:
                process.stdin.close()
                process.wait(_PATIENCE)


class Life:
    """A writer that waits for commands."""

    def __init__(self, client: OfficialClient, commands: IO[str], answers: IO[str]) -> None:
        self._client, self._commands, self._answers = client, commands, answers
        self._run = ""
        self._services: list[int] = []

    def tell(self, do: str, **command: Any) -> None:
        """Have something done, and wait until it is."""
        self._run = command.get("id", self._run)
        self._commands.write(json.dumps({"do": do, **command}) + "\n")
        self._commands.flush()
        answer = self._answers.readline()
        assert bool(answer) is (do != "die"), f"the writer failed at {do}"
        self._services = json.loads(answer or "[]")

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """Stop the client's service: else heartbeats and late config go on arriving while others read."""
        for service in self._services:
            os.kill(service, signal.SIGSTOP)
        try:
            yield
        finally:
            for service in self._services:
                os.kill(service, signal.SIGCONT)

    def log(self, rows: Sequence[Mapping[str, Any]], *, arrived: int) -> None:
        """Log rows, and wait until the server has `arrived` lines of the run."""
        self.tell("log", rows=list(rows))
        end = time.monotonic() + _PATIENCE
        box = self._client.box
        while True:
            with box.store.lock:
                run = box.store.find_run(box.entity, self._client.project, self._run)
                lines = len(run.history) if run else 0
            if lines >= arrived:
                break
            assert time.monotonic() < end, f"{lines} of {arrived} rows arrived"
            time.sleep(0.02)
        assert lines == arrived
