"""The official client reads from the sandbox what was put in, by every way it knows."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from wandb_warehouse.sandbox import DEFAULT_KEY, Sandbox, Switches

STEPS = 60


def loss(step: int) -> float:
    """Value logged at a step."""
    return 1 / (step + 3)


def filled(switches: Switches | None = None) -> Sandbox:
    """A sandbox with a live run, an exported one, one exported in part, and one that failed long ago."""
    box = Sandbox(switches=switches, keys={DEFAULT_KEY: "sandbox", "b" * 40: "other"})
    rows = [
        {"loss": loss(i), "b": {"c": i}, "text": f"t{i}"} | ({"late": i * 0.5} if i >= 40 else {})
        for i in range(STEPS)
    ]
    rows[7]["loss"] = math.nan
    for day, name in enumerate(("live", "exported", "mixed"), start=1):
        box.add_run(
            "sandbox", "p", name, rows=rows, config={"lr": 0.1 * day, "opt": {"name": "adam"}},
            tags=["all", name], notes="n", group="g", job_type="train", events=[{"_timestamp": 1, "system.cpu": 3.5}],
            created_at=f"2026-01-0{day}T00:00:00Z",
        )  # fmt: skip
    box.add_run(
        "sandbox", "p", "old", state="failed", created_at="2025-01-01T00:00:00Z", summary={"acc": 0.5}
    )
    box.export("sandbox", "p", "exported")
    box.export("sandbox", "p", "mixed", upto_step=29)
    box.add_run("sandbox", "q", "elsewhere")
    run = box.store.find_run("sandbox", "p", "live")
    assert run is not None
    box.store.save(run, "wandb-metadata.json", b'{"os": "Linux", "program": "train.py"}')
    return box


READER = """
api = wandb.Api(timeout=60)
out["viewer"] = [api.viewer.username, api.default_entity]
out["projects"] = sorted(p.name for p in api.projects("sandbox"))
runs = api.runs("sandbox/p", per_page=2)
out["count"] = len(runs)
out["listed"] = [run.id for run in runs]
out["descending"] = [run.id for run in api.runs("sandbox/p", order="-created_at", lazy=False)]
out["by_config"] = [run.id for run in api.runs("sandbox/p", filters={"config.lr": {"$gt": 0.15}})]
out["by_tag"] = [run.id for run in api.runs("sandbox/p", filters={"tags": "mixed"})]
out["by_state"] = [run.id for run in api.runs("sandbox/p", filters={"state": "failed"}, lazy=False)]
out["lazy_config"] = [run.config.get("lr") for run in runs]
run = api.run("sandbox/p/live")
out["run"] = [run.name, run.state, run.tags, run.notes, run.group, run.job_type, run.created_at, run.lastHistoryStep]
out["config"], out["rawconfig"], out["summary"] = run.config, sorted(run.rawconfig), run.summary["late"]
out["system_metrics"], out["metadata"] = run.system_metrics, run.metadata
out["files"] = [[f.name, f.size, f.mimetype] for f in run.files()]
out["system"] = run.history(stream="system", pandas=False)
out["frame"] = sorted(run.history().columns)
out["histories"] = len(api.runs("sandbox/p").histories(keys=["loss"], format="default"))
out["pandas"] = list(api.runs("sandbox/p").histories(keys=["loss"], format="pandas").shape)
out["sampled"] = len(run.history(samples=10, pandas=False))
for name in ("live", "exported", "mixed"):
    run = api.run(f"sandbox/p/{name}")
    out[name] = {
        "history": run.history(pandas=False),
        "keys": run.history(keys=["loss", "b.c"], pandas=False),
        "scan": list(run.scan_history(page_size=30)),
        "scan_keys": list(run.scan_history(keys=["loss", "b.c"], page_size=30)),
        "late": list(run.scan_history(keys=["late"], page_size=30)),
        "window": [row["_step"] for row in run.scan_history(min_step=10, max_step=20)],
        "beta": len(list(run.beta_scan_history(page_size=30))),
    }
    result = run.download_history_exports(os.path.join(os.environ["SCRATCH"], name), require_complete_history=False)
    out[name]["downloaded"] = [len(result.paths), result.contains_live_data, len(result.errors)]
for what, ask in {"project": lambda: list(api.runs("sandbox/none")), "run": lambda: api.run("sandbox/p/none"),
                  "key": lambda: wandb.Api(api_key="f" * 40).viewer.username}.items():
    try:
        out["missing " + what] = ask()
    except Exception as error:
        out["missing " + what] = str(error)
"""


@pytest.fixture(scope="module")
def read(run_script: Any) -> Iterator[dict[str, Any]]:
    """What the client read from a filled sandbox."""
    with filled() as box:
        yield run_script(READER, box)


def test_listing_filters_and_orders(read: dict[str, Any]) -> None:
    """Runs are listed in pages, counted, filtered and ordered, lazily or not."""
    assert (read["viewer"], read["projects"], read["count"]) == (["sandbox", "sandbox"], ["p", "q"], 4)
    assert read["listed"] == ["old", "live", "exported", "mixed"]
    assert read["descending"] == read["listed"][::-1]
    assert (read["by_config"], read["by_tag"], read["by_state"]) == (
        ["exported", "mixed"],
        ["mixed"],
        ["old"],
    )
    assert read["lazy_config"] == [None, 0.1, 0.2, pytest.approx(0.3)]


def test_details(read: dict[str, Any]) -> None:
    """Config, summary, system metrics, metadata file and the plain fields come back as they were set."""
    assert read["run"][1:] == [
        "finished", ["all", "live"], "n", "g", "train", "2026-01-01T00:00:00Z", STEPS - 1,
    ]  # fmt: skip
    assert read["config"] == {"lr": 0.1, "opt": {"name": "adam"}}
    assert read["rawconfig"] == ["_wandb", "lr", "opt"]
    assert read["summary"] == 29.5
    assert read["system_metrics"] == {"system.cpu": 3.5}
    assert read["metadata"] == {"os": "Linux", "program": "train.py"}
    assert read["files"] == [["wandb-metadata.json", 38, "application/json"]]
    assert read["system"] == [{"_timestamp": 1, "system.cpu": 3.5}]
    assert {"_step", "loss", "text", "late"} <= set(read["frame"])
    assert (read["histories"], read["pandas"], read["sampled"]) == (3 * STEPS, [3 * STEPS, 3], 10)


@pytest.mark.parametrize("name", ["live", "exported", "mixed"])
def test_history_is_complete(read: dict[str, Any], name: str) -> None:
    """Every way of reading gives every step with its value, from live rows, exports, and both together."""
    got = read[name]
    for way in ("history", "keys", "scan", "scan_keys"):
        by_step = {row["_step"]: row for row in got[way]}
        assert sorted(by_step) == list(range(STEPS)), way
        assert len(got[way]) == STEPS, way
        for step, row in by_step.items():
            assert str(row["loss"]) in {"nan", "NaN"} if step == 7 else row["loss"] == loss(step), way
            if way in {"keys", "scan_keys"} or "b.c" in row:
                assert row["b.c"] == step, way
            else:
                assert row["b"] == {"c": step}, way
    assert got["window"] == list(range(10, 20))
    assert got["beta"] == STEPS
    late = {row["_step"]: row["late"] for row in got["late"] if row.get("late") is not None}
    assert late == {step: step * 0.5 for step in range(40, STEPS)}


def test_download_of_exports(read: dict[str, Any]) -> None:
    """The client downloads the parquet files and is told whether rows are still live."""
    assert [read[name]["downloaded"] for name in ("live", "exported", "mixed")] == [
        [0, True, 0], [1, False, 0], [1, True, 0],
    ]  # fmt: skip


def test_what_is_missing_is_said(read: dict[str, Any]) -> None:
    """Unknown projects, runs and keys are reported by the client as it reports W&B's."""
    assert "Could not find project" in read["missing project"]
    assert "Could not find run" in read["missing run"]
    assert "invalid credentials" in read["missing key"]


SCAN = """
api = wandb.Api(timeout=60)
for name in ("exported", "mixed"):
    run = api.run(f"sandbox/p/{name}")
    out[name] = [row["_step"] for row in run.scan_history(page_size=1000)]
    out[name + " keys"] = [row["_step"] for row in run.scan_history(keys=["loss"], page_size=1000)]
"""


def test_switches_under_the_real_reader(run_script: Any) -> None:
    """Split files in any order, a double `_step` and rows leaving `history` once exported suit the client."""
    switches = Switches(
        history_includes_exported=False, shuffled_urls=True, export_files_per_run=3, export_step_type="double"
    )
    with filled(switches) as box:
        got = run_script(SCAN, box)
    for name, steps in got.items():
        assert steps == list(range(STEPS)), name
