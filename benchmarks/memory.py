"""Peak memory of a first sync, by the number of values: it must not grow with them.

python -m benchmarks.memory 100        one sync of 100 million values, by hand
"""

import sys

from benchmarks.harness import Figure, Server, task
from benchmarks.serve import Shape

SCENARIO = "memory"
MEGABYTE = 1_000_000


def run(*, quick: bool, repetitions: int) -> list[Figure]:
    """Measure once each, whatever the `repetitions`: a peak varies little. `quick` stops at 10 million values."""
    del repetitions
    peaks = [_peak(millions) for millions in ([2, 10] if quick else [10, 30])]
    few, many = peaks
    growth = many.value / few.value
    return [
        *peaks,
        Figure(SCENARIO, f"{many.what} / {few.what.split(' ')[0]} million", growth, 1.25, at_least=False),
    ]


def _peak(millions: int) -> Figure:
    shape = Shape(round(millions * MEGABYTE / 60_000), 5_000, 12, distinct=64)
    with Server(shape, [0.0]) as server:
        outcome = task("sync", server.at(0.0))
    assert outcome["values"] == shape.values
    peak = outcome["memory"] / MEGABYTE
    return Figure(SCENARIO, f"{millions} million values", peak, 700, " MB", at_least=False)


if __name__ == "__main__":
    print(_peak(int(sys.argv[1])))
