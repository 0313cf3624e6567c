"""A project with something in every table, and a day in its life; both from a seed."""

import base64
import hashlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import query, training, wrong_histories
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.store import Run, Sweep
from wandb_warehouse.sandbox.tables import log_table

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENTITY", "PROJECT", "a_day_later", "fill", "wrong_counts"]

ENTITY, PROJECT = "e", "p"
_RUNS = 7


def fill(box: Sandbox, rng: random.Random) -> None:
    """Runs of all kinds, with all that lies beside them."""
    for number in range(_RUNS):
        _add_run(box, rng, number)
    home = box.store.projects[ENTITY, PROJECT]
    home.sweeps["s1"] = Sweep("s1", "method: grid", box.store.now(), "RUNNING")
    box.add_report(ENTITY, PROJECT, "first", {"blocks": []})
    _artifact(box, rng, "r00", "weights", used_by="r01")
    log_table(box, f"{ENTITY}/{PROJECT}/r02", "cases", ["id", "guess"], [[1, "cat"], [2, None], [3, 0.5]])


def a_day_later(box: Sandbox, rng: random.Random, *, deletes: bool) -> None:
    """Some runs moved, some are new, one is rewound, aliases moved; one is deleted where `deletes` says so."""
    box.advance(rng.choice([60.0, 7200.0]))
    moved = rng.sample([f"r{number:02}" for number in range(3, _RUNS)], 2)
    for run_id in moved:
        run = _run(box, run_id)
        first = run.history.steps[-1] + 1 if run.history.steps else 0
        rows = training(rng.randrange(1, 30), seed=rng.randrange(10_000), first=first)
        box.append_rows(ENTITY, PROJECT, run_id, rows)
        if rng.random() < 0.5:
            box.finish(ENTITY, PROJECT, run_id)
    box.rewind(ENTITY, PROJECT, "r01", 4)
    box.append_rows(
        ENTITY, PROJECT, "r01", training(9, seed=rng.randrange(99), first=5, started=1_800_000_000.0)
    )
    box.edit(ENTITY, PROJECT, "r02", tags=["edited", "ü"], config={"lr": rng.random()}, notes="seen")
    log_table(box, f"{ENTITY}/{PROJECT}/r02", "more", ["x"], [[rng.random()], ["y"]])
    for number in range(_RUNS, _RUNS + 2):
        _add_run(box, rng, number)
    _artifact(box, rng, moved[0], "weights", used_by="r02")
    box.store.projects[ENTITY, PROJECT].sweeps["s1"].state = "FINISHED"
    box.add_report(ENTITY, PROJECT, "second", {"blocks": [1]})
    if deletes:
        box.delete(ENTITY, PROJECT, "r00")


def wrong_counts(box: Sandbox, warehouse: Path, *, history: str) -> dict[str, Any]:
    """What of a warehouse is not as many as the sandbox holds; empty is right. Runs deleted there are left out."""
    home = box.store.projects[ENTITY, PROJECT]
    runs = home.live_runs
    versions = [version for each in box.shelf.of_project(home) for version in each.committed]
    expected = {
        "runs": len(runs),
        "files": sum(file.updated_at is not None for run in runs for file in run.files.values()),
        "console_logs": sum(len(run.log) for run in runs),
        "sweeps": len(home.sweeps),
        "reports": len(home.reports),
        "users": len({run.username for run in runs}),
        "run_metadata": len(runs),
        "artifacts": len(versions),
        "artifact_aliases": sum(len(version.aliases) for version in versions),
        "run_artifacts": sum((v.creator in runs) + sum(run in runs for run in v.used_by) for v in versions),
        "system_metrics": sum(len(run.events) for run in runs),  # one metric each
        "run_tags": sum(len(run.tags) for run in runs),
        "logged_tables": sum(b'"table-file"' in line for run in runs for line in run.history.lines),
        "run_ledger": len(runs),
    }
    live = ", ".join(f"'{run.name}'" for run in runs)
    per_run = {"runs", "files", "console_logs", "run_metadata", "run_artifacts", "system_metrics", "run_tags"}
    per_run |= {"logged_tables", "run_ledger"}
    wrong: dict[str, Any] = {}
    for table, count in expected.items():
        where = f" WHERE run_id IN ({live})" if table in per_run else ""
        (found,) = query(warehouse, f'SELECT count(*) FROM "{table}"{where}')[0]
        if found != count:
            wrong[table] = f"{count} expected, {found} stored"
    if history == "full":
        wrong |= wrong_histories(box, warehouse)
    else:
        sampled = query(
            warehouse, f"SELECT count(DISTINCT run_id) FROM history_sampled WHERE run_id IN ({live})"
        )
        if sampled[0][0] != sum(len(run.history) > 0 for run in runs):
            wrong["history_sampled"] = f"of {sampled[0][0]} runs only"
    if query(warehouse, f"SELECT count(*) FROM run_ledger WHERE state <> 'ok' AND run_id IN ({live})") != [
        (0,)
    ]:
        wrong["states"] = "not all runs are whole"
    return wrong


def _run(box: Sandbox, run_id: str) -> Run:
    return box.store.projects[ENTITY, PROJECT].runs[run_id]


def _add_run(box: Sandbox, rng: random.Random, number: int) -> None:
    run_id = f"r{number:02}"
    rows = rng.randrange(8, 40)
    run = box.add_run(
        ENTITY,
        PROJECT,
        run_id,
        rows=training(rows, seed=rng.randrange(10_000)),
        events=[{"_timestamp": 1e9 + n, "_runtime": float(n), "system.cpu": n * 1.5} for n in range(4)],
        config={
            "lr": rng.random(),
            "nested": {"depth": number},
            "_wandb": {"e": {"w": {"writerId": "w", "os": "Linux"}}},
        },
        tags=["a", f"t{number}"][: number % 3],
        user=rng.choice(["ada", "grace"]),
        state="running" if number % 4 == 3 else "finished",
        created_at=1_760_000_000.0 + 60 * number,
    )
    run.log += [f"line {line}\n" for line in range(number % 3 + 1)]
    for name in range(2):
        box.store.save(run, f"media/{name}.txt", b"x" * rng.randrange(1, 50))
    if number % 2 == 0:
        box.export(ENTITY, PROJECT, run_id, rng.randrange(rows))


def _artifact(box: Sandbox, rng: random.Random, run_id: str, name: str, *, used_by: str) -> None:
    body = rng.randbytes(20)
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    wanted: Mapping[str, Any] = {
        "artifactCollectionName": name,
        "artifactTypeName": "model",
        "digest": digest,
        "aliases": [{"alias": "best"}],
    }
    artifact = box.shelf.create(box.store.projects[ENTITY, PROJECT], _run(box, run_id), dict(wanted))
    contents = {"w.bin": {"digest": digest, "size": len(body)}}
    manifest = {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "contents": contents}
    artifact.manifest.body = json.dumps(manifest).encode()
    box.shelf.commit(artifact)
    artifact.used_by.append(_run(box, used_by))
