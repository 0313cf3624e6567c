"""The demo project: reproducible, consistent in itself, and with something of everything to look at."""

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wandb_warehouse.sandbox import Sandbox, demo_project
from wandb_warehouse.sandbox.demo_project import demo_runs

UNTIL = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    """The project as it comes by default, up to a time of our choosing."""
    return list(demo_runs(until=UNTIL))


def is_nan(value: object) -> bool:
    """Whether a value is the number NaN."""
    return isinstance(value, float) and math.isnan(value)


def test_a_seed_gives_one_project() -> None:
    """The same seed repeats every value, another one changes them; the first runs do not depend on their number."""
    assert repr(list(demo_runs(seed=3))) == repr(list(demo_runs(seed=3)))
    assert repr(list(demo_runs(seed=3))) != repr(list(demo_runs(seed=4)))
    few, many = list(demo_runs(runs=6)), list(demo_runs(runs=24))
    assert [run["config"] for run in few[:4]] == [run["config"] for run in many[:4]]


def test_it_needs_no_package() -> None:
    """Only the standard library is loaded to make it up."""
    script = (
        "import sys; from wandb_warehouse.sandbox.demo_project import demo_runs; list(demo_runs(runs=2));"
        "print([name for name in ('numpy', 'pandas', 'pyarrow', 'starlette', 'wandb') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_sizes_are_as_asked() -> None:
    """The number of runs and of steps is the caller's."""
    made = list(demo_runs(runs=30, steps=25))
    assert len(made) == 30
    assert {len(run["rows"]) for run in made if run["state"] == "finished"} == {25}
    assert list(demo_runs(runs=0)) == []
    (only,) = demo_runs(runs=1, steps=1)
    assert len(only["rows"]) == 1


def test_ids_and_names_are_unique(runs: list[dict[str, Any]]) -> None:
    """24 runs have 24 ids of 8 characters and 24 names."""
    assert len({run["run_id"] for run in runs}) == len({run["name"] for run in runs}) == len(runs) == 24
    assert {len(run["run_id"]) for run in runs} == {8}


def test_the_summary_is_what_the_history_ends_with(runs: list[dict[str, Any]]) -> None:
    """Each entry is the last logged value of its key, the runtime in whole seconds, the best accuracy the maximum."""
    for run in runs:
        summary = dict(run["summary"])
        last: dict[str, Any] = {}
        for row in run["rows"]:
            last.update(row)
        accuracies = [row["val/accuracy"] for row in run["rows"] if "val/accuracy" in row]
        assert summary.pop("_wandb") == {"runtime": int(last["_runtime"])}
        assert summary.pop("_runtime") == int(last.pop("_runtime"))
        assert summary.pop("best_val_accuracy") == max(accuracies)
        assert repr(sorted(summary.items())) == repr(sorted(last.items()))


def test_steps_and_times_of_a_run_fit_together(runs: list[dict[str, Any]]) -> None:
    """Steps count up by one, times rise, lie between creation and last sign of life, and agree with the runtime."""
    for run in runs:
        created, heartbeat = (datetime.fromisoformat(run[key]) for key in ("created_at", "heartbeat_at"))
        rows = run["rows"]
        assert [row["_step"] for row in rows] == list(range(len(rows)))
        times = [row["_timestamp"] for row in rows]
        assert times == sorted(set(times))
        assert created.timestamp() < times[0]
        assert times[-1] <= heartbeat.timestamp()
        assert all(abs(row["_timestamp"] - created.timestamp() - row["_runtime"]) < 1e-5 for row in rows)
        assert UNTIL - timedelta(days=21) <= created < heartbeat <= UNTIL


def test_runs_spread_over_three_weeks(runs: list[dict[str, Any]]) -> None:
    """Between the first and the last run lie nearly 21 days, and every week has its runs."""
    created = [datetime.fromisoformat(run["created_at"]) for run in runs]
    assert max(created) - min(created) > timedelta(days=20)
    weeks = {(UNTIL - moment).days // 7 for moment in created}
    assert weeks == {0, 1, 2}


def test_there_is_something_of_everything(runs: list[dict[str, Any]]) -> None:
    """States, groups, users, job types, tags, notes, nested and list config, histograms and strings all occur."""
    assert {run["state"] for run in runs} == {"finished", "failed", "crashed", "killed", "running"}
    assert [run["state"] for run in runs].count("finished") > len(runs) / 2
    for key in ("group", "user", "job_type"):
        assert len({run[key] for run in runs}) >= 2
    assert {tag for run in runs for tag in run["tags"]} == {"baseline", "sweep", "augmented"}
    assert any(run["notes"] for run in runs)
    assert all(isinstance(run["config"]["optimizer"]["schedule"], dict) for run in runs)
    assert any("betas" in run["config"]["optimizer"] for run in runs)
    kinds = {type(value).__name__ for run in runs for row in run["rows"] for value in row.values()}
    assert kinds == {"int", "float", "dict", "str"}
    histograms = [row["gradients/head"] for run in runs for row in run["rows"] if "gradients/head" in row]
    assert histograms
    for histogram in histograms:
        assert histogram["_type"] == "histogram"
        assert len(histogram["bins"]) == len(histogram["values"]) + 1
        assert histogram["bins"] == sorted(histogram["bins"])
        assert sum(histogram["values"]) == 256


def test_training_looks_like_training(runs: list[dict[str, Any]]) -> None:
    """Loss falls by half in finished runs, accuracy is a share that rises, validation is every tenth step."""
    for run in runs:
        rows = run["rows"]
        assert [row["_step"] for row in rows if "val/loss" in row] == list(range(9, len(rows), 10))
        assert all(0 <= row["train/accuracy"] <= 1 for row in rows)
        assert all(0 < row["lr"] <= run["config"]["optimizer"]["lr"] for row in rows)
        if run["state"] == "finished":
            first, last = (sum(row["train/loss"] for row in part) / 10 for part in (rows[:10], rows[-10:]))
            assert last < first / 2
            assert rows[-1]["train/accuracy"] > rows[0]["train/accuracy"]


def test_exactly_one_run_diverges(runs: list[dict[str, Any]]) -> None:
    """One failed run's loss explodes, then is NaN to its end, in the summary too; no other run has a NaN."""
    diverged = [run for run in runs if any(is_nan(row["train/loss"]) for row in run["rows"])]
    assert [run["state"] for run in diverged] == ["failed"]
    losses = [row["train/loss"] for row in diverged[0]["rows"]]
    start = next(place for place, loss in enumerate(losses) if is_nan(loss))
    assert all(map(is_nan, losses[start:]))
    assert losses[start - 1] > 10 * losses[0]
    assert is_nan(diverged[0]["summary"]["train/loss"])


def test_the_sandbox_takes_it_as_it_is(runs: list[dict[str, Any]]) -> None:
    """Every run can be added as it comes, and the sandbox holds its rows, state, tags and times."""
    box = Sandbox()
    for arguments in runs:
        run = box.add_run("team", "demo", **arguments)
        assert len(run.history) == len(arguments["rows"])
        assert (run.state, run.tags, run.display_name) == tuple(
            arguments[key] for key in ("state", "tags", "name")
        )
        assert run.created_at == datetime.fromisoformat(arguments["created_at"]).timestamp()
        assert run.heartbeat_at == datetime.fromisoformat(arguments["heartbeat_at"]).timestamp()


def test_no_run_reaches_beyond_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that take longer than the time left to them were created earlier instead of ending in the future."""
    monkeypatch.setattr(demo_project, "_SPAN", timedelta(minutes=20))
    made = list(demo_runs(until=UNTIL))
    assert max(datetime.fromisoformat(run["heartbeat_at"]) for run in made) == UNTIL
