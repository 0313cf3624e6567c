"""`wandb-warehouse runs`: what it selects, and one line where something is wrong."""

import json
from pathlib import Path

import pytest

from cli.commands import Cli
from wandb_warehouse.cli.sandbox import DEMO_PROJECT
from wandb_warehouse.sandbox import Sandbox


def test_runs_are_filtered_and_ordered(cli: Cli, synced_once: Path) -> None:
    """A filter and an order select runs; JSON holds their tags as a list."""
    given = ["--filter", '{"tags": "baseline", "config.optimizer.lr": {"$gt": 0}}', "--order", "-created_at"]
    ended = cli("runs", "-w", str(synced_once), "--json", *given)
    assert ended.code == 0
    found = json.loads(ended.out)
    assert found
    assert all("baseline" in run["tags"] for run in found)
    assert [run["created_at"] for run in found] == sorted((run["created_at"] for run in found), reverse=True)


def test_limit_and_project(cli: Cli, synced_once: Path, demo_box: Sandbox) -> None:
    """`--limit` cuts, the argument names a project."""
    path = str(synced_once)
    every = json.loads(cli("runs", "-w", path, "--json").out)
    assert len(json.loads(cli("runs", "-w", path, "--json", "--limit", "2").out)) == 2
    project = f"{demo_box.entity}/{DEMO_PROJECT}"
    assert json.loads(cli("runs", project, "-w", path, "--json").out) == every
    assert json.loads(cli("runs", f"{demo_box.entity}/elsewhere", "-w", path, "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--filter", "{"], "no JSON"),
        (["--filter", '{"tags": {"$all": []}}'], "$all"),
        (["--filter", '{"stat": 1}'], "names no field"),
        (["--order", "loss"], "names no field"),
        (["--order", "+tags"], "not ordered by tags"),
        (["half"], "names no project"),
    ],
)
def test_mistakes_end_in_one_line(cli: Cli, synced_once: Path, arguments: list[str], message: str) -> None:
    """A mistake is named in one line, with exit code 2."""
    ended = cli("runs", "-w", str(synced_once), *arguments)
    assert ended.code == 2
    assert message in ended.line


def test_sql_is_printed(cli: Cli, home: Path) -> None:
    """`--sql` prints the statement and needs no warehouse."""
    ended = cli("runs", "--filter", '{"state": "finished"}', "--sql")
    assert ended.code == 0
    assert "FROM runs AS r" in ended.out
