"""The wheel is all a user needs: built, installed into an empty environment, run from elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from wandb_warehouse.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """The wheel, and the command installed from it."""

    wheel: Path
    command: Path

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command from /, without anything of this environment."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.wheel.parent), **variables}
        return subprocess.run(
            [str(self.command), *arguments],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def _uv() -> str | None:
    """The uv of `make`, where there is one."""
    own = ROOT / ".tools" / "bin" / "uv"
    return os.environ.get("UV") or shutil.which("uv") or (str(own) if own.exists() else None)


def _do(*command: str | Path) -> None:
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def _constraints(path: Path) -> Path:
    """Versions of the lock, so that a release of somebody else's does not decide this test."""
    locked: dict[str, set[str]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        if "version" in package and package["name"] != "wandb-warehouse":
            locked.setdefault(package["name"], set()).add(package["version"])
    # A name locked in several versions has one for each Python; there the resolver chooses.
    path.write_text("".join(f"{name}=={min(found)}\n" for name, found in locked.items() if len(found) == 1))
    return path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, without extras."""
    folder = tmp_path_factory.mktemp("wheel")
    environment, constraints = folder / "venv", _constraints(folder / "constraints.txt")
    uv = _uv()
    if uv:
        _do(uv, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", folder, ROOT)
        _do(uv, "venv", "--quiet", "--python", sys.executable, environment)
        install: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            environment / "bin" / "python",
        ]
    else:
        _do(sys.executable, "-m", "venv", environment)
        pip: list[str | Path] = [environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
        _do(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        install = [*pip, "install", "--quiet"]
    (wheel,) = folder.glob("*.whl")
    _do(*install, "--constraint", constraints, wheel)
    return Installed(wheel, environment / "bin" / "wandb-warehouse")


def test_version(installed: Installed) -> None:
    """The installed command knows its version."""
    done = installed.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wandb-warehouse {VERSION}\n", "")


def test_views_come_with_it(installed: Installed) -> None:
    """Every view and macro of the checkout is in the wheel and found from /."""
    done = installed.run("views", "--list", "--json")
    assert done.returncode == 0, done.stderr
    assert {view["name"] for view in json.loads(done.stdout)} == {
        path.stem for path in (ROOT / "sql").glob("*/*.sql")
    }


def test_wheel_holds_the_package_and_nothing_else(installed: Installed) -> None:
    """The wheel has every file of the package and of sql/, and neither tests nor configuration."""
    names = {name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "connector" / "wandb_warehouse"
    expected = {
        f"wandb_warehouse/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {
        f"wandb_warehouse/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "sql").rglob("*.sql")
    }
    assert names == expected


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_what_the_extra_is_for(installed: Installed, command: str) -> None:
    """Without the sandbox extra, the commands that need it say what to install."""
    done = installed.run(command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the sandbox needs ")
    assert done.stderr.rstrip().endswith("pip install 'wandb-warehouse[sandbox]'")
    assert len(done.stderr.splitlines()) == 1


def test_sync_and_query_without_extras(installed: Installed, tmp_path: Path) -> None:
    """The main job needs no more than the wheel's own dependencies."""
    with Sandbox() as box:
        box.add_run("team", "p", "r1", rows=[{"loss": 2.5}, {"loss": 0.5}], config={"lr": 0.1})
        variables = {
            "WANDB_BASE_URL": box.base_url,
            "WANDB_API_KEY": box.key,
            "WANDB_WAREHOUSE": str(tmp_path / "wandb.duckdb"),
        }
        done = installed.run("sync", "team/p", "--json", **variables)
    assert done.returncode == 0, done.stderr
    answer = installed.run(
        "query", "select step, value from run_curves('loss') order by step", "--format", "csv", **variables
    )
    assert (answer.returncode, answer.stdout) == (0, "step,value\n0,2.5\n1,0.5\n"), answer.stderr
