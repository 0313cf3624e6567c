"""Runs the scripts of docs/scripts in this process, each timed from its first line to its last."""

import hashlib
import io
import os
import sys
import time
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.harness import ROOT

__all__ = ["SCRIPTS", "run_scripts"]

SCRIPTS = sorted((ROOT / "docs" / "scripts").glob("*.py"))
OFFICIAL, OURS = "import wandb", "import wandb_warehouse as wandb"


def run_scripts(asked: dict[str, Any]) -> dict[str, Any]:
    """Run all of them, with the changed import where `ours` is asked for.

    What they import was imported before the clock starts, and a first figure was drawn.
    """
    _warm_up()
    if asked["ours"]:
        os.environ |= {"WANDB_WAREHOUSE": asked["warehouse"], "WANDB_BASE_URL": asked["base"]}
        import_module("wandb_warehouse").Api  # noqa: B018 -- imports what an `Api` needs
    each, written = {}, {}
    for script in SCRIPTS:
        lines = script.read_text().split("\n")
        lines[lines.index(OFFICIAL)] = OURS if asked["ours"] else OFFICIAL
        program = compile("\n".join(lines), script.name, "exec")
        place = Path(asked["folder"]) / script.stem
        place.mkdir()
        arguments = mock.patch.object(sys, "argv", [script.name, asked["project"], str(place)])
        with (place / "printed.txt").open("w") as printed, redirect_stdout(printed), arguments:
            started = time.perf_counter()
            exec(program, {"__name__": "__main__"})
            each[script.stem] = time.perf_counter() - started
        written[script.stem] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir()
        }
    return {"each": each, "seconds": sum(each.values()), "written": written}


def _warm_up() -> None:
    import_module("pandas")
    import_module("matplotlib").use("agg")
    pyplot = import_module("matplotlib.pyplot")
    pyplot.figure().savefig(io.BytesIO())
    pyplot.close()
