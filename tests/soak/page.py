"""Writes what the long tests found into docs/reliability.md, between its two marks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["END", "PAGE", "START", "rows", "write"]

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
START, END = "<!-- found: written by `make soak` -->\n", "<!-- end of what was found -->\n"

Found = Mapping[str, Any]
Row = tuple[str, str, str]
"""Promises, what was done, what came of it."""


def _kills(found: Found) -> list[Row]:
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(found["by_destination"].items()))
    return [
        (
            "P1",
            (
                f"{found['kills']} syncs killed with `kill -9` before, in or after a write, rename, statement or "
                f"commit ({kinds}), each followed by one sync"
            ),
            f"{len(found['differences'])} differences, {len(found['left_behind'])} files left behind",
        ),
        ("P2", f"{found['reads']} reads of the published warehouse meanwhile", f"{len(found['torn'])} torn"),
        (
            "P9",
            f"{found['refused']} second syncs",
            f"{len(found['overlaps'])} overlapped; the slowest was refused in {found['slowest_refusal']:.2f} s",
        ),
    ]


def _signals(found: Found) -> list[Row]:
    what = f"{found['signalled']} syncs stopped by SIGTERM or SIGINT at any moment"
    trouble = sum(len(found[name]) for name in ("differences", "torn", "left_behind"))
    came = f"{trouble} differences, torn reads or files left behind"
    return [("signals", what, f"{came}; the slowest ended in {found['slowest_end']:.1f} s")]


def _life(found: Found) -> list[Row]:
    done = ", ".join(f"{name} {count}" for name, count in sorted(found["operations"].items()))
    return [
        (
            "P4",
            f"{found['sequences']} lives of a server under sync ({done})",
            f"{found['differences']} differences after a sweep",
        ),
        ("P3", f"{found['sequences']} further syncs of a server at rest", "0 published, 0 digests changed"),
    ]


def _storms(found: Found) -> list[Row]:
    syncs = sum(found["codes"].values())
    return [
        (
            "P7, P15",
            f"{found['storms']} storms of faults, {syncs} syncs in them",
            (
                f"{found['differences']} differences after a clean sync, {found['tombstones']} runs marked as deleted, "
                f"{len(found['failures'])} ends without an exit code of their own"
            ),
        )
    ]


def _lengths(found: Found) -> list[Row]:
    return [
        (
            "P5",
            (
                f"{found['passed']} tests at {found['times']} times the length they have in `make test`: properties, "
                "with any JSON through the wire among them, and arrangements of the server"
            ),
            f"{len(found['failed'])} failed",
        )
    ]


def _mutants(found: Found) -> list[Row]:
    return [
        (
            "the tests",
            f"{len(found['noticed']) + len(found['missed'])} breakages on purpose: {'; '.join(found['noticed'])}",
            f"{len(found['missed'])} unnoticed",
        )
    ]


_ROWS: Mapping[str, Callable[[Found], list[Row]]] = {
    "kills": _kills,
    "signals": _signals,
    "server life": _life,
    "storms of faults": _storms,
    "lengths": _lengths,
    "mutants": _mutants,
}


def rows(results: Mapping[str, Any]) -> list[str]:
    """Lines of the table of what was found; a soak that was not run has none."""
    lines = ["| promise | what was done | what came of it | seed | minutes |", "|---|---|---|---|---|"]
    for name, told in _ROWS.items():
        if name in results and results[name]["found"]:
            seed = results[name]["found"].get("seed", "")
            minutes = f"{results[name]['seconds'] / 60:.1f}"
            lines += [f"| {' | '.join(row)} | {seed} | {minutes} |" for row in told(results[name]["found"])]
    return lines


def write(results: Mapping[str, Any]) -> None:
    """Put the table into the page."""
    text = PAGE.read_text()
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(before + START + "\n".join(["", *rows(results), "", ""]) + END + after)
