"""`wandb-warehouse ops`: results for people and machines, and one line where something is wrong."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from cli.commands import Cli
from wandb_warehouse.cli.sandbox import DEMO_PROJECT


def test_runs_are_shown_as_rows(cli: Cli, synced_once: Path) -> None:
    """An operation that gives runs shows them, with names a person knows them by."""
    ended = cli(
        "ops", "runs.sort((a, b) => run-createdAt(a) - run-createdAt(b)).limit(2)", "-w", str(synced_once)
    )
    assert ended.code == 0
    assert ended.out.split()[:4] == ["entity", "project", "run_id", "name"]
    assert len(ended.out.strip().splitlines()) == 4


def test_json_holds_what_values_hold(cli: Cli, synced_once: Path) -> None:
    """In JSON a config is an object, a count a whole number, and a missing value null."""
    program = "({n: runs.count(), config: runs[0].config, none: runs[0].config.nothing})"
    ended = cli("ops", program, "-w", str(synced_once), "--json")
    (row,) = json.loads(ended.out)
    assert ended.out.count(f'"n": {row["n"]},') == 1
    assert isinstance(row["n"], int)
    assert row["config"]["optimizer"]["betas"] == [0.9, 0.999]
    assert row["none"] is None


def test_several_results(cli: Cli, synced_once: Path) -> None:
    """Each statement's result is shown; machines get them in one list, or are told to ask for one."""
    ended = cli("ops", "runs.count()\nruns.map(r => r.name)", "-w", str(synced_once), "--json")
    counted, names = json.loads(ended.out)
    assert counted[0]["value"] == len(names)
    refused = cli("ops", "runs.count(); runs.count()", "-w", str(synced_once), "--format", "csv")
    assert (refused.code, refused.out) == (2, "")
    assert "2 results" in refused.line


def test_programs_write_lines(cli: Cli, synced_once: Path) -> None:
    """What a program logs is written as lines, those alone whose condition holds."""
    program = "runs.limit(3).forEach(r => { console.log(`${r.name}`); if (!r.name) { alert('no name') } })"
    ended = cli("ops", program, "-w", str(synced_once))
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 3
    assert "no name" not in ended.out


def test_a_run_is_given_by_its_id(cli: Cli, synced_once: Path) -> None:
    """`--run` names a run of the warehouse; one that is not there is told before anything runs."""
    with duckdb.connect(synced_once, read_only=True) as connection:
        found = connection.execute("SELECT entity, run_id, name FROM runs ORDER BY run_id LIMIT 2").fetchall()
    (entity, first, name), (_, second, _) = found
    path = str(synced_once)
    for given in (first, f"{entity}/{DEMO_PROJECT}/{first}", f"run={first}"):
        ended = cli("ops", "run-name(run)", "--run", given, "-w", path, "--json")
        assert json.loads(ended.out) == [{"value": name}], given
    both = cli("ops", "run-id(run1) + run-id(run2)", "--run", first, "--run", second, "-w", path, "--json")
    assert json.loads(both.out) == [{"value": first + second}]
    for wrong in ("nobody", f"{entity}/elsewhere/{first}"):
        ended = cli("ops", "run-name(run)", "--run", wrong, "-w", path)
        assert ended.code == 2
        assert "there is no run" in ended.line


def test_only_one_project(cli: Cli, synced_once: Path) -> None:
    """`--project` narrows what `runs` means."""
    path = str(synced_once)
    with duckdb.connect(synced_once, read_only=True) as connection:
        ((entity, count),) = connection.execute("SELECT entity, count(*) FROM runs GROUP BY ALL").fetchall()
    for project, expected in ((DEMO_PROJECT, count), ("elsewhere", 0)):
        ended = cli("ops", "runs.count()", "--project", f"{entity}/{project}", "-w", path, "--json")
        assert json.loads(ended.out) == [{"value": expected}]
    assert cli("ops", "runs.count()", "--project", "half", "-w", path).code == 2


def test_a_mistake_is_shown_in_the_text(cli: Cli, synced_once: Path) -> None:
    """A mistake ends with exit code 2, the text with a mark under the place, and one line."""
    ended = cli("ops", "runs.fliter(r => true)", "-w", str(synced_once))
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "runs.fliter(r => true)",
        "     ^^^^^^",
        "error: 1:6: a list has no method fliter; did you mean filter?",
    ]


def test_a_refusal_that_only_the_data_tell(cli: Cli, synced_once: Path) -> None:
    """What turns out to have no exact meaning when it is computed is told in one line, too."""
    ended = cli("ops", "runs.map(r => `${r.config.optimizer}`)", "-w", str(synced_once))
    assert ended.code == 2
    assert "no text that SQL could write as JavaScript does" in ended.line


def test_sql_needs_no_warehouse(cli: Cli, home: Path) -> None:
    """`--sql` prints the SQL, whether there is a warehouse or not."""
    ended = cli("ops", "runs.filter(r => run-config(r).lr > 1)", "--sql")
    assert ended.code == 0
    assert ended.out.startswith("SELECT\n")
    assert ended.out.endswith(";\n")
    assert cli("ops", "runs.count()", "--dialect", "postgres").code == 2
    assert cli("ops", "runs.count()", "--dialect", "cobol", "--sql").code == 2


def test_an_older_warehouse_will_do(cli: Cli, synced_once: Path, home: Path) -> None:
    """A warehouse published before the views of values were there answers all the same."""
    older = shutil.copy(synced_once, home / "older.duckdb")
    with duckdb.connect(older) as connection:
        for view in ("config_values", "summary_values", "history_points"):
            connection.execute(f"DROP VIEW {view}")
    program = "runs.filter(r => r.config.batch_size > 0 && r.history.some(row => row._step >= 0)).count()"
    ended = cli("ops", program, "-w", str(older), "--json")
    assert json.loads(ended.out)[0]["value"] > 0


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
def test_every_format(cli: Cli, synced_once: Path, form: str) -> None:
    """Every format writes the rows on stdout and nothing else."""
    ended = cli("ops", "runs.map(r => r.name)", "-w", str(synced_once), "--format", form)
    assert (ended.code, ended.err) == (0, "")
    assert "value" in ended.out
