"""Run every scenario and write the result table and chart.

    python -m benchmarks.run [--quick] [--repetitions N] [--keep] [SCENARIO ...]

Results go to `benchmarks/results.json` scenario by scenario, and from there into docs/benchmarks.md (between its two
marks), docs/benchmarks.svg and docs/growth.svg. With `--quick` and `--keep` the documents stay as they are.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import full_history, growth, listing, live_rows, memory, queries, sampled, scripts
from benchmarks.chart import chart, curves
from benchmarks.harness import ROOT, Figure

Scenario = Callable[..., list[Figure]]
SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "dense": (full_history.dense, 4),
    "many": (full_history.many, 6),
    "live_rows": (live_rows.run, 5),
    "sampled": (sampled.run, 5),
    "listing": (listing.run, 9),
    "scripts": (scripts.run, 10),
    "memory": (memory.run, 4),
    "queries": (queries.run, 2),
    "growth": (growth.run, 3),
}
"""What there is to measure, in order, and the minutes it takes; the last three share first syncs made by `memory`."""
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- results: written by `make bench` -->\n", "<!-- end of results -->\n"


def main() -> None:
    """Measure, print and write."""
    expected = ", ".join(f"{name} {minutes}" for name, (_, minutes) in SCENARIOS.items())
    total = sum(minutes for _, minutes in SCENARIOS.values())
    parser = argparse.ArgumentParser(
        description="Measure, and write the result table and its charts.",
        epilog=f"Minutes with five repetitions on two free cores: {expected}; in all {total}. "
        "queries and growth take three more minutes where memory was not measured before them.",
    )
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help="one of those below; all where none is named"
    )
    parser.add_argument("--quick", action="store_true", help="less data, fewer repetitions, nothing written")
    parser.add_argument("--repetitions", type=int, help="5 unless given, 2 with --quick")
    parser.add_argument("--keep", action="store_true", help="leave results and documents as they are")
    asked = parser.parse_args()
    unknown = [name for name in asked.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}")
    repetitions = asked.repetitions or (2 if asked.quick else 5)
    for name in asked.scenarios or SCENARIOS:
        print(name, flush=True)
        load, started = os.getloadavg()[0], time.time()
        figures = SCENARIOS[name][0](size="quick" if asked.quick else "full", repetitions=repetitions)
        for figure in figures:
            print("  " + " | ".join(row(figure)), flush=True)
        if not (asked.quick or asked.keep):
            machine = (
                describe_machine()
                | {"repetitions": repetitions}
                | {
                    "load": round(load, 1),
                    "minutes": round((time.time() - started) / 60, 1),
                }
            )
            save(name, figures, machine)
            write_page()


def describe_machine() -> dict[str, Any]:
    """Processor, memory, system and versions."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line), "")
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory": f"{memory_bytes / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("duckdb", "dlt", "pyarrow", "wandb", "pandas")},
        "day": time.strftime("%Y-%m-%d"),
    }


def save(name: str, figures: list[Figure], machine: dict[str, Any]) -> None:
    """Replace a scenario's results."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def write_page() -> None:
    """Put the table into the page, and draw the chart."""
    results = json.loads(RESULTS.read_text())
    figures = [
        Figure(**{**figure, "spread": tuple(figure["spread"])})
        for name in SCENARIOS
        if name in results
        for figure in results[name]["figures"]
    ]
    lines = ["| scenario | what | median | least to most | goal | met | |", "|---|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row(figure)) + " |" for figure in figures]
    described = [
        f"- `{name}`: {_described(results[name]['machine'])}" for name in SCENARIOS if name in results
    ]
    drawn = [figure for figure in figures if figure.curve]
    if drawn:
        (ROOT / "docs" / "growth.svg").write_text(curves(drawn))
        lines += ["", "![Seconds of a sync by the values stored](growth.svg)"]
    text = PAGE.read_text()
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(before + START + "\n".join(["", *lines, "", *described, "", ""]) + END + after)
    ratios = [figure for figure in figures if figure.unit == "x" and figure.goal is not None]
    (ROOT / "docs" / "benchmarks.svg").write_text(chart(ratios))


def _described(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{library} {number}" for library, number in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']},"
        f" Python {machine['python']}, {versions}; {machine['day']}, {machine['repetitions']} repetitions"
        f" in {machine['minutes']} minutes, load {machine['load']} when it began"
    )


def row(figure: Figure) -> tuple[str, ...]:
    """Cells of the result table."""
    sign = "≥" if figure.at_least else "≤"
    spread = "" if figure.spread == (0, 0) else f"{figure.spread[0]:.3g} to {figure.spread[1]:.3g}"
    goal = "" if figure.goal is None else f"{sign} {figure.goal:g}{figure.unit}"
    met = {True: "yes", False: "no", None: ""}[figure.met]
    return (
        figure.scenario, figure.what, f"{figure.value:.3g}{figure.unit}", spread, goal, met, figure.note
    )  # fmt: skip


if __name__ == "__main__":
    main()
