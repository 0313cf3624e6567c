"""Wide views from the command line: made, kept by a sync, listed nowhere else, dropped; mistakes in one line."""

import json
from pathlib import Path

import pytest

from cli.commands import Cli
from wandb_warehouse.cli.sandbox import DEMO_PROJECT
from wandb_warehouse.sandbox import Sandbox

PATH = f"sandbox/{DEMO_PROJECT}"


def test_a_wide_view_from_the_command_line(cli: Cli, connected: Sandbox, warehouse: Path) -> None:
    """Globs separated by commas become columns; the view has the history's numbers, also after a sync."""
    ended = cli("views", "create-wide", "--keys", "train/loss,val/*", "--name", "curves", "--json")
    assert ended.code == 0, ended.err
    made = json.loads(ended.out)
    assert made[0] == {"column": "train/loss", "key": "train/loss", "kind": "double"}
    assert {each["key"] for each in made[1:]} >= {"val/loss"}
    assert "curves" in ended.line
    asked = """select (select count("train/loss") from curves) as wide,
      (select count(*) from run_curves('train/loss') where not isnan(value)) as long"""
    for arguments in (("status",), ("sync", PATH, "--full-refresh")):
        assert cli(*arguments).code == 0
        (counts,) = json.loads(cli("query", asked, "--json").out)
        assert counts["wide"] == counts["long"] > 0
    assert cli("views", "drop-wide", "curves").code == 0
    assert "curves" in cli("query", "from curves").line


def test_configs_and_summaries(cli: Cli, warehouse: Path) -> None:
    """Of configs and summaries a row is a run, under the subject's own name where none is given."""
    assert cli("views", "create-wide", "--of", "config", "--keys", "*").code == 0
    assert cli("views", "create-wide", "--of", "summary", "--keys", "*/loss").code == 0
    asked = """select (select count(*) from config_wide) as config, (select count(*) from summary_wide) as summary,
      (select count(*) from runs where deleted_at is null) as runs"""
    (counts,) = json.loads(cli("query", asked, "--json").out)
    assert counts["config"] == counts["summary"] == counts["runs"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("create-wide",), 2, "--keys"),
        (("create-wide", "--keys", "nope"), 2, "no key of the history matches 'nope'"),
        (("create-wide", "--keys", ","), 2, "no key is named"),
        (("create-wide", "--keys", "*", "--name", "runs"), 2, "runs is a name of every warehouse's own"),
        (("create-wide", "--keys", "*", "--of", "files"), 2, "'files' is not one of"),
        (("create-wide", "--keys", "*", "-w", "nowhere.duckdb"), 5, "no warehouse at nowhere.duckdb"),
        (("drop-wide", "curves"), 2, "there is no wide view 'curves'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    cli: Cli, warehouse: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """What cannot be made or dropped ends with a line that says why, and the exit code of its kind."""
    ended = cli("views", *arguments)
    assert ended.code == code
    assert says in ended.line
