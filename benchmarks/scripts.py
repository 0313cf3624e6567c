"""The analysis scripts of docs/scripts: by the official client from a server, and over a warehouse of the same runs.

One line differs, the import. Each side runs all of them in a fresh process per repetition, the official client with an
empty cache; imports are timed on neither side. What both write and print is compared where they must agree: sampled
rows are other ones at every call of the server, so where there are more rows than the samples asked for, the figures
of curves are not.

A script waits for its client, and works itself: it writes CSV and draws, the same on both sides. What an `Api` can do
for it is to let it wait less, so the goals are for that; how much faster the whole script is, is told beside it.
"""

from typing import Any

from benchmarks.harness import Figure, Server, folder, latencies, median, ratio, task
from benchmarks.script_runner import OFFICIAL, OURS, SCRIPTS
from benchmarks.serve import Shape, Size

SCENARIO = "scripts"
GOALS = {0.0: 10.0, 0.05: 100.0}
SAMPLED, SAMPLES = "learning_curves", 1_000
"""The script that reads sampled rows, and how many it asks for."""
NAMES = [script.stem for script in SCRIPTS]

Pair = tuple[dict[str, Any], dict[str, Any]]
"""What both sides tell of a repetition: theirs, ours."""


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure."""
    shape = Shape(500, 2_000, 8, distinct=40, config=9, team=True).at(size)
    imported = _imported(shape)
    figures = []
    with Server(shape, latencies(size)) as server, folder() as place:
        warehouse = str(place / "wandb.duckdb")
        task("sync", {**server.at(0.0), "warehouse": warehouse})
        for latency in server.latencies:
            asked = {**server.at(latency), "warehouse": warehouse}
            pairs = []
            for _ in range(repetitions):
                server.requests()
                ours = task("scripts", {**asked, "client": OURS, "modules": imported[OURS]})
                assert server.requests() == 0
                theirs = task("scripts", {**asked, "client": OFFICIAL, "modules": imported[OFFICIAL]})
                _compare(theirs, ours, shape)
                pairs.append((theirs, ours))
            where = f"{shape.runs} runs, {shape.rows:,} rows each, {latency * 1000:.0f} ms"
            figures += _figures(where, pairs, GOALS[latency])
    return figures


def _imported(shape: Shape) -> dict[str, list[str]]:
    """What the scripts import on their way, by client: found out with next to no runs."""
    with Server(shape.at("tiny")) as server, folder() as place:
        asked = {**server.at(0.0), "warehouse": str(place / "wandb.duckdb"), "modules": []}
        task("sync", asked)
        return {
            client: task("scripts", {**asked, "client": client})["modules"] for client in (OURS, OFFICIAL)
        }


def _compare(theirs: dict[str, Any], ours: dict[str, Any], shape: Shape) -> None:
    for name in NAMES:
        agree = theirs["written"][name] == ours["written"][name]
        sampled = name == SAMPLED and shape.rows > SAMPLES
        assert agree or sampled, f"{name}: the two sides wrote other files"


def _figures(where: str, pairs: list[Pair], goal: float) -> list[Figure]:
    figures = []
    for name in [*NAMES, "all five"]:
        waited = [(_of(theirs["waited"], name), _of(ours["waited"], name)) for theirs, ours in pairs]
        took = [(_of(theirs["took"], name), _of(ours["took"], name)) for theirs, ours in pairs]
        note = "client {}, we {}".format(*map(_shown, zip(*waited, strict=True)))
        figures.append(ratio(SCENARIO, f"{where}: {name}, waits less", waited, goal, note=note))
        note = "client {}, we {}".format(*map(_shown, zip(*took, strict=True)))
        figures.append(ratio(SCENARIO, f"{where}: {name}, ends sooner", took, None, note=note))
    return figures


def _of(seconds: dict[str, float], name: str) -> float:
    return seconds[name] if name in seconds else sum(seconds.values())


def _shown(seconds: tuple[float, ...]) -> str:
    return f"{median(seconds) * 1000:,.0f} ms"
