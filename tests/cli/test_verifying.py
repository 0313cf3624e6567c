"""The commands that prove a warehouse: what they write, and how they end."""

import json
from pathlib import Path

import duckdb
import pytest

from cli.commands import Cli
from wandb_warehouse.sandbox import Sandbox

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_what_is_equal_is_said(cli: Cli, connected: Sandbox, warehouse: Path) -> None:
    """Exit code 0, a table a project, nothing on stderr; the JSON has just the documented names."""
    ended = cli("verify")
    assert (ended.code, ended.err) == (0, "")
    assert "The warehouse equals the server." in ended.out
    told = json.loads(cli("verify", "--json").out)
    assert told["equal"] is True
    names = {*told, *told["projects"][0], *told["runs"][0], *told["runs"][0]["digest"]}
    text = DOCUMENT.read_text(encoding="utf-8").partition("`--json` writes one object")[2]
    assert [name for name in sorted(names) if name not in text] == []
    assert told["runs"][0]["rows"]["expected"] == told["runs"][0]["rows"]["stored"] > 0


def test_what_differs_is_named(cli: Cli, connected: Sandbox, warehouse: Path) -> None:
    """Exit code 6 and one line with the run; --repair mends it, and then it is 0."""
    with duckdb.connect(str(warehouse)) as writer:
        (run_id,) = writer.execute("SELECT min(run_id) FROM runs WHERE state = 'finished'").fetchall()[0]
        writer.execute("DELETE FROM run_tags WHERE run_id = ?", [run_id])
        writer.execute("UPDATE runs SET config = '{}' WHERE run_id = ?", [run_id])
    ended = cli("verify")
    assert ended.code == 6
    assert run_id in ended.line
    assert "verify --repair" in ended.line
    assert "config" in ended.out
    differences = json.loads(cli("verify", "--json").out)["differences"]
    assert {each["run_id"] for each in differences} == {run_id}
    mended = cli("verify", "--repair")
    assert mended.code == 0
    assert run_id in mended.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("verify", "some/thing"), 2, "the warehouse holds no project some/thing"),
        (("verify", "a/b/c"), 2, "is not ENTITY/PROJECT"),
        (("verify", "-w", "nothing.duckdb"), 5, "no warehouse at"),
        (("doctor", "-w", "nothing.duckdb"), 5, "no warehouse at"),
    ],
)
def test_what_cannot_be_verified(
    cli: Cli, connected: Sandbox, warehouse: Path, *, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """One line with what to mend, and the exit code that says so."""
    ended = cli(*arguments)
    assert (ended.code, said in ended.line) == (code, True)


def test_doctor(cli: Cli, home: Path, warehouse: Path) -> None:
    """It needs neither key nor server; exit code 0 for a sound file, 5 and one line for one that is not."""
    ended = cli("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert "Nothing is wrong." in ended.out
    assert json.loads(cli("doctor", "--json").out)["sound"] is True
    with duckdb.connect(str(warehouse)) as writer:
        writer.execute("DELETE FROM history_values WHERE step = 1")
    ended = cli("doctor")
    assert ended.code == 5
    assert "is not sound" in ended.line
    assert "--full-refresh" in ended.line
