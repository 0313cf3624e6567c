"""Histories that have no exports yet: our sync against the official client's loop, both reading live rows."""

from benchmarks.harness import Figure, Server, latencies, ratio, task
from benchmarks.serve import Shape, Size

GOALS = {0.0: 5.0, 0.05: 8.0}


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure."""
    shape = Shape(200, 5_000, 12, exported=False).at(size)
    sample = min(5, shape.runs)
    figures = []
    with Server(shape, latencies(size)) as server:
        for latency in server.latencies:
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
