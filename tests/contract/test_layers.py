"""Rooms import in one direction, and each library lives in one room."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "connector" / "wandb_warehouse"
NAME = PACKAGE.name

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "schema": set(),
    "client": {"errors"},
    "arrow": {"schema", "errors"},
    "settings": {"client", "errors"},
    "resources": {"client", "arrow", "settings", "schema", "errors"},
    "warehouse": {"schema", "errors"},
    "operations": {"schema", "errors"},
    "api": {
        "warehouse",
        "operations",
        "arrow",
        "settings",
        "client",
        "sync",
        "verification",
        "schema",
        "errors",
    },
    "sync": {"resources", "warehouse", "settings", "client", "arrow", "schema", "errors"},
    "verification": {"sync", "resources", "warehouse", "client", "arrow", "schema", "errors"},
    "cli": {
        "sync",
        "planning",
        "verification",
        "operations",
        "resources",
        "warehouse",
        "settings",
        "client",
        "arrow",
        "schema",
        "errors",
        "sandbox",
    },
    "sandbox": set(),
    "planning": {"sync", "resources", "warehouse", "client", "schema", "errors"},
    "__init__": {"api", "sync", "operations", "resources", "warehouse", "settings"},
}
"""What each room may import of the others."""

FRONT_DOORS = {
    "client": {"api", "cli", "sync", "planning", "settings", "verification"},
    "arrow": {"api", "sync", "cli", "verification"},
    "resources": {"sync", "planning", "cli", "verification"},
}
"""Rooms of which some may import the front door only, not the modules behind it."""

LIBRARIES: dict[str, set[str]] = {
    "httpx": {"client"},
    "stamina": {"client"},
    "dlt": {"resources", "sync", "warehouse/destinations"},
    "duckdb": {"warehouse"},
    "fsspec": {"warehouse"},
    "sqlglot": {"warehouse/views", "operations"},
    "lark": {"operations"},
    "click": {"cli"},
    "rich": {"cli"},
    # cli/sandbox only looks whether they are installed, to say what to install.
    "starlette": {"sandbox", "cli/sandbox"},
    "uvicorn": {"sandbox", "cli/sandbox"},
    "graphql": {"sandbox", "cli/sandbox"},
    # The transport searches whole answers with Arrow's expressions, which take a tenth of the time of Python's.
    "pyarrow": {
        "arrow",
        "schema",
        "resources",
        "sync",
        "warehouse",
        "sandbox",
        "client/transport",
        "verification",
        "api",
    },
    # What the Python surface gives where it is installed, as the public API does.
    "pandas": {"api"},
    "polars": {"api"},
    "IPython": {"api/pieces/attributes"},
    # The official client, for what changes W&B.
    "wandb": {"api/changes/writing"},
    "orjson": {"arrow", "client", "sandbox"},
    "yaml": {"arrow"},
}
"""Where each third-party library may be imported: in a room, or in one module of it."""

LONG = {
    "resources/history.py": "one idea: the ways to a run's whole history, from the cheapest to the surest",
}
"""Files over 400 lines, each with its reason."""


@dataclass(frozen=True)
class Import:
    """One import: the module that has it, what it imports, and the line."""

    module: str
    target: str
    line: int

    @property
    def room(self) -> str:
        """Room of the importing module."""
        return self.module.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        yield name.removesuffix("/__init__"), path


def imports(module: str, text: str) -> Iterator[Import]:
    """Every import of a module, also those inside functions and under TYPE_CHECKING, one for each name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (Import(module, name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            assert node.module is not None
            yield from (Import(module, f"{node.module}.{name.name}", node.lineno) for name in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
            yield from (
                Import(module, str(each.value), node.lineno)
                for each in node.args
                if isinstance(each, ast.Constant)
            )


def offences(found: Import) -> Iterator[str]:
    """What an import does against the rules."""
    library, *inner = found.target.split(".")
    if library == NAME:
        if not inner:
            yield f"{found}: the whole package"
            return
        room = inner[0]
        if room != found.room and room not in ROOMS[found.room]:
            yield f"{found}: {found.room} may not know {room}"
        behind = (PACKAGE / Path(*inner[:2])).with_suffix(".py").exists() and len(inner) > 2
        if found.room in FRONT_DOORS.get(room, set()) and behind:
            yield f"{found}: {found.room} may know the front door of {room} only"
    elif library not in sys.stdlib_module_names and not (
        {found.module, found.room} & LIBRARIES.get(library, set())
    ):
        yield f"{found}: {library} does not belong there"


MODULES = dict(_modules())


def test_every_room_has_a_rule() -> None:
    """A new room is given its place here."""
    assert {name.partition("/")[0] for name in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    """A module imports what its room may know, and libraries in their rooms."""
    found = imports(module, MODULES[module].read_text(encoding="utf-8"))
    assert [offence for each in found for offence in offences(each)] == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("errors", "from wandb_warehouse.schema import TABLES"),
        ("client/client", "import duckdb"),
        ("arrow/text", "def f():\n    from wandb_warehouse.client import WandbClient"),
        ("sandbox/store", "from wandb_warehouse.errors import WarehouseError"),
        ("sandbox/store", "import wandb_warehouse.schema"),
        ("cli/main", "from wandb_warehouse.client.transport import Transport"),
        ("cli/main", "from wandb_warehouse import sync"),
        ("warehouse/build", "import dlt"),
        ("warehouse/build", "from sqlglot import exp"),
        ("resources/source", "if True:\n    from wandb_warehouse.warehouse import Build"),
        ("sync", "import requests"),
    ],
)
def test_the_rules_catch(module: str, text: str) -> None:
    """Each kind of wrong import is seen, wherever in the module it stands."""
    allowed = ("cli/main", "from wandb_warehouse import sync")
    found = [offence for each in imports(module, text) for offence in offences(each)]
    assert bool(found) is ((module, text) != allowed)


def test_long_files_have_a_reason() -> None:
    """No file is longer than 400 lines but those listed, and the list holds no other."""
    long = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES.values()
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    }
    assert long == set(LONG)


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are_for(module: str) -> None:
    """Every module has a docstring."""
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
