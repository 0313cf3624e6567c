"""Every failure ends in its exit code and one line on stderr that says what to mend."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import Cli
from wandb_warehouse.cli.sandbox import DEMO_PROJECT
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.warehouse import WarehouseLock

PATH = f"sandbox/{DEMO_PROJECT}"


def _assert_nothing_left(folder: Path) -> None:
    """A failed sync leaves neither a warehouse nor a working directory."""
    left = [entry.name for entry in folder.iterdir() if not entry.name.endswith(".lock")]
    assert [name for name in left if name.startswith("wandb.duckdb")] == []


@pytest.fixture
def free_port() -> int:
    """A loopback port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A loopback port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_without_a_key(cli: Cli, home: Path) -> None:
    """Without any key, the places where one may stand are named."""
    ended = cli("sync", PATH)
    assert ended.code == 3
    assert ended.line.startswith("error: there is no W&B key for api.wandb.ai")
    for place in ("WANDB_API_KEY", "netrc", ".dlt/secrets.toml"):
        assert place in ended.line
    _assert_nothing_left(home)


def test_wrong_key(cli: Cli, connected: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key is named by its source, never by its value."""
    key = "0123456789" * 4
    monkeypatch.setenv("WANDB_API_KEY", key)
    ended = cli("sync", PATH)
    assert ended.code == 3
    assert "WANDB_API_KEY" in ended.line
    assert key not in ended.err + ended.out
    _assert_nothing_left(home)


def test_unknown_entity(cli: Cli, connected: Sandbox, home: Path) -> None:
    """An entity the server does not know is a matter of the command, and named."""
    ended = cli("sync", f"nobody-here/{DEMO_PROJECT}")
    assert ended.code == 2
    assert "nobody-here" in ended.line
    _assert_nothing_left(home)


def test_unknown_project(cli: Cli, connected: Sandbox, home: Path) -> None:
    """A misspelt project is answered with the name that was probably meant."""
    ended = cli("sync", "sandbox/fashion-mnits")
    assert ended.code == 2
    assert "sandbox/fashion-mnits" in ended.line
    assert DEMO_PROJECT in ended.line
    _assert_nothing_left(home)


def test_unreachable_host(
    cli: Cli, connected: Sandbox, free_port: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not answer is named with its address, after the tries."""
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free_port}")
    ended = cli("sync", PATH)
    assert ended.code == 4
    assert f"127.0.0.1:{free_port}" in ended.line
    _assert_nothing_left(home)


def test_missing_directory(cli: Cli, connected: Sandbox, home: Path) -> None:
    """A warehouse in a directory that is not there is the local store's failure, and the directory is not made."""
    ended = cli("sync", PATH, "-w", "missing/wandb.duckdb")
    assert ended.code == 5
    assert "missing" in ended.line
    assert not (home / "missing").exists()


def test_file_in_place_of_a_directory(cli: Cli, connected: Sandbox, home: Path) -> None:
    """A file where the warehouse's directory should be is left as it is."""
    (home / "taken").write_text("mine")
    ended = cli("sync", PATH, "-w", "taken/wandb.duckdb")
    assert ended.code == 5
    assert "taken" in ended.line
    assert (home / "taken").read_text() == "mine"


@pytest.mark.parametrize("command", [("sync", PATH), ("status",), ("query", "from runs")])
def test_directory_in_place_of_the_warehouse(
    cli: Cli, connected: Sandbox, home: Path, command: tuple[str, ...]
) -> None:
    """A directory is no warehouse for any command."""
    (home / "folder").mkdir()
    ended = cli(*command, "-w", "folder")
    assert ended.code == 2
    assert "folder" in ended.line


@pytest.mark.parametrize("command", [("sync", PATH), ("status",), ("query", "from runs")])
@pytest.mark.parametrize("content", [b"not a database\n" * 50, b""], ids=["text", "empty"])
def test_file_that_is_no_warehouse(
    cli: Cli, connected: Sandbox, home: Path, command: tuple[str, ...], content: bytes
) -> None:
    """A file that is no DuckDB file is refused and left byte for byte as it was, by sync too."""
    (home / "wandb.duckdb").write_bytes(content)
    ended = cli(*command)
    assert ended.code == 5
    assert ended.line.startswith("error: wandb.duckdb ")
    assert (home / "wandb.duckdb").read_bytes() == content


def test_reading_without_a_warehouse(cli: Cli, home: Path) -> None:
    """Reading commands say which command makes a warehouse, and make no file themselves."""
    for command in (("status",), ("query", "from runs")):
        ended = cli(*command)
        assert ended.code == 5
        assert "wandb-warehouse sync" in ended.line
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"state": ', "--filter is no JSON"),
        ('["finished"]', "--filter is JSON but no object"),
        ("NULL", "--filter is no JSON"),
    ],
)
def test_filter_that_is_none(cli: Cli, connected: Sandbox, home: Path, text: str, said: str) -> None:
    """A filter that is no JSON object is refused before anything is asked or written."""
    asked = len(connected.requests)
    ended = cli("sync", PATH, "--filter", text)
    assert ended.code == 2
    assert said in ended.line
    assert len(connected.requests) == asked
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("path", ["fashion-*", "a/b/c", "/", "a/", "", "*/b"])
def test_malformed_project(cli: Cli, connected: Sandbox, path: str) -> None:
    """A path that is not ENTITY/PROJECT, ENTITY/GLOB or ENTITY is refused with the form to write."""
    ended = cli("sync", path)
    assert ended.code == 2
    assert "ENTITY/PROJECT" in ended.line


def test_no_project_at_all(cli: Cli, connected: Sandbox) -> None:
    """A sync of nothing says how to name a project."""
    ended = cli("sync")
    assert ended.code == 2
    assert "ENTITY/PROJECT" in ended.line


def test_second_sync(cli: Cli, connected: Sandbox, home: Path) -> None:
    """While one sync holds the warehouse, another ends at once and names the holder's pid."""
    with WarehouseLock(home / "wandb.duckdb"):
        ended = cli("sync", PATH)
    assert ended.code == 7
    assert str(os.getpid()) in ended.line


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("selec 1", "(line 1, column 1)"),
        ("select run_id,\n  nocol\nfrom runs", "(line 2, column 3)"),
        ("from runs where", "(line 1, column 11)"),
    ],
)
def test_wrong_statement(cli: Cli, warehouse: Path, sql: str, place: str) -> None:
    """A wrong statement is answered with line and column of the place."""
    ended = cli("query", sql)
    assert ended.code == 2
    assert place in ended.line
    assert ended.out == ""


@pytest.mark.parametrize(
    "sql",
    [
        "drop table runs",
        "delete from runs",
        "copy runs to 'stolen.csv'",
        "select * from read_text('/etc/passwd')",
        "select * from glob('/*')",
        "attach 'other.duckdb'",
        "set enable_external_access = true",
        "pragma enable_profiling",
        "install httpfs",
        "export database 'stolen'",
        "select 1; drop table runs",
        "",
    ],
)
def test_hostile_statement(cli: Cli, warehouse: Path, home: Path, sql: str) -> None:
    """Statements that write, read files or change settings are refused, and nothing is written."""
    before = warehouse.read_bytes()
    ended = cli("query", sql)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.line.startswith("error: ")
    assert warehouse.read_bytes() == before
    assert [entry.name for entry in home.iterdir()] == ["wandb.duckdb"]


def test_query_that_takes_too_long(cli: Cli, warehouse: Path) -> None:
    """A runaway statement is stopped after the time given."""
    ended = cli("query", "select count(*) from range(10000000) a, range(10000000) b", "--timeout", "0.5")
    assert ended.code == 2
    assert "0.5 s" in ended.line


def test_port_in_use(cli: Cli, home: Path, taken_port: int) -> None:
    """A port somebody listens at is named."""
    ended = cli("sandbox", "--port", str(taken_port))
    assert ended.code == 2
    assert str(taken_port) in ended.line
    assert "Address already in use" in ended.line


def test_unknown_dialect(cli: Cli, home: Path) -> None:
    """An unknown dialect is answered with those there are."""
    ended = cli("views", "--dialect", "esperanto")
    assert ended.code == 2
    assert "esperanto" in ended.line
    assert "postgres" in ended.line


def test_demo_over_another_warehouse(cli: Cli, warehouse: Path, home: Path) -> None:
    """The demo refuses to replace a file that is no demo."""
    (home / "mine.duckdb").write_text("mine")
    ended = cli("demo", "-w", "mine.duckdb")
    assert ended.code in (2, 5)
    assert "mine.duckdb" in ended.line
    assert (home / "mine.duckdb").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "'nope'"),
        (("query",), "'SQL'"),
        (("sync", "--nope"), "'--nope'"),
        (("query", "from runs", "--limit", "0"), "--limit"),
        (("query", "from runs", "--format", "xml"), "xml"),
        (("sync", PATH, "--workers", "many"), "--workers"),
    ],
)
def test_wrong_usage(cli: Cli, home: Path, arguments: tuple[str, ...], said: str) -> None:
    """A wrong command line is answered in one line that names the help to read."""
    ended = cli(*arguments)
    assert ended.code == 2
    assert ended.line.startswith("error: ")
    assert said in ended.line
    assert "--help" in ended.line


def test_without_arguments(cli: Cli, home: Path) -> None:
    """The command alone shows the help on stderr and counts as wrong usage."""
    ended = cli()
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("Usage: wandb-warehouse")


def test_debug_shows_the_traceback(cli: Cli, warehouse: Path) -> None:
    """With --debug the traceback precedes the line; without it there is none."""
    ended = cli("--debug", "query", "selec")
    assert ended.code == 2
    assert ended.err.startswith("Traceback")
    assert ended.err.splitlines()[-1].startswith("error: Parser Error")


def test_poisoned_run(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot be read ends in exit 6 and is named; the report is on stdout all the same."""
    with Sandbox() as box:
        box.add_run("sandbox", "p", "good", rows=[{"loss": 1.0}])
        box.add_run("sandbox", "p", "bad", rows=[{"loss": 1.0}])
        box.inject(Fault("graphql_error", match='"bad"', times=-1))
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        monkeypatch.setenv("WANDB_API_KEY", box.key)
        ended = cli("sync", "sandbox/p", "--json")
    assert ended.code == 6
    assert "sandbox/p/bad" in ended.line
    report = json.loads(ended.out)
    assert list(report["quarantined"]) == ["sandbox/p/bad"]
    assert report["generation"] == 1


def test_many_deletions_need_a_word(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where most of a project is gone, exit 6 tells how many and how to go on; told to, they are marked and counted."""
    with Sandbox() as box:
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        monkeypatch.setenv("WANDB_API_KEY", box.key)
        for number in range(12):
            box.add_run("e", "p", f"r{number:02}", rows=[{"loss": number}])
        assert cli("sync", "e/p").code == 0
        for number in range(11):
            box.delete("e", "p", f"r{number:02}")
        ended = cli("sync", "e/p")
        assert ended.code == 6
        assert ended.line == (
            "error: 11 runs of e/p are gone from the server, too many to mark them as deleted; "
            "everything else was published; if they were deleted on purpose, run sync --allow-mass-delete"
        )
        ended = cli("sync", "e/p", "--allow-mass-delete", "--json")
        assert (ended.code, json.loads(ended.out)["runs_deleted"]) == (0, 11)
    (project,) = json.loads(cli("status", "--json").out)["projects"]
    assert (project["runs"], project["deleted_runs"]) == ({"finished": 1}, 11)
    assert "deleted" in cli("status").out
