"""Full histories from parquet exports: our published sync against the official client's loop and against the floor."""

from benchmarks.harness import Figure, Server, latencies, ratio, task
from benchmarks.serve import Shape, Size

SCENARIO = "full history"
SHAPES = {
    "dense": (Shape(200, 5_000, 12), 10, {0.0: 8.0, 0.05: 10.0}),
    "many": (Shape(2_000, 500, 10), 50, {0.0: 8.0, 0.05: 30.0}),
}
"""Runs to serve, runs of them the official client reads (its time is scaled up), and the goals by latency."""


def dense(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure few long runs."""
    return _measure("dense", size=size, repetitions=repetitions)


def many(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure many short runs."""
    return _measure("many", size=size, repetitions=repetitions)


def _measure(name: str, *, size: Size, repetitions: int) -> list[Figure]:
    whole, most, goals = SHAPES[name]
    shape = whole.at(size)
    sample = min(most, shape.runs)
    figures = []
    with Server(shape, latencies(size)) as server:
        for latency in server.latencies:
            official, floor = [], []
            for _ in range(repetitions):
                ours = task("sync", server.at(latency))
                assert ours["values"] == shape.values
                theirs = task("scan_history", {**server.at(latency), "runs": sample})
                assert theirs["rows"] == sample * shape.rows
                least = task("floor", server.at(latency))
                assert least["values"] == shape.values
                official.append((theirs["seconds"] * shape.runs / sample, ours["seconds"]))
                floor.append((ours["seconds"], least["seconds"]))
            where = f"{name}, {latency * 1000:.0f} ms"
            scaled = f"client measured on {sample} of {shape.runs} runs, scaled"
            figures += [
                ratio(SCENARIO, f"{where}: faster than scan_history", official, goals[latency], note=scaled),
                ratio(SCENARIO, f"{where}: time of the floor", floor, 1.5, at_least=False),
            ]
    return figures
