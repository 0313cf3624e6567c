"""A project of generated runs in a sandbox, to be read by two clients: every kind of value, and of lack."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from wandb_warehouse.sandbox import Sandbox

__all__ = ["EXPORTED", "LIVE", "RUNS", "fill"]

LIVE = "live"
"""Project whose rows are live."""
EXPORTED = "exported"
"""Project whose rows are in parquet exports."""
RUNS = 220
"""Runs generated, over both projects."""

_START = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
_STATES = ("finished", "finished", "finished", "failed", "crashed", "killed")
_TAGS = ("baseline", "Größe", "it's", "ablation", "v2")


def _config(rng: random.Random, number: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "lr": rng.choice([1e-4, 0.01, 0.5, 1, 3e-05]),
        "batch": rng.choice([16, 32, 64]),
        "optimizer": {"name": rng.choice(["adam", "sgd"]), "betas": [0.9, 0.999], "eps": 1e-8},
        "augment": rng.random() < 0.5,
        "seed": number,
    }
    if rng.random() < 0.3:
        config |= {"note": None, "empty": {}, "layers": [1, "two", {"three": 3.5}], "big": 2**60 + number}
    return config


def _row(rng: random.Random, step: int, kind: int) -> dict[str, Any]:
    row: dict[str, Any] = {"_step": step, "_timestamp": 1.77e9 + step * 1.5, "_runtime": step * 1.5 + 0.25}
    if kind % 11 != 10:
        row["loss"] = math.exp(-step / 20) + rng.random() / 10
    row["epoch"] = step // 5
    if kind % 3 == 0 and step % 4 == 0:
        row["val/acc"] = rng.random()
    if kind % 5 == 0:
        row["ok"] = step % 2 == 0
    if kind % 7 == 0 and step % 3 == 0:
        row["phase"] = rng.choice(["warm up", "train", "größer"])
    if kind % 9 == 0:
        row["whole"] = float(step * 2)
    if kind % 13 == 0 and step % 5 == 0:
        row["histogram"] = {"_type": "histogram", "values": [1, 2, step], "bins": [0.0, 0.5, 1.0, 2.5]}
    if kind % 17 == 0:
        row["nested"] = {"inner": {"value": step / 8}}
    return row


def _rows(rng: random.Random, number: int) -> list[dict[str, Any]]:
    if number % 20 == 19:
        return []
    steps = range(rng.randrange(2, 60))
    if number % 8 == 7:
        steps = range(0, 300, 9)
    return [_row(rng, step, number) for step in steps]


def _events(rng: random.Random, number: int) -> list[dict[str, Any]]:
    if number % 2:
        return []
    return [
        {
            "_wandb": True,
            "_timestamp": 1.77e9 + 15 * place + 0.125,
            "_runtime": 15.0 * place,
            "system.cpu": round(rng.random() * 100, 2),
            **({"system.gpu.0.gpu": rng.randrange(100)} if place % 2 else {}),
        }
        for place in range(number % 7 + 1)
    ]


def fill(box: Sandbox) -> None:
    """Put the runs into the sandbox, half of them exported."""
    rng = random.Random(20261126)
    for number in range(RUNS):
        project = EXPORTED if number % 2 else LIVE
        run_id = f"run{number:04}"
        created = _START + timedelta(seconds=7 * number)
        rows = _rows(rng, number)
        summary = {
            **(rows[-1] if rows else {}),
            "best": {"loss": rng.random(), "at": number},
            "_wandb": {"runtime": 9},
        }
        box.add_run(
            box.entity,
            project,
            run_id,
            config=_config(rng, number),
            summary=summary,
            rows=rows,
            events=_events(rng, number),
            state=rng.choice(_STATES),
            tags=rng.sample(_TAGS, rng.randrange(4)),
            created_at=created.isoformat(),
            heartbeat_at=(created + timedelta(minutes=3)).isoformat(),
            name=f"name {number % 30}",
            user=rng.choice(["ada", "grace", None]),
            group=rng.choice([None, "seeds", "sizes"]),
            job_type=rng.choice([None, "train", "eval"]),
            notes=rng.choice([None, "", "a note, größer"]),
            commit=rng.choice([None, "0a1b2c"]),
        )
        if project == EXPORTED:
            box.export(box.entity, project, run_id)
