"""Thirty small trainings, written by the official client: the everyday project. Run as a script."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import wandb

Row = dict[str, Any]
Training = Callable[[np.random.Generator, dict[str, Any]], Iterator[Row]]


def _blobs(rng: np.random.Generator, classes: int) -> tuple[Any, Any]:
    """Points around one centre per class, and their classes."""
    centres = rng.normal(0, 3, (classes, 2))
    labels = rng.integers(0, classes, 120)
    return centres[labels] + rng.normal(0, 1, (120, 2)), labels


def logistic_regression(rng: np.random.Generator, config: dict[str, Any]) -> Iterator[Row]:
    """Gradient descent on the log loss of two classes."""
    points, labels = _blobs(rng, 2)
    weights, bias = np.zeros(2), 0.0
    for epoch in range(config["epochs"]):
        odds = 1 / (1 + np.exp(-(points @ weights + bias)))
        loss = -np.mean(np.log(np.where(labels == 1, odds, 1 - odds) + 1e-12))
        error = odds - labels
        gradient = points.T @ error / len(points)
        weights, bias = weights - config["lr"] * gradient, bias - config["lr"] * error.mean()
        row = {
            "epoch": epoch,
            "train": {"loss": loss, "accuracy": np.mean((odds > 0.5) == labels)},
            "grad/norm": np.linalg.norm(gradient),
        }
        yield row | ({"weights": wandb.Histogram(weights)} if epoch % 10 == 9 else {})


def linear_regression(rng: np.random.Generator, config: dict[str, Any]) -> Iterator[Row]:
    """Stochastic gradient descent, one sample a step; a rate that is too large diverges to infinity and NaN."""
    points = rng.normal(0, 1, (200, 3))
    truth = points @ np.array([1.0, -2.0, 0.5]) + rng.normal(0, 0.1, 200)
    weights = np.zeros(3)
    for step in range(config["epochs"] * 4):
        sample = rng.integers(0, 200)
        with np.errstate(all="ignore"):
            residual = points[sample] @ weights - truth[sample]
            weights = weights - config["lr"] * residual * points[sample]
            loss = np.float32(residual**2)
        yield {"loss": loss, "sample": sample} | ({"w0": float(weights[0])} if step % 7 == 0 else {})


def k_means(rng: np.random.Generator, config: dict[str, Any]) -> Iterator[Row]:
    """Lloyd's iterations until nothing moves: runs of unequal length."""
    points, _ = _blobs(rng, config["k"])
    centres = points[rng.choice(len(points), config["k"], replace=False)]
    for _ in range(config["epochs"]):
        distances = np.linalg.norm(points[:, None] - centres, axis=2)
        nearest = distances.argmin(axis=1)
        moved = np.array(
            [
                points[nearest == j].mean(axis=0) if (nearest == j).any() else centres[j]
                for j in range(config["k"])
            ]
        )
        shift = float(np.abs(moved - centres).max())
        yield {
            "inertia": float((distances.min(axis=1) ** 2).sum()),
            "shift": shift,
            "sizes": np.bincount(nearest, minlength=config["k"]).tolist(),
            "converged": shift == 0,
        }
        if shift == 0:
            return
        centres = moved


def perceptron(rng: np.random.Generator, config: dict[str, Any]) -> Iterator[Row]:
    """One hidden layer, full batches; validation every fifth epoch only."""
    points, labels = _blobs(rng, 3)
    train, valid = slice(0, 90), slice(90, 120)
    first = rng.normal(0, 0.5, (2, config["hidden"]))
    second = rng.normal(0, 0.5, (config["hidden"], 3))

    def forward(part: slice) -> tuple[Any, Any, float, float]:
        hidden = np.tanh(points[part] @ first)
        scores = hidden @ second
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        truth = labels[part]
        loss = float(-np.log(odds[np.arange(len(truth)), truth] + 1e-12).mean())
        return hidden, odds, loss, float((odds.argmax(axis=1) == truth).mean())

    for epoch in range(config["epochs"]):
        hidden, odds, loss, accuracy = forward(train)
        odds[np.arange(90), labels[train]] -= 1
        back = (odds @ second.T) * (1 - hidden**2)
        second = second - config["lr"] * hidden.T @ odds / 90
        first = first - config["lr"] * points[train].T @ back / 90
        row: Row = {"train/loss": loss, "train/acc": accuracy, "lr": config["lr"] * 0.99**epoch}
        if epoch % 5 == 4:
            _, _, row["val/loss"], row["val/acc"] = forward(valid)
        yield row


def power_iteration(rng: np.random.Generator, config: dict[str, Any]) -> Iterator[Row]:
    """The first principal component by power iteration, with steps counted by the user."""
    points = rng.normal(0, 1, (100, 5)) * np.arange(1, 6)
    matrix = points.T @ points / 100
    vector = rng.normal(0, 1, 5)
    for _ in range(config["epochs"]):
        product = matrix @ vector
        vector = product / np.linalg.norm(product)
        value = float(vector @ matrix @ vector)
        yield {"eigenvalue": value, "residual": float(np.linalg.norm(matrix @ vector - value * vector))}


TRAININGS: dict[Training, list[dict[str, Any]]] = {
    logistic_regression: [{"lr": lr, "epochs": 60} for lr in (1, 0.3, 0.1, 0.03, 0.01, 0.001)],
    linear_regression: [{"lr": lr, "epochs": 40} for lr in (0.001, 0.01, 0.05, 0.1, 0.5, 4)],
    k_means: [{"k": k, "epochs": 50} for k in (2, 3, 4, 5, 6, 8)],
    perceptron: [{"lr": lr, "hidden": hidden, "epochs": 50} for lr in (0.5, 0.1, 0.02) for hidden in (4, 16)],
    power_iteration: [{"epochs": epochs, "tol": None} for epochs in (5, 10, 20, 40, 60, 80)],
}


def main(project: str) -> None:
    """Write every training as a run of its own."""
    settings = wandb.Settings(x_disable_stats=True, console="off")
    for training, configs in TRAININGS.items():
        for number, config in enumerate(configs):
            name = training.__name__
            seed = sum(map(ord, name)) + number
            run = wandb.init(
                project=project,
                id=f"{name}-{number}",
                name=f"{name.replace('_', ' ')} {number}",
                group=name,
                job_type="train",
                tags=[name, f"seed-{seed}"],
                config={**config, "seed": seed, "optimizer": {"name": "gd", "betas": [0.9, 0.999]}},
                settings=settings,
            )
            for row in training(np.random.default_rng(seed), config):
                run.log(row)
            run.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
