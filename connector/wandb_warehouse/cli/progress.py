"""Progress of a sync on stderr: a live bar on a terminal, one line every few seconds elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from wandb_warehouse.client import Stats
from wandb_warehouse.resources import ExtractionReport

__all__ = ["watch_sync"]

_LINE_EVERY = 5.0
_REDRAW_EVERY = 0.2
_WIDE = 120  # columns from which the bar need not give way to the figures


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
        text += f", waited {stats.waited_seconds:.0f} s for limits and retries"
    return text


def _figures(report: ExtractionReport, stats: Stats, seconds: float) -> str:
    """The summary, short enough to stand beside a bar in 80 columns."""
    text = f"{_short(report.values)} values, {_short(report.values / max(seconds, 0.1))}/s, {_bytes(stats.bytes)}"
    return f"{text}, waited {stats.waited_seconds:.0f} s" if stats.waited_seconds >= 1 else text


def _show_bar(console: Console, report: ExtractionReport, stats: Stats, done: threading.Event) -> None:
    started = time.monotonic()
    text = Column(no_wrap=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[phase]}", table_column=text),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=8, max_width=40)),
        TextColumn("{task.completed:.0f}/{task.total:.0f} runs", table_column=text),
        TextColumn("{task.fields[summary]}", table_column=text),
        TimeElapsedColumn(table_column=text),
    )
    with Progress(*columns, console=console, transient=True, expand=console.width < _WIDE) as progress:
        task = progress.add_task("", total=0, phase=report.phase, summary="")
        while not done.wait(_REDRAW_EVERY):
            progress.update(
                task,
                total=report.runs_changed or report.runs_listed,
                completed=report.runs_done,
                phase=report.phase,
                summary=_figures(report, stats, time.monotonic() - started),
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
