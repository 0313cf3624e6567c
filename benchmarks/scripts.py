"""The analysis scripts of docs/scripts: by the official client from a server, and over a warehouse of the same runs.

One line differs, the import. Each side runs all of them in a fresh process per repetition, the official client with an
empty cache; imports are timed on neither side. What both write and print is compared where they must agree: sampled
rows are other ones at every call of the server, so where there are more rows than the samples asked for, the figures
of curves are not.
"""

from benchmarks.harness import Figure, Server, folder, latencies, ratio, task
from benchmarks.script_runner import SCRIPTS
from benchmarks.serve import Shape, Size

SCENARIO = "scripts"
GOALS = {0.0: 10.0, 0.05: 100.0}
SAMPLED, SAMPLES = "learning_curves", 1_000
"""The script that reads sampled rows, and how many it asks for."""


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure."""
    names = [script.stem for script in SCRIPTS]
    shape = Shape(300, 2_000, 8, config=9, team=True).at(size)
    compared = [name for name in names if name != SAMPLED or shape.rows <= SAMPLES]
    figures = []
    with Server(shape, latencies(size)) as server, folder() as place:
        warehouse = str(place / "wandb.duckdb")
        task("sync", {**server.at(0.0), "warehouse": warehouse})
        for latency in server.latencies:
            asked = {**server.at(latency), "warehouse": warehouse}
            pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in [*names, "all"]}
            for _ in range(repetitions):
                server.requests()
                ours = task("scripts", {**asked, "ours": True})
                assert server.requests() == 0
                theirs = task("scripts", {**asked, "ours": False})
                for name in names:
                    pairs[name].append((theirs["each"][name], ours["each"][name]))
                    agree = theirs["written"][name] == ours["written"][name]
                    assert agree or name not in compared, f"{name}: the two sides wrote other files"
                pairs["all"].append((theirs["seconds"], ours["seconds"]))
            where = f"{shape.runs} runs, {shape.rows:,} rows each, {latency * 1000:.0f} ms"
            for name, taken in pairs.items():
                what = f"{where}: {name} over the warehouse"
                last = taken[-1]
                note = f"last {last[0]:.3g} s and {last[1]:.3g} s"
                figures.append(ratio(SCENARIO, what, taken, GOALS[latency], note=note))
    return figures
