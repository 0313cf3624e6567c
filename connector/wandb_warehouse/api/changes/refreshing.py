"""Bringing runs and artifacts of the warehouse up to date at once, after something of them was changed at W&B.

It is a sync of these runs alone, as each was asked for before: the same tables, keys and samples. Everything of them is
fetched anew, their histories with it, and the tables of their project; other runs, the cursors and the marks of sweeps
stay as they are. A run that was deleted is looked for by its name, and marked as deleted where W&B shows its project
without it. Where artifacts were changed, the versions and aliases of a project are read, and what some of its runs
logged and used; no run is fetched.
"""

import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from wandb_warehouse.api.server import waited
from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import Numbers, parse_time
from wandb_warehouse.client import WandbClient
from wandb_warehouse.errors import BusyError, FatalRemoteError, PartialError, WarehouseError
from wandb_warehouse.schema import TABLES
from wandb_warehouse.settings import resolve_connection
from wandb_warehouse.warehouse import RunKey, insert_rows, open_store

if TYPE_CHECKING:
    from wandb_warehouse.client import Connection, RunPage
    from wandb_warehouse.sync import Held, SyncOptions

__all__ = ["PATIENCE", "refresh", "refresh_artifacts", "refresh_project"]

PATIENCE = 60.0
"""Seconds to wait for another sync to let go of the warehouse."""

_POLL = 0.25
_WHOLE = frozenset({"*"})


def refresh(session: Session, entity: str, project: str, *run_ids: str, gone: bool = False) -> None:
    """Bring a run of the warehouse, or several of one project, up to date, after they were changed at W&B.

    Args:
        session: what the objects of an `Api` share; it reads the new state from now on.
        entity: team or user.
        project: name of the project.
        *run_ids: ids of the runs.
        gone: the run, one alone, was deleted.

    Raises:
        BusyError: another sync holds the warehouse, for longer than `PATIENCE`.
        PartialError: something of a run could not be fetched; it is missing until the next sync.
        WarehouseError: as `sync`. The message of each says that the change itself is at W&B.
    """
    keys = [(entity, project, run_id) for run_id in run_ids]
    name = ", ".join(map("/".join, keys))
    if gone:
        (key,) = keys
        _bring(session, name, lambda options: _bury(options, key))
    else:
        _bring(session, name, lambda options: _fetch_runs(options, keys))


def refresh_project(session: Session, entity: str, project: str) -> None:
    """Bring a new project into the warehouse, without its runs; arguments and errors as `refresh`."""
    _bring(session, f"{entity}/{project}", lambda options: _fetch_project(options, entity, project))


def refresh_artifacts(session: Session, entity: str, project: str, *run_ids: str) -> None:
    """Bring the artifacts of a project up to date, as far as they were synced before; errors as `refresh`.

    Args:
        session: what the objects of an `Api` share; it reads the new state from now on.
        entity: team or user.
        project: name of the project.
        *run_ids: runs that have logged or used other versions now.
    """
    owed = {"artifacts": _WHOLE, "artifact_aliases": _WHOLE, "run_artifacts": set(run_ids)}
    _bring(
        session,
        f"artifacts of {entity}/{project}",
        lambda options: _fetch_project(replace(options, owed=owed), entity, project),
    )


def _bring(session: Session, name: str, work: "Callable[[SyncOptions], None]") -> None:
    from wandb_warehouse.sync import SyncOptions

    warehouse = session.reader.warehouse
    connection = resolve_connection(base_url=session.base_url, api_key=session.api_key)
    options = SyncOptions((), connection, warehouse, mode=_mode(warehouse))
    session.renew()  # its file is not held open while another one takes its place
    end = time.monotonic() + PATIENCE
    try:
        with _after_the_change(name):
            while True:
                try:
                    return work(options)
                except BusyError:
                    if time.monotonic() >= end:
                        raise
                    time.sleep(_POLL)
    finally:
        session.renew()


@contextmanager
def _after_the_change(name: str) -> Iterator[None]:
    try:
        yield
    except PartialError as error:
        raise PartialError(
            f"the change of {name} is at W&B, and the warehouse has not all of it: {error.what}",
            mend="the next sync of the project tries it again",
        ) from error
    except WarehouseError as error:
        raise type(error)(
            f"the change of {name} is at W&B, and the warehouse does not show it yet: {error.what}",
            mend=f"sync the project afterwards ({error.mend})" if error.mend else "sync the project",
        ) from error


def _mode(warehouse: Path | str) -> int | None:
    """Permissions that what is published has and is to keep; None for those of its owner alone."""
    if "://" in str(warehouse):
        return None
    path = Path(warehouse)
    if path.is_dir():
        path = path / "views.duckdb"
    mode = stat.S_IMODE(path.stat().st_mode)
    return None if mode == 0o600 else mode


def _fetch_runs(options: "SyncOptions", keys: Sequence[RunKey]) -> None:
    """Sync runs of one project, together those that were asked for alike and stored alike: whole, or not."""
    from wandb_warehouse.sync import Held
    from wandb_warehouse.verification.asked import Asked
    from wandb_warehouse.verification.fetching import Fetch, fetch, fetches

    held = Held.read(options.warehouse)
    together: dict[tuple[Asked, bool], Fetch] = {}
    for key in keys:
        (group,) = fetches(held, [key], Asked.of({"stored_rows": 0}))
        row = held.runs.get(key)
        stored = row is not None and row["state"] == "ok"
        if row is not None and stored:  # else what other runs of the project were asked for
            group = replace(group, asked=Asked.of(row))
        known = together.setdefault((group.asked, stored), replace(group, runs=()))
        together[group.asked, stored] = replace(known, runs=(*known.runs, key))
    for (_, stored), group in together.items():
        ids = [run_id for *_, run_id in group.runs]
        for report in fetch(group, replace(options, whole=stored), projects=False, runs=ids, mend=True):
            report.raise_if_partial()


def _fetch_project(options: "SyncOptions", entity: str, project: str) -> None:
    from wandb_warehouse.sync import Held
    from wandb_warehouse.verification.asked import Asked
    from wandb_warehouse.verification.fetching import fetch, fetches

    (group,) = fetches(Held.read(options.warehouse), [(entity, project, "")], Asked.of({}))
    group = replace(group, asked=Asked.of({}), runs=())
    for report in fetch(group, options, projects=False, runs=[], mend=True):
        report.raise_if_partial()


def _bury(options: "SyncOptions", key: RunKey) -> None:
    """Mark a run as deleted, once W&B shows its project without it; its rows stay, as after any sync."""
    from wandb_warehouse.sync import Held, SyncReport
    from wandb_warehouse.sync.held import cursors_to_json
    from wandb_warehouse.sync.orchestration import working_directory

    page = waited(_look(options.connection, key))
    entity, project, _ = key
    store = open_store(options.warehouse, mode=options.mode)
    with store.lock(), working_directory(store) as work:
        store.mend(work)
        held = Held.read(options.warehouse)
        if key not in held.runs:
            return
        owed = _owing(held, entity, project)
        report = SyncReport(store.name, [f"{entity}/{project}"], runs_listed=page.run_count, runs_deleted=1)
        build = store.begin(work, {key}, Numbers().new())
        with build.session() as connection:
            build.mark_deleted({key: page.server_time})
            build.delete_projects([(entity, project)])
            connection.register("incoming", _project_row(entity, project, page))
            insert_rows(connection, "projects")
            connection.unregister("incoming")
            report.generation = build.write_sync_log(
                started_at=page.server_time,
                finished_at=datetime.now(UTC),
                package_version=version("wandb-warehouse"),
                projects=cursors_to_json(held.cursors, owed, held.still_short({}, owed), held.swept),
                report=report.to_dict(),
            )
        store.publish(build)


async def _look(connection: "Connection", key: RunKey) -> "RunPage":
    """Give a page of the project, once the server says that it does not have the run.

    Raises:
        FatalRemoteError: it has the run still.
        ProjectNotFoundError, AuthError: the project cannot be read: nothing is known of the run.
    """
    entity, project, run_id = key
    async with WandbClient(connection) as client:
        pages = [page async for page in client.list_runs(entity, project, filters={"name": run_id})]
        found = await client.look_up(entity, project, [run_id])
    if any(page.nodes for page in pages) or found[run_id] is not None:
        raise FatalRemoteError(f"W&B shows {'/'.join(key)} still", mend="sync the project later")
    return pages[0]


def _project_row(entity: str, project: str, page: "RunPage") -> pa.Table:
    row = {
        "entity": entity,
        "project": project,
        "project_id": str(page.project.get("internalId") or ""),
        "created_at": parse_time(page.project.get("createdAt")),
        "run_count": page.run_total,
        "read_only": page.project.get("readOnly"),
    }
    return pa.Table.from_pylist([row], schema=TABLES["projects"].arrow)


def _owing(held: "Held", entity: str, project: str) -> dict[tuple[str, str], dict[str, set[str]]]:
    """What is still to be read, with every table of the project: the next sync reads them again."""
    owed = {home: {name: set(ids) for name, ids in tables.items()} for home, tables in held.pending.items()}
    for name, ids in owed.get((entity, project), {}).items():
        if name in TABLES and not TABLES[name].per_run:
            ids.add("*")
    return owed
