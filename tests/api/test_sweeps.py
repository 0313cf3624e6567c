"""Sweeps: what the official client says of them, their runs, and the best of these."""

import logging
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from api.conftest import Beside, Change
from api.differences import unexplained
from wandb_warehouse import Api
from wandb_warehouse.api.sweeps import Sweep, Sweeps
from wandb_warehouse.errors import NotStoredError, OperationError

pytestmark = pytest.mark.slow


@pytest.fixture
def api(beside: Beside) -> Api:
    """Ours."""
    return beside.api()


def test_sweeps_are_what_the_official_client_says(beside: Beside) -> None:
    """Attributes, configurations, orders, runs, the best by every order, and how they show themselves."""
    assert unexplained(beside.theirs, beside.ours, "Sweep", "Sweeps") == {}


def test_the_best_run(beside: Beside, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """It is the best by the sweep's metric; what is sorted by is logged, and that there is no metric is warned of."""
    with caplog.at_level(logging.INFO, logger="wandb_warehouse"):
        best = api.sweep(f"sandbox/p/{beside.sweeps['largest']}").best_run()
    assert best is not None
    assert best.id == "swept3"  # 0.75 of val.acc
    assert "Sorting runs by -summary_metrics.val.acc" in caplog.text
    with pytest.warns(UserWarning, match="couldn't find metric in sweep config"):
        assert api.sweep(f"sandbox/p/{beside.sweeps['aimless']}").best_run() is None
    with pytest.warns(UserWarning, match=r"use Sweep\.entity"):
        assert api.sweep(f"sandbox/p/{beside.sweeps['aimless']}").username == "sandbox"


def test_a_sweep_that_is_not_stored(api: Api) -> None:
    """It is said as the official client does, and with what to do; `Sweep.get` gives None."""
    with pytest.raises(NotStoredError, match="Could not find sweep <Sweep sandbox/p/none") as caught:
        api.sweep("sandbox/p/none")
    assert "sync sandbox/p" in str(caught.value)
    assert Sweep.get(api, "sandbox", "p", "none") is None


def test_get_with_an_order(beside: Beside, api: Api) -> None:
    """Its runs are in that order."""
    sweep = Sweep.get(api, "sandbox", "p", beside.sweeps["smallest"], order="-created_at")
    assert sweep is not None
    assert [run.id for run in sweep.runs] == ["swept1", "swept0", "taker"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"method": "grid"}, ["largest"]),
        ({"$or": [{"method": "grid"}, {"runCountExpected": {"$gte": 7}}]}, ["smallest", "largest"]),
        ({"config": {"$regex": "goal: maximize"}}, ["largest"]),
        ({"description": {"$exists": True}}, ["largest"]),
        ({"run_count": {"$gt": 0}}, ["smallest", "largest"]),
    ],
)
def test_filters(beside: Beside, api: Api, filters: dict[str, Any], names: list[str]) -> None:
    """Sweeps pass a filter by what W&B tells of them, under either name."""
    found = {sweep.id for sweep in api.project("p", "sandbox").sweeps(filters=filters)}
    assert found == {beside.sweeps[name] for name in names}


def test_a_filter_over_an_unknown_field(api: Api) -> None:
    """It is refused, with the fields there are."""
    with pytest.raises(OperationError, match=r"'colour' is no field .* runCountExpected"):
        len(Sweeps(api._session, "sandbox", "p", filters={"colour": "red"}))


def test_a_sweep_as_html(beside: Beside, api: Api) -> None:
    """It needs no server: a table, and the address of the page."""
    html = api.sweep(f"sandbox/p/{beside.sweeps['smallest']}")._repr_html_()
    assert "tuning ü" in html
    assert f"/sandbox/p/sweeps/{beside.sweeps['smallest']}" in html
    assert "<iframe" not in html


def test_a_sweep_that_is_loaded_again(beside: Beside, change: Change, tmp_path: Path) -> None:
    """It shows the state that was read at first, until it is told to look again."""
    api = change("update sweeps set state = 'RUNNING'")
    sweep = api.sweep(f"sandbox/p/{beside.sweeps['smallest']}")
    newer = tmp_path / "newer.duckdb"
    shutil.copyfile(tmp_path / "wandb.duckdb", newer)
    with closing(duckdb.connect(str(newer))) as connection:
        connection.execute("update sweeps set state = 'FINISHED'")
    newer.replace(tmp_path / "wandb.duckdb")
    assert (sweep.load()["state"], sweep.state) == ("RUNNING", "RUNNING")
    assert (sweep.load(force=True)["state"], sweep.state) == ("FINISHED", "FINISHED")
