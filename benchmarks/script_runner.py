"""Runs the scripts of docs/scripts in this process, each timed from its first line to its last."""

import hashlib
import io
import os
import sys
import time
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.harness import ROOT
from benchmarks.replay import Replay

__all__ = ["SCRIPTS", "run_scripts"]

SCRIPTS = sorted((ROOT / "docs" / "scripts").glob("*.py"))
OFFICIAL, OURS = "import wandb", "import wandb_warehouse as wandb"


def run_scripts(asked: dict[str, Any]) -> dict[str, Any]:
    """Run all of them, with the changed import where `ours` is asked for.

    What an earlier run had to import (`modules`) is imported before the clock starts, and a first figure was drawn.
    With `own`, ours are run a third time with an `Api` that knows every answer: what is left is the script's own work.
    """
    _warm_up(asked["modules"])
    if asked["ours"]:
        os.environ |= {"WANDB_WAREHOUSE": asked["warehouse"], "WANDB_BASE_URL": asked["base"]}
    known, each, own, written = set(sys.modules), {}, {}, {}
    for script in SCRIPTS:
        place = Path(asked["folder"]) / script.stem
        each[script.stem] = _timed(
            _program(script, OURS if asked["ours"] else OFFICIAL), script, asked, place
        )
        written[script.stem] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir()
        }
    modules = [name for name in sys.modules if name not in known]
    for script in SCRIPTS if asked["own"] else ():
        api = Replay(import_module("wandb_warehouse").Api())
        program = _program(script, "")
        for _ in range(2):  # asks, and knows
            client = SimpleNamespace(Api=lambda api=api: api)
            own[script.stem] = _timed(program, script, asked, Path(asked["folder"]) / "own", wandb=client)
    return {"each": each, "own": own, "seconds": sum(each.values()), "written": written, "modules": modules}


def _program(script: Path, client: str) -> CodeType:
    """A script with its import of the client replaced."""
    lines = script.read_text().split("\n")
    lines[lines.index(OFFICIAL)] = client
    return compile("\n".join(lines), script.name, "exec")


def _timed(program: CodeType, script: Path, asked: dict[str, Any], place: Path, **names: Any) -> float:
    place.mkdir(exist_ok=True)
    arguments = mock.patch.object(sys, "argv", [script.name, asked["project"], str(place)])
    with (place / "printed.txt").open("w") as printed, redirect_stdout(printed), arguments:
        started = time.perf_counter()
        exec(program, {"__name__": "__main__", **names})
        return time.perf_counter() - started


def _warm_up(modules: list[str]) -> None:
    for name in ["pandas", "matplotlib", *modules]:
        with suppress(ImportError):  # some only exist once others have made them
            import_module(name)
    import_module("matplotlib").use("agg")
    pyplot = import_module("matplotlib.pyplot")
    pyplot.figure().savefig(io.BytesIO())
    pyplot.close()
