"""The stream a writer sends its rows, events, summary and console lines by."""

from collections.abc import Callable, Mapping
from typing import Any

from wandb_warehouse.sandbox.rows import clean_line
from wandb_warehouse.sandbox.store import Run, Store

__all__ = ["receive"]


def _history(run: Run, offset: int, content: list[str]) -> None:
    run.history.write(offset, [clean_line(line) for line in content])


def _events(run: Run, offset: int, content: list[str]) -> None:
    run.events.write(offset, [clean_line(line) for line in content])


def _summary(run: Run, _: int, content: list[str]) -> None:
    run.summary = clean_line(content[-1]).decode()


def _console(run: Run, offset: int, content: list[str]) -> None:
    """Console lines may rewrite earlier ones (progress bars do)."""
    run.log.extend([""] * (offset - len(run.log)))
    run.log[offset : offset + len(content)] = content


_STREAMS: Mapping[str, Callable[[Run, int, list[str]], None]] = {
    "wandb-history.jsonl": _history,
    "wandb-events.jsonl": _events,
    "wandb-summary.json": _summary,
    "output.log": _console,
}


def receive(store: Store, run: Run, body: Mapping[str, Any]) -> dict[str, Any]:
    """Apply one request of a writer; an empty one is its heartbeat.

    Offsets are line numbers, so a request sent twice changes nothing the second time.
    """
    for name, chunk in (body.get("files") or {}).items():
        if name in _STREAMS and chunk.get("content"):
            _STREAMS[name](run, chunk.get("offset", 0), chunk["content"])
    store.heard(run)
    if body.get("complete"):
        run.state = "finished" if body.get("exitcode", 0) == 0 else "failed"
    else:
        run.state = "preempting" if body.get("preempting") else "running"
    return {"stopped": True} if run.stopped else {}
