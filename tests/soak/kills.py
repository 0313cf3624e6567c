"""Kills syncs at every kind of moment, syncs once more, and compares with the source.

Promises (docs/reliability.md): after any crash one sync makes the warehouse equal the source (P1), a reader only ever
sees a whole state (P2), two syncs never overlap and a killed one frees the lock (P9).

Each kill: a published warehouse, a server that moved on, a sync that is killed before, after or during its N-th write,
rename, statement or commit, then an ordinary sync. A dry run counts the points; phases, kinds of events and sides take
turns. Expected is what a fresh warehouse of the same server holds (where a run was deleted: what a sync that nobody
disturbed made), and that is counted against the sandbox's own store.
"""

import argparse
import dataclasses
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from soak.processes import ABSENT, Driven, state_of
from soak.world import ENTITY, PROJECT, a_day_later, fill, wrong_counts
from wandb_warehouse.sandbox import Sandbox

__all__ = ["Results", "Situation", "kill_syncs", "main"]

_PER_SITUATION = 25
_STOPPED_EVERY = 10
"""Every so many kills the sync is first stopped, and another one must be refused."""
_NAMES = {"duckdb": "wandb.duckdb", "filesystem": "lake"}
_LONGEST_DELAY = 0.01

Point = tuple[str, str, str]
"""Phase, kind of event, side of it."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What syncs are killed in."""

    number: int
    destination: str
    history: str = "full"
    first: bool = False
    """There is no warehouse yet."""
    deletes: bool = False
    """A run was deleted at the server."""
    batches: bool = False
    """The sync publishes after every few runs."""

    @property
    def arguments(self) -> list[str]:
        """Options of the sync."""
        found = ["sync", f"{ENTITY}/{PROJECT}", "--destination", self.destination, "--history", self.history]
        if self.batches:
            return [*found, "--publish-every", "0.000000001", "--resources", "history,files"]
        return [*found, "--console-logs", "--tables"]

    @property
    def settings(self) -> dict[str, Any]:
        """Module variables to set, so that a small project takes several rounds."""
        if not self.batches:
            return {}
        return {"resources.history._RUNS_PER_GROUP": 3, "sync.orchestration._UPKEEP_SHARE": 0}


def situations(rng: random.Random) -> Iterator[Situation]:
    """Both destinations in turn, each with every kind of sync now and then."""
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"deletes": True},
        {"history": "sampled"},
        {"batches": True},
        {"first": True},
        {"deletes": True},
    )
    number = 0
    while True:
        shuffled = list(kinds)
        rng.shuffle(shuffled)
        for kind in shuffled:
            for destination in _NAMES:
                yield Situation(number, destination, **kind)
                number += 1


@dataclass(slots=True)
class Results:
    """What came of the kills."""

    seed: int
    kills: int = 0
    seconds: float = 0.0
    by_destination: Counter[str] = field(default_factory=Counter)
    by_phase: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    by_side: Counter[str] = field(default_factory=Counter)
    by_situation: Counter[str] = field(default_factory=Counter)
    state_after_kill: Counter[str] = field(default_factory=Counter)
    """Whether a kill left what was published before, after, or a state between two rounds."""
    situations: int = 0
    points: int = 0
    """Points of the longest dry run."""
    not_reached: int = 0
    """Syncs that ended before the point came."""
    differences: list[str] = field(default_factory=list)
    """P1: what a sync after a kill did not make good."""
    torn: list[str] = field(default_factory=list)
    """P2: states that were seen and are none of the whole ones."""
    reads: int = 0
    overlaps: list[str] = field(default_factory=list)
    """P9: second syncs that were not refused as they must be."""
    refused: int = 0
    slowest_refusal: float = 0.0
    signalled: int = 0
    """Of the kills, those by SIGTERM and SIGINT."""
    slowest_end: float = 0.0
    """Seconds from a signal to the end of the process."""
    left_behind: list[str] = field(default_factory=list)
    """What lay about after the sync that followed a kill."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        fields = ((each.name, getattr(self, each.name)) for each in dataclasses.fields(self))
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in fields}

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.differences or self.torn or self.overlaps or self.left_behind)

    def markdown(self) -> str:
        """A row for each promise."""
        kinds = ", ".join(f"{count} {name}" for name, count in self.by_destination.most_common())
        if self.signalled:
            return (
                f"| signals | {self.signalled} by SIGTERM and SIGINT ({kinds}), seed {self.seed}, the slowest ended in "
                f"{self.slowest_end:.1f} s | {len(self.differences)} differences, {len(self.torn)} torn, "
                f"{len(self.left_behind)} left behind |"
            )
        return "\n".join(
            (
                (
                    f"| P1 | {self.kills} kills ({kinds}), seed {self.seed} | {len(self.differences)} differences, "
                    f"{len(self.left_behind)} left behind |"
                ),
                (
                    f"| P2 | {self.reads} reads during {self.kills} kills and the syncs after them "
                    f"| {len(self.torn)} torn |"
                ),
                (
                    f"| P9 | {self.refused} second syncs, the slowest refused in {self.slowest_refusal:.2f} s "
                    f"| {len(self.overlaps)} overlapped |"
                ),
            )
        )


class _Scene:
    """One situation: a server that moved on since a warehouse was published, and the states that are whole."""

    def __init__(self, situation: Situation, folder: Path, forks: Driven, rng: random.Random) -> None:
        self.situation = situation
        self.folder = folder
        self._forks = forks
        self._rng = rng
        self._box = Sandbox()
        self.published = folder / "published"
        self.published.mkdir(parents=True)
        self.points: list[Point] = []
        self.before = ABSENT
        self.after = ""
        self.between: list[str] = []

    def __enter__(self) -> Self:
        self._box.start()
        fill(self._box, self._rng)
        if not self.situation.first:
            code = self.sync(self.published)["code"]
            assert code == 0, self.said(self.published)
            self.before = state_of(self.warehouse(self.published))
        a_day_later(self._box, self._rng, deletes=self.situation.deletes)
        self._dry_run()
        return self

    def __exit__(self, *_: object) -> None:
        self._box.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _dry_run(self) -> None:
        """Sync undisturbed, count the points, and compare with a fresh warehouse and the sandbox's store."""
        place = self.place("dry")
        ended = self.sync(place, count=True, states=True)
        assert ended["code"] == 0, self.said(place)
        counted = json.loads((place / "told").read_text())
        self.points = [tuple(point) for point in counted["points"]]
        self.after = state_of(self.warehouse(place))
        self.between = [state for state in counted["states"] if state not in {self.before, self.after}]
        wrong = (
            {}
            if self.situation.batches
            else wrong_counts(self._box, self.warehouse(place), history=self.situation.history)
        )
        assert not wrong, f"an undisturbed sync of {self.situation} is wrong: {wrong}"
        if not (self.situation.deletes or self.situation.first):
            fresh = self.folder / "fresh"
            fresh.mkdir()
            assert self.sync(fresh)["code"] == 0, self.said(fresh)
            state = state_of(self.warehouse(fresh))
            assert state == self.after, f"an undisturbed sync of {self.situation} differs from a fresh one"

    @property
    def whole(self) -> set[str]:
        """States that a reader may see."""
        return {self.before, self.after, *self.between}

    def warehouse(self, place: Path) -> Path:
        """Where the warehouse lies in a place."""
        return place / "home" / _NAMES[self.situation.destination]

    def place(self, name: str) -> Path:
        """A place of its own with what was published."""
        place = self.folder / name
        shutil.copytree(self.published / "home", place / "home") if (
            self.published / "home"
        ).exists() else None
        return place

    def said(self, place: Path) -> str:
        """The last lines on stderr."""
        return (place / "log").read_text()[-2000:]

    def start(self, place: Path, **more: Any) -> int:
        """Start a sync; give its pid."""
        (place / "tmp").mkdir(parents=True, exist_ok=True)
        (place / "home").mkdir(exist_ok=True)
        warehouse = str(self.warehouse(place))
        environment = {
            "WANDB_API_KEY": self._box.key,
            "WANDB_BASE_URL": self._box.base_url,
            "TMPDIR": str(place / "tmp"),
            "HOME": str(place),
        }
        command = {
            "arguments": [*self.situation.arguments, "--warehouse", warehouse],
            "settings": self.situation.settings,
            "environment": environment,
            "warehouse": warehouse,
            "folder": str(place / "home"),
            "log": str(place / more.pop("log", "log")),
            "told": str(place / more.pop("told", "told")),
        }
        return int(self._forks.ask(do="fork", **command, **more)["pid"])

    def wait(self, pid: int) -> dict[str, Any]:
        """Wait until a sync ends or stops."""
        found: dict[str, Any] = self._forks.ask(do="wait", pid=pid)
        return found

    def sync(self, place: Path, **more: Any) -> dict[str, Any]:
        """Sync and wait."""
        return self.wait(self.start(place, **more))


def kill_syncs(
    kills: int,
    *,
    seed: int,
    minutes: float,
    folder: Path,
    per_situation: int = _PER_SITUATION,
    chosen: Sequence[Situation] = (),
    sent: Sequence[signal.Signals] = (signal.SIGKILL,),
) -> Results:
    """Kill syncs until there were so many, or the time is up.

    Args:
        kills: how many.
        seed: of the projects, the situations and the points.
        minutes: after which no more situation is begun.
        folder: for the warehouses; what lies there is removed.
        per_situation: kills in each situation.
        chosen: the situations; all kinds in turn where there are none.
        sent: the signals, in turn.
    """
    rng = random.Random(seed)
    results = Results(seed)
    started = time.monotonic()
    ways = iter(chosen) if chosen else situations(rng)
    with Driven("forks") as forks, Driven("reads") as reads:
        assert forks.ready["threads"] == 1, "the process that forks has threads"
        while results.kills < kills and time.monotonic() - started < 60 * minutes:
            situation = next(ways, None)
            if situation is None:
                break
            results.situations += 1
            with _Scene(situation, folder / f"s{situation.number}", forks, rng) as scene:
                results.points = max(results.points, len(scene.points))
                for at in _spread(scene.points, min(per_situation, kills - results.kills), rng):
                    _Kill(scene, results, reads, rng).run(at, sent[results.kills % len(sent)])
                    if time.monotonic() - started >= 60 * minutes:
                        break
    results.seconds = round(time.monotonic() - started, 1)
    return results


def _spread(points: Sequence[Point], count: int, rng: random.Random) -> list[int]:
    """Numbers of points: every phase, kind and side has its turn."""
    groups: dict[Point, list[int]] = {}
    for number, point in enumerate(points, 1):
        groups.setdefault(point, []).append(number)
    chosen: list[int] = []
    while len(chosen) < count:
        order = sorted(groups)
        rng.shuffle(order)
        chosen += [rng.choice(groups[point]) for point in order]
    return chosen[:count]


class _Kill:
    """One sync killed, and the one after it."""

    def __init__(self, scene: _Scene, results: Results, reads: Driven, rng: random.Random) -> None:
        self._scene = scene
        self._results = results
        self._reads = reads
        self._rng = rng
        self._place = scene.place("kill")
        self._warehouse = scene.warehouse(self._place)

    def run(self, at: int, sent: signal.Signals) -> None:
        """Kill at the point, look, sync again, look again."""
        scene, results = self._scene, self._results
        kind = scene.points[at - 1][1]
        delay = None
        if kind in {"sql", "commit", "checkpoint", "parquet"} and self._rng.random() < 0.3:
            delay = self._rng.random() * _LONGEST_DELAY
        stops = sent == signal.SIGKILL and results.kills % _STOPPED_EVERY == _STOPPED_EVERY - 1
        self._reads.ask(warehouse=str(self._warehouse))
        try:
            pid = scene.start(self._place, at=at, sent=signal.SIGSTOP if stops else sent, delay=delay)
            ended = scene.wait(pid)
            if ended["stopped"]:
                self._second(pid)
                os.kill(pid, signal.SIGKILL)
                ended = scene.wait(pid)
            told = (self._place / "told").read_text()
            point: Point = tuple(json.loads(told)) if told else scene.points[at - 1]
            where = f"{scene.situation}, point {at} of {len(scene.points)}: {point}"
            self._count(point, ended["code"], reached=bool(told), where=where, sent=sent)
            self._again(where)
        finally:
            for state, times in self._reads.ask(warehouse=None).items():
                results.reads += times
                if state not in scene.whole:
                    results.torn.append(f"{scene.situation}, while syncing: {state[:200]}")
            shutil.rmtree(self._place, ignore_errors=True)

    def _count(self, point: Point, code: int, *, reached: bool, where: str, sent: signal.Signals) -> None:
        results, scene = self._results, self._scene
        results.kills += 1
        phase, kind, side = point
        results.by_destination[scene.situation.destination] += 1
        results.by_phase[phase] += 1
        results.by_kind[kind] += 1
        results.by_side[side] += 1
        results.by_situation[_told(scene.situation)] += 1
        if not reached:
            results.kills -= 1
            results.not_reached += 1
        ended_at = time.time()
        state = state_of(self._warehouse)
        names = {scene.before: "before", scene.after: "after"} | dict.fromkeys(scene.between, "between")
        results.state_after_kill[names.get(state, "torn")] += 1
        if state not in names:
            results.torn.append(f"{where}: {state[:200]}")
        if sent != signal.SIGKILL and reached:
            results.signalled += 1
            took = ended_at - (self._place / "told").stat().st_mtime
            results.slowest_end = max(results.slowest_end, round(took, 2))
            if took > 10:
                results.differences.append(f"{where}: it ended {took:.1f} s after {sent.name}")
            expected = {128 + sent} if side != "during" else {128 + sent, 0}
            if code not in expected and not (code == 0 and state == scene.after):
                results.differences.append(
                    f"{where}: exit code {code} after {sent.name}: {scene.said(self._place)}"
                )
            if left := self._stray():
                results.left_behind.append(f"{where}: {left} after {sent.name}")

    def _second(self, first: int) -> None:
        """Another sync at the same time is refused within a second, and names the first."""
        started = time.monotonic()
        ended = self._scene.sync(self._place, log="second", told="second-told")
        took = time.monotonic() - started
        said = (self._place / "second").read_text()
        # A first sync that has not come to its lock, or is past it, hinders nobody.
        text = (
            (self._warehouse.parent / self._lock_name()).read_text().strip() if self._lock().exists() else ""
        )
        if text != str(first):
            return
        self._results.refused += 1
        self._results.slowest_refusal = max(self._results.slowest_refusal, round(took, 3))
        if ended["code"] != 7 or f"pid {first}" not in said or took > 1:
            self._results.overlaps.append(f"exit code {ended['code']} after {took:.2f} s: {said[-300:]}")

    def _lock_name(self) -> str:
        return "wandb.duckdb.lock" if self._scene.situation.destination == "duckdb" else "lake/.lock"

    def _lock(self) -> Path:
        return self._warehouse.parent / self._lock_name()

    def _again(self, where: str) -> None:
        """The next sync makes everything good, and nothing lies about."""
        scene, results = self._scene, self._results
        named = _named(self._warehouse)
        ended = scene.sync(self._place, log="again", told="again-told")
        state = state_of(self._warehouse)
        if ended["code"] != 0:
            said = (self._place / "again").read_text()[-500:]
            results.differences.append(f"{where}: exit code {ended['code']} of the next sync: {said}")
        elif state != scene.after:
            results.differences.append(f"{where}: another state than expected: {state[:200]}")
        named |= _named(self._warehouse) | _named(scene.warehouse(scene.published))
        files = [name for name in _files(self._warehouse) if name not in named]
        if scene.situation.batches and len({name.rpartition("/")[2][:18] for name in files}) == 1:
            files = []  # those of the round before the last one, which readers may still use
        left = self._stray() + files
        left += [f"TMPDIR/{entry.name}" for entry in (self._place / "tmp").iterdir()]
        if left:
            results.left_behind.append(f"{where}: {left[:5]}")

    def _stray(self) -> list[str]:
        """Entries beside the warehouse that are neither it nor its lock; in a lake, hidden ones."""
        name = self._warehouse.name
        found = [e.name for e in self._warehouse.parent.iterdir() if e.name not in {name, f"{name}.lock"}]
        if self._warehouse.is_dir():
            found += [
                e.name for e in self._warehouse.iterdir() if e.name.startswith(".") and e.name != ".lock"
            ]
        return found


def _told(situation: Situation) -> str:
    kind = "first sync" if situation.first else "in batches" if situation.batches else situation.history
    return f"{kind}, a run deleted" if situation.deletes else kind


def _named(lake: Path) -> set[str]:
    """Files that a lake's manifest names."""
    manifest = lake / "manifest.json"
    if not manifest.exists():
        return set()
    return set(_paths(json.loads(manifest.read_text())))


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield value["path"]
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)


def _files(lake: Path) -> list[str]:
    """Parquet files of a lake."""
    return [str(path.relative_to(lake)) for path in lake.rglob("*.parquet")] if lake.is_dir() else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--signals", action="store_true", help="send SIGTERM and SIGINT instead of SIGKILL")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wandb-warehouse-kills-") as folder:
        results = kill_syncs(
            given.kills,
            seed=given.seed,
            minutes=given.minutes,
            folder=Path(folder),
            sent=(signal.SIGTERM, signal.SIGINT) if given.signals else (signal.SIGKILL,),
        )
    if given.json:
        given.json.write_text(json.dumps(results.to_dict(), indent=2) + "\n")
    sys.stdout.write(json.dumps(results.to_dict(), indent=2) + "\n" + results.markdown() + "\n")
    return int(results.failed)


if __name__ == "__main__":
    sys.exit(main())
