"""Writes a sweep, and data sets, models and an evaluation that come from each other, with the official client.

Run as a script. Arguments: project, file for the answer.
"""

import json
import sys
from pathlib import Path
from typing import Any

import wandb

SWEEP = {
    "name": "tuning ü",
    "method": "bayes",
    "metric": {"name": "accuracy", "goal": "maximize"},
    "parameters": {"lr": {"min": 1e-05, "max": 0.1}, "optimizer": {"values": ["adam", "sgd"]}},
}


def artifact(name: str, kind: str, text: str) -> Any:
    """An artifact of one file."""
    made = wandb.Artifact(name, type=kind, metadata={"text": text})
    with made.new_file("data.txt") as file:
        file.write(text)
    return made


def main(project: str, answer: str) -> None:
    """Raw data, cleaned data made of it, two models of each, and an evaluation of the last."""
    sweep = wandb.sweep(SWEEP, project=project)
    settings = wandb.Settings(x_disable_stats=True, console="off")

    def init(name: str, **more: Any) -> Any:
        return wandb.init(project=project, id=name, name=f"the {name}", settings=settings, **more)

    with init("collect", job_type="data") as run:
        run.log_artifact(artifact("raw", "dataset", "raw words")).wait()
    with init("clean", job_type="data", config={"lr": None}) as run:
        run.use_artifact("raw:latest")
        run.log_artifact(artifact("clean", "dataset", "words"), aliases=["checked"]).wait()
    for number, rate in enumerate((0.1, 0.01)):
        with init(f"train-{number}", job_type="train", config={"lr": rate}) as run:
            run.use_artifact("clean:checked")
            run.use_artifact("raw:v0")
            run.log({"loss": rate, "accuracy": 1 - rate})
            run.log_artifact(artifact("classifier", "model", f"weights {rate}"), aliases=[f"lr{rate}"]).wait()
            run.log_artifact(artifact(f"head.{number}", "model", "w" * (number + 5))).wait()
    with init("evaluate", job_type="eval") as run:
        run.use_artifact("classifier:lr0.01")
        run.summary["accuracy"] = 0.75
    Path(answer).write_text(json.dumps({"sweep": sweep}))


if __name__ == "__main__":
    main(*sys.argv[1:])
