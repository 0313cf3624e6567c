"""What `wandb.Api()` gives of a server, `wandb_warehouse.Api()` gives of the warehouse: equal, types included."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from api.allowed import ALLOWED, Difference, count, differences, judged
from api.surface_world import EXPORTED, LIVE, RUNS, fill
from real_client.compare import sync_project
from real_client.official import isolated
from wandb_warehouse.sandbox import Sandbox

pytestmark = pytest.mark.slow

_SCRIPT = Path(__file__).parent / "surface.py"
_CLIENTS = ("wandb", "wandb_warehouse")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """What both clients give of both projects, read by one script that differs in the module it imports."""
    folder = tmp_path_factory.mktemp("surface")
    found: dict[tuple[str, str], Any] = {}
    with Sandbox() as box:
        fill(box)
        for project in (LIVE, EXPORTED):
            warehouse = folder / f"{project}.duckdb"
            sync_project(box, project, warehouse)
            readers = [(_start(box, project, warehouse, module, folder), module) for module in _CLIENTS]
            for reader, module in readers:
                told, _ = reader.communicate(timeout=240)
                assert reader.returncode == 0, told[-4000:]
                answer = folder / f"{project}-{module}.json"
                found[project, module] = json.loads(answer.read_text())
    return found


def _start(box: Sandbox, project: str, warehouse: Path, module: str, folder: Path) -> "subprocess.Popen[str]":
    home = folder / f"{project}-{module}"
    home.mkdir()
    # Ours reads without a key and without a server.
    here = {"WANDB_BASE_URL": box.base_url, "WANDB_WAREHOUSE": str(warehouse)}
    env = isolated(home, box) if module == "wandb" else isolated(home, None, **here)
    return subprocess.Popen(
        [
            sys.executable,
            str(_SCRIPT),
            module,
            f"{box.entity}/{project}",
            str(folder / f"{project}-{module}.json"),
        ],
        env=env,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_both_clients_give_the_same(
    answers: dict[tuple[str, str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every attribute and method of every run, and every list, is equal but for what is listed and occurs."""
    counts: Counter[str] = Counter()
    rest: list[Difference] = []
    values = 0
    for project in (LIVE, EXPORTED):
        theirs, ours = (answers[project, module] for module in _CLIENTS)
        allowed, unlisted = judged(differences(theirs, ours), ALLOWED)
        counts.update(allowed)
        rest += unlisted
        values += count(theirs)
    assert not rest, f"{len(rest)} differences, the first: {rest[:5]}"
    assert not [entry.what for entry in ALLOWED if not counts[entry.what]]
    assert sum(len(answers[project, "wandb"]["runs"]) for project in (LIVE, EXPORTED)) == RUNS
    with capsys.disabled():
        sys.stdout.write(
            f"\n{RUNS} runs, {values} values compared, {sum(counts.values())} listed differences\n"
        )
