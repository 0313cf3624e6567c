"""What scenarios share: the server process, tasks in fresh processes, ratios within one run and their medians.

The machine may be shared and noisy. So no seconds are compared across runs: in every repetition the tasks run one
after the other, their ratio is taken there, and the median of the ratios is the figure.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.serve import ENTITY, Shape, Size

__all__ = ["Figure", "Server", "folder", "latencies", "median", "ratio", "task"]

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of every process that is measured: modules are compiled once, as where a package is installed."""

_LIMIT = 900
"""Seconds after which a task is given up: a hung one must not hold the rest."""


def latencies(size: Size) -> tuple[float, ...]:
    """Seconds added to every request, one measurement each."""
    return (0.0,) if size == "tiny" else (0.0, 0.05)


@dataclass(frozen=True)
class Figure:
    """One row of the result table."""

    scenario: str
    what: str
    value: float
    goal: float | None
    """None for what is shown beside the goals."""
    unit: str = "x"
    at_least: bool = True
    """Whether more than the goal is good; else less."""
    spread: tuple[float, float] = field(default=(0.0, 0.0))
    note: str = ""
    curve: str = ""
    """Name of the curve the figure is a point of."""
    at: float = 0.0
    """Where on the curve."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


class Server:
    """A filled sandbox in a process of its own, at every latency."""

    def __init__(self, shape: Shape, latencies: Sequence[float] = (0.0,)) -> None:
        self.shape = shape
        self.latencies = latencies
        self._command = [
            sys.executable, "-m", "benchmarks.serve", json.dumps(asdict(shape)), json.dumps(list(latencies))
        ]  # fmt: skip

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        told = json.loads(self._line())
        self._folder = Path(tempfile.mkdtemp(prefix="bench-server-"))
        self._exports = self._folder / "exports.json"
        self._exports.write_text(json.dumps(told["exports"]))
        self._servers, self._key = told["servers"], told["key"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        shutil.rmtree(self._folder)

    def at(self, latency: float) -> dict[str, Any]:
        """What a task needs to know of the server at this latency."""
        server = self._servers[self.latencies.index(latency)]
        return {
            "base": server["base"],
            "storage": server["storage"],
            "key": self._key,
            "project": f"{ENTITY}/{self.shape.project}",
            "exports": str(self._exports),
        }

    def requests(self) -> int:
        """Requests the server has seen since this was last asked."""
        return self._ask("requests")

    def log(self, runs: Sequence[str], rows: int) -> int:
        """Let some runs go on by as many rows and end again; gives the number of values that are new."""
        return self._ask("log", list(runs), rows)

    def _ask(self, command: str, *arguments: object) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def folder() -> Iterator[Path]:
    """A directory for one task's files."""
    path = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def task(name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run one task of `worker` in a fresh process, with a directory of its own unless one is given."""
    with folder() as place:
        defaults = {"folder": str(place), "warehouse": str(place / "wandb.duckdb")}
        outcome = _in_a_process(name, {**defaults, **asked})
    print(
        f"    {name}: " + ", ".join(_shown(item) for item in outcome.items() if item[0] not in _LONG),
        flush=True,
    )
    return outcome


_LONG = ("pairs", "steps", "written", "modules", "waited", "took")
"""Parts of an outcome that are not printed as they come."""


def _in_a_process(name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.worker", name, json.dumps(asked)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=ENVIRONMENT, timeout=_LIMIT
    )
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def _shown(item: tuple[str, Any]) -> str:
    name, value = item
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def ratio(
    scenario: str,
    what: str,
    pairs: Sequence[tuple[float, float]],
    goal: float | None,
    *,
    at_least: bool = True,
    note: str = "",
) -> Figure:
    """The median of first/second over the repetitions."""
    ratios = [first / second for first, second in pairs]
    spread = (min(ratios), max(ratios))
    return Figure(scenario, what, median(ratios), goal, at_least=at_least, spread=spread, note=note)
