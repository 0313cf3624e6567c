"""Peak memory of a first sync, by the number of values: it must not grow with them.

python -m benchmarks.memory 100        one sync of 100 million values, by hand
"""

import sys

from benchmarks.harness import Figure
from benchmarks.serve import Size
from benchmarks.stored import MILLIONS, first_sync

SCENARIO = "memory"
MEGABYTE = 1_000_000


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure once each, whatever the `repetitions`: a peak varies little."""
    del repetitions
    sizes = MILLIONS[size]
    peaks = [_peak(millions) for millions in sizes]
    growth = peaks[-1].value / peaks[0].value
    what = f"{sizes[-1]:g} million values / {sizes[0]:g} million"
    return [*peaks, Figure(SCENARIO, what, growth, 1.25, at_least=False)]


def _peak(millions: float) -> Figure:
    """Most resident memory of the process that synced: interpreter, libraries and DuckDB's buffers included."""
    outcome = first_sync(millions).outcome
    took = f"first sync in {outcome['seconds']:.0f} s"
    peak = outcome["memory"] / MEGABYTE
    return Figure(SCENARIO, f"{millions:g} million values", peak, 700, " MB", at_least=False, note=took)


if __name__ == "__main__":
    print(_peak(float(sys.argv[1])))
