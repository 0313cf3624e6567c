"""What the documentation shows is run as a reader would run it, and what it lists is what there is."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.demo_project import demo_runs
from wandb_warehouse.sandbox.tables import log_table
from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import open_readonly

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("CONTRIBUTING.md"))]
COMMAND = Path(sys.executable).with_name("wandb-warehouse")

SHELL = {"bash", "console", "sh", "shell"}
FENCE = re.compile(r"^```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SET_BY_US = re.compile(r"^export WANDB_(API_KEY|BASE_URL)=.*$", re.MULTILINE)
"""The reader's key and server; the sandbox's stand in for them."""

STAND_IN = """#!/usr/bin/env bash
# Stands in for a command that would change the machine or ask the network: notes how it was called.
set -euo pipefail
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  "make demo") exec wandb-warehouse demo ;;
  "git clone "*) mkdir -p "$(basename "${*: -1}" .git)" ;;
esac
"""
KNOWN_CALLS = re.compile(
    r"make (?P<target>[a-z-]+)|git clone https://\S+|wandb login"
    r"|(pip|uv tool) install (--upgrade )?'?wandb-warehouse(\[(sandbox|write)\])?'?"
)
"""What the stand-ins may be asked: everything else a page runs is run."""


@dataclass(frozen=True)
class Block:
    """A fenced block: the page, its line, its language and its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found["language"], found["text"])


BLOCKS = [block for page in PAGES for block in blocks(page)]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A sandbox with the project the pages speak of."""
    with Sandbox() as running:
        for run in demo_runs(until=datetime.now(UTC)):
            running.add_run("my-team", "my-project", **run)
        running.add_run("my-team", "my-project", "demo0000", rows=[{"val/loss": 1.5}])
        columns, cells = ["image", "guess", "score"], [["a.png", "cat", 0.75], ["b.png", "dog", 0.5]]
        log_table(running, "my-team/my-project/demo0000", "val/predictions", columns, cells)
        yield running


@pytest.fixture(scope="module")
def environment(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The reader's environment: the sandbox's server and key, the installed command, stand-ins in front."""
    home = tmp_path_factory.mktemp("home")
    stand_ins = home / "bin"
    stand_ins.mkdir()
    for name in ("make", "git", "pip", "uv", "wandb"):
        (stand_ins / name).write_text(STAND_IN)
        (stand_ins / name).chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "PYTEST"))}
    return clean | {
        "HOME": str(home),
        "DLT_DATA_DIR": str(home / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "CALLS": str(home / "calls"),
        "PATH": f"{stand_ins}:{COMMAND.parent}:{os.environ['PATH']}",
        "WANDB_BASE_URL": box.base_url,
        "WANDB_API_KEY": box.key,
    }


@pytest.fixture(scope="module")
def synced(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse the pages speak of."""
    folder = tmp_path_factory.mktemp("synced")
    _run(["wandb-warehouse", "sync", "my-team/my-project"], environment, folder)
    return folder / "wandb.duckdb"


@pytest.fixture(scope="module")
def folders(synced: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """A working directory a page: blocks of a page build on each other."""
    made = {}
    for page in PAGES:
        made[page] = tmp_path_factory.mktemp(page.stem)
        shutil.copy(synced, made[page] / "wandb.duckdb")
        for name in ("pipelines", "sql", ".dlt"):
            shutil.copytree(ROOT / name, made[page] / name)
    return made


def _run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def _script(block: Block) -> str:
    """The commands of a shell block; a console block has its output between them."""
    text = block.text
    if block.language == "console":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith(("$ ", "> ")))
    # A server would run for ever: long enough to come up, then told to stop, which it answers with 143.
    text = re.sub(
        r"^(wandb-warehouse sandbox.*)$", r'timeout 5 \1 || test "$?" = 124', text, flags=re.MULTILINE
    )
    return SET_BY_US.sub(":", text)


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in SHELL], ids=str)
def test_shell_blocks_run(block: Block, environment: dict[str, str], folders: dict[Path, Path]) -> None:
    """Every command of a page succeeds; installing, cloning and make are known by name."""
    calls = Path(environment["CALLS"])
    calls.write_text("")
    _run(["bash", "-euo", "pipefail", "-c", _script(block)], environment, folders[block.page])
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for call in calls.read_text().splitlines():
        known = KNOWN_CALLS.fullmatch(call)
        assert known, f"{block} calls {call}"
        assert known["target"] is None or known["target"] in targets


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "python"], ids=str)
def test_python_blocks_run(block: Block, environment: dict[str, str], folders: dict[Path, Path]) -> None:
    """Every Python example runs as a program of its own."""
    _run([sys.executable, "-c", block.text], environment, folders[block.page])


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", sorted(path.name for path in (ROOT / "pipelines").glob("*.py")))
def test_pipelines_run(pipeline: str, environment: dict[str, str], folders: dict[Path, Path]) -> None:
    """Every pipeline runs as its docstring shows it, against one project."""
    _run([sys.executable, f"pipelines/{pipeline}", "my-team/my-project"], environment, folders[PAGES[0]])


def test_sql_blocks_give_rows(request: pytest.FixtureRequest) -> None:
    """Every SQL example runs over the demo project and gives rows, unless a comment in it says `no rows`."""
    statements = [
        (block, statement)
        for block in BLOCKS
        if block.language == "sql"
        for statement in re.split(r";[ \t]*(?:\n|$)", block.text)
        if re.sub(r"--.*", "", statement).strip()
    ]
    if not statements:
        return
    with open_readonly(request.getfixturevalue("synced")) as warehouse:
        for block, statement in statements:
            rows = warehouse.execute(statement).fetchmany(1)
            assert rows or "no rows" in statement, f"{block} gives no rows: {statement}"


def test_make_demo_and_ci_do_what_the_readme_says() -> None:
    """`make demo` runs the demo command, and CI runs the README's own test command."""
    makefile = (ROOT / "Makefile").read_text()
    recipes = dict(re.findall(r"^([a-z-]+):[^\n]*\n((?:\t[^\n]*\n)*)", makefile, re.MULTILINE))
    assert recipes["demo"].splitlines()[0].endswith("wandb-warehouse demo")
    parts = {"rooms-fast", "syncs-fast", "rooms-slow", "syncs-slow"}
    assert set(recipes["test"].split()[-4:]) == parts
    for length, marks in (("fast", '-m "not slow"'), ("slow", "-m slow")):
        # One half takes the directories that the other ignores.
        chosen, others = (recipes[f"{half}-{length}"].strip() for half in ("syncs", "rooms"))
        assert chosen.endswith(f"{marks} $(SYNCS)")
        assert others.endswith(f"{marks} tests $(SYNCS:%=--ignore=%)")
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    shown = [line for block in blocks(ROOT / "README.md") for line in block.text.splitlines()]
    assert "make demo" in shown
    assert "make test" in shown


def test_readme_is_short() -> None:
    """The README is read in minutes: at most 150 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_links_lead_somewhere() -> None:
    """Every relative link of a page names a file there is."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*) \|$")


def test_every_table_and_column_is_documented() -> None:
    """docs/tables.md has a section a table with its meaning, key, and every column's kind and meaning, no other."""
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        title, _, body = section.partition("\n")
        key = re.search(r"^Primary key: (.*)$", body, re.MULTILINE)
        assert key, f"{title} has no primary key"
        columns = [
            tuple(
                cell.strip().strip("`") if n < 2 else cell.strip()
                for n, cell in enumerate(line.strip("|").split("|"))
            )
            for line in body.splitlines()
            if line.startswith("| `")
        ]
        found[title.strip().strip("`")] = (tuple(re.findall(r"`(\w+)`", key[1])), columns)
        assert TABLES[title.strip().strip("`")].meaning in " ".join(body.split())
    assert found == {
        table.name: (table.primary_key, [(c.name, c.kind, c.meaning) for c in table.columns])
        for table in TABLES.values()
    }


def test_documented_exit_codes_are_those_of_the_errors() -> None:
    """The table of exit codes in the architecture page holds exactly the codes a command can end with."""
    errors = ast.parse((ROOT / "connector" / "wandb_warehouse" / "errors.py").read_text())
    codes = {
        node.value.value
        for node in ast.walk(errors)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int)
    }
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## Exit codes")[2].partition("\n## ")[0]
    documented = {
        int(n) for row in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for n in row.split(",")
    }
    # 1 is a defect of ours, which nobody should have to look up.
    assert documented == (codes - {1}) | {0, 130, 143}
