"""Histories that have no exports yet: our sync against the official client's loop, both reading live rows."""

from benchmarks.harness import LATENCIES, Figure, Server, ratio, task
from benchmarks.serve import Shape

GOALS = {0.0: 5.0, 0.05: 8.0}


def run(*, quick: bool, repetitions: int) -> list[Figure]:
    """Measure; `quick` takes a quarter of the runs."""
    shape, sample = Shape(10 if quick else 40, 5_000, 12, exported=False), 5
    figures = []
    with Server(shape) as server:
        for latency in LATENCIES:
            pairs = []
            for _ in range(repetitions):
                ours = task("sync", server.at(latency))
                assert ours["values"] == shape.values
                theirs = task("scan_history", {**server.at(latency), "runs": sample})
                assert theirs["rows"] == sample * shape.rows
                pairs.append((theirs["seconds"] * shape.runs / sample, ours["seconds"]))
            figures.append(
                ratio(
                    "live rows",
                    f"dense, {latency * 1000:.0f} ms: faster than scan_history",
                    pairs,
                    GOALS[latency],
                    note=f"client measured on {sample} of {shape.runs} runs, scaled",
                )
            )
    return figures
