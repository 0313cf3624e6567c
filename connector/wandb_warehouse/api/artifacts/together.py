"""Versions that were listed together: who made and used them is asked of a large warehouse for all of them at once.

Of a small one all is read at once, see `lineage`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.artifacts.lineage import (
    Place,
    edges_of_run,
    edges_of_runs,
    few,
    runs_of_version,
    runs_of_versions,
    stored_versions,
)
from wandb_warehouse.api.session import Session, plain
from wandb_warehouse.errors import RunNotFoundError

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.run import Run

__all__ = ["Together", "run_versions"]

_PLACE = ("entity", "project", "collection", "type")
_RUNS = 50
"""Runs whose versions are read when those of one are asked for."""
_AHEAD = 500
"""Runs that are read at once at most, those aside that were asked for."""


class Together:
    """Versions that were listed together.

    In a large warehouse runs are given out as the same objects each time: what is read of one is read of all.

    Args:
        session: what the objects of an `Api` share.
        rows: what is stored of the versions.
    """

    def __init__(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        self._session = session
        self._rows = rows
        self._generation = session.generation
        self._edges: Mapping[Any, list[Place]] | None = None
        self._runs: dict[Place, Run | None] = {}

    def creator(self, row: Mapping[str, Any]) -> "Run | None":
        """Give the run that a version's own row names; None where it names none.

        Raises:
            RunNotFoundError: the run is not in the warehouse, or was deleted.
        """
        from wandb_warehouse.api.runs.run import Run

        place = _creator(row)
        if place is None:
            return None
        if few(self._session, "edges"):
            return Run(self._session, *place)
        self._renew()
        if place not in self._runs:
            self._read([place], filter(None, map(_creator, self._rows)))
        found = self._runs[place]
        if found is None:
            raise RunNotFoundError(
                f"Could not find run <Run {'/'.join(place)} (not found)>",
                mend=f"sync {place[0]}/{place[1]}, or mend the path",
            )
        return found

    def runs(self, artifact: str, mode: str) -> "list[Run]":
        """Give the runs of the warehouse that logged or used a version, oldest first."""
        from wandb_warehouse.api.runs.run import Run

        if few(self._session, "edges"):
            return [Run(self._session, *place) for place in runs_of_version(self._session, artifact, mode)]
        self._renew()
        if self._edges is None:
            ids = list(dict.fromkeys(str(row["artifact_id"]) for row in self._rows))
            self._edges = runs_of_versions(self._session, ids)
        places = self._edges[artifact, mode]
        if any(place not in self._runs for place in places):
            others = (each for (_, found), many in self._edges.items() if found == mode for each in many)
            self._read(places, others)
        return [found for place in places if (found := self._runs[place]) is not None]

    def _renew(self) -> None:
        if self._generation != self._session.generation:
            self._generation, self._edges, self._runs = self._session.generation, None, {}

    def _read(self, asked: Sequence[Place], ahead: Iterable[Place]) -> None:
        """Read runs that were asked for, and some that may be soon; None stands for one that is not there."""
        from wandb_warehouse.api.runs.rows import read_runs
        from wandb_warehouse.api.runs.run import Run

        wanted = [place for place in dict.fromkeys([*asked, *ahead]) if place not in self._runs]
        by_project: dict[tuple[str, str], list[str]] = {}
        for entity, project, run in wanted[: max(_AHEAD, len(asked))]:
            by_project.setdefault((entity, project), []).append(run)
        for (entity, project), ids in by_project.items():
            stored = read_runs(self._session, entity, project, ids)
            made = {
                run: Run(self._session, entity, project, run, stored.light(run)) if run in stored else None
                for run in ids
            }
            beside = [run for run in made.values() if run is not None]
            for each in beside:
                each._beside = beside
            self._runs |= {(entity, project, run): found for run, found in made.items()}


def run_versions(session: Session, run: "Run", mode: str) -> tuple[list[dict[str, Any]], Together]:
    """Give what is known of the versions that a run logged or used, oldest first, and what they were read with.

    In a large warehouse those of runs that were listed with it are read at once, and asked for no more.
    """
    place = (run.entity, run.project)
    if few(session, "edges"):
        edges = edges_of_run(session, *place, run.id, mode)
        rows = list(_known(session, edges).values())
        return rows, Together(session, rows)
    beside = [each.id for each in getattr(run, "_beside", ())]
    if run.id in beside:
        first = beside.index(run.id) // _RUNS * _RUNS
        beside = beside[first : first + _RUNS]
    else:
        beside = [run.id]
    found: tuple[dict[tuple[str, str], list[dict[str, Any]]], Together] = session.once(
        ("run_versions", *place, *beside), lambda: _versions(session, *place, beside)
    )
    return found[0].get((run.id, mode), []), found[1]


def _versions(
    session: Session, entity: str, project: str, runs: Sequence[str]
) -> tuple[dict[tuple[str, str], list[dict[str, Any]]], Together]:
    """Versions of runs by run and direction."""
    edges = edges_of_runs(session, entity, project, runs)
    known = _known(session, edges)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for edge in edges:
        found.setdefault((str(plain(edge["run_id"])), edge["direction"]), []).append(
            known[edge["artifact_id"]]
        )
    return found, Together(session, list(known.values()))


def _known(session: Session, edges: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is known of the versions of edges, by id in their order: what is stored, else what the edge says."""
    ids = list(dict.fromkeys(edge["artifact_id"] for edge in edges))
    stored = {
        row["artifact_id"]: row
        for row in (stored_versions(session, ids=ids) if ids else ())
        if not row["is_linked"]
    }
    named = {
        edge["artifact_id"]: {**edge, **{name: plain(edge[name]) for name in _PLACE}, "stored": False}
        for edge in edges
    }
    return {artifact: stored.get(artifact, known) for artifact, known in named.items()}


def _creator(row: Mapping[str, Any]) -> Place | None:
    if not row.get("created_by_run_id"):
        return None
    return (
        str(plain(row["created_by_entity"])),
        str(plain(row["created_by_project"])),
        str(plain(row["created_by_run_id"])),
    )
