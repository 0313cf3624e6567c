"""Histories, scans, exports and summaries, as the peer's tests have them."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from api.peer.world import CURVE
from wandb_warehouse import Api
from wandb_warehouse.api.runs.summary import Summary
from wandb_warehouse.errors import IncompleteRunHistoryError

BAD_KEYS: list[tuple[Any, str]] = [
    ("acc", "keys must be specified in a list"),
    ([["acc"]], "keys argument must be a list of strings"),
]


def test_history_as_dicts(api: Api) -> None:
    """Every row with what was logged in it."""
    assert api.run("e/p/curve").history(pandas=False) == CURVE


def test_history_of_the_machine(api: Api) -> None:
    """Every sample with its metrics."""
    rows = api.run("e/p/curve").history(stream="system", pandas=False)
    assert isinstance(rows, list)
    assert [row["system.cpu"] for row in rows] == [0, 10, 20]


def test_history_of_keys(api: Api) -> None:
    """Rows that lack one of them are left out."""
    rows = api.run("e/p/curve").history(keys=["acc", "loss"], pandas=False)
    assert rows == CURVE
    assert api.run("e/p/live").history(keys=["acc", "loss"], pandas=False) == []


@pytest.mark.parametrize(("keys", "said"), BAD_KEYS)
def test_history_of_wrong_keys(api: Api, keys: Any, said: str) -> None:
    """A warning, and no rows."""
    run = api.run("e/p/curve")
    with pytest.warns(UserWarning, match=said):
        assert list(run.history(keys=keys, pandas=False)) == []


def test_scan_gives_every_row(api: Api) -> None:
    """In the order of steps."""
    assert list(api.run("e/p/curve").scan_history()) == CURVE


def test_scan_by_next(api: Api) -> None:
    """Without a `for` before it."""
    scan = api.run("e/p/curve").scan_history()
    assert [next(scan), next(scan), next(scan)] == CURVE
    with pytest.raises(StopIteration):
        next(scan)


def test_scan_of_keys(api: Api) -> None:
    """The step comes along unasked."""
    rows = list(api.run("e/p/curve").scan_history(keys=["loss"]))
    assert rows == [{"_step": row["_step"], "loss": row["loss"]} for row in CURVE]


def test_scan_begins_anew(api: Api) -> None:
    """Although another `for` was left."""
    scan = api.run("e/p/curve").scan_history()
    seen: list[dict[str, Any]] = []
    for row in scan:
        if len(seen) == 2:
            break
        seen.append(row)
    assert seen == CURVE[:2]
    assert list(scan) == CURVE


def test_scan_to_a_step(api: Api) -> None:
    """Beyond the last, and before it."""
    run = api.run("e/p/curve")
    assert list(run.scan_history(max_step=100)) == CURVE
    assert list(run.scan_history(max_step=1)) == CURVE[:1]


@pytest.mark.parametrize(("keys", "said"), BAD_KEYS)
def test_scan_of_wrong_keys(api: Api, keys: Any, said: str) -> None:
    """Before anything is read."""
    run = api.run("e/p/curve")
    with pytest.raises(ValueError, match=said):
        run.scan_history(keys=keys)


def test_scan_in_small_pages(api: Api) -> None:
    """All rows, whatever the size of a page."""
    rows = list(api.run("e/p/live").scan_history(page_size=2, keys=["acc"]))
    assert rows == [{"_step": step, "acc": step} for step in range(10)]


def test_scan_over_a_gap(api: Api) -> None:
    """Thousands of steps without a row, pages of two."""
    rows = list(api.run("e/p/gap").scan_history(page_size=2))
    assert rows == [{"_step": 0, "acc": 0.25}, {"_step": 5_000, "acc": 0.5}, {"_step": 5_001, "acc": 0.75}]


def test_exported_history(api: Api, tmp_path: Path) -> None:
    """The files hold the rows."""
    found = api.run("e/p/curve").download_history_exports(tmp_path, require_complete_history=False)
    assert found.paths
    assert all(path.exists() and path.parent == tmp_path for path in found.paths)
    rows = [row for path in found.paths for row in pq.read_table(path).to_pylist()]
    assert rows == CURVE
    assert found.contains_live_data is False


def test_names_of_exports(api: Api, tmp_path: Path) -> None:
    """Entity, project, run and the number of the file."""
    found = api.run("e/p/curve").download_history_exports(tmp_path)
    assert [path.name for path in found.paths] == ["e_p_curve_0.runhistory.parquet"]


def test_export_of_a_running_run(api: Api, tmp_path: Path) -> None:
    """Rows may be missing: an error where all are required, else it is told and the rest is given."""
    run = api.run("e/p/alive")
    with pytest.raises(IncompleteRunHistoryError):
        run.download_history_exports(tmp_path, require_complete_history=True)
    found = run.download_history_exports(tmp_path, require_complete_history=False)
    assert found.contains_live_data is True
    assert [path.exists() for path in found.paths] == [True]


def test_nested_summary(api: Api) -> None:
    """Of a run, and of a dict."""
    assert api.run("e/p/curve").summary["a"]["b"]["c"] == 0.9
    assert Summary({"a": {"b": {"c": 0.9}}}, lambda: None)["a"]["b"]["c"] == 0.9


def test_deleted_entry_of_a_summary(api: Api) -> None:
    """Also where nothing of the summary was read before."""
    run = api.runs("e/p")[0]
    del run.summary["acc"]
    with pytest.raises(KeyError):
        run.summary["acc"]
    assert run.summary["loss"] == 0
