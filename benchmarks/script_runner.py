"""Runs the scripts of docs/scripts in this process, each timed from its first line to its last and in its client."""

import hashlib
import io
import os
import sys
import time
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.harness import ROOT
from benchmarks.waiting import Clock, Watched

__all__ = ["OFFICIAL", "OURS", "SCRIPTS", "run_scripts"]

SCRIPTS = sorted((ROOT / "docs" / "scripts").glob("*.py"))
OFFICIAL, OURS = "wandb", "wandb_warehouse"


def run_scripts(asked: dict[str, Any]) -> dict[str, Any]:
    """Run all of them, with the client of `client`, and tell how long each waited for it and took in all.

    What an earlier run had to import (`modules`) is imported before the clock starts, and a first figure was drawn.
    """
    _warm_up(asked["modules"])
    if asked["client"] == OURS:
        os.environ |= {"WANDB_WAREHOUSE": asked["warehouse"], "WANDB_BASE_URL": asked["base"]}
    known, waited, took, written = set(sys.modules), {}, {}, {}
    for script in SCRIPTS:
        place = Path(asked["folder"]) / script.stem
        waited[script.stem], took[script.stem] = _timed(script, asked, place)
        written[script.stem] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir()
        }
    modules = [name for name in sys.modules if name not in known]
    seconds = {"seconds": sum(took.values()), "waiting": sum(waited.values())}
    return {**seconds, "waited": waited, "took": took, "written": written, "modules": modules}


def _timed(script: Path, asked: dict[str, Any], place: Path) -> tuple[float, float]:
    """Run a script with its import of the client left out, and what it names so watched in its place."""
    program = compile(script.read_text().replace(f"\nimport {OFFICIAL}\n", "\n"), script.name, "exec")
    place.mkdir(exist_ok=True)
    arguments = mock.patch.object(sys, "argv", [script.name, asked["project"], str(place)])
    clock = Clock()
    with (place / "printed.txt").open("w") as printed, redirect_stdout(printed), arguments:
        started = time.perf_counter()
        client = Watched(clock.time(lambda: import_module(asked["client"])), clock)
        exec(program, {"__name__": "__main__", OFFICIAL: client})
        return clock.seconds, time.perf_counter() - started


def _warm_up(modules: list[str]) -> None:
    for name in ["pandas", "matplotlib", *modules]:
        with suppress(ImportError):  # some only exist once others have made them
            import_module(name)
    import_module("matplotlib").use("agg")
    pyplot = import_module("matplotlib.pyplot")
    pyplot.figure().savefig(io.BytesIO())
    pyplot.close()
