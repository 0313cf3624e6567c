"""Names that others may rely on: declared, importable, in one order, documented."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import wandb_warehouse

PACKAGE = Path(__file__).parents[2] / "connector" / "wandb_warehouse"
ROOMS = sorted(
    {path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
)

PUBLIC = {"Api", "compile_operation", "content_digest", "open_readonly", "run_query", "wandb_source"}
"""What the package itself promises; taking one away breaks somebody's program."""


def _order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as the linter orders `__all__`."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_names_are_importable_and_sorted(room: str) -> None:
    """Each room declares its public names once, in order, and has every one of them."""
    module = import_module(f"wandb_warehouse.{room}".rstrip("."))
    names = module.__all__
    assert names == sorted(set(names), key=_order)
    for name in names:
        assert getattr(module, name) is not None


def test_the_package_keeps_its_promises() -> None:
    """The package's own names are the promised ones; what they do not name is an AttributeError."""
    assert set(wandb_warehouse.__all__) == PUBLIC
    with pytest.raises(AttributeError, match="nothing_like_it"):
        wandb_warehouse.nothing_like_it  # noqa: B018 - the access is the test


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_names_are_documented(name: str) -> None:
    """Every promised name says in its own docstring what it is."""
    text = inspect.getdoc(getattr(wandb_warehouse, name)) or ""
    assert text.split("\n")[0].endswith((".", ";", ","))
    assert len(text) > 20


def test_importing_the_package_is_cheap() -> None:
    """`import wandb_warehouse` loads neither dlt nor DuckDB; the names load them when they are used."""
    script = (
        "import sys, wandb_warehouse\n"
        "assert not {'dlt', 'duckdb', 'pyarrow', 'httpx'} & set(sys.modules)\n"
        "wandb_warehouse.open_readonly\n"
        "assert 'duckdb' in sys.modules and 'dlt' not in sys.modules\n"
        "from wandb_warehouse import wandb_source\n"
        "assert 'dlt' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
