"""Logs tables of every kind with the official client. Run as a script; argument: rows of a long table."""

import datetime as dt
import sys
from typing import Any

import wandb
from wandb.sdk.data_types.table import JoinedTable, PartitionedTable

NAN = float("nan")


def plain() -> dict[str, wandb.Table]:
    """Tables of values that JSON has a form for."""
    typed = wandb.Table(columns=["n", "s", "b", "o", "l", "d"], allow_mixed_types=True)
    typed.add_data(1, "NaN", True, None, [1, [2, NAN]], {"x": {"y": 1}})
    typed.add_data(NAN, "Infinity", False, None, [], {})
    typed.add_data(float("-inf"), 'é😀 "q"\n\0', None, 3, ["a"], {"z": [None]})
    typed.add_data(2**60 + 1, "", True, -0.0, None, None)
    return {
        "typed/ü": typed,
        "same names": wandb.Table(
            columns=["a", "a", "损失", ""],
            data=[[1, "x", None, 1], [2.5, "y", True, 2]],
            allow_mixed_types=True,
        ),
        "no rows": wandb.Table(columns=["a", "b"], data=[]),
        "nothing": wandb.Table(columns=[], data=[]),
    }


def main(many: int) -> None:
    """Write the run `r` of project `t`."""
    run = wandb.init(project="t", id="r")
    for key, table in plain().items():
        run.log({key: table})
    run.log({"nest": {"ed": wandb.Table(columns=["q"], data=[[1]])}})
    page = wandb.Html("<b>ü</b>")
    when = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    run.log({"media": wandb.Table(columns=["page", "when"], data=[[page, when]])})
    run.log({"long": wandb.Table(columns=["n"], data=[[n] for n in range(many)])})
    for mode in ("MUTABLE", "INCREMENTAL"):
        table = wandb.Table(columns=["k", "v"], log_mode=mode)
        for number in range(3):
            table.add_data(number, number**2)
            run.log({mode: table})
    run.log({"two": [wandb.Table(columns=["q"], data=[[n]]) for n in range(2)]})
    _of_artifacts(run)
    run.summary["final"] = wandb.Table(columns=["q"], data=[[9]])
    run.finish()


def _of_artifacts(run: Any) -> None:
    """Tables made of others, which only an artifact can hold."""
    left = wandb.Table(columns=["id", "x"], data=[[1, "a"], [2, "b"]])
    right = wandb.Table(columns=["id", "y"], data=[[1, "c"]])
    artifact = wandb.Artifact("parts", type="dataset")
    artifact.add(left, "p/one")
    artifact.add(wandb.Table(columns=["id", "x"], data=[[3, "c"]]), "p/two")
    artifact.add(right, "right")
    whole: Any = PartitionedTable
    joined: Any = JoinedTable
    artifact.add(whole("p"), "whole")
    artifact.add(joined(left, right, "id"), "joined")
    run.log_artifact(artifact).wait()
    held = run.use_artifact("parts:latest")
    run.log({"whole": held.get("whole")})
    run.log({"joined": held.get("joined")})


if __name__ == "__main__":
    main(int(sys.argv[1]))
