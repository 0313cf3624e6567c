"""Runs the long tests, one after the other: `python -m tests.soak.run [--seed S] [--minutes M] [NAME...]`.

Each is a module of this package with `main(arguments)`, which takes --seed, --minutes and --json, and gives 0 where
every promise held. What they found stands in `results.json` beside this file,
and from there in docs/reliability.md.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from soak import page

__all__ = ["SOAKS", "Soak", "main"]

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Soak:
    """A long test."""

    name: str
    module: str
    minutes: float
    """How long it takes at most, where nothing else is asked for."""
    arguments: tuple[str, ...] = ()


SOAKS = (
    Soak("kills", "kills", 40, ("--kills", "500")),
    Soak("signals", "kills", 3, ("--kills", "40", "--signals")),
    Soak("server life", "machine", 60, ("--sequences", "1000")),
    Soak("storms of faults", "faults", 5),
    Soak("lengths", "lengths", 60),
    Soak("mutants", "mutants", 30),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [soak.name for soak in SOAKS]
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all where none is named"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="for each, instead of its own")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    failed = []
    for soak in SOAKS:
        if given.names and soak.name not in given.names:
            continue
        sys.stdout.write(f"{soak.name}\n")
        sys.stdout.flush()
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "results.json"
            minutes = soak.minutes if given.minutes is None else given.minutes
            code = import_module(f"soak.{soak.module}").main(
                [*soak.arguments, "--seed", str(given.seed), "--minutes", str(minutes), "--json", str(told)]
            )
            found = json.loads(told.read_text()) if told.exists() else {}
        results[soak.name] = {
            "held": code == 0,
            "seconds": round(time.monotonic() - started, 1),
            "found": found,
        }
        RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
        page.write(results)
        failed += [soak.name] if code else []
    if failed:
        sys.stdout.write(f"broken promises: {', '.join(failed)}\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
