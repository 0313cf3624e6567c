"""Judges generated programs: each compiled, run, and compared with what Node.js gives.

`python -m operations.judge.trial [SEED] [COUNT]`, in tests/, prints the counts, the refusals, and where answers differ.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from operations.judge.answers import answers, differences, rows_of
from operations.judge.grammar import programs
from operations.judge.harsh_runs import GIVEN, harsh_world
from operations.world import World
from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import Given, compile_operation

__all__ = ["Verdict", "judged", "trial"]


@dataclass
class Verdict:
    """What became of some programs."""

    count: int = 0
    equal: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Programs that are not compiled, or whose SQL refuses the data; each with the reason."""
    differ: list[tuple[str, str]] = field(default_factory=list)
    """Programs whose answers differ; each with where."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Programs whose SQL does not run."""
    unjudged: list[tuple[str, str]] = field(default_factory=list)
    """Programs that Node.js cannot run."""
    slowest: float = 0.0
    """Seconds of the slowest compilation."""

    def line(self) -> str:
        """The counts in one line."""
        counts = {"equal": self.equal, "differ": len(self.differ), "refused": len(self.refused)}
        counts |= {"failed": len(self.failed), "unjudged": len(self.unjudged)}
        return f"{self.count} programs: " + ", ".join(f"{number} {name}" for name, number in counts.items())


def judged(
    world: World, connection: duckdb.DuckDBPyConnection, texts: Sequence[str], *, patience: float = 5
) -> Verdict:
    """Compile, run and compare each text; SQL that runs longer than `patience` seconds has failed."""
    verdict = Verdict(len(texts))
    for text, answer in zip(texts, answers(world, texts, GIVEN), strict=True):
        start = time.perf_counter()
        try:
            operation = compile_operation(text, given=Given(runs=GIVEN))
        except OperationError as error:
            verdict.refused.append((text, str(error)))
            continue
        finally:
            verdict.slowest = max(verdict.slowest, time.perf_counter() - start)
        if "error" in answer:
            verdict.unjudged.append((text, answer["error"]))
            continue
        timer = threading.Timer(patience, connection.interrupt)
        timer.start()
        try:
            found = rows_of(connection, operation)
        except duckdb.InvalidInputException as error:
            verdict.refused.append((text, f"when it runs: {error}"))
            continue
        except duckdb.Error as error:
            verdict.failed.append((text, f"{type(error).__name__}: {str(error).splitlines()[0]}"))
            continue
        finally:
            timer.cancel()
        said = differences(answer, found)
        if said is None:
            verdict.equal += 1
        else:
            verdict.differ.append((text, said))
    return verdict


def trial(seed: int, count: int, folder: Path, *, depth: int = 3, patience: float = 5) -> Verdict:
    """Judge programs of a seed, nested so deep at most, over runs of the same seed."""
    world = harsh_world(seed)
    texts = [program.text for program in programs(seed, count, depth)]
    with duckdb.connect(world.write(folder), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return judged(world, connection, texts, patience=patience)


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Print the verdict of a seed."""
    seed, count = (int(text) for text in (*sys.argv[1:], "1", "400")[:2]) if len(sys.argv) > 2 else (1, 400)
    with tempfile.TemporaryDirectory() as folder:
        verdict = trial(seed, count, Path(folder))
    for name in ("refused", "unjudged", "failed", "differ"):
        found: list[tuple[str, str]] = getattr(verdict, name)
        write(f"\n# {name}: {len(found)}")
        reasons = Counter(reason.split(": ", 1)[-1][:90] for _, reason in found) if name != "differ" else {}
        for reason, number in Counter(reasons).most_common():
            write(f"{number:5} {reason}")
        for text, reason in found[:80]:
            write(f"- {text!r}\n    {reason[:400]}")
    write(f"\nslowest compilation {verdict.slowest * 1000:.0f} ms\n{verdict.line()}")


if __name__ == "__main__":
    main()
