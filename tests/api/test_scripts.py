"""Analysis scripts give the same with `import wandb` and, that one line changed, over the warehouse."""

import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from real_client.compare import sync_project
from real_client.official import isolated
from wandb_warehouse.sandbox import Sandbox

SCRIPTS = Path(__file__).parents[2] / "docs" / "scripts"
NAMES = sorted(path.name for path in SCRIPTS.glob("*.py"))
PROJECT = "team"
OFFICIAL, OURS = "import wandb", "import wandb_warehouse as wandb"

_RUN_ALL = """
import contextlib, pathlib, runpy, sys
project, out, *scripts = sys.argv[1:]
for script in map(pathlib.Path, scripts):
    folder = pathlib.Path(out) / script.stem
    folder.mkdir(parents=True)
    sys.argv = [str(script), project, str(folder)]
    with (folder / "printed.txt").open("w") as printed, contextlib.redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")
"""
"""One process runs every script: imports take longer than most of them."""


@dataclass(frozen=True)
class Sides:
    """Folders that the scripts wrote, as they stand in docs/ and with the changed import."""

    theirs: Path
    ours: Path

    def files(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Contents of the files of both, by their place."""
        sides = [
            {str(path.relative_to(side)): path.read_bytes() for path in side.rglob("*") if path.is_file()}
            for side in (self.theirs, self.ours)
        ]
        return sides[0], sides[1]


def with_changed_import(text: str) -> str:
    """A script over the warehouse: the one line that imports the client is another."""
    lines = text.split("\n")
    assert lines.count(OFFICIAL) == 1
    changed = [OURS if line == OFFICIAL else line for line in lines]
    assert sum(one != other for one, other in zip(lines, changed, strict=True)) == 1
    return "\n".join(changed)


def rows(
    rng: random.Random, count: int, *, odd: bool, exported: bool, ended: bool
) -> Iterator[dict[str, Any]]:
    """History of a training: sparse keys, and where it is odd also no numbers, media and gaps.

    The official client nests keys of live rows and has dots in those of exported ones, gives media with their entries
    in any order, has whole numbers as floats where an exported column has others, NaN of live rows as text, and rows
    twice that are exported and still live. The warehouse has dots, entries by name, integers, NaN, and rows once:
    docs/python.md lists the differences. The rows here keep out of them, but for runs that failed: no script prints
    theirs.
    """
    for step in range(count):
        row: dict[str, Any] = {
            "_step": step * (3 if odd else 1),
            "_timestamp": 1_760_000_000.25 + step * 1.5 + rng.random() / 10,
            "_runtime": step * 1.5 + 0.125 + rng.random() / 10,
            "loss": 2 / (step + 1) + rng.random() / 10,
            "epoch": step // 10,
        }
        if step % 5 == 4:
            row["accuracy"] = 1 - 1 / (step + 2)
            row |= (
                {"eval": {"f1": rng.random(), "of": {"n": step}}} if exported else {"eval/f1": rng.random()}
            )
        if ((odd and exported) or not ended) and step % 7 == 3:
            row["loss"] = rng.choice([math.nan, math.inf])
        if odd and step % 11 == 0:
            row |= {"note": 'said "so", ü', "ok": step % 2 == 0, "shape": [step, 1.5]}
        if not ended:
            row |= {"none": None, "hist": {"_type": "histogram", "bins": [0, 0.5, 1], "values": [1, 2]}}
        yield row


def fill(box: Sandbox, sweep: str) -> None:
    """Twelve runs of a sweep and two groups of five, some of them failed, odd, or exported to parquet."""
    rng = random.Random(5)
    for number in range(22):
        swept, group = number < 12, ("warm start", "wide ü")[number % 2]
        exported, ended = number % 3 == 1, number % 9 != 5
        config: Mapping[str, Any] = {
            "lr": 10.0 ** -(number % 4 + 1), "optimizer": ("adam", "sgd")[number % 2], "seed": number,
            "model": {"layers": number % 3 + 1, "widths": [64, 32]}, "warm": number % 3 == 0, "resume": None,
        }  # fmt: skip
        box.add_run(
            box.entity,
            PROJECT,
            f"r{number:02}",
            name=f"{('amber', 'blue', 'ümlaut')[number % 3]}-{number}",
            config=config,
            rows=rows(rng, 20 + 7 * number, odd=number % 4 == 3, exported=exported, ended=ended),
            state="finished" if ended else "failed",
            tags=["base", "ü"][: number % 3],
            created_at=1_760_000_000 + 60 * number,
            sweep=sweep if swept else None,
            group=None if swept else group,
            job_type="train",
        )
        if exported:
            box.export(box.entity, PROJECT, f"r{number:02}")
    box.add_run(
        box.entity, PROJECT, "bare", group="warm start", created_at=1_760_000_000, summary={"loss": 9}
    )


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    """Both sides of every script, over one sandbox and over the warehouse of one sync of it."""
    home = tmp_path_factory.mktemp("scripts")
    changed = home / "changed"
    changed.mkdir()
    for name in NAMES:
        (changed / name).write_text(with_changed_import((SCRIPTS / name).read_text()))
    with Sandbox() as box:
        env = isolated(home, box, MPLBACKEND="agg")

        def run(*command: str, **more: str) -> None:
            done = subprocess.run(
                [sys.executable, *command],
                env=env | more,
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-4000:]

        answer = home / "answer.json"
        run(str(Path(__file__).with_name("lineage_writer.py")), PROJECT, str(answer))
        fill(box, json.loads(answer.read_text())["sweep"])
        warehouse = home / "wandb.duckdb"
        sync_project(box, PROJECT, warehouse)
        project = f"{box.entity}/{PROJECT}"
        run("-c", _RUN_ALL, project, str(home / "theirs"), *(str(SCRIPTS / name) for name in NAMES))
        box.clear_requests()
        ours = [str(changed / name) for name in NAMES]
        run("-c", _RUN_ALL, project, str(home / "ours"), *ours, WANDB_WAREHOUSE=str(warehouse))
        assert box.requests == []
    return Sides(home / "theirs", home / "ours")


def test_there_are_five_scripts_as_users_write_them() -> None:
    """Each imports the client, makes one `Api`, takes a project and a folder, and is short."""
    assert len(NAMES) == 5
    for name in NAMES:
        text = (SCRIPTS / name).read_text()
        assert "\napi = wandb.Api()\n" in text
        assert "path, folder = sys.argv[1], Path(sys.argv[2])\n" in text
        assert 20 <= text.count("\n") <= 40


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_output_is_the_same(sides: Sides, name: str) -> None:
    """What a script prints and every file it writes, pictures too, is the same byte for byte over the warehouse."""
    theirs, ours = (
        {place: body for place, body in side.items() if place.startswith(Path(name).stem + "/")}
        for side in sides.files()
    )
    assert theirs.keys() == ours.keys()
    for place, body in theirs.items():
        if place.endswith(".png"):
            assert body == ours[place], place
        else:
            assert body.decode().splitlines() == ours[place].decode().splitlines(), place
            assert body == ours[place]


@pytest.mark.slow
def test_what_was_compared(sides: Sides) -> None:
    """The scripts did find the sweep, the groups, the histories and the lineage."""
    theirs, _ = sides.files()
    table = theirs["best_of_sweep/sweeps.md"].decode()
    assert table.count("| sgd |") + table.count("| adam |") >= 8
    assert "# tuning ü: bayes, 12 runs" in table
    curves = [name for name in theirs if name.startswith("learning_curves/") and name.endswith(".png")]
    assert len(curves) == 2
    assert theirs["config_and_metric/runs.csv"].count(b"\n") > 20
    histories = [name for name in theirs if name.startswith("export_histories/")]
    assert len(histories) > 20
    lineage = theirs["artifact_lineage/lineage.txt"].decode()
    chain = (
        "model classifier:v1",
        "logged by the train-1",
        "dataset clean:v0",
        "logged by the clean",
        "dataset raw:v0",
    )
    places = [lineage.index(link, lineage.index("model classifier:v1")) for link in chain]
    assert places == sorted(places)
    assert "used by the evaluate (evaluate): 0.75" in lineage
