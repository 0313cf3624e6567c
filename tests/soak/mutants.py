"""Breaks the code on purpose, where it matters, and tells whether the tests notice: `python -m tests.soak.mutants`.

Each mutant is one replacement in one file, made in a copy of the checkout; the tests named beside it must fail there.
A mutant whose text is no longer in the code is a failure too: the table has to follow the code.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MUTANTS", "Mutant", "main"]

ROOT = Path(__file__).parents[2]
COPIED = ("connector", "sql", "tests", "pipelines", ".dlt", "pyproject.toml", "docs", "README.md")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way of being wrong."""

    what: str
    file: str
    """Below `connector/wandb_warehouse/`."""
    right: str
    wrong: str
    tests: tuple[str, ...]
    """Arguments of pytest: one of the tests they select must fail."""


LISTING = ("tests/resources/test_listing.py",)
CONVERGENCE = ("tests/sync/test_convergence.py", "-m", "not slow")

MUTANTS = (
    Mutant(
        "the cursor is read without a lag",
        "resources/listing.py", "LAG = timedelta(minutes=15)", "LAG = timedelta(0)", LISTING,
    ),
    Mutant(
        "`>` in place of `>=` at the cursor",
        "resources/listing.py", '{"heartbeat_at": {"$gte": since}}', '{"heartbeat_at": {"$gt": since}}', LISTING,
    ),
    Mutant(
        "the cursor is the last heartbeat seen",
        "resources/extraction.py",
        "Cursor(self._rounds.started[path], Cursor.text(",
        "Cursor(max([m.heartbeat_at for m in seen.moved if m.heartbeat_at], default=self._rounds.started[path]),"
        " Cursor.text(",
        LISTING,
    ),
    Mutant(
        "no sweep is ever due",
        "resources/listing.py", "return now - swept.time >= SWEEP_AFTER", "return False", LISTING,
    ),
    Mutant(
        "publishing copies in place of the rename",
        "warehouse/build.py", "self.path.replace(target)", "target.write_bytes(self.path.read_bytes())",
        ("tests/warehouse/test_build.py",),
    ),
    Mutant(
        "a history that is replaced is not deleted first",
        "sync/load.py",
        'build.delete_runs(["history"], [_key(r) for r in results if r.outcome and r.outcome.replaces])',
        "pass",
        ("tests/sync/test_incremental.py", "-m", "not slow"),
    ),
    Mutant(
        "a run that cannot be looked at counts as gone",
        "resources/absent.py", "found.unknown[run_ids[0]] = one_line(error)",
        "found.gone.append(run_ids[0])", CONVERGENCE,
    ),
    Mutant(
        "a list that does not add up proves absence",
        "resources/listing.py",
        "listing.complete = whole and not filters and not hidden and counted",
        "listing.complete = whole and not filters",
        LISTING,
    ),
    Mutant(
        "filters delete what they leave out",
        "resources/listing.py",
        "listing.complete = whole and not filters and not hidden and counted",
        "listing.complete = whole and not hidden and counted",
        CONVERGENCE,
    ),
    Mutant(
        "any number of deletions is believed",
        "resources/absent.py", "return gone > max(_FEW, held / _SHARE)", "return False", CONVERGENCE,
    ),
    Mutant(
        "the key is sent to signed addresses",
        "client/blobs.py",
        'request = httpx.Request("GET", target, headers=self._headers, extensions=self._extensions)',
        'request = httpx.Request("GET", target, headers=[*self._headers, ("Authorization", "Basic a2V5")],'
        " extensions=self._extensions)",
        ("tests/client/test_blobs.py", "tests/client/test_secrecy.py"),
    ),
    Mutant(
        "two syncs at a time",
        "warehouse/lock.py", "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass",
        ("tests/warehouse/test_lock.py",),
    ),
    Mutant(
        "the proof finds and says nothing",
        "sync/load.py", "_raise_differences(differences)", "pass",
        ("tests/sync/test_faults.py", "-k", "proof"),
    ),
    Mutant(
        "a quoted NaN stays text",
        "arrow/history.py", '_NONFINITE = {"NaN": float("nan"), ', "_NONFINITE = {", ("tests/arrow",),
    ),
    Mutant(
        "a rewind to the same length is not seen",
        "resources/history.py",
        "return tail if alive and held.last_timestamp is not None else None",
        "return None",
        ("tests/sync/test_incremental.py", "-m", "not slow"),
    ),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line: 0 where every mutant was noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60, help="begin no further one after so long")
    parser.add_argument("--seed", type=int, default=0, help="of no consequence here")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", metavar="WORDS", help="those whose description has these words")
    given = parser.parse_args(arguments)
    started, noticed, missed = time.monotonic(), [], []
    for mutant in MUTANTS:
        if given.only and given.only not in mutant.what:
            continue
        if time.monotonic() - started > 60 * given.minutes:
            missed.append(f"{mutant.what}: not tried, the time was up")
            continue
        why = _missed(mutant)
        sys.stdout.write(f"{'MISSED ' if why else 'noticed'} {mutant.what}{f': {why}' if why else ''}\n")
        sys.stdout.flush()
        if why:
            missed.append(f"{mutant.what}: {why}")
        else:
            noticed.append(mutant.what)
    found = {"noticed": noticed, "missed": missed, "seconds": round(time.monotonic() - started)}
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(bool(missed))


def _missed(mutant: Mutant) -> str:
    """Why a mutant was not noticed; empty where it was."""
    with tempfile.TemporaryDirectory(prefix="wandb-warehouse-mutant-") as folder:
        place = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place / name)
        broken = place / "connector" / "wandb_warehouse" / mutant.file
        text = broken.read_text()
        if text.count(mutant.right) != 1:
            return f"{mutant.file} has its text {text.count(mutant.right)} times"
        broken.write_text(text.replace(mutant.right, mutant.wrong))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(place / "connector"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    # 1 is a failed test; anything else is a run that did not come to one.
    if done.returncode == 1:
        return ""
    return f"the tests ended with {done.returncode}: {' '.join(done.stdout.split())[-200:]}"


if __name__ == "__main__":
    sys.exit(main())
