"""`Runs` and `Run`, as the peer's tests have them."""

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from wandb_warehouse import Api
from wandb_warehouse.errors import RunNotFoundError

ORDER = ["curve", "live", "gap", "control", "alive"]
"""Runs of e/p by creation."""


class Questions:
    """Counts what is asked of the warehouse."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        table = api._session.reader.table

        def counted(name: str, *arguments: Any, **more: Any) -> pa.Table:
            self.asked.append(name)
            return table(name, *arguments, **more)

        monkeypatch.setattr(api._session.reader, "table", counted)


def test_runs_by_index(api: Api) -> None:
    """The last one makes those before it."""
    runs = api.runs("e/p")
    assert len(runs) == 5
    assert runs[4].id == "alive"
    assert [run.id for run in runs.objects] == ORDER
    assert [run.id for run in runs] == ORDER


def test_runs_by_page(api: Api) -> None:
    """Pages of two: the length is of all."""
    runs = api.runs("e/p", per_page=2)
    assert len(runs) == 5
    assert [run.id for run in runs.objects] == ["curve", "live"]
    assert runs[0].summary_metrics == {"acc": 100, "loss": 0, "a": {"b": {"c": 0.9}}}
    assert (runs[0].group, runs[0].job_type) == ("A", "test")


def test_histories_of_runs(api: Api) -> None:
    """Rows of both runs in their order, whichever form is asked for."""
    runs = api.runs("e/p", filters={"group": "A"})
    rows = runs.histories(samples=20, format="default")
    assert isinstance(rows, list)
    assert [(row["run_id"], row["_step"], row["acc"]) for row in rows] == [
        ("curve", 0, 0.5), ("curve", 1, 0.75), ("curve", 2, 0.9), *(("live", step, step) for step in range(10))
    ]  # fmt: skip
    assert [row.get("loss") for row in rows] == [1.0, 0.5, 0.1, *[None] * 10]
    frame = runs.histories(samples=20, format="pandas")
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (13, 4)
    assert set(frame.columns) == {"_step", "acc", "loss", "run_id"}
    polars = runs.histories(samples=20, format="polars")
    assert isinstance(polars, pl.DataFrame)
    assert polars.shape == (13, 4)
    assert set(polars.columns) == {"_step", "acc", "loss", "run_id"}


def test_histories_of_no_runs(api: Api) -> None:
    """There is nothing, not even a column."""
    runs = api.runs("e/empty")
    assert runs.histories(format="default") == []
    for frame in (runs.histories(samples=2, format="pandas"), runs.histories(samples=2, format="polars")):
        assert isinstance(frame, pd.DataFrame | pl.DataFrame)
        assert frame.shape == (0, 0)


def test_run_has_summary_config_and_url(api: Api) -> None:
    """As they were written."""
    run = api.run("e/p/curve")
    assert run.summary_metrics == {"acc": 100, "loss": 0, "a": {"b": {"c": 0.9}}}
    assert run.config["epochs"] == 10
    assert run.url.endswith("/e/p/runs/curve")


def test_documents_are_dicts(api: Api) -> None:
    """Empty ones, too."""
    run = api.run("e/My Project/blank")
    assert (run.config, run.summary_metrics, run.system_metrics) == ({}, {}, {})
    assert api.run("e/p/curve").system_metrics == {"system.cpu": 20}


def test_documents_have_control_characters(api: Api) -> None:
    """A tab that no JSON may have as it is."""
    run = api.run("e/p/control")
    assert run.config == {"test": "test\ttest"}
    assert run.summary_metrics == {"test": "test\ttest"}
    assert run.system_metrics == {"system.test": "test\ttest"}


def test_lazy_run_reads_its_config_when_asked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for all its documents; in a small warehouse they came with the list."""
    monkeypatch.setattr("wandb_warehouse.api.runs.rows._FEW", 0)
    run = api.runs("e/p", lazy=True)[0]
    questions = Questions(api, monkeypatch)
    assert run.config["epochs"] == 10
    assert "_wandb" not in run.config
    assert run.summary["acc"] == 100
    assert len(questions.asked) == 1


def test_lazy_run_has_its_user(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is read for it."""
    run = api.runs("e/p", lazy=True)[0]
    questions = Questions(api, monkeypatch)
    assert run.user is not None
    assert run.user.username == "ada"
    assert questions.asked == []


def test_run_that_is_not_there(api: Api) -> None:
    """The error is a ValueError, too."""
    with pytest.raises(RunNotFoundError, match="Could not find run") as error:
        api.run("e/p/nobody")
    assert isinstance(error.value, ValueError)


def test_url_of_a_project_with_blanks(api: Api) -> None:
    """Addresses are quoted as of paths, not of forms."""
    assert api.run("e/My Project/blank").url.endswith("/e/My%20Project/runs/blank")


def test_sweep_of_a_run(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read before it is asked for."""
    questions = Questions(api, monkeypatch)
    run = api.run("e/p/curve")
    assert not any("sweep" in asked for asked in questions.asked)
    assert run.sweep is not None
    assert (run.sweep.entity, run.sweep.project, run.sweep.name) == ("e", "p", "from config")
    assert any("sweep" in asked for asked in questions.asked)


def test_metadata_of_a_run(api: Api) -> None:
    """What its writer said of the machine."""
    metadata = api.run("e/p/curve").metadata
    assert metadata is not None
    assert metadata["os"] == "Linux"
    assert metadata["args"] == ["--lr", "1"]


def test_project_id_is_a_number(api: Api) -> None:
    """The same for all runs of the project."""
    ids = {run.project_internal_id for run in api.runs("e/p")}
    assert len(ids) == 1
    assert isinstance(ids.pop(), int)


def test_run_is_loaded_again(api: Api) -> None:
    """Nothing changes by it."""
    run = api.run("e/p/curve")
    assert run.load() == run.load()
    assert run.load(force=True)["name"] == "curve"
    assert run.summary["acc"] == 100


def test_nothing_is_displayed_outside_a_notebook(api: Api) -> None:
    """It is said by the result."""
    assert api.run("e/p/curve").display() is False


def test_run_in_a_notebook(api: Api) -> None:
    """Notebooks ask for `_repr_html_`."""
    run = api.run("e/p/curve")
    assert run._repr_html_() == run.to_html()
