"""How each table beside details and history is read: requests of many runs, or of a project, to Arrow tables."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import (
    RunRef,
    artifact_tables,
    console_table,
    files_table,
    loads,
    metadata_table,
    reports_table,
    run_artifacts_table,
    sweeps_table,
    system_metrics,
    writer_document,
)
from wandb_warehouse.client import Catalog, Found, PagedList
from wandb_warehouse.client import lists as wanted
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.resources.listing import ProjectPath

__all__ = ["PROJECT_READERS", "RUN_READERS", "RunRows", "metadata_files"]

_SAMPLES_PER_REQUEST = 10_000
_ANY_SAMPLES = 1_000_000
_METADATA_FILE = "wandb-metadata.json"


@dataclass(frozen=True, slots=True)
class RunRows:
    """What was read of one run for one table."""

    run_id: str
    tables: Iterator[pa.Table]
    shortfall: str | None = None
    """Why the rows are not all."""
    gone: bool = False
    """The server no longer has the run: what is held stays."""


RunReader = Callable[[Catalog, ProjectPath, Sequence[str]], AsyncIterator[RunRows]]
"""Yields each run once; a run whose rows cannot be read fails before its first table."""

ProjectReader = Callable[[Catalog, ProjectPath], Awaitable[dict[str, pa.Table]]]


async def _system_metrics(
    catalog: Catalog, path: ProjectPath, run_ids: Sequence[str]
) -> AsyncIterator[RunRows]:
    asks = [(run_id, 0) for run_id in run_ids]
    counted = await catalog.runs("EventCounts", ("eventsLineCount",), path.entity, path.project, asks)
    counts: dict[str, int | None] = {}
    for run_id, node in zip(run_ids, counted, strict=True):
        if node is None:
            yield RunRows(run_id, iter(()), gone=True)
        else:
            counts[run_id] = node.get("eventsLineCount")
            if counts[run_id] == 0:
                del counts[run_id]
                yield RunRows(run_id, iter(()))
    for batch in _by_samples(counts):
        nodes = await catalog.runs("Events", ("events(samples:{s})",), path.entity, path.project, batch)
        for (run_id, _), node in zip(batch, nodes, strict=True):
            if node is None:
                yield RunRows(run_id, iter(()), gone=True)
                continue
            lines = node.get("events") or []
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise FatalRemoteError("the server sent samples that are no JSON text", mend="report it")
            count = counts[run_id]
            short = count is not None and len(lines) < count
            yield RunRows(
                run_id,
                await _begun(system_metrics(_ref(path, run_id), lines)),
                f"{len(lines)} of {count} samples could be read" if short else None,
            )


def _by_samples(counts: Mapping[str, int | None]) -> Iterator[list[tuple[str, int]]]:
    """Runs and the samples to ask of each, as many as one answer holds."""
    batch: list[tuple[str, int]] = []
    total = 0
    for run_id, count in counts.items():
        if batch and total + (count or 0) > _SAMPLES_PER_REQUEST:
            yield batch
            batch, total = [], 0
        # A few more than counted: a running run samples on.
        batch.append((run_id, _ANY_SAMPLES if count is None else count + 100))
        total += count or 0
    if batch:
        yield batch


async def _begun(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Tables from the first on, which is made now: what cannot be converted fails before it."""
    first = await asyncio.to_thread(next, tables, None)
    return iter(()) if first is None else chain([first], tables)


def _listed(want: PagedList, build: Callable[[RunRef, Sequence[Any]], pa.Table]) -> RunReader:
    async def read(catalog: Catalog, path: ProjectPath, run_ids: Sequence[str]) -> AsyncIterator[RunRows]:
        lists = await catalog.lists(want, path.entity, path.project, [{"n": run_id} for run_id in run_ids])
        for run_id, found in zip(run_ids, lists, strict=True):
            if found is None:
                yield RunRows(run_id, iter(()), gone=True)
                continue
            ref = _ref(path, run_id)
            table = await asyncio.to_thread(build, ref, found.nodes) if found.nodes else build(ref, ())
            yield RunRows(run_id, iter([table]), _shortfall([found]))

    return read


async def _run_artifacts(
    catalog: Catalog, path: ProjectPath, run_ids: Sequence[str]
) -> AsyncIterator[RunRows]:
    places = [{"n": run_id} for run_id in run_ids]
    logged, used = await asyncio.gather(
        *(
            catalog.lists(want, path.entity, path.project, places)
            for want in (wanted.OUTPUT_ARTIFACTS, wanted.INPUT_ARTIFACTS)
        )
    )
    for run_id, made, taken in zip(run_ids, logged, used, strict=True):
        if made is None or taken is None:
            yield RunRows(run_id, iter(()), gone=True)
            continue
        table = run_artifacts_table(_ref(path, run_id), {"logged": made.nodes, "used": taken.nodes})
        yield RunRows(run_id, iter([table]), _shortfall([made, taken]))


async def _run_metadata(
    catalog: Catalog, path: ProjectPath, run_ids: Sequence[str]
) -> AsyncIterator[RunRows]:
    asks = [(run_id, 0) for run_id in run_ids]
    fields = ('config(keys:["_wandb"])',)
    for (run_id, _), node in zip(
        asks, await catalog.runs("WriterConfigs", fields, path.entity, path.project, asks), strict=True
    ):
        document = None if node is None else writer_document(node.get("config"))
        tables = [] if document is None else [metadata_table(_ref(path, run_id), document, "config")]
        yield RunRows(run_id, iter(tables), gone=node is None)


async def metadata_files(
    catalog: Catalog, path: ProjectPath, run_ids: Sequence[str]
) -> AsyncIterator[RunRows]:
    """Read the metadata from each run's file: a download a run; from the config where a run has none."""
    without = []
    for run_id in run_ids:
        body = await catalog.run_file(path.entity, path.project, run_id, _METADATA_FILE)
        try:
            document = None if body is None else loads(body)
        except FatalRemoteError:
            document = None  # a file that is no JSON says nothing
        if isinstance(document, dict):
            yield RunRows(run_id, iter([metadata_table(_ref(path, run_id), document, "file")]))
        else:
            without.append(run_id)
    async for rows in _run_metadata(catalog, path, without):
        yield rows


async def _artifacts(catalog: Catalog, path: ProjectPath) -> dict[str, pa.Table]:
    entity, project = path.entity, path.project
    types = [
        node["name"] for node in (await catalog.project_list(wanted.ARTIFACT_TYPES, entity, project)).nodes
    ]
    found = await catalog.lists(wanted.ARTIFACT_COLLECTIONS, entity, project, [{"t": name} for name in types])
    homes = [
        (kind, node["name"])
        for kind, collections in zip(types, found, strict=True)
        for node in _whole(collections)
    ]
    versions = await catalog.lists(
        wanted.ARTIFACT_VERSIONS, entity, project, [{"t": kind, "n": name} for kind, name in homes]
    )
    collections = [(*home, _whole(each)) for home, each in zip(homes, versions, strict=True)]
    return await asyncio.to_thread(artifact_tables, entity, project, collections)


async def _sweeps(catalog: Catalog, path: ProjectPath) -> dict[str, pa.Table]:
    found = await catalog.project_list(wanted.SWEEPS, path.entity, path.project)
    return {"sweeps": sweeps_table(path.entity, path.project, _whole(found))}


async def _reports(catalog: Catalog, path: ProjectPath) -> dict[str, pa.Table]:
    found = await catalog.project_list(wanted.REPORTS, path.entity, path.project)
    return {"reports": reports_table(path.entity, path.project, _whole(found))}


def _whole(found: Found | None) -> list[Any]:
    """Entries of a list of a project, which is replaced whole or not at all; none of what is gone by now."""
    if found is None:
        return []
    if found.missing:
        raise FatalRemoteError(
            f"a list gave {len(found.nodes)} entries and counts {found.missing} more",
            mend="run the sync again; it may have been changed while it was read",
        )
    return found.nodes


def _shortfall(found: Sequence[Found]) -> str | None:
    missing = sum(each.missing for each in found)
    return f"{missing} entries that the server counts could not be read" if missing else None


def _ref(path: ProjectPath, run_id: str) -> RunRef:
    return RunRef(path.entity, path.project, run_id)


RUN_READERS: dict[str, RunReader] = {
    "system_metrics": _system_metrics,
    "run_artifacts": _run_artifacts,
    "files": _listed(wanted.FILES, files_table),
    "run_metadata": _run_metadata,
    "console_logs": _listed(wanted.CONSOLE_LINES, console_table),
}
"""Tables read run by run."""

PROJECT_READERS: dict[str, ProjectReader] = {
    "artifacts": _artifacts,
    "artifact_aliases": _artifacts,
    "sweeps": _sweeps,
    "reports": _reports,
}
"""Tables read whole for a project; the same reader may give several."""
