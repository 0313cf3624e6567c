"""What lies beside details and history, read for what moved: one table at a time, whoever asks for it.

For each table and project the marks hold what is still to be read. A table that was never read owes every run that is
held; from then on what moves is added to what it owes, and what was read is taken off. So a table chosen later
catches up, and what could not be read is tried again.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import Selection
from wandb_warehouse.client import WandbClient
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.listing import ProjectPath
from wandb_warehouse.resources.logged_tables import LoggedReading
from wandb_warehouse.resources.marks import HeldTables, Marks, Shortfalls
from wandb_warehouse.resources.readers import PROJECT_READERS
from wandb_warehouse.resources.reading import (
    REFUSED,
    WHOLE,
    Outcome,
    ProjectWork,
    TableReading,
    digest_of,
    reason_of,
)
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.rounds import Rounds
from wandb_warehouse.resources.spool import Part, TableSpool

__all__ = [
    "COVERAGE",
    "MAX_TABLE_BYTES",
    "OPT_IN",
    "RESOURCES",
    "UNSIFTED",
    "Coverage",
    "CoverageOptions",
    "Outcome",
]

COVERAGE = (
    "system_metrics",
    "artifacts",
    "artifact_aliases",
    "run_artifacts",
    "files",
    "run_metadata",
    "sweeps",
    "users",
    "reports",
    "console_logs",
    "logged_tables",
    "logged_table_cells",
)
"""Tables read here, each a resource."""

RESOURCES = (
    "projects",
    "runs",
    "run_config",
    "run_summary",
    "run_tags",
    "metrics",
    "history",
    "history_sampled",
    *COVERAGE,
)
"""Names of the resources, which are also the names of the tables they load."""

OPT_IN = frozenset({"console_logs", "logged_tables", "logged_table_cells"})
"""Those loaded only when asked for."""

UNSIFTED = frozenset({"artifacts", "files", "run_metadata", "sweeps", "reports", "console_logs"})
"""Those that may repeat what stands under an excluded key, where no key tells; with excluded keys only when named."""

_LOGGED = ("logged_tables", "logged_table_cells")
"""Those read together: a table and its cells."""

_READ_AS = " as"
"""Ends the name under which it is kept with which keys a table was read."""

_DIGEST = " digest"
"""Ends the name under which the digest of a project's table is kept."""

_NOTES = (_READ_AS, _DIGEST)

_MOVING = frozenset({"files", "run_artifacts"})
"""Tables of runs that change without anything of the run saying so."""

MAX_TABLE_BYTES = 256 * 10**6
"""Bytes of the file of one logged table that are read unless told otherwise."""


@dataclass(frozen=True, slots=True)
class CoverageOptions:
    """What is wanted of the tables beside details and history."""

    tables: frozenset[str] = frozenset()
    """Tables a destination will ask for: while one of them owes something, there is something to do."""
    skipped: frozenset[str] = frozenset()
    """Tables not read, whoever asks."""
    reread_runs: bool = False
    """Read the files and artifacts of every run although it did not move."""
    owed: Mapping[str, Collection[str]] = field(default_factory=dict)
    """What is read although nothing moved, by table: ids of runs, `*` for a table of the project."""
    metadata_files: bool = False
    """Read `run_metadata` from each run's file, a download a run, rather than from its config."""
    max_table_bytes: int = MAX_TABLE_BYTES
    """Bytes of the file of one logged table; a larger one is named in the report and left out."""


_Concluded = tuple[ProjectWork, set[str], HeldTables]
"""A project, what it owes still, and the logged tables held of it now."""


class Coverage:
    """Reads tables of the projects of one extraction; `outcomes` tells what was read."""

    def __init__(
        self,
        marks: Marks,
        report: ExtractionReport,
        options: CoverageOptions,
        selection: Selection,
        deadline: Deadline,
        *,
        rounds: Rounds,
    ) -> None:
        self.selection = selection
        self.outcomes: dict[str, Outcome] = {}
        self.short: dict[tuple[str, str], Shortfalls] = {}
        """What came short in this extraction."""
        self._marks = marks
        self._report = report
        self._options = options
        self._deadline = deadline
        self._rounds = rounds
        self._begun = False
        self._projects: list[ProjectWork] = []
        self._logged: dict[str, tuple[list[Part], Outcome, list[_Concluded]]] = {}
        self._whole: dict[tuple[Any, ProjectPath], dict[str, pa.Table] | str] = {}

    def begin(
        self,
        path: ProjectPath,
        *,
        held: Collection[str],
        moved: Mapping[str, Mapping[str, Any]],
        failed: Collection[str],
        fresh: bool,
        readable: bool = True,
        sweeps: bool = False,
    ) -> None:
        """Take note of a project: the runs held before, those that moved, those whose details failed.

        `fresh`: nothing of what is held counts. Nothing is read of a project that is not `readable`: its tables owe
        what moved. `sweeps`: the tables of the project are read although nothing in it moved.
        """
        pending = {} if fresh else self._marks.pending(path.entity, path.project)
        for name, left in pending.items():
            if name.endswith(_NOTES):
                continue
            if name not in PROJECT_READERS:
                left.update(moved)
                if self._options.reread_runs and name in _MOVING:
                    left.update(held)
            elif moved or sweeps:
                left.add(WHOLE)
            left.update(self._options.owed.get(name, ()))
        self._marks.record_pending(path.entity, path.project, pending)
        if not readable:
            return
        users = [node.get("user") or {} for node in moved.values()]
        names = {str(user["username"]): user.get("name") for user in users if user.get("username")}
        known = frozenset(held) | moved.keys()
        self._projects.append(ProjectWork(path, known - set(failed), pending, names, frozenset(moved), fresh))

    async def compare(self, client: WandbClient) -> None:
        """Read the tables of swept projects in which nothing moved, and owe those only that are others now."""
        for project in self._projects:
            for name in sorted(self._options.tables - self._options.skipped) if not project.moved else ():
                known = project.pending.get(name + _DIGEST)
                if known is None or WHOLE not in project.pending.get(name, ()):
                    continue
                found = await self.whole(client, name, project.path)
                if not isinstance(found, str) and known == {digest_of(found[name])}:
                    project.pending[name].discard(WHOLE)
                    self._marks.record_pending(project.path.entity, project.path.project, project.pending)

    def is_due(self) -> bool:
        """Tell whether a wanted table owes anything."""
        return any(map(self._owes, self._projects))

    def owes(self, path: ProjectPath) -> bool:
        """Tell whether a wanted table owes anything of a project, beside what this sync tried in vain."""
        return any(self._owes(project) for project in self._projects if project.path == path)

    def _owes(self, project: ProjectWork) -> bool:
        owed = (self._owed(name, project) for name in self._options.tables - self._options.skipped)
        return any(left is None or left for left in owed)

    @property
    def read_anything(self) -> bool:
        """Whether anything of any table was read."""
        return any(outcome.rows or outcome.projects or outcome.keys for outcome in self.outcomes.values())

    async def read(self, client: WandbClient, name: str, folder: Path) -> list[Part]:
        """Read what a table owes; a run or project that cannot be read is named in the report, and owed still."""
        if name in _LOGGED:
            return await self._read_logged(client, name, folder)
        self.outcomes[name] = outcome = Outcome()
        if name in self._options.skipped:
            return []
        with TableSpool(folder) as spool:
            for project in self._projects:
                owed = self._owed(name, project)
                if owed is not None and not owed:
                    continue
                if self.leaves(name):
                    continue
                self._report.phase = name.replace("_", " ")
                reading = TableReading(self, client, name, project, spool=spool, outcome=outcome)
                project.pending[name] = await reading.read(owed) | self._given_up(name, project)
                if name in PROJECT_READERS and not project.pending[name]:
                    found = await self.whole(client, name, project.path)
                    project.pending[name + _DIGEST] = (
                        set() if isinstance(found, str) else {digest_of(found[name])}
                    )
                self._marks.record_pending(project.path.entity, project.path.project, project.pending)
            return spool.close()

    async def _read_logged(self, client: WandbClient, name: str, folder: Path) -> list[Part]:
        """Read logged tables and their cells in one go, where both owe the same; each is concluded when asked for."""
        if name not in self._logged:
            together = _LOGGED if self._in_step() else (name,)
            outcomes = {each: Outcome(whole_runs=False) for each in together}
            found: list[_Concluded] = []
            with TableSpool(folder) as spool:
                for project in self._projects:
                    owed = self._owed(name, project)
                    if (owed is not None and not owed) or self.leaves(name):
                        continue
                    self._report.phase = name.replace("_", " ")
                    held = self._marks.tables(project.path.entity, project.path.project, name)
                    reading = LoggedReading(
                        self, client, project, held, spool=spool, outcomes=outcomes, folder=folder
                    )
                    found.append((project, await reading.read(owed), reading.held))
                parts = spool.close()
            self._logged = {
                each: ([part for part in parts if part.table == each], outcomes[each], found)
                for each in together
            }
        parts, self.outcomes[name], found = self._logged.pop(name)
        for project, left, held in found:
            project.pending[name] = left | self._given_up(name, project)
            project.pending[name + _READ_AS] = {self._read_as}
            entity, title = project.path.entity, project.path.project
            self._marks.record_pending(entity, title, project.pending)
            self._marks.record_tables(entity, title, name, held)
        return parts

    def _in_step(self) -> bool:
        """Tell whether tables and cells owe the same, and are held alike."""
        return all(
            self._owed(_LOGGED[0], project) == self._owed(_LOGGED[1], project)
            and self._marks.tables(project.path.entity, project.path.project, _LOGGED[0])
            == self._marks.tables(project.path.entity, project.path.project, _LOGGED[1])
            for project in self._projects
        )

    @property
    def _read_as(self) -> str:
        """With which keys logged tables are read: those held with others are looked through again."""
        return json.dumps([sorted(set(self.selection.keys)), sorted(set(self.selection.exclude))])

    def leaves(self, name: str) -> bool:
        """Tell whether the time is up, and report what is left; every extraction reads something, however short."""
        if self._begun and self._deadline.passed():
            if name not in self._report.tables_left:
                self._report.tables_left.append(name)
            return True
        self._begun = True
        return False

    def _owed(self, name: str, project: ProjectWork) -> set[str] | None:
        """What is to be read; None for everything, because nothing was read before."""
        left = project.pending.get(name)
        if name in _LOGGED and project.pending.get(name + _READ_AS) != {self._read_as}:
            return None
        if left is None:
            return None
        gave_up = self._rounds.gave_up(project.path, name)
        left = set() if WHOLE in gave_up else left - gave_up
        return left if WHOLE in left else left & project.held

    def _given_up(self, name: str, project: ProjectWork) -> set[str]:
        """What is owed although this sync tries it no more."""
        return project.pending.get(name, set()) & self._rounds.gave_up(project.path, name)

    def quarantine(self, place: str, name: str, reason: str) -> None:
        """Name in the report what could not be read."""
        entity, project, *run = place.split("/")
        self.short.setdefault((entity, project), {}).setdefault(name, {})["".join(run) or WHOLE] = reason
        known = self._report.quarantined.get(place)
        text = f"{name}: {reason}"
        self._report.quarantined[place] = text if known is None else f"{known}; {text}"

    async def whole(self, client: WandbClient, name: str, path: ProjectPath) -> dict[str, pa.Table] | str:
        """Tables of a project, or why they cannot be read; read once for all that come together."""
        reader = PROJECT_READERS[name]
        if (reader, path) not in self._whole:
            try:
                self._whole[reader, path] = await reader(client.catalog, path)
            except REFUSED as error:
                await client.viewer()  # where the server itself is down, no table is to blame
                self._whole[reader, path] = reason_of(error)
        return self._whole[reader, path]

    @property
    def max_table_bytes(self) -> int:
        """Bytes of the file of one logged table that are read."""
        return self._options.max_table_bytes

    @property
    def metadata_files(self) -> bool:
        """Whether metadata comes from files."""
        return self._options.metadata_files
