"""Processes of the kill harness: one that forks syncs, and one that reads what is published all the time.

Syncs are forked from a process that has imported everything they need, has one thread and no DuckDB instance: a sync
then starts in milliseconds. Both are driven by JSON lines.
"""

import contextlib
import gc
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from soak.events import Points, watch
from wandb_warehouse.cli import main
from wandb_warehouse.errors import StoreError
from wandb_warehouse.resources import Extraction
from wandb_warehouse.warehouse import content_digest

__all__ = ["ABSENT", "Driven", "state_of"]

ABSENT = "absent"
"""State of a warehouse that is not there yet."""

_HEAVY = (
    "sync.load",
    "warehouse.destinations",
    "warehouse.lake.lake",
    "cli.progress",
    "cli.scope",
    "resources.source",
)
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Libraries start threads when they are imported otherwise, and a process with threads is not safe to fork."""

_LOOK_EVERY = 0.005
_READ_EVERY = 1.0
"""Seconds between looks whether something was published, and between readings of what was published before."""

_PATIENCE = 120
"""Seconds after which a sync that hangs is killed."""


def state_of(warehouse: Path) -> str:
    """Digest of a published warehouse; `absent` where there is none, and the error where it cannot be read."""
    try:
        digests = content_digest(warehouse)
    except StoreError as error:
        nothing = not (warehouse / "manifest.json").exists() if warehouse.is_dir() else not warehouse.exists()
        return ABSENT if nothing else f"error: {error}"
    except Exception as error:  # noqa: BLE001 - whatever a reader meets is what is looked for
        return f"error: {type(error).__name__}: {error}"
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


class Driven:
    """A process of this module, driven by JSON lines."""

    def __init__(self, role: str) -> None:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.processes", role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={k: v for k, v in os.environ.items() if not k.startswith("WANDB")} | _ONE_THREAD,
        )
        self.ready: Any = self._answer()

    def ask(self, **command: Any) -> Any:
        """Send a command and give the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the harness died")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _forks() -> None:
    """Fork syncs, and wait for them."""
    for name in _HEAVY:
        import_module(f"wandb_warehouse.{name}")
    gc.freeze()  # or the first collection of each child copies all that is shared with it
    threads = len(list(Path("/proc/self/task").iterdir()))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(found: Any) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    answer({"threads": threads})
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "fork":
            pid = os.fork()
            if pid == 0:
                answers.close()
                _sync(command)
            answer({"pid": pid})
        else:
            _, status = os.waitpid(command["pid"], os.WUNTRACED)
            stopped = os.WIFSTOPPED(status)
            answer({"stopped": stopped, "code": None if stopped else os.waitstatus_to_exitcode(status)})


def _sync(command: dict[str, Any]) -> None:
    """Run the command line in this forked process, and end it."""
    code = 99
    try:
        signal.alarm(_PATIENCE)
        os.dup2(os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        os.environ.update(command["environment"])
        tempfile.tempdir = None
        os.chdir(command["folder"])
        for place, value in command.get("settings", {}).items():
            module, _, name = place.rpartition(".")
            setattr(import_module(f"wandb_warehouse.{module}"), name, value)
        told = os.open(command["told"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        published: list[str] = []
        points = Points(
            at=command.get("at"),
            sent=command.get("sent", signal.SIGKILL),
            delay=command.get("delay"),
            told=told,
        )
        if command.get("states"):
            _note_states(Path(command["warehouse"]), published)
        if command.get("at") or command.get("count"):
            watch(points)
        try:
            main(command["arguments"])
        except SystemExit as ended:
            code = int(ended.code or 0)
        if command.get("count"):
            found = list(points.found)
            os.write(told, json.dumps({"points": found, "states": published}).encode())
    finally:
        os._exit(code)


def _note_states(warehouse: Path, published: list[str]) -> None:
    """Note what every round of a sync publishes."""
    end_round = Extraction.end_round

    def noted(extraction: Extraction) -> bool:
        published.append(state_of(warehouse))
        return end_round(extraction)

    Extraction.end_round = noted  # type: ignore[method-assign,assignment]


def _reads() -> None:
    """Read a warehouse whenever it is another one, and now and then; tell which states were seen."""
    warehouse: Path | None = None
    seen: dict[str, int] = {}
    print(json.dumps({}), flush=True)  # noqa: T201 - the answer
    known, read_at = None, 0.0
    while True:
        if warehouse is not None and (
            (mark := _mark(warehouse)) != known or time.monotonic() > read_at + _READ_EVERY
        ):
            known, read_at = mark, time.monotonic()
            state = state_of(warehouse)
            seen[state] = seen.get(state, 0) + 1
        ready, _, _ = select.select([sys.stdin], [], [], _LOOK_EVERY if warehouse else None)
        if not ready:
            continue
        line = sys.stdin.readline()
        if not line:
            return
        command = json.loads(line)
        before, seen = seen, {}
        warehouse = Path(command["warehouse"]) if command["warehouse"] else None
        known = None
        print(json.dumps(before), flush=True)  # noqa: T201 - the answer


def _mark(warehouse: Path) -> tuple[int, int] | None:
    """What changes whenever a warehouse is published; None where there is none."""
    with contextlib.suppress(OSError):
        manifest = warehouse / "manifest.json" if warehouse.is_dir() else warehouse
        found = manifest.stat()
        return found.st_ino, found.st_mtime_ns
    return None


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        {"forks": _forks, "reads": _reads}[sys.argv[1]]()
