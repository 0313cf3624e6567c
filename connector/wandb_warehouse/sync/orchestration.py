"""One sync from lock to publish: list, extract, load, prove, publish."""

import gc
import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from wandb_warehouse.client import Governor, WandbClient
from wandb_warehouse.errors import StoreError, WarehouseError
from wandb_warehouse.resources import CoverageOptions, Deadline, Extraction, KnownMarks
from wandb_warehouse.sync.held import Held
from wandb_warehouse.sync.hints import write_hints
from wandb_warehouse.sync.options import LOGGED, SyncOptions
from wandb_warehouse.sync.report import PhaseClock, SyncReport, SyncWatch, fill
from wandb_warehouse.warehouse import Store, open_store

__all__ = ["sync"]

_NOT_THE_LOAD = (WarehouseError, KeyboardInterrupt)
"""What dlt wraps into a failure of its own although the load itself did not fail."""


def sync(options: SyncOptions, watch: SyncWatch | None = None) -> SyncReport:
    """Bring a warehouse up to date with the named projects.

    Returns:
        The report. A sync that finds nothing new publishes nothing and copies nothing.

    Raises:
        BusyError: another sync holds the warehouse.
        AuthError, RemoteError, ConfigError: W&B could not be read; the warehouse is untouched.
        StoreError: the disk, the file or the proof; the published file is untouched.
    """
    clock = PhaseClock()
    deadline = Deadline(None if options.max_minutes is None else 60 * options.max_minutes)
    store = open_store(options.warehouse, options.destination)
    report = SyncReport(store.name, [str(path) for path in options.projects])
    with store.lock(), _working_directory(store) as work, _calm_collector():
        store.mend(work)
        held = Held.read(options.warehouse, store.hints)
        tables = Held.tables(options.warehouse) if options.coverage_tables & LOGGED else {}
        marks = KnownMarks(held.marks(), held.pending, tables, held.project_ids())
        governor = Governor() if options.workers is None else Governor(concurrency=options.workers)
        client = WandbClient(options.connection, governor=governor)
        parts = work / "parts"
        parts.mkdir()
        numbers = held.numbers()
        extraction = Extraction(
            options.projects,
            lambda: client,
            marks,
            directory=parts,
            history=options.history_mode,
            filters=options.filters,
            sweep=options.sweep,
            full_refresh=options.full_refresh,
            deletions=True,
            mass_deletion=options.allow_mass_delete,
            selection=options.selection,
            samples=options.samples,
            tables=options.detail_tables if options.resources else (),
            deadline=deadline,
            coverage=CoverageOptions(
                options.coverage_tables,
                reread_runs=options.sweep is True,
                metadata_files=options.metadata_files,
                max_table_bytes=options.max_table_bytes,
            ),
            numbers=numbers,
        )
        showing = watch(extraction.report, client.stats) if watch else nullcontext()
        with showing, extraction, _as_warehouse_errors(store.name):
            with clock.phase("list"):
                extraction.details()
            if extraction.is_empty():
                write_hints(store.hints, held.last, {**held.swept, **marks.swept} if marks.swept else {})
            else:
                from wandb_warehouse.sync.load import Load  # noqa: PLC0415 - imports dlt, which takes its time

                Load(
                    options,
                    store=store,
                    extraction=extraction,
                    marks=marks,
                    held=held,
                    numbers=numbers,
                    work=work,
                    clock=clock,
                    stats=client.stats,
                ).publish(report)
        fill(report, extraction.report, client.stats)
    clock.stop(report)
    return report


@contextmanager
def _calm_collector() -> Iterator[None]:
    """Let the garbage collector look less often: thousands of answers make no circles, but make it look at them all."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _working_directory(store: Store) -> Iterator[Path]:
    """Make a fresh private directory on the file system of the warehouse, and drop it at the end.

    What a killed sync left behind is removed first: the lock is ours, so nobody works in it.
    """
    folder, prefix = store.work_prefix.parent, store.work_prefix.name
    try:
        for stale in folder.glob(f"{glob.escape(prefix)}*"):
            shutil.rmtree(stale, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    except OSError as error:
        raise StoreError(
            f"cannot work in {folder}: {error.strerror}",
            mend="choose a --warehouse in a directory you may write to",
        ) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _as_warehouse_errors(warehouse: str) -> Iterator[None]:
    """Raise what dlt wraps as what it is: our own error, or the disk's."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the sync of {warehouse} failed: {error}", mend="free disk space or mend the permissions"
        ) from error
    except Exception as error:
        from dlt.pipeline.exceptions import PipelineStepFailed  # noqa: PLC0415 - takes its time, like the load

        if not isinstance(error, PipelineStepFailed):
            raise
        cause = _cause(error)
        if isinstance(cause, _NOT_THE_LOAD):
            raise cause from error
        raise StoreError(
            f"the load into {warehouse} failed: {' '.join(str(cause).split())[:500]}",
            mend="free disk space, or report it with the output of --debug",
        ) from error


def _cause(error: BaseException) -> BaseException:
    """Our own error or the interrupt behind `error`, else what it all began with."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    return next((each for each in chain if isinstance(each, _NOT_THE_LOAD)), chain[-1])
