"""One sync from lock to publish: rounds of list, extract, load, prove, publish, until nothing is left."""

import gc
import glob
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pyarrow as pa

from wandb_warehouse.client import Governor, WandbClient
from wandb_warehouse.errors import StoreError, WarehouseError
from wandb_warehouse.resources import (
    CoverageOptions,
    Deadline,
    Extraction,
    ExtractionReport,
    KnownMarks,
    Rounds,
    Session,
    connected,
)
from wandb_warehouse.sync.held import Held, RunKey
from wandb_warehouse.sync.hints import write_hints
from wandb_warehouse.sync.options import LOGGED, SyncOptions
from wandb_warehouse.sync.report import PhaseClock, SyncReport, SyncWatch, fill
from wandb_warehouse.warehouse import Store, damage, open_store

__all__ = ["abandon", "sync", "working_directory"]

_UPKEEP_SHARE = 10
"""A round fetches for at least so many times the time that copying, proving and publishing took the last one."""

_NOT_THE_LOAD = (WarehouseError, KeyboardInterrupt)
"""What dlt wraps into a failure of its own although the load itself did not fail."""


def sync(options: SyncOptions, watch: SyncWatch | None = None) -> SyncReport:
    """Bring a warehouse up to date with the named projects.

    A long sync publishes every `publish_every` seconds: it goes on in rounds, each of which lists, fetches until its
    time is up, loads, proves and publishes, until nothing is left. A crash costs the last round at most.

    Returns:
        The report. A sync that finds nothing new publishes nothing and copies nothing.

    Raises:
        BusyError: another sync holds the warehouse.
        AuthError, RemoteError, ConfigError: W&B could not be read; the warehouse is as the last round left it.
        StoreError: the disk, the file or the proof; likewise.
    """
    clock = PhaseClock()
    deadline = Deadline(None if options.max_minutes is None else 60 * options.max_minutes)
    store = open_store(options.warehouse, options.destination, options.mode)
    report = SyncReport(store.name, [str(path) for path in options.projects])
    governor = Governor() if options.workers is None else Governor(concurrency=options.workers)
    client = WandbClient(options.connection, governor=governor)
    counted = ExtractionReport()
    showing = watch(counted, client.stats) if watch else nullcontext()
    with (
        store.lock(),
        _calm_collector(),
        _as_warehouse_errors(store.name),
        connected(lambda: client) as session,
    ):
        rounds = _Rounds(options, store, session, counted, clock)
        with showing:
            while rounds.go(deadline, report):
                report.rounds += 1
        fill(report, counted, client.stats)
    clock.stop(report)
    return report


class _Rounds:
    """The rounds of one sync, each from a fresh working directory to a published state."""

    def __init__(
        self,
        options: SyncOptions,
        store: Store,
        session: Session,
        counted: ExtractionReport,
        clock: PhaseClock,
    ) -> None:
        self._options = options
        self._store = store
        self._session = session
        self._counted = counted
        self._clock = clock
        self._shared = Rounds()
        self._proven: set[RunKey] = set()
        self._upkeep = 0.0

    def go(self, deadline: Deadline, report: SyncReport) -> bool:
        """Do one round; tell whether another one is due: something is left, time too, and this one came further."""
        with working_directory(self._store) as work:
            further = self._round(work, deadline.within(self._interval()), report)
        if not (further and self._counted.anything_left) or deadline.passed():
            return False
        # What a round held is not to be there twice; answers make circles with their errors, and dlt's objects too.
        gc.collect()
        pa.default_memory_pool().release_unused()
        return True

    def _interval(self) -> float | None:
        """Seconds to fetch in a round; None for all the time it takes, as where runs are fetched anew."""
        wanted = self._options.publish_every
        if not wanted or self._options.anew:
            return None
        return max(wanted, _UPKEEP_SHARE * self._upkeep)

    def _round(self, work: Path, deadline: Deadline, report: SyncReport) -> bool:
        options = self._options
        self._store.mend(work)
        if options.mode is not None:
            self._store.share()
        anew = options.anew or frozenset()
        held = Held.read(options.warehouse, self._store.hints).without(anew)
        tables = Held.tables(options.warehouse, anew) if options.coverage_tables & LOGGED else {}
        marks = KnownMarks(held.marks(), held.pending, tables, held.project_ids(), held.created)
        parts = work / "parts"
        parts.mkdir()
        numbers = held.numbers()
        _, client = self._session
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
                owed=options.owed,
                metadata_files=options.metadata_files,
                max_table_bytes=options.max_table_bytes,
            ),
            numbers=numbers,
            session=self._session,
            report=self._counted,
            rounds=self._shared,
        )
        with self._clock.phase("list"):
            extraction.details()
        if extraction.is_empty() and not anew:
            of_all = options.anew is None
            swept = {**held.swept, **marks.swept} if marks.swept and of_all else {}
            write_hints(self._store.hints, held.last, swept)
        else:
            from wandb_warehouse.sync.load import Load  # noqa: PLC0415 - imports dlt, which takes its time

            load = Load(
                options,
                store=self._store,
                extraction=extraction,
                marks=marks,
                held=held,
                numbers=numbers,
                work=work,
                clock=self._clock,
                stats=client.stats,
                proven=self._proven,
            )
            load.publish(report)
            self._upkeep = load.upkeep.seconds
        return extraction.end_round()


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
def working_directory(store: Store) -> Iterator[Path]:
    """Make a fresh private directory on the file system of the warehouse, and drop it at the end.

    What a killed sync left behind is removed first: the lock is ours, so nobody works in it.
    """
    folder, prefix = store.work_prefix.parent, store.work_prefix.name
    try:
        for stale in folder.glob(f"{glob.escape(prefix)}*"):
            shutil.rmtree(stale, ignore_errors=True)
    except OSError as error:
        raise _cannot_work(folder, error) from error
    # Named before it is made: an interrupt may come at any moment.
    work = folder / f"{prefix}{secrets.token_hex(4)}"
    _WORKING.add(work)
    before = tempfile.tempdir
    try:
        try:
            work.mkdir(mode=0o700)
        except OSError as error:
            raise _cannot_work(folder, error) from error
        # What libraries write for a moment (dlt its statements) lies in the working directory, and goes with it.
        tempfile.tempdir = str(work)
        yield work
    finally:
        tempfile.tempdir = before
        try:
            shutil.rmtree(work, ignore_errors=True)
        finally:
            shutil.rmtree(
                work, ignore_errors=True
            )  # an interrupt may have come in the middle of the first time
            _WORKING.discard(work)


def _cannot_work(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot work in {folder}: {error.strerror}",
        mend="choose a --warehouse in a directory you may write to",
    )


_WORKING: set[Path] = set()
"""Working directories of the syncs under way in this process."""


def abandon() -> None:
    """Remove the working directories of the syncs under way in this process, which is about to end."""
    for work in tuple(_WORKING):
        for _ in range(20):  # other threads still write into it
            shutil.rmtree(work, ignore_errors=True)
            if not work.exists():
                break


@contextmanager
def _as_warehouse_errors(warehouse: str) -> Iterator[None]:
    """Raise what dlt wraps as what it is: our own error, or the disk's."""
    try:
        yield
    except WarehouseError:
        raise
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
        if damaged := damage(warehouse, cause):
            raise damaged from error
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
