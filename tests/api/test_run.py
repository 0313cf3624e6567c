"""`Api`, `Runs`, `Run` and `Summary`: what only shows in a process of ours, or over time."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.runs_place import Place
from support import options
from wandb_warehouse import Api
from wandb_warehouse.api.pieces.html import sparkline
from wandb_warehouse.api.pieces.paths import Home, parse_artifact, parse_item, parse_project
from wandb_warehouse.errors import CommError, NotStoredError, OperationError, RunNotFoundError, StoreError
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import sync

names = st.text(
    st.characters(exclude_characters="/:", categories=["L", "N", "P"]), min_size=1, max_size=8
).filter(lambda text: text not in {"runs", "sweeps"} and text.strip() == text)


@given(names, names, names)
def test_paths_of_runs(entity: str, project: str, run: str) -> None:
    """Every form of a path means the same run; what it leaves out is taken from what is set."""
    expected = (entity, project, run)
    home = Home(entity, project)
    nowhere = Home(None, None)
    for path in (
        f"{entity}/{project}/{run}",
        f"/{entity}/{project}/runs/{run}/",
        f"{entity}/{project}:{run}",
    ):
        assert parse_item(path, nowhere) == expected
    for path in (f"{project}/{run}", f"{project}:{run}", run):
        assert parse_item(path, home) == expected
    assert parse_project(f"{entity}/{project}", nowhere) == (entity, project)
    assert parse_project(project, home) == (entity, project)
    assert parse_artifact(f"{entity}/{project}/{run}:v1/x", nowhere) == (entity, project, f"{run}:v1/x")


@pytest.mark.parametrize("path", ["", "/", "a/", "//", "only"])
def test_paths_that_lack_a_part(path: str) -> None:
    """A path without all its parts is a ValueError that quotes it."""
    with pytest.raises(ValueError, match="Invalid path"):
        parse_item(path, Home(None, None))


def test_nothing_is_there(tmp_path: Path, api: Api) -> None:
    """A missing warehouse, project, run and a wrong filter are told of in one line each."""
    with pytest.raises(StoreError, match="no warehouse at"):
        Api(warehouse=tmp_path / "none.duckdb")
    with pytest.raises(NotStoredError, match="Could not find project 'nope'; sync e/nope"):
        len(api.runs("e/nope"))
    with pytest.raises(RunNotFoundError, match="Could not find run <Run e/p/nope"):
        api.run("e/p/nope")
    with pytest.raises(CommError):
        api.run("e/p/nope")
    with pytest.raises(OperationError):
        len(api.runs("e/p", {"$nothing": 1}))
    with pytest.raises(AttributeError, match="has no 'registries'"):
        api.registries()


def test_reading_needs_neither_the_client_nor_a_frame_library(place: Place) -> None:
    """Neither `wandb` nor polars nor dlt is imported to read; pandas only where pyarrow does so by itself."""
    script = (
        "import sys\n"
        "from wandb_warehouse import Api\n"
        f"api = Api(warehouse={str(place.file)!r})\n"
        "runs = api.runs('e/p')\n"
        "rows = [run.history(pandas=False) for run in runs], runs.histories(), runs.histories(format='arrow')\n"
        "print(runs[3].summary.loss, runs[3].config, runs[3].to_html()[:9], api.run('e/p/r03').metadata)\n"
        "bad = {'wandb', 'polars', 'dlt', 'requests'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_one_state_until_it_is_flushed(tmp_path: Path) -> None:
    """An `Api` shows what was published when it began; `flush` and `load(force=True)` show what is published now."""
    warehouse = tmp_path / "wandb.duckdb"
    with Sandbox() as box:
        box.add_run("e", "p", "r", rows=[{"loss": 1}], state="running")
        sync(options(box, warehouse))
        api = Api(warehouse=warehouse)
        run, runs = api.run("e/p/r"), api.runs("e/p")
        assert (run.state, len(runs), run.lastHistoryStep) == ("running", 1, 0)
        box.append_rows("e", "p", "r", [{"loss": 0.5}])
        box.finish("e", "p", "r")
        box.add_run("e", "p", "other")
        sync(options(box, warehouse))
        assert (api.run("e/p/r").state, len(api.runs("e/p"))) == ("running", 1)
        assert len(list(api.run("e/p/r").scan_history())) == 1
        run.load(force=True)
        assert (run.state, run.lastHistoryStep, len(list(run.scan_history()))) == ("finished", 1, 2)
        api.flush()
        assert (api.run("e/p/r").state, len(api.runs("e/p"))) == ("finished", 2)


def test_waiting_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`wait_until_finished` ends with the sync that brings the end, or with a TimeoutError when its time is up."""
    monkeypatch.setattr("wandb_warehouse.api.runs.run._POLL", 0.05)
    warehouse = tmp_path / "wandb.duckdb"
    with Sandbox() as box:
        box.add_run("e", "p", "r", rows=[{"loss": 1}], state="running")
        sync(options(box, warehouse))
        run = Api(warehouse=warehouse).run("e/p/r")
        with pytest.raises(TimeoutError, match=r"e/p/r is running after 0\.1 s"):
            run.wait_until_finished(timeout=0.1)
        waiting = threading.Thread(target=run.wait_until_finished)
        waiting.start()
        box.finish("e", "p", "r")
        sync(options(box, warehouse))
        waiting.join(30)
        assert (waiting.is_alive(), run.state) == (False, "finished")


def test_deleted_runs_are_not_shown(tmp_path: Path) -> None:
    """A run that was proven gone from W&B is in no list and has no path, though the warehouse keeps its rows."""
    warehouse = tmp_path / "wandb.duckdb"
    with Sandbox() as box:
        for name in ("kept", "gone"):
            box.add_run("e", "p", name, rows=[{"loss": 1}])
        sync(options(box, warehouse))
        with box.store.lock:
            run = box.store.find_run("e", "p", "gone")
            assert run is not None
            run.deleted = True
        sync(options(box, warehouse, sweep=True, allow_mass_delete=True))
    api = Api(warehouse=warehouse)
    assert [run.id for run in api.runs("e/p")] == ["kept"]
    with pytest.raises(RunNotFoundError):
        api.run("e/p/gone")


@pytest.mark.parametrize("few", [1_000, 0])
def test_documents_are_read_together(api: Api, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first config of a page brings those of its runs; of a small project all runs are read at once."""
    monkeypatch.setattr("wandb_warehouse.api.runs.rows._FEW", few)
    runs = api.runs("e/p", per_page=5)
    first = runs[0]
    assert first._texts is None
    assert first.config == {"lr": 1.0, "model": {"depth": 0}}
    assert [run._texts is not None for run in runs[:10]] == [True] * 5 + [False] * 5
    assert [run.config["model"]["depth"] for run in runs] == list(range(12))
    assert runs[-1].id == "r11"
    assert [run.id for run in runs[-2:]] == ["r10", "r11"]
    looked = [api.run(f"e/p/r{number:02}") for number in (3, 4, 3)]
    assert [run.config["model"]["depth"] for run in looked] == [3, 4, 3]
    assert [run.tags for run in looked] == [["odd"], [], ["odd"]]


def test_a_summary_is_a_dict_with_attributes(api: Api) -> None:
    """Entries come by item and by attribute, spaces around keys do not count, objects within are summaries, too."""
    summary = api.run("e/p/r04").summary
    assert (summary["loss"], summary.loss, summary.get("none", 3)) == (0.8, 0.8, 3)
    assert (summary.best.at, summary["best"]["at"], dict(summary.best)) == (4, 4, {"at": 4})
    assert not hasattr(summary, "none")
    with pytest.raises(KeyError):
        summary["none"]
    summary["new"] = {" a ": 1}
    summary.loss = 2
    assert (summary.new.a, summary["loss"], "new" in summary, len(summary) > 3) == (1, 2, True, True)
    del summary["new"]
    assert "new" not in list(summary)


def test_html_needs_no_server(api: Api) -> None:
    """A run as HTML is a table and curves, its texts escaped; the only address in it is the link to W&B."""
    run = api.run("e/p/r05")
    run.name = "<script>alert(1)</script>"
    text = run._repr_html_()
    assert "<script>" not in text
    assert text.count("http") == text.count(run.url) == 1
    assert text.count("<svg") == 4
    assert "src=" not in text
    assert run.to_html(hidden=True).startswith("<details>")
    assert run.display() is False
    assert sparkline([float("nan")]) == ""
    assert sparkline([1.0, float("inf"), 2.0, 3.0]).count("<polyline") == 2


def test_the_default_entity_is_the_only_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths without an entity mean the warehouse's only one, or the one that is set."""
    assert place.api().default_entity == place.api().viewer.entity == "e"
    assert place.api().run("p/r03").id == "r03"
    assert Api({"entity": "e", "project": "p"}, warehouse=place.file).run("r03").id == "r03"
    monkeypatch.setenv("WANDB_WAREHOUSE", str(place.file))
    monkeypatch.setenv("WANDB_ENTITY", "other")
    assert Api().default_entity == "other"
    assert Api(overrides={"base_url": "https://api.example.com/"}).run("e/p/r01").url == (
        "https://app.example.com/e/p/runs/r01"
    )
