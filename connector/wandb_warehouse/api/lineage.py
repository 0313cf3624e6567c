"""Versions of artifacts and the runs that logged and used them, as the warehouse has them.

A walk along a lineage asks for one version, its run, what that used, and so on. So where there are not many, all of
them are read with the first question, and the others are answered from memory.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wandb_warehouse.api.session import Session, plain

__all__ = ["edges_of_run", "runs_of_version", "stored_versions"]

_MANY = 5_000
"""Rows above which each question is asked of the warehouse by itself."""

Row = dict[str, Any]


def stored_versions(
    session: Session,
    *,
    entity: str | None = None,
    project: str | None = None,
    collection: str | None = None,
    ids: Sequence[str] | None = None,
) -> list[Row]:
    """Give what is stored of versions, the newest of a collection first: of a collection, by their ids, or both."""
    asked = {"entity": entity, "project": project, "collection": collection, "ids": ids}
    if not _few(session, "artifacts"):
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

    def ask(one: str | None) -> list[Row]:
        return session.reader.rows("run_artifacts", {"entity": entity, "project": project, "run": one})

    keys = ("run_entity", "run_project", "run_id", "direction")
    if not _few(session, "edges"):
        return [row for row in ask(run) if row["direction"] == direction]
    known = session.once("edges", lambda: _by(ask(None), keys))
    found: list[Row] = known[entity, project, run, direction]
    return found


def runs_of_version(session: Session, artifact: str, direction: str) -> list[tuple[str, str, str]]:
    """Give the runs that logged or used a version, the oldest first: entity, project and id."""

    def ask(one: str | None) -> list[Row]:
        return session.reader.rows("artifact_runs", {"artifact": one})

    if _few(session, "edges"):
        known = session.once("runs of versions", lambda: _by(ask(None), ("artifact_id", "direction")))
        rows = known[artifact, direction]
    else:
        rows = [row for row in ask(artifact) if row["direction"] == direction]
    return [
        (str(plain(row["entity"])), str(plain(row["project"])), str(plain(row["run_id"]))) for row in rows
    ]


def _few(session: Session, what: str) -> bool:
    sizes: Mapping[str, int] = session.once("sizes", lambda: session.reader.rows("sizes")[0])
    return sizes[what] <= _MANY


def _by(rows: Iterable[Row], names: Sequence[str]) -> Mapping[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in names)].append(row)
    return found
