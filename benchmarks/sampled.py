"""Sampled histories: our sync into a published file against the official client's `Runs.histories` into a frame.

Both ask for the same metrics of the same runs, and our sync for no other tables but `runs`, without which it does not
go. The client is answered with one sample of the rows that have all of the metrics; we ask for every metric by itself,
since metrics logged apart have no rows in common.
"""

from benchmarks.harness import Figure, Server, latencies, ratio, task
from benchmarks.serve import Shape, Size

SCENARIO = "sampled"
SAMPLES = 500
KEYS = ["_runtime", "_timestamp", "loss", "train/metric_1"]
"""The first two come with every sync that chooses keys, so the client is asked for them as well."""
GOALS = {0.0: 3.0, 0.05: 30.0}


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure."""
    shape = Shape(1_000, 2_000, 8, exported=False).at(size)
    sample = min(200, shape.runs)
    rows = min(SAMPLES, shape.rows)
    figures = []
    with Server(shape, latencies(size)) as server:
        for latency in server.latencies:
            asked = {
                **server.at(latency),
                "history": "sampled",
                "samples": SAMPLES,
                "keys": KEYS,
                "resources": ["runs", "history_sampled"],
            }
            pairs = []
            for _ in range(repetitions):
                ours = task("sync", asked)
                assert ours["values"] == shape.runs * rows * len(KEYS)
                theirs = task("histories", {**asked, "runs": sample})
                assert theirs["values"] == sample * rows * len(KEYS)
                pairs.append((theirs["seconds"] * shape.runs / sample, ours["seconds"]))
            figures.append(
                ratio(
                    SCENARIO,
                    f"{shape.runs:,} runs, {latency * 1000:.0f} ms: faster than Runs.histories",
                    pairs,
                    GOALS[latency],
                    note=f"client measured on {sample} of {shape.runs} runs, scaled",
                )
            )
    return figures
