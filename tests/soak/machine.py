"""A server that lives while it is synced: whatever happens there, one sweep makes the warehouse equal to it.

    python -m tests.soak.machine [--sequences N] [--minutes M] [--seed S] [--json FILE]

A Hypothesis state machine changes a sandbox's projects as writers, people and W&B itself do, syncs in between (some of
those syncs are cut off, or the server fails under them), and at the end of every sequence lets the server come to rest,
sweeps once, and compares the warehouse with the sandbox's own records. Pages hold three runs, so that the
heartbeat cursor and paging decide as they do in a project of thousands.
"""

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import hypothesis.core
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from soak.model import differences
from support import connection, training
from wandb_warehouse.client import Limits, WandbClient
from wandb_warehouse.errors import PartialError, WarehouseError
from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.faults import Fault
from wandb_warehouse.sandbox.store import Run
from wandb_warehouse.sync import SyncOptions, SyncReport, sync
from wandb_warehouse.warehouse import Build, content_digest

__all__ = ["ServerLife", "run"]

PAGE = 3
"""Runs on a page of a listing, in place of a thousand."""
REST = 16 * 60.0
"""Seconds after which nothing late is waited for any more."""
LATE = 10 * 60.0
"""Seconds a sign of life may be recorded late: within the lag of the cursor."""
TABLES = (
    "projects", "runs", "run_tags", "metrics", "history", "artifacts", "artifact_aliases", "run_artifacts",
)  # fmt: skip
"""Those that are compared, and those that a sync decides by."""
FAULTS = (
    Fault("status", value=500),
    Fault("status", value=502, times=2),
    Fault("status", value=403),
    Fault("reset"),
    Fault("truncate"),
    Fault("html"),
    Fault("graphql_error"),
    Fault("graphql_error", value="partial"),
    Fault("project_null"),
    Fault("expired_url", match="parquet"),
)
"""What the server does to a request of a sync; twenty times in a row it does not recover from."""

_numbers = itertools.count()


class _Cut(BaseException):
    """Stands for the death of a process."""


class _Client(WandbClient):
    """A client that does not wait between its tries."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, limits=Limits(backoff=0.0), **more)


class ServerLife(RuleBasedStateMachine):
    """One life of one entity's projects, and the warehouse that follows it."""

    box: ClassVar[Sandbox]
    """The server of all lives; every life has an entity of its own in it."""
    done: ClassVar[Counter[str]] = Counter()
    """What happened in all lives so far."""

    def __init__(self) -> None:
        super().__init__()
        self.entity = f"life{next(_numbers)}"
        self.projects = ["p"]
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.warehouse = self.folder / "wandb.duckdb"
        self.box.add_project(self.entity, "p")

    @initialize(runs=st.integers(1, 5), rows=st.integers(0, 30))
    def begin(self, runs: int, rows: int) -> None:
        """A project with some runs, synced."""
        for _ in range(runs):
            self._new(rows, "finished")
        self.sync_once()

    def _new(self, rows: int, state: str, project: str = "p", first: int = 0) -> Run:
        number = next(_numbers)
        home = self._home(project)
        config = {"lr": number / 7, "model": {"depth": number % 5}, "name": f"m{number}"}
        return self.box.add_run(
            self.entity, home, f"r{number}", config=config, state=state,
            rows=training(rows, seed=number, first=first), tags=[f"t{number % 3}"],
        )  # fmt: skip

    def _home(self, project: str) -> str:
        return project if (self.entity, project) in self.box.store.projects else self.projects[0]

    def _runs(self, *, deleted: bool = False) -> list[Run]:
        with self.box.store.lock:
            return [
                run
                for (entity, _), home in sorted(self.box.store.projects.items())
                if entity == self.entity
                for run in home.runs.values()
                if run.deleted is deleted
            ]

    def _any(self, number: int, *, deleted: bool = False) -> Run:
        found = self._runs(deleted=deleted)
        assume(found)
        return found[number % len(found)]

    def _place(self, run: Run) -> tuple[str, str, str]:
        return run.entity, run.project.name, run.name

    @rule(rows=st.integers(0, 20), state=st.sampled_from(["running", "finished", "failed"]))
    def new(self, rows: int, state: str) -> None:
        """A run begins, and may have ended."""
        self.done["new"] += 1
        self._new(rows, state)

    @rule(number=st.integers(0, 99), rows=st.integers(1, 12), late=st.booleans(), ends=st.booleans())
    def beat(self, number: int, rows: int, *, late: bool, ends: bool) -> None:
        """A run goes on (one that had ended is resumed); its heartbeat may be recorded late."""
        run = self._any(number)
        self.done["late beat" if late else "resume" if run.state != "running" else "beat"] += 1
        steps = run.history.steps
        started = 1_700_000_000.0 + 1000 * next(_numbers)
        self.box.append_rows(
            *self._place(run), training(rows, seed=rows, first=max(steps, default=-1) + 1, started=started)
        )
        if ends:
            self.box.finish(*self._place(run))
        if late:
            with self.box.store.lock:
                run.heartbeat_at = max(run.created_at, run.heartbeat_at - LATE)

    @rule(
        number=st.integers(0, 99),
        what=st.sampled_from(["tags", "notes", "name", "config", "summary", "group"]),
    )
    def edit(self, number: int, what: str) -> None:
        """Somebody edits a run; no heartbeat tells of it."""
        run, value = self._any(number), f"edited {next(_numbers)}"
        self.done[f"edit {what}"] += 1
        changes: dict[str, Any] = {
            "tags": [value],
            "config": {"lr": value, "new": {value: [1, None]}},
            "summary": {"best": value},
        }
        self.box.edit(*self._place(run), **{what: changes.get(what, value)})

    @rule()
    def crash(self) -> None:
        """Running runs are not heard of for so long that they count as crashed."""
        self.done["crash"] += any(run.state == "running" for run in self._runs())
        self.box.advance(400)

    @rule(number=st.integers(0, 99))
    def delete(self, number: int) -> None:
        """A run is deleted."""
        run = self._any(number)
        self.done["delete"] += 1
        self.box.delete(*self._place(run))

    @rule(number=st.integers(0, 99))
    def undelete(self, number: int) -> None:
        """A deleted run is brought back."""
        run = self._any(number, deleted=True)
        self.done["undelete"] += 1
        self.box.undelete(*self._place(run))

    @rule(number=st.integers(0, 99), back=st.integers(1, 20), on=st.integers(0, 25))
    def rewind(self, number: int, back: int, on: int) -> None:
        """A run is rewound, and may go on, as far as before or farther."""
        run = self._any(number)
        steps = run.history.steps
        assume(len(steps) > back)
        self.done["rewind"] += 1
        self.box.rewind(*self._place(run), steps[-1] - back)
        if on:
            started = 1_800_000_000.0 + 1000 * next(_numbers)
            first = max(run.history.steps, default=-1) + 1
            self.box.append_rows(*self._place(run), training(on, seed=on, first=first, started=started))

    @rule(number=st.integers(0, 99), rows=st.integers(1, 10))
    def fork(self, number: int, rows: int) -> None:
        """A run branches off another one and logs the steps after the branch point only."""
        parent = self._any(number)
        step = max(parent.history.steps, default=-1)
        assume(step >= 0)
        self.done["fork"] += 1
        run = self._new(rows, "running", parent.project.name, first=step + 1)
        point = {"run_id": parent.name, "step": step}
        own = {"cli_version": "0.31.0", "t": {}, "branch_point": point}
        with self.box.store.lock:
            run.write_config({"_wandb": own})

    @rule(number=st.integers(0, 99), share=st.floats(0, 1), append=st.booleans())
    def export(self, number: int, share: float, *, append: bool) -> None:
        """The history of a run, or the beginning of it, is exported to parquet."""
        run = self._any(number)
        steps = run.history.steps
        assume(steps)
        self.done["export"] += 1
        self.box.export(*self._place(run), steps[int(share * (len(steps) - 1))], append=append)

    @rule(number=st.integers(0, 99))
    def move(self, number: int) -> None:
        """A run is moved into another project."""
        run = self._any(number)
        self.done["move"] += 1
        if "q" not in self.projects:
            self.projects.append("q")
        self.box.add_project(self.entity, "q")
        target = "q" if run.project.name != "q" else self.projects[0]
        assume(run.name not in self.box.store.projects[self.entity, target].runs)
        self.box.move_run(*self._place(run), target)

    @precondition(lambda self: self.projects[0] == "p")
    @rule()
    def rename(self) -> None:
        """The project is renamed."""
        self.done["rename"] += 1
        self.box.rename_project(self.entity, "p", "renamed")
        self.projects[0] = "renamed"

    @rule(number=st.integers(0, 99), logs=st.booleans(), alias=st.sampled_from(["best", "prod"]))
    def artifact(self, number: int, alias: str, *, logs: bool) -> None:
        """A run logs a version of an artifact, or uses the last one; or an alias moves without any run."""
        run = self._any(number)
        with self.box.store.lock:
            shelf, versions = self.box.shelf, []
            collection = shelf.collection(run.project, "model")
            if collection is not None:
                versions = collection.committed
            if logs or not versions:
                self.done["log artifact"] += 1
                wanted = {
                    "artifactCollectionName": "model", "artifactTypeName": "model",
                    "digest": f"{next(_numbers):032x}", "metadata": "{}",
                }  # fmt: skip
                made = shelf.create(run.project, run, wanted)
                shelf.commit(made)
                self.box.store.heard(run)
                return
            self.done["alias"] += 1
            for version in versions:
                version.aliases = [each for each in version.aliases if each != alias]
            versions[number % len(versions)].aliases.append(alias)
            if number % 2 and run not in versions[0].used_by:
                versions[0].used_by.append(run)
                self.box.store.heard(run)

    @rule(seconds=st.sampled_from([1.0, 60.0, 600.0, 3600.0, 7 * 3600.0]))
    def wait(self, seconds: float) -> None:
        """Time passes at the server."""
        self.done["wait"] += 1
        self.box.advance(seconds)

    @rule(days=st.sampled_from([-400, -1, 1, 400]))
    def clock_jump(self, days: int) -> None:
        """The clock of this machine jumps; the server's does not."""
        self.done["clock jump"] += 1
        with _local_clock(days * 86400.0):
            self.sync_once()

    @rule()
    def sync_once(self) -> None:
        """An ordinary sync."""
        self.done["sync"] += 1
        with suppress(PartialError):
            self._sync()

    @rule()
    def sweep(self) -> None:
        """A sync that lists everything whole."""
        self.done["sweep"] += 1
        with suppress(PartialError):
            self._sync(sweep=True)

    @rule(fault=st.sampled_from(FAULTS), after=st.integers(0, 12), often=st.sampled_from([1, 20]))
    def fault(self, fault: Fault, after: int, often: int) -> None:
        """A sync during which the server or the network fails, at some request, once or for good."""
        self.done[f"fault {fault.kind}"] += 1
        for _ in range(after):
            self.box.inject(Fault("slow", value=0.0))
        for _ in range(often):
            self.box.inject(fault)
        try:
            with suppress(WarehouseError):
                self._sync()
        finally:
            self.box.faults.clear()

    @rule(step=st.sampled_from(["delete_runs", "write_ledger", "write_sync_log", "prove", "publish"]))
    def kill(self, step: str) -> None:
        """A sync dies at a step of its load and cleans nothing up."""
        self.done["kill"] += 1

        def die(*_: object, **__: object) -> None:
            raise _Cut

        with (
            mock.patch.object(Build, step, die),
            mock.patch("wandb_warehouse.sync.orchestration.shutil"),  # its own, not what dlt deletes
            suppress(_Cut, WarehouseError),
        ):
            self._sync()

    def _sync(self, **more: Any) -> SyncReport:
        paths = tuple(ProjectPath(self.entity, name) for name in self._names())
        report = sync(SyncOptions(paths, connection(self.box), self.warehouse, resources=TABLES, **more))
        report.raise_if_partial()
        return report

    def _names(self) -> list[str]:
        with self.box.store.lock:
            return sorted(name for entity, name in self.box.store.projects if entity == self.entity)

    def teardown(self) -> None:
        """Let the server rest, sweep, and compare; then nothing is left to do."""
        try:
            self.box.advance(REST)
            for run in self._runs():
                if run.state == "running":
                    self.box.finish(*self._place(run))
            self.box.advance(REST)
            self._sync(sweep=True)
            wrong = differences(self.box, self.warehouse, self.entity)
            assert not wrong, "\n".join(wrong)
            digest = content_digest(self.warehouse)
            again = self._sync()
            assert again.generation is None, (
                f"a sync with nothing new published: {json.dumps(again.to_dict())}"
            )
            assert content_digest(self.warehouse) == digest
            assert not list(self.folder.glob("*.work*")), "a working directory is left"
            self.done["sequences"] += 1
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            with self.box.store.lock:
                for place in [place for place in self.box.store.projects if place[0] == self.entity]:
                    del self.box.store.projects[place]


@contextmanager
def _local_clock(seconds: float) -> Iterator[None]:
    """Put the clock of this process forward; the sandbox, which lives in it, keeps its time."""
    now, clock = time.time, ServerLife.box.store.clock
    with mock.patch("time.time", side_effect=lambda: now() + seconds):
        clock.advance(-seconds)
        try:
            yield
        finally:
            clock.advance(seconds)


def run(seed: int, minutes: float, sequences: int = 1_000, steps: int = 10) -> dict[str, object]:
    """Live through so many sequences, or as many as the minutes allow.

    Raises:
        AssertionError: a warehouse differed after a sweep; the shortest sequence found is printed by Hypothesis.
    """
    started, part = time.monotonic(), 0
    ServerLife.done = Counter()
    with (
        Sandbox() as box,
        mock.patch("wandb_warehouse.resources.listing._PAGE", PAGE),
        mock.patch("wandb_warehouse.sync.orchestration.WandbClient", _Client),
    ):
        ServerLife.box = box
        while ServerLife.done["sequences"] < sequences and time.monotonic() - started < 60 * minutes:
            hypothesis.core.global_force_seed = seed + part  # type: ignore[assignment]
            part += 1
            run_state_machine_as_test(
                ServerLife,
                settings=settings(
                    max_examples=min(25, sequences - ServerLife.done["sequences"]),
                    stateful_step_count=steps,
                    deadline=None,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                    print_blob=False,
                ),
            )
    return {
        "sequences": ServerLife.done.pop("sequences"),
        "differences": 0,
        "operations": dict(sorted(ServerLife.done.items())),
        "seed": seed,
        "seconds": round(time.monotonic() - started),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    found = run(given.seed, given.minutes, given.sequences)
    text = json.dumps(found, indent=2) + "\n"
    if given.json:
        given.json.write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
