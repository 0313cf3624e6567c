"""A lake from the command line: chosen by option or by dlt's configuration, read by every command."""

import json
from pathlib import Path

import duckdb
import pytest

from cli.commands import Cli
from wandb_warehouse.cli.sandbox import DEMO_PROJECT
from wandb_warehouse.sandbox import Sandbox

PATH = f"sandbox/{DEMO_PROJECT}"


def test_a_lake_answers_as_the_file_does(cli: Cli, connected: Sandbox, home: Path, warehouse: Path) -> None:
    """Written by option, then known by its manifest: digests, queries, plans and quiet syncs are those of the file."""
    assert cli("sync", PATH, "--destination", "filesystem", "-w", "lake").code == 0
    told = [
        json.loads(cli("status", "--digest", "--json", "-w", where).out) for where in ("lake", "wandb.duckdb")
    ]
    assert told[0]["digest"] == told[1]["digest"]
    assert told[0]["tables"] == told[1]["tables"]
    sql = "select run_name, count(*) from run_curves('train/loss') group by all order by all"
    answers = {cli("query", sql, "--json", "-w", where).out for where in ("lake", "wandb.duckdb")}
    assert len(answers) == 1
    plans = [json.loads(cli("plan", PATH, "--json", "-w", where).out) for where in ("lake", "wandb.duckdb")]
    assert plans[0]["runs_to_fetch"] == plans[1]["runs_to_fetch"] < plans[0]["runs"]
    with duckdb.connect("lake/views.duckdb", read_only=True) as reader:
        reader.execute("SET file_search_path = 'lake'")
        runs = reader.execute("SELECT count(*) FROM runs").fetchall()
    assert runs == [(told[0]["tables"]["runs"],)]


def test_dlt_chooses_the_destination(cli: Cli, connected: Sandbox, home: Path) -> None:
    """With dlt's own configuration no command needs an option."""
    (home / ".dlt").mkdir()
    (home / ".dlt" / "config.toml").write_text(
        'destination_type = "filesystem"\n[destination.filesystem]\nbucket_url = "our-lake"\n'
    )
    assert cli("sync", PATH, "--history", "none").code == 0
    assert (home / "our-lake" / "manifest.json").is_file()
    assert not (home / "wandb.duckdb").exists()
    assert "our-lake" in cli("status").out
    assert cli("query", "from projects").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--destination", "filesystem", "-w", "wandb.duckdb"), "a lake is a directory"),
        (("--destination", "duckdb", "-w", "s3://key:hidden@bucket/lake"), "s3://bucket/lake"),
        (("--destination", "bigquery"), "'bigquery' is not one of"),
        (("-w", "nosuch://bucket/lake"), "nosuch://bucket/lake cannot be reached as configured"),
        (("-w", ""), "empty"),
    ],
)
def test_a_destination_that_cannot_be_is_told_in_one_line(
    cli: Cli, connected: Sandbox, warehouse: Path, arguments: tuple[str, ...], says: str
) -> None:
    """A place and a kind that do not go together are mended at the command; credentials are not repeated."""
    ended = cli("sync", PATH, *arguments)
    assert ended.code == 2
    assert says in ended.line
    assert "hidden" not in ended.err + ended.out
