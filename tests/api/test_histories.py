"""Rows of histories: which a sample holds, in which form they come, and that every way to them gives the same."""

import json
import math
import random
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.runs_place import Place, rows_of
from support import options
from wandb_warehouse import Api
from wandb_warehouse.api.histories import reading
from wandb_warehouse.api.histories.holding import IncompleteHistoryWarning
from wandb_warehouse.api.histories.points import sampled_places
from wandb_warehouse.errors import IncompleteRunHistoryError
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync

ASKS = [
    {},
    {"samples": 7},
    {"samples": 1},
    {"samples": None},
    {"keys": ["loss"]},
    {"keys": ["loss", "acc"], "samples": 5},
    {"keys": ["acc"], "x_axis": "_runtime"},
    {"keys": ["_step"]},
    {"keys": ["nothing"]},
    {"samples": 0},
    {"stream": "system"},
    {"stream": "system", "samples": 3},
]


def dotted(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it was logged, nested objects under dotted keys, keys sorted."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        nested = isinstance(value, dict) and "_type" not in value
        flat |= {f"{key}.{inner}": each for inner, each in value.items()} if nested else {key: value}
    return {key: flat[key] for key in sorted(flat)}


@given(st.integers(1, 3000), st.integers(1, 600))
def test_a_sample_is_spread_evenly(total: int, samples: int) -> None:
    """A sample has the rows there are or as many as asked for, the first and the last, and gaps that hardly differ."""
    places = sampled_places(total, samples)
    assert len(places) == min(total, samples)
    assert places[0] == 0
    assert samples == 1 or places[-1] == total - 1
    gaps = {later - earlier for earlier, later in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert not gaps or min(gaps) >= 1


@pytest.mark.parametrize("number", [1, 2, 3, 5, 11])
def test_all_rows_are_what_was_logged(api: Api, number: int) -> None:
    """Without a bound, `history` and `scan_history` give every row as it was logged, in the order of the steps."""
    run = api.run(f"e/p/r{number:02}")
    logged = [dotted(row) for row in rows_of(number)]
    assert run.history(samples=None, pandas=False) == logged
    assert list(run.scan_history()) == logged
    assert [row for row in logged if "acc" in row] == [
        row for row in run.scan_history() if row.keys() >= {"acc", "_step"}
    ]
    assert list(run.scan_history(keys=["acc"], min_step=3, max_step=13)) == [
        {"_step": row["_step"], "acc": row["acc"]}
        for row in logged
        if "acc" in row and 3 <= row["_step"] < 13
    ]


def test_repeated_steps_keep_all_their_values(api: Api) -> None:
    """Rows that share a step come one after the other, each with its values."""
    found = api.run("e/p/r04").history(samples=None, pandas=False)
    logged = [dotted(row) for row in rows_of(4)]
    assert len(found) == len(logged) > 36
    assert found == logged


@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_many_runs_and_one_give_the_same(
    place: Place, ask: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question has one answer: for all runs at once, one after the other, one alone, in Arrow and by SQL."""
    runs = place.api().runs("e/p")
    together = runs.histories(**ask)
    assert isinstance(together, list)
    by_run = {run.id: [row for row in together if row["run_id"] == run.id] for run in runs}
    assert [row["run_id"] for row in together] == sorted(row["run_id"] for row in together)
    for run in runs:
        rows = [{**row, "run_id": run.id} for row in run.history(pandas=False, **ask)]
        alone = place.api().run(f"e/p/{run.id}")
        assert rows == by_run[run.id]
        assert alone.history(pandas=False, **ask) == run.history(pandas=False, **ask)
        with monkeypatch.context() as patch:
            patch.setattr(reading, "FEW", -1)
            assert place.api().run(f"e/p/{run.id}").history(pandas=False, **ask) == alone.history(
                pandas=False, **ask
            )


@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_a_lake_gives_the_same_as_a_file(place: Place, ask: dict[str, Any]) -> None:
    """Over a lake and over a DuckDB file, histories are equal."""
    over_lake, over_file = Api(warehouse=place.lake).runs("e/p"), place.api().runs("e/p")
    assert over_lake.histories(**ask) == over_file.histories(**ask)
    assert [run.config for run in over_lake] == [run.config for run in over_file]


def test_frames_are_as_their_libraries_make_them(api: Api) -> None:
    """A pandas frame equals the one pandas makes of the rows; polars and Arrow hold the same values."""
    runs = api.runs("e/p")
    rows = runs.histories(samples=9)
    assert isinstance(rows, list)
    frame = runs.histories(samples=9, format="pandas")
    expected = pd.DataFrame.from_records(rows)
    pd.testing.assert_frame_equal(frame, expected[sorted(expected.columns)])
    polars = runs.histories(samples=9, format="polars")
    assert isinstance(polars, pl.DataFrame)
    table = runs.histories(samples=9, format="arrow")
    assert isinstance(table, pa.Table)
    assert polars.columns == table.column_names == sorted(expected.columns)
    types = {name: str(kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)}
    assert types == {
        "_runtime": "double", "_step": "int64", "acc": "double", "histogram": "string", "layers.first": "double",
        "loss": "double", "ok": "bool", "phase": "string", "run_id": "string",
    }  # fmt: skip
    for given_row, row in zip(table.to_pylist(), rows, strict=True):
        held = {key: value for key, value in given_row.items() if value is not None}
        assert held | {"histogram": row.get("histogram")} == row | {"histogram": row.get("histogram")}
        assert json.loads(given_row["histogram"] or "null") == row.get("histogram")
    for given_row, row in zip(polars.to_dicts(), rows, strict=True):
        assert {key: value for key, value in given_row.items() if value is not None} == row


def test_without_pandas_there_are_rows(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pandas is not installed, `history` gives a list and says so."""
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.warns(UserWarning, match="pandas=False"):
        assert isinstance(api.run("e/p/r01").history(), list)


def test_what_is_not_stored_is_told(place: Place, tmp_path: Path) -> None:
    """A history that was not synced is a warning with numbers; one that was sampled comes from the samples."""
    warehouse = tmp_path / "none.duckdb"
    sync(options(place.box, warehouse, history="none"))
    with pytest.warns(
        IncompleteHistoryWarning, match="0 of 27 rows are in the warehouse; sync it with --history full"
    ):
        assert Api(warehouse=warehouse).run("e/p/r03").history(pandas=False) == []
    warehouse = tmp_path / "sampled.duckdb"
    sync(options(place.box, warehouse, history="sampled", samples=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampled = Api(warehouse=warehouse).runs("e/p").histories(keys=["loss"], samples=None)
    assert sampled == place.api().runs("e/p").histories(keys=["loss"], samples=None)


def test_full_and_sampled_histories_mix(tmp_path: Path) -> None:
    """Where some runs are stored whole and others as samples, all come in the order of the runs."""
    warehouse = tmp_path / "wandb.duckdb"
    with Sandbox() as box:
        for number in (1, 3):
            box.add_run(
                "e", "p", f"r{number}", rows=rows_of(number), created_at=f"2026-01-01T00:00:0{number}Z"
            )
        sync(options(box, warehouse, history="sampled", samples=1000))
        box.add_run("e", "p", "r2", rows=rows_of(2), created_at="2026-01-01T00:00:02Z")
        sync(options(box, warehouse, history="full"))
    runs = Api(warehouse=warehouse).runs("e/p")
    rows = runs.histories(keys=["loss"])
    assert isinstance(rows, list)
    expected = [
        {"_step": row["_step"], "loss": row["loss"], "run_id": f"r{n}"}
        for n in (1, 2, 3)
        for row in rows_of(n)
    ]
    assert rows == expected


def test_exports_hold_the_whole_history(api: Api, tmp_path: Path) -> None:
    """The parquet file of a run has its rows, a column a metric, and the types that `exporting` promises."""
    run = api.run("e/p/r09")
    result = run.download_history_exports(tmp_path / "new" / "folder")
    (path,) = result.paths
    assert path.name == "e_p_r09_0.runhistory.parquet"
    assert (result.contains_live_data, result.errors) == (False, None)
    table = pq.read_table(path)
    rows = [{key: value for key, value in row.items() if value is not None} for row in table.to_pylist()]
    for row in rows:
        row["histogram"] = json.loads(row["histogram"])
    assert rows == list(run.scan_history())


def test_an_export_of_a_part_is_refused(api: Api, tmp_path: Path) -> None:
    """A run that goes on has no whole history: an error says so, unless a part will do."""
    run = api.run("e/p/r11")
    with pytest.raises(IncompleteRunHistoryError, match="still going on"):
        run.download_history_exports(tmp_path)
    assert run.download_history_exports(tmp_path, require_complete_history=False).contains_live_data


def test_long_histories_are_scanned_in_windows(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan reads a window of steps at a time, and a second pass gives the same rows."""
    monkeypatch.setattr("wandb_warehouse.api.histories.scanning._VALUES_AT_A_TIME", 50)
    scan = api.run("e/p/r10").scan_history()
    assert list(scan) == list(scan) == [dotted(row) for row in rows_of(10)]
    assert (scan.min_step, scan.max_step, next(iter(scan))["_step"]) == (0, 89, 0)


KINDS: list[list[Any]] = [
    [math.nan, 1.0],
    [math.inf, 2],
    [2.0**70, 1],
    [2**70 + 1, 1],
    [True, 1],
    ["a", 1.5, None],
    [-0.0, 1],
]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of a run for each of `KINDS`, with these values of its metric `v`."""
    warehouse = tmp_path_factory.mktemp("kinds") / "wandb.duckdb"
    with Sandbox(switches=None) as box:
        for number, values in enumerate(KINDS):
            lines = [f'{{"_step":{n},"v":{_json(v)}}}' for n, v in enumerate(values)]
            box.add_run("e", "p", f"r{number}", lines=lines)
        box.switches = type(box.switches)(nan="bare")
        sync(options(box, warehouse))
    return warehouse


@pytest.mark.parametrize("number", range(len(KINDS)), ids=lambda number: str(KINDS[number]))
def test_every_kind_comes_back(
    number: int, kinds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of any kind, and of several under one metric, come back with their kind in rows, frames and files."""
    values = KINDS[number]
    run = Api(warehouse=kinds).run(f"e/p/r{number}")
    found = [row.get("v") for row in run.history(pandas=False)]
    assert list(map(_told, found)) == list(map(_told, values))
    frame = run.history()
    expected = pd.DataFrame.from_records([{"_step": n, "v": v} for n, v in enumerate(values)])
    assert isinstance(frame, pd.DataFrame)
    pd.testing.assert_frame_equal(frame, expected, check_dtype=None not in values)
    scanned = [row.get("v") for row in run.scan_history()]
    assert list(map(_told, scanned)) == list(map(_told, values))
    monkeypatch.setattr("wandb_warehouse.api.histories.scanning.SHORT", 0)
    monkeypatch.setattr("wandb_warehouse.api.histories.scanning._VALUES_AT_A_TIME", 1)
    (path,) = run.download_history_exports(tmp_path).paths
    written = pq.read_table(path)["v"]
    read = (
        [json.loads(each) for each in written.to_pylist()]
        if written.type == pa.string()
        else written.to_pylist()
    )
    assert list(map(_told, read)) == list(map(_told, values))


def _json(value: Any) -> str:
    return json.dumps(value)


def _told(value: Any) -> str:
    """A value with its kind; 2 and 2.0 are one, as they are on the wire."""
    return (
        repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
    )


@pytest.mark.parametrize("order", ["listed", "shuffled"])
@pytest.mark.parametrize("keys", [None, ["loss"]], ids=str)
def test_reading_ahead_is_bounded(
    place: Place, monkeypatch: pytest.MonkeyPatch, order: str, keys: list[str] | None
) -> None:
    """However many values may be read ahead, and whatever is read in the background, each run gets its own rows."""
    api, alone = place.api(), place.api()
    monkeypatch.setattr("wandb_warehouse.api.histories.ahead.FEW", 200 if keys is None else 60)
    runs = api.runs("e/p", per_page=3)[:]
    if order == "shuffled":
        random.Random(7).shuffle(runs)
    for run in [*runs, *runs]:
        expected = alone.run(f"e/p/{run.id}").history(keys=keys, pandas=False)
        assert run.history(keys=keys, pandas=False) == expected
        if run.id == "r05":
            api.flush()


def test_what_was_read_ahead_is_of_one_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read in the background of a state is not given once a newer one is read."""
    monkeypatch.setattr("wandb_warehouse.api.histories.ahead.FEW", 100)
    warehouse = tmp_path / "wandb.duckdb"
    with Sandbox() as box:
        for number in range(9):
            box.add_run("e", "p", f"r{number}", rows=[{"loss": n} for n in range(30)], state="running")
        sync(options(box, warehouse))
        api = Api(warehouse=warehouse)
        runs = list(api.runs("e/p"))
        assert [len(run.history(keys=["loss"], pandas=False)) for run in runs[:4]] == [30] * 4
        for number in range(9):
            box.append_rows("e", "p", f"r{number}", [{"loss": 0.5}])
        sync(options(box, warehouse))
        assert len(runs[4].history(keys=["loss"], pandas=False)) == 30
        api.flush()
        assert [len(run.history(keys=["loss"], pandas=False)) for run in runs[5:]] == [31] * 4
