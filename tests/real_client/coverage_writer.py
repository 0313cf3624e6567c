"""Writes artifacts, files, a sweep, console lines and system samples with the official client. Run as a script.

Arguments: how many of each, file for the answer.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import wandb

SWEEP = {
    "name": "tuning",
    "method": "random",
    "metric": {"name": "loss", "goal": "minimize"},
    "run_cap": 7,
    "parameters": {"lr": {"min": 1e-05, "max": 0.1}, "seed": {"values": ["007", 8, None, True]}},
}


def _maker(many: int) -> list[Any]:
    """A run with many files and many artifacts."""
    run = wandb.init(project="p", id="maker", settings=wandb.Settings(x_stats_sampling_interval=0.1))
    for number in range(many):
        name = f"note {number} ü%.txt"
        Path(name).write_text(str(number))
        run.save(name, policy="now")
    made = []
    for number in range(many):
        artifact = wandb.Artifact(
            f"set{number % 3}",
            type="dataset" if number % 3 else "model",
            description=f"about {number}",
            metadata={"n": number, "x": [1.5, None]},
        )
        with artifact.new_file("data.txt") as file:
            file.write(f"contents {number}")
        made.append(run.log_artifact(artifact, aliases=[f"a{number}"], tags=["t1", "t2"]))
    for artifact in made:
        artifact.wait()
    sys.stdout.write("to stdout ü\n")
    sys.stderr.write("to stderr\n")
    time.sleep(1)  # some samples of the system
    run.log({"loss": 1})
    run.finish()
    return made


def main(many: int, answer: str) -> None:
    """Write the project `p`, and a run of another project that uses an artifact of it."""
    sweep = wandb.sweep(SWEEP, project="p")
    made = _maker(many)
    run = wandb.init(project="p", id="taker")
    for artifact in made:
        run.use_artifact(artifact)
    run.finish()
    run = wandb.init(project="other", id="lender")
    artifact = wandb.Artifact("lent", type="dataset")
    with artifact.new_file("data.txt") as file:
        file.write("lent")
    run.log_artifact(artifact).wait()
    run.finish()
    settings = wandb.Settings(sweep_id=sweep)
    run = wandb.init(project="p", id="swept", config={"lr": 0.01}, settings=settings)
    run.use_artifact("sandbox/other/lent:latest")
    run.log({"loss": 0.25})
    run.finish()
    moved = wandb.Api(timeout=60).artifact("sandbox/p/set1:a1")
    moved.aliases.append("best")
    moved.aliases.remove("a1")
    moved.save()
    Path(answer).write_text(json.dumps({"sweep": sweep}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
