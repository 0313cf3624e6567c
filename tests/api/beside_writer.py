"""Writes what lies beside runs and histories with the official client: files, artifacts, sweeps, console lines.

Run as a script; argument: file for the answer. It writes the projects `p` and `other` of `sandbox`.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import wandb

PARAMETERS = {"lr": {"min": 1e-05, "max": 0.1}, "seed": {"values": ["007", 8, None, True]}}
SWEEPS: dict[str, dict[str, Any]] = {
    "smallest": {
        "name": "tuning ü",
        "method": "random",
        "metric": {"name": "loss", "goal": "minimize"},
        "run_cap": 7,
        "parameters": PARAMETERS,
    },
    "largest": {
        "method": "grid",
        "description": "two runs",
        "metric": {"name": "val.acc", "goal": "maximize"},
        "parameters": {"lr": {"values": [1, 2.5]}},
    },
    "aimless": {"method": "random", "parameters": PARAMETERS},
}
"""Sweeps with a metric to minimize, one to maximize, and none."""


def _artifact(name: str, kind: str, contents: str, **more: Any) -> wandb.Artifact:
    artifact = wandb.Artifact(name, type=kind, **more)
    with artifact.new_file("data.txt") as file:
        file.write(contents)
    return artifact


def _maker() -> list[wandb.Artifact]:
    """A run with files, console lines, and versions of three collections of two types."""
    run = wandb.init(project="p", id="maker", name="the maker")
    for number, name in enumerate(("plain.json", "note ü%_.txt", "deep/er/weights.bin", "upper.JSON")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x" * number * 700)
        run.save(name, policy="now")
    sys.stdout.write("to stdout ü\n")
    sys.stderr.write("to stderr\n")
    run.log({"loss": 1})
    run.log({"loss": 2})
    made = []
    for number in range(5):
        more: dict[str, Any] = {} if number == 4 else {"description": f"about {number}"}
        if number != 3:
            more["metadata"] = {"n": number, "x": [1.5, None], "deep": {"ü": True}}
        kind = "model" if number % 2 else "dataset"
        logged = run.log_artifact(
            _artifact(
                f"set{number % 3}", ("dataset", "model", "dataset")[number % 3], f"contents {number}", **more
            ),
            aliases=[f"a{number}", kind],
            tags=["t1", "t2"] if number % 2 else [],
        )
        logged.wait()
        made.append(logged)
    run.finish()
    return made


def main(answer: str) -> None:
    """Write both projects."""
    sweeps = {name: wandb.sweep(config, project="p") for name, config in SWEEPS.items()}
    made = _maker()
    run = wandb.init(project="other", id="lender")
    run.log_artifact(_artifact("lent", "dataset", "lent", metadata={"from": "other"})).wait()
    run.finish()
    run = wandb.init(project="p", id="taker", settings=wandb.Settings(sweep_id=sweeps["smallest"]))
    for artifact in made[1:]:
        run.use_artifact(artifact)
    run.use_artifact("sandbox/other/lent:latest")
    run.log({"loss": 0.25})
    run.finish()
    api = wandb.Api(timeout=60)
    moved = api.artifact("sandbox/p/set1:a1")
    moved.aliases.append("best")
    moved.aliases.remove("a1")
    moved.save()
    time.sleep(1)  # times are whole seconds, and a collection of links is younger than its versions
    for number in (1, 0):
        api.artifact(f"sandbox/p/set1:v{number}").link("sandbox/p/winners", aliases=[f"pick{number}"])
    api.artifact("sandbox/p/set0:v0").link("sandbox/other/afar")
    Path(answer).write_text(json.dumps(sweeps))


if __name__ == "__main__":
    main(sys.argv[1])
