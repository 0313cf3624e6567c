"""Every scenario of the benchmarks runs, at a size that proves nothing but that."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree as ET

import pytest
from benchmarks import harness, run, worker
from benchmarks.harness import Figure, Server, task
from benchmarks.serve import Shape


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Tasks run here: a process each would spend seconds on imports."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the official client writes there after its task

    def outcome(name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        return worker.measured(name, json.loads(json.dumps(asked)))

    monkeypatch.setattr(harness, "_in_a_process", outcome)
    with mock.patch.dict(os.environ):
        yield


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # the official client's
@pytest.mark.parametrize("name", sorted(run.SCENARIOS.keys() - {"many"}))  # `dense` with other numbers
def test_scenario_runs_and_both_sides_agree(name: str) -> None:
    """A scenario compares what it measures with the other side, and gives figures that its table can show."""
    figures = run.SCENARIOS[name][0](size="tiny", repetitions=1)
    assert figures
    assert len({figure.what for figure in figures}) == len(figures)
    assert all(figure.value > 0 for figure in figures)
    assert {len(run.row(figure)) for figure in figures} == {7}


def test_task_runs_in_a_process_of_its_own() -> None:
    """A task tells what it did and its own peak memory."""
    shape = Shape(2, 20, 4)
    with Server(shape) as server:
        outcome = task("sync", server.at(0.0))
    assert outcome["values"] == shape.values
    assert outcome["memory"] > 10_000_000


def test_results_become_a_table_and_charts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept results of two scenarios stand in the page, a ratio also in the bars and a point in the curves."""
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(run, "PAGE", tmp_path / "docs" / "benchmarks.md")
    run.PAGE.parent.mkdir()
    run.PAGE.write_text(f"before\n{run.START}old\n{run.END}after\n")
    machine = run.describe_machine() | {"repetitions": 1, "load": 0.1, "minutes": 2}
    run.save("dense", [Figure("full history", "<faster>", 9.0, 8.0)], machine)
    points = [
        Figure("growth", f"{at} million", at / 10, None, " s", spread=(0.1, 9), curve="sync", at=at)
        for at in (1, 100)
    ]
    run.save("growth", points, machine)
    run.write_page()
    page = run.PAGE.read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "| full history | <faster> | 9x |  | ≥ 8x | yes |  |" in page
    assert "| growth | 100 million | 10 s | 0.1 to 9 |  |  |  |" in page
    assert "old" not in page
    bars, drawn = (ET.parse(tmp_path / "docs" / name).getroot() for name in ("benchmarks.svg", "growth.svg"))
    assert [text for text in bars.itertext() if text.strip()] == ["goal", "<faster>", "9x, goal ≥ 8x"]
    assert len(drawn.findall(".//{*}circle")) == 2
