"""Runs the tests that can be of any length at many times the length they have in `make test`.

Which these are their files say: those that import `tests/lengths.py`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lengths import VARIABLE

__all__ = ["main", "modules"]

ROOT = Path(__file__).parents[2]
TIMES = 8


def modules() -> list[str]:
    """Files of tests whose length can be chosen, below the root of the checkout."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if "from lengths import" in path.read_text()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line: 0 where every test passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="give up after so long")
    parser.add_argument("--seed", type=int, default=0, help="of the examples")
    parser.add_argument("--times", type=int, default=TIMES, help="as many examples as in `make test`")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf"),
        *(f"--timeout={60 * given.minutes:.0f}", f"--hypothesis-seed={given.seed}", *modules()),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, VARIABLE: str(given.times)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=60 * given.minutes,
            check=False,
        )
        said, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        said, code = "FAILED the time was up", 1
    sys.stdout.write(said)
    passed = re.search(r"(\d+) passed", said)
    found = {
        "seed": given.seed,
        "times": given.times,
        "passed": int(passed[1]) if passed else 0,
        "failed": re.findall(r"^FAILED (.*)", said, re.MULTILINE) or ["no test was run"] * bool(code),
        "seconds": round(time.monotonic() - started),
    }
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(bool(code))


if __name__ == "__main__":
    sys.exit(main())
