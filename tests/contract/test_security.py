"""Rules of security that hold for the code as a whole, whoever adds to it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from wandb_warehouse.cli import main as _main
from wandb_warehouse.cli.main import cli

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "connector" / "wandb_warehouse"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "sandbox" not in path.parts]


def _parameters(command: click.Command, name: str) -> Iterator[tuple[str, click.Parameter]]:
    for parameter in command.params:
        yield name, parameter
    if isinstance(command, click.Group):
        for child, inner in command.commands.items():
            yield from _parameters(inner, f"{name} {child}")


def test_no_command_takes_a_key() -> None:
    """A key on a command line is read by everybody on the machine: no option or argument asks for one."""
    assert callable(_main)
    found = list(_parameters(cli, "wandb-warehouse"))
    assert len(found) > 30
    words = re.compile(r"(^|[-_])(api|key|token|secret|password|auth|credential)s?([-_]|$)")
    suspects = {
        (command, option)
        for command, parameter in found
        for option in [
            *parameter.opts,
            *(parameter.envvar or [] if isinstance(parameter.envvar, list) else []),
        ]
        if words.search(option.lstrip("-").lower())
    }
    # --keys chooses metrics.
    assert {option for _command, option in suspects} <= {"--keys"}


def _calls(path: Path, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def test_every_instance_of_duckdb_fetches_nothing() -> None:
    """Wherever DuckDB is opened, it is with the settings that load no extension for what a file looks like."""
    opened = [(path, call) for path in MODULES for call in _calls(path, "duckdb.connect")]
    assert opened
    for path, call in opened:
        configured = [ast.unparse(word.value) for word in call.keywords if word.arg == "config"]
        assert configured, f"{path.name}:{call.lineno}"
        assert "SETTINGS" in configured[0], f"{path.name}:{call.lineno}"


@pytest.mark.parametrize(
    "name", ["verify=False", "CERT_NONE", "check_hostname", "trust_env=True", "pickle", "shell=True"]
)
def test_what_would_open_a_door_is_nowhere(name: str) -> None:
    """No module turns verification off, heeds proxies of the environment, unpickles or starts a shell."""
    found = [
        str(path)
        for path in MODULES
        if re.search(rf"^[^#\"]*\b{re.escape(name)}\b", path.read_text(), re.MULTILINE)
    ]
    assert [path for path in found if not path.endswith("connection.py")] == []


def test_every_locked_package_has_hashes() -> None:
    """What the lock takes from a registry is pinned by SHA-256, every file of it."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    fetched = [package for package in packages if "registry" in package["source"]]
    assert len(fetched) > 50
    assert [package["name"] for package in packages if "registry" not in package["source"]] == [
        "wandb-warehouse"
    ]
    for package in fetched:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
