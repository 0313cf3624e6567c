"""10,000 runs with config and summary: the first sync without history, and the sync that finds nothing new."""

import subprocess
import sys
import time

from benchmarks.harness import ENVIRONMENT, Figure, Server, folder, latencies, median, ratio, task
from benchmarks.serve import Shape, Size

SCENARIO = "listing"
GOALS = {0.0: 3.0, 0.05: 20.0}
TABLES = ["runs", "run_config", "run_summary", "run_tags"]
"""What the client reads as well; a sync that names no tables also asks for files, artifacts and more of every run."""


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure."""
    shape = Shape(10_000, 0, 0, config=15, distinct=1).at(size)
    figures = []
    with Server(shape, latencies(size)) as server:
        for latency in server.latencies:
            pairs = []
            for _ in range(repetitions):
                ours = task("sync", {**server.at(latency), "history": "none", "resources": TABLES})
                theirs = task("list_runs", server.at(latency))
                assert theirs["runs"] == shape.runs
                pairs.append((theirs["seconds"], ours["seconds"]))
            where = f"{shape.runs:,} runs, {latency * 1000:.0f} ms"
            figures.append(
                ratio(SCENARIO, f"{where}: faster than api.runs(lazy=False)", pairs, GOALS[latency])
            )
        figures += _nothing_new(server, repetitions)
    return figures


def _nothing_new(server: Server, repetitions: int) -> list[Figure]:
    """Whole processes: the command line's second sync against an interpreter that imports dlt and duckdb."""
    requests, pairs = [], []
    with folder() as place:
        known = {**server.at(0.0), "warehouse": str(place / "wandb.duckdb")}
        task("sync", known)
        server.requests()
        for _ in range(repetitions):
            started = time.perf_counter()
            outcome = task("sync", {**known, "nothing_new": True})
            ours = time.perf_counter() - started
            assert not outcome["published"]
            requests.append(server.requests())
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import dlt, duckdb"], check=True, env=ENVIRONMENT)
            pairs.append((ours, time.perf_counter() - started))
    where = f"nothing new in {server.shape.runs:,} runs"
    spread = (min(requests), max(requests))
    return [
        Figure(SCENARIO, f"{where}: requests", median(requests), 5, "", at_least=False, spread=spread),
        ratio(SCENARIO, f"{where}: time of importing dlt and duckdb", pairs, 2.0, at_least=False),
    ]
