"""The analysis scripts of docs/scripts: by the official client from a server, and over a warehouse of the same runs.

One line differs, the import. Each side runs all of them in a fresh process per repetition, the official client with an
empty cache; imports are timed on neither side. What both write and print is compared where they must agree: sampled
rows are other ones at every call of the server, so where there are more rows than the samples asked for, the figures
of curves are not.

Writing CSV and drawing take as long on both sides. So it is told, too, how long the scripts take when an `Api` gives
everything from memory, and the ratio without that.
"""

from typing import Any

from benchmarks.harness import Figure, Server, folder, latencies, ratio, task
from benchmarks.script_runner import SCRIPTS
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
    shape = Shape(300, 2_000, 8, config=9, team=True).at(size)
    imported = _imported(shape)
    figures = []
    with Server(shape, latencies(size)) as server, folder() as place:
        warehouse = str(place / "wandb.duckdb")
        task("sync", {**server.at(0.0), "warehouse": warehouse})
        for latency in server.latencies:
            asked = {**server.at(latency), "warehouse": warehouse}
            pairs = []
            for number in range(repetitions):
                server.requests()
                ours = task("scripts", {**asked, **_side(imported, ours=True), "own": number == 0})
                assert server.requests() == 0
                theirs = task("scripts", {**asked, **_side(imported, ours=False)})
                _compare(theirs, ours, shape)
                pairs.append((theirs, ours))
            where = f"{shape.runs} runs, {shape.rows:,} rows each, {latency * 1000:.0f} ms"
            figures += _figures(where, pairs, GOALS[latency])
    return figures


def _imported(shape: Shape) -> dict[bool, list[str]]:
    """What the scripts import on their way, by whether they are ours: found out with next to no runs."""
    with Server(shape.at("tiny")) as server, folder() as place:
        asked = {**server.at(0.0), "warehouse": str(place / "wandb.duckdb")}
        task("sync", asked)
        nothing: dict[bool, list[str]] = {True: [], False: []}
        return {
            ours: task("scripts", {**asked, **_side(nothing, ours=ours)})["modules"] for ours in (True, False)
        }


def _side(imported: dict[bool, list[str]], *, ours: bool) -> dict[str, Any]:
    return {"ours": ours, "modules": imported[ours], "own": False}


def _compare(theirs: dict[str, Any], ours: dict[str, Any], shape: Shape) -> None:
    for name in NAMES:
        agree = theirs["written"][name] == ours["written"][name]
        sampled = name == SAMPLED and shape.rows > SAMPLES
        assert agree or sampled, f"{name}: the two sides wrote other files"


def _figures(where: str, pairs: list[Pair], goal: float) -> list[Figure]:
    figures = []
    own = pairs[0][1]["own"]
    for name in NAMES:
        taken = [(theirs["each"][name], ours["each"][name]) for theirs, ours in pairs]
        note = f"{taken[-1][1] * 1000:.0f} ms, of which the script itself {own[name] * 1000:.0f} ms"
        figures.append(ratio(SCENARIO, f"{where}: {name}, faster than by the client", taken, goal, note=note))
    taken = [(theirs["seconds"], ours["seconds"]) for theirs, ours in pairs]
    figures.append(ratio(SCENARIO, f"{where}: all five, faster than by the client", taken, goal))
    itself = sum(own.values())
    rest = [(theirs - itself, max(ours - itself, 1e-3)) for theirs, ours in taken]
    alone = ratio(SCENARIO, f"{where}: all five but for their own work", rest, goal)
    return [*figures, alone]
