"""Whatever happens at W&B, in whatever order and with syncs anywhere in between, the warehouse ends as a new one."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support import contents, options, training, wrong_histories
from wandb_warehouse.resources import ProjectPattern
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.store import Run
from wandb_warehouse.sync import SyncOptions, sync

HOUR = 3600.0


class Life:
    """Things that happen to the runs and projects of an entity, chosen at random."""

    def __init__(self, box: Sandbox, seed: int) -> None:
        self.box = box
        self.rng = random.Random(seed)
        self.number = 0
        for project in ("p", "q"):
            box.add_run("e", project, "stays", rows=training(3), created_at="2026-01-01")
            self.add(project)
            box.add_artifact("e", project, "model", "a", run_id="stays")
            box.add_artifact("e", project, "model", "b", run_id="stays")

    def add(self, project: str) -> None:
        """A new run, running or ended."""
        self.number += 1
        rows = training(self.rng.randrange(0, 30), seed=self.number)
        state = self.rng.choice(["running", "finished", "failed"])
        self.box.add_run("e", project, f"r{self.number}", rows=rows, config={"n": self.number}, state=state)

    def happen(self) -> str:
        """One thing; gives its name."""
        projects = [name for entity, name in self.box.store.projects if entity == "e"]
        project = self.rng.choice(sorted(projects))
        runs = [run for run in self.box.store.projects["e", project].runs.values() if run.name != "stays"]
        deeds: dict[str, Callable[[], object]] = {
            "add": lambda: self.add(project),
            "wait": lambda: self.box.advance(self.rng.choice([1.0, 400.0, 1000.0, 7 * HOUR])),
            "alias": lambda: self.box.move_alias("e", project, "model", "best", self.rng.randrange(2)),
            "rename": lambda: self.box.rename_project(
                "e", project, f"{project[:1]}{self.number}-{self.rng.random()}"
            ),
        }
        if runs:
            run = self.rng.choice(runs)
            deeds |= self._to_run(project, run)
            if run.deleted:
                deeds = {name: deeds[name] for name in ("undelete", "add", "wait")}
        name = self.rng.choice(sorted(deeds))
        deeds[name]()
        return f"{name} in {project}"

    def _to_run(self, project: str, run: Run) -> dict[str, Callable[[], object]]:
        box, place, rows = self.box, ("e", project, run.name), len(run.history)
        last = run.history.steps[-1] if rows else -1
        self.number += 1
        seed = self.number
        other = next(name for _, name in box.store.projects if name != project)
        deeds: dict[str, Callable[[], object]] = {
            "append": lambda: box.append_rows(
                *place,
                training(self.rng.randrange(1, 9), seed=seed, first=last + 1, started=1.7e9 + 1000 * seed),
            ),
            "finish": lambda: box.finish(*place),
            "edit": lambda: box.edit(*place, tags=[f"t{seed}"], config={"edited": seed}),
            "quiet": lambda: box.edit(*place, summary={"quiet": seed}, host=f"h{seed}", quietly=True),
            "delete": lambda: box.delete(*place),
            "undelete": lambda: box.undelete(*place),
            "file": lambda: box.store.save(run, f"f{seed}.txt", b"x"),
        }
        if run.name not in box.store.projects["e", other].runs:
            deeds["move"] = lambda: box.move_run(*place, other)
        if rows:
            step = self.rng.randrange(last + 1)
            deeds["rewind"] = lambda: box.rewind(*place, step)
            deeds["export"] = lambda: box.export(*place, step)
            deeds["fork"] = lambda: self._fork(project, run.name, step, seed)
        return deeds

    def _fork(self, project: str, run_id: str, step: int, seed: int) -> None:
        self.box.fork("e", project, run_id, f"f{seed}", step)
        self.box.append_rows("e", project, f"f{seed}", training(4, seed=seed, first=step + 1))


def of_all(box: Sandbox, warehouse: Path) -> SyncOptions:
    """Sync every project of the entity."""
    return replace(options(box, warehouse), projects=(ProjectPattern("e"),))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_any_changes_end_as_in_a_new_warehouse(box: Sandbox, tmp_path: Path, seed: int) -> None:
    """Thirty changes and a sync after some of them: after a last one all tables are those of a new warehouse."""
    life, warehouse, fresh = Life(box, seed), tmp_path / "wandb.duckdb", tmp_path / "fresh.duckdb"
    told = []
    for _ in range(30):
        told.append(life.happen())
        if life.rng.random() < 0.15:
            told.append("sync")
            sync(of_all(box, warehouse))
    box.advance(7 * HOUR)
    sync(replace(of_all(box, warehouse), sweep=True, allow_mass_delete=True))
    sync(of_all(box, fresh))
    assert contents(warehouse) == contents(fresh), told
    assert not wrong_histories(box, fresh)
