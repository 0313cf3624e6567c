"""Who may read what the commands write."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import Cli
from wandb_warehouse.sandbox import Sandbox


@pytest.fixture(autouse=True)
def small(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox with one run, and a umask that lets everybody read and write."""
    before = os.umask(0)
    with Sandbox() as box:
        box.add_run("sandbox", "p", "r", rows=[{"loss": 1.0}])
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        monkeypatch.setenv("WANDB_API_KEY", box.key)
        yield box
    os.umask(before)


def _modes(root: Path) -> dict[str, int]:
    return {
        str(path.relative_to(root.parent)): stat.S_IMODE(path.stat().st_mode)
        for path in (root, *root.rglob("*"))
        if not path.name.startswith(".")
    }


def test_a_file_is_its_owners_unless_shared(cli: Cli, home: Path, small: Sandbox) -> None:
    """0600 whatever the umask; 0640 with --mode, also where nothing is new; 0600 again without it."""
    path = home / "wandb.duckdb"
    assert cli("sync", "sandbox/p").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cli("sync", "sandbox/p", "--mode", "0640").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE((home / "wandb.duckdb.lock").stat().st_mode) == 0o600
    small.edit("sandbox", "p", "r", tags=["new"])
    assert cli("sync", "sandbox/p").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lake_is_its_owners_unless_shared(cli: Cli, home: Path) -> None:
    """The same for every file of a lake, whose directories can be entered by who may read them."""
    command = ("sync", "sandbox/p", "--destination", "filesystem", "-w", "lake")
    for options, file, folder in (((), 0o600, 0o700), (("--mode", "0640"), 0o640, 0o750)):
        assert cli(*command, *options).code == 0
        modes = _modes(home / "lake")
        assert len(modes) > 10
        for name, mode in modes.items():
            assert mode == (folder if (home / name).is_dir() else file), name


@pytest.mark.parametrize("mode", ["777", "0400", "rw", "0602", "0o640", ""])
def test_odd_modes_are_refused(cli: Cli, mode: str) -> None:
    """What is no mode of a file that its owner writes and not everybody is exit 2."""
    ended = cli("sync", "sandbox/p", "--mode", mode)
    assert ended.code == 2
    assert "--mode" in ended.line


def test_formulas_are_texts_in_a_safe_csv(cli: Cli, home: Path) -> None:
    """With --safe a text that begins as a formula does gets a quote in front; numbers and other forms stay."""
    assert cli("sync", "sandbox/p").code == 0
    sql = "select '=1+1' as a, '@x' as b, -1.5 as c, 'x' as d, '-2' as e"
    assert cli("query", sql, "--format", "csv", "--safe").out == "a,b,c,d,e\n'=1+1,'@x,-1.5,x,'-2\n"
    assert cli("query", sql, "--format", "csv").out == "a,b,c,d,e\n=1+1,@x,-1.5,x,-2\n"
    assert cli("query", sql, "--format", "json", "--safe").code == 2
