"""Sampled histories: one question a metric, replaced per run, apart from the full history."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lengths import of_a_lake_at_length
from real_client.official import isolated
from support import canonical, options, query, records, stored, training
from wandb_warehouse.arrow import Selection
from wandb_warehouse.client import Limits, Sample, WandbClient
from wandb_warehouse.sandbox import Fault, Sandbox, Switches
from wandb_warehouse.sync import SyncReport, sync
from wandb_warehouse.warehouse import content_digest

ROWS = 60


def sample(box: Sandbox, warehouse: Path, samples: int = 500, **more: Any) -> SyncReport:
    """Sync samples."""
    return sync(options(box, warehouse, history="sampled", samples=samples, **more))


def fill(box: Sandbox, runs: int = 3) -> None:
    """Runs with metrics of every kind, some of them rare."""
    for number in range(runs):
        box.add_run("e", "p", f"r{number}", rows=training(ROWS, seed=number), config={"n": number})


def rows(warehouse: Path, run_id: str, key: str) -> list[dict[str, Any]]:
    """The sample of one metric of a run, in order."""
    sql = "FROM history_sampled WHERE run_id = ? AND key = ? ORDER BY step, seq"
    return records(warehouse, sql, [run_id, key])


CLIENT = """
import json, math, os, sys
import wandb
out, samples = {}, int(sys.argv[1])
for run in wandb.Api(timeout=60).runs("e/p"):
    keys = [k for k in json.loads(sys.argv[2]) if k != "_step"]
    out[run.id] = {k: run.history(samples=samples, keys=[k], pandas=False) for k in keys}
json.dump(out, open(sys.argv[3], "w"))
"""


def official(box: Sandbox, samples: int, keys: set[str], folder: Path) -> Any:
    """What the official client gives for each metric alone."""
    script, answer = folder / "client.py", folder / "answer.json"
    script.write_text(CLIENT)
    subprocess.run(
        [sys.executable, str(script), str(samples), json.dumps(sorted(keys)), str(answer)],
        env=isolated(folder, box), cwd=folder, timeout=120, check=True, capture_output=True,
    )  # fmt: skip
    return json.loads(answer.read_text())


@pytest.mark.parametrize("samples", [ROWS, 7])
def test_the_official_client_gives_the_same(
    box: Sandbox, warehouse: Path, tmp_path: Path, samples: int
) -> None:
    """With samples enough every row of every metric equals the client's; with fewer there are as many."""
    fill(box)
    sample(box, warehouse, samples)
    keys = {key for (key,) in query(warehouse, "SELECT DISTINCT key FROM metrics")}
    assert {"loss", "val/acc", "opt.lr", "_timestamp", "phase", "hist", "flag", "counts"} <= keys
    given = official(box, samples, keys, tmp_path)
    compared = 0
    for run_id, metrics in given.items():
        for key, theirs in metrics.items():
            ours = rows(warehouse, run_id, key)
            assert len(ours) == len(theirs) == min(samples, len(theirs))
            assert {row["samples"] for row in ours} <= {samples}
            compared += len(ours)
            if samples >= ROWS:
                # The client leaves the quotes that the server puts around numbers JSON has no form for.
                quoted = (
                    {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf} if key == "loss" else {}
                )
                values = [(row["_step"], row[key]) for row in theirs]
                want = {
                    (key, step, 0): canonical(quoted.get(value, value) if isinstance(value, str) else value)
                    for step, value in values
                }
                assert stored(ours) == want
    assert compared == query(warehouse, "SELECT count(*) FROM history_sampled")[0][0] > 0


@of_a_lake_at_length
@pytest.mark.parametrize("cap", [None, 5])
def test_every_metric_by_itself(box: Sandbox, warehouse: Path, cap: int | None) -> None:
    """Metrics logged in different rows all come: as many values as rows hold, at most as many as asked or given."""
    box.switches = Switches(samples_cap=cap, nan="bare")
    lines = [{"a": n} if n % 2 else {"b": {"c": n * 0.5}} for n in range(20)]
    box.add_run("e", "p", "r", rows=lines)
    report = sample(box, warehouse, 8)
    counts = dict(query(warehouse, "SELECT key, count(*) FROM history_sampled GROUP BY key"))
    assert counts == dict.fromkeys(["a", "b.c"], min(8, cap or 8))
    assert report.values == sum(counts.values())
    for row in records(warehouse, "FROM history_sampled"):
        assert row["value"] == (row["step"] if row["key"] == "a" else row["step"] * 0.5)
    assert query(warehouse, "SELECT count(*) FROM history") == [(0,)]


@of_a_lake_at_length
def test_many_runs_and_metrics_share_requests(box: Sandbox, warehouse: Path) -> None:
    """A request asks for as many metrics as one may ask for by alias, over as many runs as there are."""
    for number in range(40):
        box.add_run("e", "p", f"r{number}", rows=[{"a": 1}, {"b": 2}, {"c": 3}])
    sample(box, warehouse)
    asked = Counter(request.operation for request in box.requests)
    assert asked["SampledHistories"] == -(-40 * 3 // Limits().alias_batch)
    assert not asked["HistoryWindows"] + asked["ParquetExports"]
    assert query(warehouse, "SELECT count(*) FROM history_sampled") == [(120,)]


def test_only_what_moved_is_sampled_again(box: Sandbox, warehouse: Path) -> None:
    """A second sync finds nothing; a run that grew is replaced, one that was rewound too, the others stay."""
    fill(box)
    sample(box, warehouse, 50)
    digest = content_digest(warehouse)
    assert not sample(box, warehouse, 50).published
    assert content_digest(warehouse) == digest
    box.append_rows("e", "p", "r1", [{"late": n, "_step": ROWS + n} for n in range(5)])
    box.clear_requests()
    report = sample(box, warehouse, 50)
    assert report.runs_changed == 1
    assert [request.operation for request in box.requests].count("SampledHistories") == 1
    assert query(warehouse, "SELECT count(DISTINCT synced_at) FROM run_ledger WHERE run_id <> 'r1'") == [(1,)]
    assert [row["value"] for row in rows(warehouse, "r1", "late")] == [0, 1, 2, 3, 4]
    box.rewind("e", "p", "r1", 9)
    sample(box, warehouse, 50)
    assert not rows(warehouse, "r1", "late")
    assert [row["step"] for row in rows(warehouse, "r1", "epoch")] == list(range(10))
    assert not sample(box, warehouse, 50).published


@of_a_lake_at_length
def test_other_samples_or_keys_are_sampled_anew(box: Sandbox, warehouse: Path) -> None:
    """What was asked for is remembered: asking for more, or for other metrics, replaces what is there."""
    from wandb_warehouse.arrow import Selection  # noqa: PLC0415 - a name this one test needs

    fill(box)
    for samples, keys, counts in ((10, (), 10), (30, (), 30), (30, ("l*", "val/*"), 30)):
        asked = {"selection": Selection(keys)}
        assert sample(box, warehouse, samples, **asked).runs_changed == 3
        assert {len(rows(warehouse, f"r{n}", "loss")) for n in range(3)} == {counts}
        assert query(warehouse, "SELECT DISTINCT samples FROM history_sampled") == [(samples,)]
        assert not sample(box, warehouse, samples, **asked).published
    assert query(warehouse, "SELECT DISTINCT key FROM history_sampled ORDER BY 1") == [
        ("_runtime",), ("_timestamp",), ("loss",), ("val/acc",)
    ]  # fmt: skip


def test_samples_and_full_history_do_not_touch_each_other(box: Sandbox, warehouse: Path) -> None:
    """Full after sampled and sampled after full: each table is as if the other were not there."""
    fill(box)
    sample(box, warehouse, 10)
    sampled = query(warehouse, "SELECT h::VARCHAR FROM history_sampled h ORDER BY ALL")
    assert sync(options(box, warehouse)).rows == 3 * ROWS
    assert query(warehouse, "SELECT h::VARCHAR FROM history_sampled h ORDER BY ALL") == sampled
    full = query(warehouse, "SELECT h::VARCHAR FROM history h ORDER BY ALL")
    assert sample(box, warehouse, 20).runs_changed == 3
    assert query(warehouse, "SELECT h::VARCHAR FROM history h ORDER BY ALL") == full
    assert not sync(options(box, warehouse)).published
    assert not sample(box, warehouse, 20).published


@of_a_lake_at_length
def test_a_run_that_cannot_be_sampled_is_named(box: Sandbox, warehouse: Path) -> None:
    """The others are sampled; it keeps what it had and is tried again."""
    fill(box)
    sample(box, warehouse, 10)
    for number in range(3):
        box.append_rows("e", "p", f"r{number}", training(5, seed=9, first=ROWS))
    box.inject(Fault("status", r'"r1","s', times=-1, value=400))
    report = sample(box, warehouse, 100)
    assert list(report.quarantined) == ["e/p/r1"]
    assert [len(rows(warehouse, f"r{n}", "loss")) for n in range(3)] == [65, 10, 65]
    box.faults.clear()
    assert not sample(box, warehouse, 100).quarantined
    assert len(rows(warehouse, "r1", "loss")) == 65


@of_a_lake_at_length
@pytest.mark.parametrize("short", [False, True])
def test_metrics_of_every_row_are_asked_for_together(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    """What every row has shares a question; each is asked for alone where fewer rows come than should have all."""
    asked: list[tuple[str, ...]] = []
    ask = WandbClient.sampled_rows

    async def watched(self: WandbClient, entity: str, project: str, asks: Sequence[Sample]) -> list[Any]:
        asked.extend(each.keys for each in asks)
        found = await ask(self, entity, project, asks)
        return [
            rows[: 3 if short and len(each.keys) > 1 else None]
            for each, rows in zip(asks, found, strict=True)
        ]

    monkeypatch.setattr(WandbClient, "sampled_rows", watched)
    box.add_run("e", "p", "r", rows=[{"a": n, "b": -n, **({"c": n} if n % 2 else {})} for n in range(8)])
    sample(box, warehouse, selection=Selection(("a", "b", "c")))
    assert asked == [("a", "b"), ("c",), *[(key,) for key in asked[0] if short]]
    values = "SELECT key, list(value ORDER BY step) FROM history_sampled GROUP BY key ORDER BY key"
    assert query(warehouse, values) == [
        ("a", [float(n) for n in range(8)]),
        ("b", [float(-n) for n in range(8)]),
        ("c", [1.0, 3.0, 5.0, 7.0]),
    ]
