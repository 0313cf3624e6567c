"""The command line as its users run it: in this process for speed, in processes of its own for signals and pipes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import COMMAND, Cli, Ended
from wandb_warehouse.cli import main
from wandb_warehouse.cli.sandbox import DEMO_PROJECT, fill_demo_project
from wandb_warehouse.sandbox import Sandbox


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and current directory, without any W&B variable."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the command line in this process: exit code, stdout and stderr."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def process(home: Path) -> Cli:
    """Run the installed command in a process of its own."""

    def run(*arguments: str) -> Ended:
        done = subprocess.run(
            [str(COMMAND), *arguments], cwd=home, capture_output=True, text=True, timeout=120, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def demo_box() -> Iterator[Sandbox]:
    """A sandbox with the demo project, not to be changed."""
    with Sandbox() as box:
        fill_demo_project(box)
        yield box


@pytest.fixture
def connected(home: Path, demo_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The environment points at the demo's sandbox."""
    monkeypatch.setenv("WANDB_BASE_URL", demo_box.base_url)
    monkeypatch.setenv("WANDB_API_KEY", demo_box.key)
    return demo_box


@pytest.fixture(scope="session")
def synced_once(demo_box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project, synced by the command; not to be changed."""
    warehouse = tmp_path_factory.mktemp("synced") / "wandb.duckdb"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    environment |= {"WANDB_BASE_URL": demo_box.base_url, "WANDB_API_KEY": demo_box.key}
    done = subprocess.run(
        [str(COMMAND), "sync", f"{demo_box.entity}/{DEMO_PROJECT}", "-w", str(warehouse)],
        env=environment,
        cwd=warehouse.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return warehouse


@pytest.fixture
def warehouse(home: Path, synced_once: Path) -> Path:
    """The synced demo project as ./wandb.duckdb."""
    return Path(shutil.copy(synced_once, home / "wandb.duckdb"))
