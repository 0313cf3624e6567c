"""A small project in a sandbox for what the peer's tests assert, and its warehouse."""

import json
from pathlib import Path

from support import options
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.store import Sweep
from wandb_warehouse.sync import sync

__all__ = ["CURVE", "fill", "synced"]

CURVE = [
    {"_step": 0, "acc": 0.5, "loss": 1.0},
    {"_step": 1, "acc": 0.75, "loss": 0.5},
    {"_step": 2, "acc": 0.9, "loss": 0.1},
]
"""History of the run `curve`."""

_ARTIFACT = {
    "_type": "artifactVersion",
    "_version": "v0",
    "id": "QXJ0",
    "version": "v0",
    "sequenceName": "mnist",
}


def synced(box: Sandbox, folder: Path) -> Path:
    """Fill a sandbox, and sync all of it into a warehouse."""
    fill(box)
    path = folder / "wandb.duckdb"
    report = sync(options(box, path, "e/p", "e/My Project", "e/empty", opt_in=frozenset({"console_logs"})))
    assert report.quarantined == {}
    return path


def fill(box: Sandbox) -> None:
    """Runs of every kind, sweeps, files, console lines and artifacts."""
    box.add_project("e", "empty")
    box.add_run("e", "My Project", "blank")
    _runs(box)
    _sweeps(box)
    _artifacts(box)


def _runs(box: Sandbox) -> None:
    machine = {"_wandb": {"e": {"w": {"writerId": "w", "os": "Linux", "args": ["--lr", "1"]}}}}
    curve = box.add_run(
        "e", "p", "curve", name="curve", rows=CURVE, group="A", job_type="test", user="ada", sweep="tuned",
        config={**machine, "epochs": 10, "dataset": _ARTIFACT}, created_at="2026-01-01T00:00:00",
        summary={"acc": 100, "loss": 0, "a": {"b": {"c": 0.9}}},
        events=[{"_timestamp": 1e9 + n, "_runtime": n, "system.cpu": n * 10} for n in range(3)],
    )  # fmt: skip
    box.export("e", "p", "curve")
    box.store.save(curve, "weights.h5", b"weights")
    box.store.save(curve, "logs/out.txt", b"out")
    curve.log = [
        json.dumps({"level": "error", "ts": "2026-01-02T03:04:05.678901234Z", "content": "boom"}),
        json.dumps({"ts": "2026-01-02T03:04:05", "content": "second"}),
        "third",
    ]
    rows = [{"acc": step} for step in range(10)]
    box.add_run("e", "p", "live", rows=rows, group="A", job_type="test", created_at="2026-01-01T00:01:00")
    gap = [{"_step": 0, "acc": 0.25}, {"_step": 5_000, "acc": 0.5}, {"_step": 5_001, "acc": 0.75}]
    box.add_run("e", "p", "gap", rows=gap, created_at="2026-01-01T00:02:00")
    box.add_run(
        "e", "p", "control", created_at="2026-01-01T00:03:00", summary='{"test": "test\ttest"}',
        config='{"test": {"value": "test\ttest"}, "_wandb": {"value": {}}}',
        events=[{"_timestamp": 1e9, "_runtime": 0, "system.test": "test\ttest"}],
    )  # fmt: skip
    box.add_run("e", "p", "alive", rows=CURVE, state="running", created_at="2026-01-01T00:04:00")


def _sweeps(box: Sandbox) -> None:
    sweeps = box.store.projects["e", "p"].sweeps
    for number, (name, text, shown) in enumerate(
        (
            ("tuned", "name: from config\nmethod: grid\nrun_cap: 3\n", None),
            ("nameless", "method: bayes\n", None),
            ("edited", "name: from config\nmethod: random\n", "Edited name"),
        )
    ):
        sweeps[name] = Sweep(name, text, 1.7e9 + number, "PENDING", display_name=shown)


def _artifacts(box: Sandbox) -> None:
    first = box.add_artifact("e", "p", "mnist", "d0", kind="dataset", aliases=["my_alias"], run_id="curve")
    first.metadata = json.dumps({"number": 123, "nan": None, "nested": {"nan": None}})
    first.tags = ["fizz", "buzz"]
    second = box.add_artifact("e", "p", "mnist", "d1", kind="dataset", run_id="curve")
    second.tags = ["fizz"]
    box.add_artifact("e", "p", "another", "d2", kind="dataset", run_id="live")
    box.add_artifact("e", "p", "net", "d3", kind="model", run_id="live")
    with box.store.lock:
        for run in ("live", "gap"):
            first.used_by.append(box.store.projects["e", "p"].runs[run])
        second.used_by.append(box.store.projects["e", "p"].runs["live"])
        first.used_by.append(box.store.projects["e", "My Project"].runs["blank"])
