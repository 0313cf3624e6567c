"""Versions of artifacts and the runs that logged and used them, as the warehouse has them.

A walk along a lineage asks for one version, its run, what that used, and so on. So where there are not many, all of
them are read with the first question, and the others are answered from memory.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wandb_warehouse.api.session import Session, plain
from wandb_warehouse.api.stored import count_of, escaped
from wandb_warehouse.arrow import escape

__all__ = [
    "Place",
    "edges_of_run",
    "edges_of_runs",
    "few",
    "runs_of_version",
    "runs_of_versions",
    "stored_versions",
]

_MANY = 5_000
"""Rows above which each question is asked of the warehouse by itself."""

Row = dict[str, Any]
Place = tuple[str, str, str]
"""Entity, project and id of a run."""


def stored_versions(
    session: Session,
    *,
    entity: str | None = None,
    project: str | None = None,
    collection: str | None = None,
    ids: Sequence[str] | None = None,
) -> list[Row]:
    """Give what is stored of versions, the newest of a collection first: of a collection, by their ids, or both."""
    asked = {"ids": ids, **escaped(entity=entity, project=project, collection=collection)}
    if not few(session, "artifacts"):
        return _versions(session, asked)
    wanted = None if ids is None else set(ids)
    place = {"entity": entity, "project": project, "collection": collection}
    by_place: Mapping[Any, list[Row]] = session.once("versions", lambda: _indexed(session))
    found = by_place[(entity, project, collection)] if None not in place.values() else by_place[None]
    return [
        row
        for row in found
        if (wanted is None or row["artifact_id"] in wanted)
        and all(value is None or row[name] == value for name, value in place.items())
    ]


def _indexed(session: Session) -> Mapping[Any, list[Row]]:
    """All versions by entity, project and collection; under None all of them."""
    found: dict[Any, list[Row]] = defaultdict(list)
    found[None] = _versions(session, dict.fromkeys(("entity", "project", "collection", "ids")))
    for row in found[None]:
        found[row["entity"], row["project"], row["collection"]].append(row)
    return found


def _versions(session: Session, asked: Mapping[str, Any]) -> list[Row]:
    rows = session.reader.rows("artifacts", asked)
    for row in rows:
        row["stored"] = True
        row["aliases"] = [plain(alias) for alias in row["aliases"] or ()]
        for name in ("entity", "project", "collection", "type", "description"):
            row[name] = plain(row[name])
    return rows


def edges_of_run(session: Session, entity: str, project: str, run: str, direction: str) -> list[Row]:
    """Give the versions that a run logged or used, the oldest first: names, type and version of each."""
    keys = ("run_entity", "run_project", "run_id", "direction")
    if not few(session, "edges"):
        return [
            row for row in edges_of_runs(session, entity, project, [run]) if row["direction"] == direction
        ]
    known = session.once("edges", lambda: _by(edges_of_runs(session, entity, project, None), keys))
    found: list[Row] = known[escape(entity), escape(project), escape(run), direction]
    return found


def edges_of_runs(session: Session, entity: str, project: str, runs: Sequence[str] | None) -> list[Row]:
    """Give what `edges_of_run` gives, of several runs and in both directions; of all that are stored for None."""
    wanted = None if runs is None else [escape(run) for run in runs]
    asked = {"entity": escape(entity), "project": escape(project), "runs": wanted}
    return session.reader.rows("run_artifacts", asked)


def runs_of_version(session: Session, artifact: str, direction: str) -> list[Place]:
    """Give the runs that logged or used a version, the oldest first."""
    known = session.once("runs of versions", lambda: runs_of_versions(session, None))
    found: list[Place] = known[artifact, direction]
    return found


def runs_of_versions(session: Session, ids: Sequence[str] | None) -> Mapping[Any, list[Place]]:
    """Give the runs that logged or used versions, by version and direction, the oldest first; of all for None."""
    found: dict[Any, list[Place]] = defaultdict(list)
    for row in session.reader.rows("artifact_runs", {"ids": ids}):
        place = (str(plain(row["entity"])), str(plain(row["project"])), str(plain(row["run_id"])))
        found[row["artifact_id"], row["direction"]].append(place)
    return found


def few(session: Session, what: str) -> bool:
    """Tell whether all the warehouse has of something, `artifacts` or `edges`, is to be read at once."""
    return count_of(session, what) <= _MANY


def _by(rows: Iterable[Row], names: Sequence[str]) -> Mapping[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in names)].append(row)
    return found
