"""What the command line may be asked to bring, how it says no, and the plan."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cli.commands import Cli
from wandb_warehouse.cli.sandbox import DEMO_PROJECT
from wandb_warehouse.resources import RESOURCES
from wandb_warehouse.sandbox import Sandbox

PATH = f"sandbox/{DEMO_PROJECT}"


def query(home: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query over ./wandb.duckdb."""
    with duckdb.connect(str(home / "wandb.duckdb"), read_only=True) as reader:
        return reader.execute(sql).fetchall()


def facts(box: Sandbox) -> tuple[int, int]:
    """Runs and history rows of the demo project."""
    runs = box.store.projects["sandbox", DEMO_PROJECT].live_runs
    return len(runs), sum(len(run.history) for run in runs)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--resources", "runs,nope,run_confg"), ["'nope', 'run_confg'", *RESOURCES]),
        (("--resources", ","), ["names none", *RESOURCES]),
        (("--samples", "5"), ["--history sampled"]),
        (("--resources", "history_sampled"), ["add --history sampled"]),
        (("--resources", "history", "--history", "none"), ["add --history full"]),
        (("--resources", "system_metrics", "--history", "none"), ["leave --history out"]),
        (("--console-logs", "--exclude", "a"), ["console_logs in --resources"]),
        (("--metadata-files", "--exclude", "a"), ["run_metadata in --resources"]),
        (("--metadata-files", "--resources", "runs"), ["run_metadata in --resources"]),
        (("--max-table-mb", "5"), ["together with --tables"]),
        (("--tables", "--max-table-mb", "0"), ["--max-table-mb"]),
        (("--max-minutes", "0"), ["--max-minutes"]),
        (("--publish-every", "-1"), ["--publish-every"]),
        (("--history", "some"), ["sampled"]),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(
    cli: Cli, connected: Sandbox, home: Path, arguments: tuple[str, ...], said: list[str]
) -> None:
    """Exit 2 in one line that says what there is, before anything is asked or written."""
    asked = len(connected.requests)
    ended = cli("sync", PATH, *arguments)
    assert ended.code == 2
    assert all(word in ended.line for word in said)
    assert len(connected.requests) == asked
    assert list(home.iterdir()) == []


def test_options_reach_the_sync(cli: Cli, connected: Sandbox, home: Path) -> None:
    """Entity, sample, keys, exclusion and tables of one command line are those of the warehouse."""
    words = ["--history", "sampled", "--samples", "9", "--keys", "train/*", "--exclude", "train/l*"]
    ended = cli("sync", "sandbox", *words, "--resources", "run_tags,history_sampled", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["projects"] == [PATH]
    keys = {key for (key,) in query(home, "SELECT DISTINCT key FROM history_sampled")}
    assert keys >= {"_timestamp", "_runtime"}
    assert not [key for key in keys if not key.startswith("_") and not key.startswith("train/")]
    assert "train/loss" not in keys
    assert query(
        home, "SELECT max(c) FROM (SELECT count(*) c FROM history_sampled GROUP BY run_id, key)"
    ) == [(9,)]
    assert query(home, "SELECT count(*) FROM run_config") == [(0,)]
    assert query(home, "SELECT count(*) > 0 FROM run_tags") == [(True,)]


def test_configured_projects_may_be_patterns(cli: Cli, connected: Sandbox, home: Path) -> None:
    """The list in .dlt/config.toml takes globs and entities as the arguments do."""
    (home / ".dlt").mkdir()
    glob = f"sandbox/{DEMO_PROJECT[:3]}*"
    (home / ".dlt" / "config.toml").write_text(f'[sources.wandb]\nprojects = ["sandbox", "{glob}"]\n')
    ended = cli("sync", "--history", "none", "--json")
    assert json.loads(ended.out)["projects"] == [PATH]


def test_a_failing_project_is_named_in_the_end(cli: Cli, connected: Sandbox, home: Path) -> None:
    """The report is written, the others are published, one line names the project, the exit code is 6."""
    ended = cli("sync", PATH, "sandbox/none", "--history", "none", "--json")
    assert ended.code == 6
    assert "sandbox/none" in ended.line
    assert list(json.loads(ended.out)["failed"]) == ["sandbox/none"]
    assert query(home, "SELECT count(*) FROM runs") == [(facts(connected)[0],)]


def test_time_that_was_up_is_said(cli: Cli, connected: Sandbox, home: Path) -> None:
    """Exit 0, and the report tells what was left; what is there is whole."""
    chosen = ("sync", PATH, "--resources", "history,files,sweeps,reports")
    ended = cli(*chosen, "--max-minutes", "0.000001")
    assert ended.code == 0, ended.err
    assert int(query(home, "SELECT count(*) FROM run_ledger WHERE state = 'ok'")[0][0]) > 0
    assert "left for the next sync" in ended.out
    while "left for the next sync" in ended.out:
        ended = cli(*chosen, "--max-minutes", "0.000001")
    runs = facts(connected)[0]
    assert query(home, "SELECT count(*) FROM run_ledger WHERE state = 'ok'") == [(runs,)]
    assert "nothing new" in cli(*chosen).out


def test_a_sync_that_published_several_times_says_so(cli: Cli, connected: Sandbox, home: Path) -> None:
    """The interval comes from the option, or else from .dlt/config.toml; the report counts the rounds."""
    chosen = ("--resources", "runs,run_config", "--history", "none", "--json")
    (home / ".dlt").mkdir()
    (home / ".dlt" / "config.toml").write_text("[sources.wandb]\npublish_every = 0.0000001\n")
    assert json.loads(cli("sync", "sandbox", *chosen).out)["rounds"] == 1  # one project, one batch of details
    other = ("--history", "none", "--resources", "runs,files,sweeps", "--full-refresh")
    ended = cli("sync", PATH, *other)
    assert ended.code == 0
    assert "rounds" in ended.out
    assert "left for the next sync" not in ended.out
    assert "rounds" not in cli("sync", PATH, *other, "--publish-every", "0").out


def test_the_plan_as_json_and_as_a_table(cli: Cli, connected: Sandbox, home: Path) -> None:
    """Both forms hold the counts of the server; nothing is written, and after a sync nothing is left to plan."""
    runs, rows = facts(connected)
    ended = cli("plan", "sandbox", "--json")
    assert (ended.code, ended.err) == (0, "")
    made = json.loads(ended.out)
    assert (made["runs"], made["runs_to_fetch"], made["rows"]) == (runs, runs, rows)
    assert made["projects"][0]["project"] == PATH
    assert made["minutes"] > 0
    assert list(home.iterdir()) == []
    shown = cli("plan", PATH).out
    assert f"{rows:,}" in shown
    assert "a request" in shown
    assert cli("sync", PATH).code == 0
    again = json.loads(cli("plan", PATH, "--json").out)
    assert again["runs"] == runs
    assert again["rows"] == 0


def test_the_plan_names_what_it_leaves_out(cli: Cli, connected: Sandbox) -> None:
    """A project that cannot be listed is named on stderr; alone it is an error of the command."""
    ended = cli("plan", PATH, "sandbox/none")
    assert ended.code == 0
    assert "sandbox/none" in ended.line
    assert cli("plan", "sandbox/none").code == 2
    assert "20 of" in " ".join(cli("plan", "--help").out.split())
