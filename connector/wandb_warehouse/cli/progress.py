"""Progress of a sync on stderr: a live bar on a terminal, one line every few seconds elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from wandb_warehouse.client import Stats
from wandb_warehouse.resources import ExtractionReport

__all__ = ["watch_sync"]

_LINE_EVERY = 5.0
_REDRAW_EVERY = 0.2


def watch_sync(console: Console) -> Callable[[ExtractionReport, Stats], AbstractContextManager[None]]:
    """Return what shows a running sync on the console: the two objects it counts in are read, never written."""

    @contextmanager
    def watching(report: ExtractionReport, stats: Stats) -> Iterator[None]:
        done = threading.Event()
        show = _show_bar if console.is_terminal else _show_lines
        thread = threading.Thread(target=show, args=(console, report, stats, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    return watching


def _summary(report: ExtractionReport, stats: Stats, seconds: float) -> str:
    per_second = report.values / seconds if seconds > 0 else 0.0
    text = (
        f"{report.values:,} values ({_short(per_second)}/s), {stats.requests} requests, {_bytes(stats.bytes)}"
    )
    if stats.waited_seconds >= 1:
        text += f", waited {stats.waited_seconds:.0f} s for W&B's limits"
    return text


def _show_bar(console: Console, report: ExtractionReport, stats: Stats, done: threading.Event) -> None:
    started = time.monotonic()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[phase]}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} runs"),
        TextColumn("{task.fields[summary]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=0, phase=report.phase, summary="")
        while not done.wait(_REDRAW_EVERY):
            progress.update(
                task,
                total=report.runs_changed or report.runs_listed,
                completed=report.runs_done,
                phase=report.phase,
                summary=_summary(report, stats, time.monotonic() - started),
            )


def _show_lines(console: Console, report: ExtractionReport, stats: Stats, done: threading.Event) -> None:
    started = time.monotonic()
    while not done.wait(_LINE_EVERY):
        seconds = time.monotonic() - started
        total = report.runs_changed or report.runs_listed
        console.print(
            f"{report.phase}: {report.runs_done} of {total} runs, {_summary(report, stats, seconds)}, {seconds:.0f} s"
        )


def _short(number: float) -> str:
    for unit in ("", "k", "M"):
        if number < 1000:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}G"


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"
