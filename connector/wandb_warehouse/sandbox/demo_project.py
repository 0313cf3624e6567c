"""A believable project to look at: a small sweep of image classifiers, made up from a seed.

Pure standard library, so that it runs wherever the package does.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["demo_runs"]

_UNTIL = datetime(2026, 3, 20, 18, 0, tzinfo=UTC)
_SPAN = timedelta(days=21)
_USERS = ("ada", "edsger", "grace")
_RUN_ID = "abcdefghijklmnopqrstuvwxyz0123456789"
_CLASSES = 10
_WIDTH = 16  # buckets of a histogram


@dataclass(frozen=True)
class _Model:
    """One family of models: how well it can do, the learning rate it does it at, seconds per step."""

    name: str
    parameters: int
    floor: float
    best_lr: float
    pace: float


_MODELS = (
    _Model("linear", 7_850, 0.46, 0.02, 0.21),
    _Model("mlp", 203_530, 0.31, 0.005, 0.34),
    _Model("cnn", 421_642, 0.22, 0.002, 0.72),
    _Model("resnet", 2_797_610, 0.17, 0.001, 1.45),
)
_RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
_BATCHES = (32, 64, 128, 256)

# What becomes of the runs by place: state, share of the steps done, and whether the loss diverges.
_FATES = {
    4: ("failed", 0.45, True),
    9: ("crashed", 0.62, False),
    14: ("failed", 0.08, False),
    18: ("killed", 0.3, False),
}
_CYCLE = 24
_NOTES = {
    0: "First baseline; everything after is compared with this one.",
    4: "Diverged: the learning rate is too high without warm-up.",
    9: "Lost the node.",
    14: "Out of memory at the larger batch.",
}


def _config(rng: random.Random, place: int, steps: int, *, diverges: bool) -> dict[str, Any]:
    model = _MODELS[place % len(_MODELS)]
    name = "sgd" if diverges or rng.random() < 0.3 else "adamw"
    optimizer: dict[str, Any] = {
        "name": name,
        "lr": 1.5 if diverges else rng.choice(_RATES),
        "weight_decay": rng.choice((0.0001, 0.01)),
        "schedule": {"kind": "cosine", "warmup_steps": 0 if diverges else max(1, steps // 20)},
    }
    optimizer |= {"momentum": 0.9, "nesterov": True} if name == "sgd" else {"betas": [0.9, 0.999]}
    return {
        "dataset": "fashion-mnist",
        "model_type": model.name,
        "parameters": model.parameters,
        "batch_size": rng.choice(_BATCHES),
        "dropout": rng.choice((None, 0.1, 0.25)),
        "augment": rng.random() < 0.5,
        "steps": steps,
        "seed": rng.randrange(10_000),
        "optimizer": optimizer,
    }


def _learning_rate(config: dict[str, Any], step: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    peak, warmup = config["optimizer"]["lr"], config["optimizer"]["schedule"]["warmup_steps"]
    if step < warmup:
        return float(peak * (step + 1) / (warmup + 1))
    done = (step - warmup) / max(1, config["steps"] - warmup)
    return float(peak * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2))


def _histogram(rng: random.Random, spread: float) -> dict[str, Any]:
    bins = [spread * (2 * place / _WIDTH - 1) for place in range(_WIDTH + 1)]
    counts = [0] * _WIDTH
    for _ in range(256):
        place = int((rng.gauss(0, spread / 3) / spread + 1) / 2 * _WIDTH)
        counts[min(max(place, 0), _WIDTH - 1)] += 1
    return {"_type": "histogram", "bins": bins, "values": counts}


@dataclass(frozen=True)
class _Curve:
    """Course of a loss: an exponential fall to a floor set by the configuration, with noise."""

    floor: float
    rate: float
    noise: float
    gap: float
    diverges_at: float

    @classmethod
    def of(cls, config: dict[str, Any], *, diverges: bool) -> "_Curve":
        model = next(model for model in _MODELS if model.name == config["model_type"])
        miss = abs(math.log10(config["optimizer"]["lr"] / model.best_lr))
        regular = (config["dropout"] or 0.0) + (0.15 if config["augment"] else 0.0)
        return cls(
            floor=model.floor * (1 + 0.6 * miss) + 0.1 * regular,
            rate=9.0 / (1 + miss),
            noise=0.35 / math.sqrt(config["batch_size"]),
            gap=0.09 * (1 - min(0.8, 2 * regular)),
            diverges_at=0.2 if diverges else math.inf,
        )

    def loss(self, done: float, jitter: float) -> float:
        """Loss when a share of the run is done; it explodes, then is NaN, where the run diverges."""
        calm = self.floor + (math.log(_CLASSES) - self.floor) * math.exp(-self.rate * done)
        if done >= 1.5 * self.diverges_at:
            return math.nan
        blown = math.exp(60 * (done - self.diverges_at)) if done > self.diverges_at else 1.0
        return max(0.01, calm * (1 + self.noise * jitter)) * blown


def _accuracy(loss: float, jitter: float) -> float:
    """Share of right answers that goes with a loss; chance level once the loss is no number."""
    if math.isnan(loss):
        return 1 / _CLASSES
    # Through chance level at the loss of a guess, and 90 % at a loss of 0.25.
    return min(0.9995, max(0.05, math.exp(-0.72 * loss**1.39) + 0.006 * jitter))


def _rows(
    rng: random.Random, place: int, config: dict[str, Any], steps: int, *, diverges: bool
) -> list[dict[str, Any]]:
    curve = _Curve.of(config, diverges=diverges)
    pace = next(model.pace for model in _MODELS if model.name == config["model_type"])
    runtime = rng.uniform(2.0, 6.0)
    rows = []
    for step in range(steps):
        done = step / config["steps"]
        runtime = round(runtime + pace * rng.uniform(0.9, 1.15), 6)
        loss = curve.loss(done, rng.gauss(0, 1))
        row: dict[str, Any] = {
            "_step": step,
            "_timestamp": runtime,  # until the run's creation time is known
            "_runtime": runtime,
            "epoch": step * config["batch_size"] // 6_000,
            "lr": _learning_rate(config, step),
            "train/loss": loss,
            "train/accuracy": _accuracy(loss, rng.gauss(0, 1)),
            "perf": {"samples_per_second": config["batch_size"] / pace * rng.uniform(0.9, 1.05)},
        }
        if step % 10 == 9:
            held_out = loss + curve.gap * done + 0.01 * rng.gauss(0, 1)
            row |= {"val/loss": held_out, "val/accuracy": _accuracy(held_out, rng.gauss(0, 1))}
        if place % _CYCLE == 2 and step % 50 == 0:
            row["gradients/head"] = _histogram(rng, 0.5 / (1 + 4 * done) + 0.01)
        if place % _CYCLE == 3:
            row["phase"] = "warmup" if step < config["optimizer"]["schedule"]["warmup_steps"] else "train"
        rows.append(row)
    return rows


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Last value of every key as the client keeps it, and the best accuracy a script would add."""
    summary: dict[str, Any] = {}
    for row in rows:
        summary |= row
    if rows:
        seconds = int(rows[-1]["_runtime"])
        summary |= {"_runtime": seconds, "_wandb": {"runtime": seconds}}
    best = max((row["val/accuracy"] for row in rows if "val/accuracy" in row), default=None)
    return summary if best is None else summary | {"best_val_accuracy": best}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def demo_runs(
    *, seed: int = 7, runs: int = 24, steps: int = 400, until: datetime = _UNTIL
) -> Iterator[dict[str, Any]]:
    """Keyword arguments for `Sandbox.add_run`, one set per run; the same seed gives the same project.

    The runs were created in the three weeks before `until`. Most are finished; a few failed (one of them
    because its loss diverged to NaN), crashed or were killed, and the last two still run, with a sign of life
    at `until`: pass the present for them to stay alive.

    Example:
        >>> next(demo_runs())["config"]["dataset"]
        'fashion-mnist'
    """
    for place in range(runs):
        rng = random.Random(f"{seed}/{place}")
        running = runs > 2 and place >= runs - 2
        state, share, diverges = _FATES.get(place % _CYCLE, ("finished", 1.0, False))
        if running:
            state, share, diverges = "running", rng.uniform(0.3, 0.8), False
        config = _config(rng, place, steps, diverges=diverges)
        wanted = until - _SPAN + _SPAN * ((place + 0.6 * rng.random()) / runs)
        rows = _rows(rng, place, config, max(1, int(steps * share)), diverges=diverges)
        elapsed = timedelta(seconds=rows[-1]["_runtime"] + 2.0)
        created = until - elapsed if running else min(wanted, until - elapsed)
        created = created.replace(microsecond=0)
        for row in rows:
            row["_timestamp"] = round(row["_timestamp"] + created.timestamp(), 6)
        model = config["model_type"]
        yield {
            "run_id": "".join(rng.choices(_RUN_ID, k=8)),
            "name": f"{model}-lr{config['optimizer']['lr']:g}-bs{config['batch_size']}-{place + 1}",
            "config": config,
            "summary": _summary(rows),
            "rows": rows,
            "state": state,
            "tags": ["baseline"] if place < len(_MODELS) else ["sweep", "augmented"][: 1 + config["augment"]],
            "notes": _NOTES.get(place % _CYCLE, ""),
            "created_at": _iso(created),
            "heartbeat_at": _iso(until if running else created + elapsed),
            "group": f"fashion-mnist-{model}",
            "job_type": "train" if place % 6 else "finetune",
            "user": _USERS[place % len(_USERS)],
        }
