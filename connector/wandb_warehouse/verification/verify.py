"""One verification: what the warehouse holds against what the server has, and mending where it is asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from wandb_warehouse.client import Connection, Governor, WandbClient
from wandb_warehouse.errors import ConfigError, WarehouseError
from wandb_warehouse.resources import (
    OF_ONE_PROJECT,
    EventLoopThread,
    Listing,
    ProjectMarks,
    ProjectPath,
    Scope,
    list_project,
    read_details,
)
from wandb_warehouse.sync import Held, SyncOptions
from wandb_warehouse.verification.deep import compare_all
from wandb_warehouse.verification.mending import mend
from wandb_warehouse.verification.plain import PlainReading
from wandb_warehouse.verification.report import VerifyReport
from wandb_warehouse.warehouse import Audit, Destination, RunKey, open_store

__all__ = ["VerifyOptions", "verify"]


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What one verification does."""

    connection: Connection
    warehouse: Path | str
    projects: tuple[Scope, ...] = ()
    """Projects and patterns; every project the warehouse holds where there are none."""
    destination: Destination | None = None
    deep: bool = False
    """Fetch everything again and compare every value, rather than what is counted and the details alone."""
    repair: bool = False
    """Fetch what differs anew, and verify it again."""
    workers: int | None = None
    """Requests at a time; None takes the client's default."""


def verify(options: VerifyOptions) -> VerifyReport:
    """Compare a warehouse with the server; nothing is written unless `repair` says so.

    Returns:
        The report: after a repair, of what was found afterwards.

    Raises:
        ConfigError: the warehouse does not hold a project that is named.
        AuthError, RemoteError: W&B could not be read.
        StoreError: the warehouse cannot be read, or not be written by the repair.
        BusyError: another sync holds the warehouse that is to be repaired.
    """
    report = _verify(options, None)
    if not options.repair or report.equal:
        return report
    repaired = mend(_as_sync(options), report)
    if not repaired:
        return report
    again = _verify(options, report.differing())
    return _merged(report, again, repaired)


def _verify(options: VerifyOptions, only: set[RunKey] | None) -> VerifyReport:
    store = open_store(options.warehouse, options.destination)
    held = Held.read(options.warehouse)
    report = VerifyReport(store.name, held.last.generation if held.last else 0, options.deep)
    with Audit(options.warehouse) as audit:
        paths = _projects(options.projects, held, audit)
        if only is not None:
            paths = [path for path in paths if any(key[:2] == (path.entity, path.project) for key in only)]
        places = {(path.entity, path.project) for path in paths}
        runs = [key for key in audit.runs() if key[:2] in places and (only is None or key in only)]
        audit.recount(runs)
        inner = audit.inner_differences(runs)
        report.add(each for each in inner if (each.entity, each.project) in {*places, ("", "")})
        _compare_plainly(audit, held, options, paths, report=report, only=only)
        if options.deep:
            done = [path for path in paths if str(path) not in report.failed]
            compare_all(audit, held, _as_sync(options), done, report)
        report.count()
    return report


def _compare_plainly(
    audit: Audit,
    held: Held,
    options: VerifyOptions,
    paths: Iterable[ProjectPath],
    *,
    report: VerifyReport,
    only: set[RunKey] | None,
) -> None:
    governor = Governor() if options.workers is None else Governor(concurrency=options.workers)
    client = WandbClient(options.connection, governor=governor)
    failed: dict[str, WarehouseError] = {}
    done = 0
    with EventLoopThread() as loop:
        loop.call(client.__aenter__())
        try:
            reading = PlainReading(audit, held, report)
            for path in paths:
                try:
                    listing, due = loop.call(_list(client, path, held))
                    chosen = (
                        None
                        if only is None
                        else {key[2] for key in only if key[:2] == (path.entity, path.project)}
                    )
                    ids = reading.begin(path, listing, due, chosen)
                    for details in loop.iterate(read_details(client, path, ids)):
                        reading.compare(path, listing, details)
                    done += 1
                except OF_ONE_PROJECT as error:
                    loop.call(client.viewer())  # where the server itself is down, no project is to blame
                    failed[str(path)] = error
        finally:
            loop.call(client.__aexit__(None, None, None))
    if failed and not done:
        raise next(iter(failed.values()))
    report.failed = {name: str(error) for name, error in failed.items()}


async def _list(client: WandbClient, path: ProjectPath, held: Held) -> tuple[Listing, set[str]]:
    """List all runs of a project, and tell which of them the filters of the last sync chose."""
    listing = await list_project(client, path, ProjectMarks(None, {}), sweep=True)
    cursor = held.cursors.get((path.entity, path.project))
    if cursor is None or not cursor.filters:
        return listing, set(listing.changed)
    chosen = await list_project(client, path, ProjectMarks(None, {}), filters=cursor.chosen(), sweep=True)
    return listing, set(chosen.changed)


def _projects(scopes: tuple[Scope, ...], held: Held, audit: Audit) -> list[ProjectPath]:
    """The projects that are meant, of those the warehouse holds.

    Raises:
        ConfigError: it holds none that a scope means.
    """
    places = {*held.cursors, *held.pending, *(key[:2] for key in audit.runs())}
    known = [ProjectPath(*place) for place in sorted(places)]
    if not scopes:
        return known
    found: dict[ProjectPath, None] = {}
    for scope in scopes:
        if isinstance(scope, ProjectPath):
            meant = [path for path in known if path == scope]
        else:
            meant = [path for path in known if path.entity == scope.entity and scope.matches(path.project)]
        if not meant:
            raise ConfigError(
                f"the warehouse holds no project {scope}",
                mend=f"it holds {', '.join(map(str, known[:5])) or 'none'}"
                + (" and more" if len(known) > 5 else ""),
            )
        found |= dict.fromkeys(meant)
    return list(found)


def _as_sync(options: VerifyOptions) -> SyncOptions:
    return SyncOptions(
        (),
        options.connection,
        options.warehouse,
        destination=options.destination,
        workers=options.workers,
    )


def _merged(before: VerifyReport, again: VerifyReport, repaired: list[str]) -> VerifyReport:
    """The report after a repair: what was looked at again replaces what was found before."""
    runs = {run.key: run for run in before.runs} | {run.key: run for run in again.runs}
    merged = replace(
        again,
        runs=[runs[key] for key in sorted(runs)],
        repaired=repaired,
        failed={**before.failed, **again.failed},
    )
    merged.projects = before.projects
    merged.count()
    return merged
