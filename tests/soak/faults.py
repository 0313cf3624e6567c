"""Storms of random faults over random syncs; after each, one clean sync must make everything equal to a fresh one.

Run by itself: `python tests/soak/faults.py --minutes 3 --seed 1` (with `tests` on `PYTHONPATH`).
"""

import argparse
import contextlib
import io
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from faults.world import enter, run_cli
from support import query, training
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.warehouse import content_digest

__all__ = ["run"]

OPERATIONS = (
    "ListRuns", "RunDetails", "ParquetExports", "HistoryWindows", "Viewer", ".parquet", "RunFiles", "EventCounts",
    "OutputArtifacts", "Sweeps", "Reports", "",
)  # fmt: skip
KINDS: tuple[tuple[str, tuple[float | str | None, ...]], ...] = (
    ("status", (400, 401, 403, 404, 429, 500, 502, 503, 504)),
    ("rate_limit", (0, "reset:0", "soon")),
    ("reset", (None,)),
    ("truncate", (0.1, 0.9)),
    ("gzip_cut", (0.3, 0.9)),
    ("html", (None,)),
    ("graphql_error", (None, "partial", "permission denied", "internal server error", "deadline exceeded")),
    ("project_null", (None,)),
    ("expired_url", (None,)),
    ("redirect", ("http://127.0.0.1:9/",)),
    (
        "headers",
        ("date: Thu, 01 Jan 2099 00:00:00 GMT", "date: Thu, 01 Jan 1998 00:00:00 GMT", "content-type: a/b"),
    ),
    ("big_body", (5 * 2**20,)),
)
EXIT_CODES = {0, 2, 3, 4, 5, 6}


class _Storm:
    """One project that lives on, a warehouse of it, and what is thrown at their syncs."""

    def __init__(self, box: Sandbox, rng: random.Random, place: Path) -> None:
        self.box = box
        self.rng = rng
        self.place = place
        self.runs: list[str] = []

    def live(self) -> None:
        """Let one to four things happen to the project."""
        actions: list[Callable[[], None]] = [self._begin, self._go_on, self._edit, self._export]
        for _ in range(self.rng.randint(1, 4)):
            self.rng.choice(actions if self.runs else [self._begin])()

    def _begin(self) -> None:
        run_id = f"run-{len(self.runs):03}-id"
        rows = training(self.rng.randint(0, 60), seed=self.rng.randrange(1000))
        self.box.add_run("e", "p", run_id, rows=rows, config={"seed": self.rng.random()})
        self.runs.append(run_id)

    def _go_on(self) -> None:
        run_id = self.rng.choice(self.runs)
        first = len(self.box.store.projects["e", "p"].runs[run_id].history)
        self.box.append_rows("e", "p", run_id, training(self.rng.randint(1, 20), seed=first, first=first))

    def _edit(self) -> None:
        self.box.edit("e", "p", self.rng.choice(self.runs), tags=[f"t{self.rng.randrange(99)}"])

    def _export(self) -> None:
        self.box.export("e", "p", self.rng.choice(self.runs), self.rng.randint(0, 60))

    def faults(self) -> list[Fault]:
        """One to three faults that strike some times or for ever, at once or in the middle."""
        found = []
        for _ in range(self.rng.randint(1, 3)):
            kind, values = self.rng.choice(KINDS)
            found.append(
                Fault(
                    kind,
                    self.rng.choice(OPERATIONS),
                    times=self.rng.choice((1, 2, -1)),
                    value=self.rng.choice(values),
                    skip=self.rng.choice((0, 0, 1, 3)),
                )
            )
        return found

    @contextlib.contextmanager
    def disk(self) -> Iterator[None]:
        """In one storm of four, no file may grow beyond some size."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self.rng.random() < 0.25:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(10 ** self.rng.uniform(3, 7)), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def sync(self) -> int:
        """Sync under faults; gives the exit code, having looked at what was said and at what is left."""
        for fault in self.faults():
            self.box.inject(fault)
        with self.disk():
            ended = run_cli(
                "sync", "e/p", "-w", self.place, *self.rng.choice(([], ["--sweep"], ["--full-refresh"]))
            )
        self.box.faults.clear()
        if ended.code not in EXIT_CODES:
            raise AssertionError(f"exit code {ended.code}: {ended.err}")
        if ended.code:
            assert ended.line.startswith("error: ")
        assert not list(self.place.parent.glob(f"{self.place.name}.work-*"))
        return ended.code


def run(seed: int, minutes: float) -> dict[str, object]:
    """Storm for some minutes.

    Returns:
        storms (each one to three faulty syncs and a clean one), syncs by exit code, differences (storms after which
        the warehouse was not that of a fresh sync), failures in words, tombstones (runs marked as deleted, though none
        ever was), seed, seconds.
    """
    rng = random.Random(seed)
    codes: dict[int, int] = {}
    failures: list[str] = []
    storms = differences = tombstones = 0
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="storms-"))
    places = {"duckdb": folder / "wandb.duckdb", "filesystem": folder / "lake"}
    try:
        with pytest.MonkeyPatch.context() as patch, Sandbox() as box:
            enter(patch, box, folder)
            runs: list[str] = []
            while time.monotonic() - started < 60 * minutes:
                place = places[rng.choice(list(places))]
                storm = _Storm(box, rng, place)
                storm.runs = runs
                fresh = folder / f"fresh-{storms}.duckdb"
                problems = []
                for _ in range(rng.randint(1, 3)):
                    storm.live()
                    try:
                        code = storm.sync() if place.exists() else _first(place)
                        codes[code] = codes.get(code, 0) + 1
                    except AssertionError as error:
                        problems.append(f"storm {storms}: {error}")
                clean = run_cli("sync", "e/p", "-w", place)
                assert run_cli("sync", "e/p", "-w", fresh).code == 0
                if clean.code or content_digest(place) != content_digest(fresh):
                    differences += 1
                    problems.append(f"storm {storms}: {clean.err or _differing(place, fresh)}")
                gone = query(place, "SELECT count(*) FROM runs WHERE deleted_at IS NOT NULL")
                tombstones += int(gone[0][0])
                failures += problems
                fresh.unlink()
                storms += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "storms": storms,
        "codes": dict(sorted(codes.items())),
        "differences": differences,
        "failures": failures,
        "tombstones": tombstones,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
    }


def _first(place: Path) -> int:
    """The first sync of a place meets no fault: it is what the storms begin with."""
    destination = "duckdb" if place.suffix else "filesystem"
    return run_cli("sync", "e/p", "-w", place, "--destination", destination).code


def _differing(place: Path, fresh: Path) -> list[str]:
    have, want = content_digest(place), content_digest(fresh)
    return [table for table in want if have[table] != want[table]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line, and print what was found as JSON; 1 where anything was."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    noise = io.StringIO()
    with contextlib.redirect_stderr(noise):
        found: dict[str, Any] = run(given.seed, given.minutes)
    text = json.dumps(found, indent=2) + "\n"
    if given.json:
        given.json.write_text(text)
    sys.stdout.write(text)
    return int(bool(found["differences"] or found["failures"] or found["tombstones"]))


if __name__ == "__main__":
    sys.exit(main())
