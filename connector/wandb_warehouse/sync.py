"""One sync from lock to publish: plan, extract, load, prove, publish.

A reader sees whole syncs only: everything happens in a private working directory beside the warehouse, on a private
copy of it, and the result replaces the published file in one rename. Whatever fails before leaves it untouched.
"""

import glob
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from dlt.pipeline.exceptions import PipelineStepFailed

from wandb_warehouse.arrow import Numbers, RunRef, Selection
from wandb_warehouse.client import Connection, Governor, Stats, WandbClient
from wandb_warehouse.errors import PartialError, ProofError, StoreError, WarehouseError
from wandb_warehouse.resources import (
    COVERAGE,
    DEFAULT_SAMPLES,
    MAX_TABLE_BYTES,
    OPT_IN,
    RESOURCES,
    UNSIFTED,
    CoverageOptions,
    Cursor,
    Deadline,
    Extraction,
    ExtractionReport,
    HeldTable,
    HeldTables,
    HistoryMode,
    KnownMarks,
    Pending,
    ProjectMarks,
    RunMark,
    RunResult,
    Scope,
    extraction_source,
)
from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import (
    EXPECTATIONS,
    Build,
    Difference,
    WarehouseLock,
    held_tables,
    last_sync,
    stored_numbers,
    stored_runs,
)
from wandb_warehouse.warehouse.destinations import build_pipeline

__all__ = ["Held", "SyncOptions", "SyncReport", "SyncWatch", "sync"]

_SWEEP_EVERY = 4
"""Every so many published syncs a large project is listed whole, not only by what its heartbeats say."""

_SHOWN = 3
_HISTORIES = {"full": "history", "sampled": "history_sampled"}
"""The table that each way of reading the history fills."""

_DETAIL_TABLES = [
    name
    for name in RESOURCES
    if TABLES[name].per_run and name not in _HISTORIES.values() and name not in COVERAGE
]

_LOGGED = frozenset({"logged_tables", "logged_table_cells"})
"""Neither is loaded without the other."""

_NOT_THE_LOAD = (WarehouseError, KeyboardInterrupt)
"""What dlt wraps into a failure of its own although the load itself did not fail."""

RunKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What one sync does."""

    projects: tuple[Scope, ...]
    """Projects, and patterns of projects that are resolved when the sync begins."""
    connection: Connection
    warehouse: Path
    history: HistoryMode = "full"
    samples: int = DEFAULT_SAMPLES
    """Rows asked for of each metric of a run, where the history is sampled."""
    selection: Selection = field(default_factory=Selection)
    """Metrics to store, and keys to drop before anything is written."""
    resources: tuple[str, ...] = ()
    """Tables to load, all where none is named; `runs` always comes along: the others hang on it."""
    filters: Mapping[str, Any] | None = None
    full_refresh: bool = False
    sweep: bool | None = None
    """List every project whole; None decides by itself."""
    workers: int | None = None
    """Requests at a time; None takes the client's default."""
    max_minutes: float | None = None
    """Minutes after which nothing new is fetched: what was is published, the rest is left for the next sync."""
    opt_in: frozenset[str] = frozenset()
    """Tables to load that are left out otherwise: `console_logs`, `logged_tables`, `logged_table_cells`."""
    metadata_files: bool = False
    """Read `run_metadata` from each run's `wandb-metadata.json`, a download a run, rather than from its config."""
    max_table_bytes: int = MAX_TABLE_BYTES
    """Bytes of the file of one logged table; a larger one is named in the report and left out."""

    @property
    def history_mode(self) -> HistoryMode:
        """How the history is read; not at all where its table is not to be loaded."""
        wanted = not self.resources or _HISTORIES.get(self.history) in self.resources
        return self.history if wanted else "none"

    @property
    def detail_tables(self) -> list[str]:
        """Tables of the runs' details that are loaded."""
        return [name for name in _DETAIL_TABLES if not self.resources or name in {"runs", *self.resources}]

    @property
    def coverage_tables(self) -> frozenset[str]:
        """Tables beside details and history that are loaded.

        With excluded keys, those that may repeat what stands under one only where `resources` names them.
        """
        named = frozenset(self.resources)
        tables = (named or frozenset(COVERAGE) - OPT_IN) | self.opt_in
        if tables & _LOGGED:
            tables |= _LOGGED
        if self.selection.exclude:
            tables -= UNSIFTED - named
        if self.history == "none":
            tables -= {"system_metrics"}
        return tables & frozenset(COVERAGE)


@dataclass(slots=True)
class SyncReport:
    """What a sync did; printed as a table, as JSON with `--json`, and kept in `sync_log`."""

    warehouse: str
    projects: list[str]
    generation: int | None = None
    """Number of the published sync; None when nothing had changed and nothing was published."""
    runs_listed: int = 0
    runs_changed: int = 0
    runs_unchanged: int = 0
    runs_quarantined: int = 0
    rows: int = 0
    values: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by phase: list, extract, load, prove, publish, total."""
    quarantined: dict[str, str] = field(default_factory=dict)
    """Why a run is left out or incomplete, by entity/project/run id."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a project is left as it was, by its name."""
    runs_left: int = 0
    """Runs that moved and are left for the next sync, because the time was up."""
    projects_left: list[str] = field(default_factory=list)
    """Projects that were not looked at, for the same reason."""
    tables_left: list[str] = field(default_factory=list)
    """Tables beside details and history of which not everything was read, for the same reason."""

    @property
    def published(self) -> bool:
        """Whether a new file was published."""
        return self.generation is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return asdict(self)

    def raise_if_partial(self) -> None:
        """Raise what the caller has to know although the sync was published.

        Raises:
            PartialError: some projects or runs were left out or are incomplete.
        """
        total = len({*self.projects, *self.failed})
        troubles = [
            f"{len(reasons)} of {count} {what} ({_some(reasons)})"
            for reasons, count, what in (
                (self.failed, total, "projects could not be read"),
                (self.quarantined, self.runs_listed, "runs are incomplete"),
            )
            if reasons
        ]
        if troubles:
            mend = "everything else was published; they are tried again in the next sync"
            raise PartialError("; ".join(troubles), mend=mend)


SyncWatch = Callable[[ExtractionReport, Stats], AbstractContextManager[None]]
"""Shows a sync while it runs: given what it counts in, returns a context in which to show it."""


def sync(options: SyncOptions, watch: SyncWatch | None = None) -> SyncReport:
    """Bring a warehouse up to date with the named projects.

    Returns:
        The report. A sync that finds nothing new publishes nothing and copies nothing.

    Raises:
        BusyError: another sync holds the warehouse.
        AuthError, RemoteError, ConfigError: W&B could not be read; the warehouse is untouched.
        StoreError: the disk, the file or the proof; the published file is untouched.
    """
    clock = _PhaseClock()
    deadline = Deadline(None if options.max_minutes is None else 60 * options.max_minutes)
    report = SyncReport(str(options.warehouse), [str(path) for path in options.projects])
    with WarehouseLock(options.warehouse), _working_directory(options.warehouse) as work:
        held = Held.read(options.warehouse)
        tables = Held.tables(options.warehouse) if options.coverage_tables & _LOGGED else {}
        marks = KnownMarks(held.marks(), held.pending, tables)
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
            sweep=held.sweeps if options.sweep is None else options.sweep,
            full_refresh=options.full_refresh,
            selection=options.selection,
            samples=options.samples,
            tables=options.detail_tables if options.resources else (),
            deadline=deadline,
            coverage=CoverageOptions(
                options.coverage_tables,
                reread_projects=options.sweep is True,
                metadata_files=options.metadata_files,
                max_table_bytes=options.max_table_bytes,
            ),
            numbers=numbers,
        )
        showing = watch(extraction.report, client.stats) if watch else nullcontext()
        with showing, extraction, _as_warehouse_errors(options.warehouse):
            with clock.phase("list"):
                extraction.details()
            if not extraction.is_empty():
                _Load(
                    options,
                    extraction=extraction,
                    marks=marks,
                    held=held,
                    numbers=numbers,
                    work=work,
                    clock=clock,
                    stats=client.stats,
                ).publish(report)
        _fill(report, extraction.report, client.stats)
    clock.stop(report)
    return report


class _Load:
    """One extraction on its way into the published file."""

    def __init__(
        self,
        options: SyncOptions,
        *,
        extraction: Extraction,
        marks: KnownMarks,
        held: "Held",
        numbers: Numbers,
        work: Path,
        clock: "_PhaseClock",
        stats: Stats,
    ) -> None:
        self._options = options
        self._extraction = extraction
        self._marks = marks
        self._held = held
        self._cursors = held.cursors
        self._numbers = numbers
        self._work = work
        self._clock = clock
        self._stats = stats

    def publish(self, report: SyncReport) -> None:
        """Load, prove, publish; the report gets the generation."""
        phase = self._clock.phase
        build_path = self._work / "build.duckdb"
        pipeline = build_pipeline(build_path, self._work)
        with phase("extract"):
            source = extraction_source(self._extraction)
            loaded = self._options.resources or [name for name in RESOURCES if name not in COVERAGE]
            source = source.with_resources(
                "runs",
                *(name for name in loaded if name not in COVERAGE and name != "runs"),
                *self._options.coverage_tables,
            )
            pipeline.extract(source)
        self._extraction.report.phase = "loading"
        results = self._extraction.results
        with phase("load"):
            build = Build.create(self._options.warehouse, self._work)
            build.prepare_tables()
            build.delete_runs(self._options.detail_tables, [_key(r) for r in results if r.details_changed])
            build.delete_runs(["history"], [_key(r) for r in results if r.outcome and r.outcome.replaces])
            build.delete_runs(["history_sampled"], [_key(r) for r in results if _sampled(r)])
            if not self._options.resources or "projects" in self._options.resources:
                projects = self._extraction.moved_projects()
                build.delete_projects([(path.entity, path.project) for path in projects])
            outcomes = self._extraction.coverage.outcomes
            for name, outcome in outcomes.items():
                if TABLES[name].per_run and outcome.whole_runs:
                    build.delete_runs([name], outcome.rows)
                build.delete_project_rows(name, outcome.projects)
                for keys in outcome.keys:
                    build.delete_keys(name, keys)
            pipeline.normalize()
            pipeline.load(raise_on_failed_jobs=True)
            build.write_numbers(self._numbers.new())
            touched = [_key(result) for result in results]
            build.refresh_metrics(touched)
            build.write_ledger(self._ledger(build, results))
        self._extraction.report.phase = "proving"
        with phase("prove"):
            differences = build.prove(self._expectations(results), touched)
            for name, outcome in outcomes.items():
                differences += build.prove_table(name, outcome.rows if TABLES[name].per_run else None)
            _raise_differences(differences)
        with phase("publish"):
            build.create_views()
            _fill(report, self._extraction.report, self._stats)
            report.generation = build.write_sync_log(
                started_at=self._extraction.started_at(),
                finished_at=datetime.now(UTC),
                package_version=version("wandb-warehouse"),
                projects=_cursors_to_json({**self._cursors, **self._marks.cursors}, self._marks.left),
                report=report.to_dict(),
            )
            build.drop_loader_tables()
            build.publish(self._options.warehouse)

    def _ledger(self, build: Build, results: Sequence[RunResult]) -> pa.Table:
        counts = {
            (row["entity"], row["project"], row["run_id"]): row
            for row in build.stored_counts(map(_key, results)).to_pylist()
        }
        return pa.Table.from_pylist(
            [self._ledger_row(result, counts[_key(result)]) for result in results],
            schema=TABLES["run_ledger"].arrow,
        )

    def _ledger_row(self, result: RunResult, counted: Mapping[str, Any]) -> dict[str, Any]:
        mark, outcome, held = result.mark, result.outcome, self._held.runs.get(_key(result), {})
        error = result.error
        if error is None and not mark.complete:
            error = held.get("error")
        state = "ok" if error is None else "partial" if counted["stored_values"] else "quarantined"
        if error is None and result.run in self._extraction.left:
            state = "pending"
        return {
            **counted,
            "state": state,
            "source": outcome.source
            if outcome and (outcome.replaces or result.values)
            else held.get("source"),
            "expected_rows": result.expected_rows,
            "stored_rows": mark.stored_rows,
            "expected_last_step": mark.last_step,
            "listing_digest": mark.listing_digest,
            "detail_digest": mark.detail_digest,
            "error": error,
            "synced_at": mark.synced_at,
            "details_as": mark.details_as or None,
            "history_as": mark.history_as or None,
            "sampled_as": mark.sampled_as or None,
            "sampled_rows": mark.sampled_rows,
            "sampled_values": self._sampled_values(result),
        }

    def _sampled_values(self, result: RunResult) -> int:
        """Values the run must have in `history_sampled`."""
        if result.sample is not None and _sampled(result):
            return result.sample.values
        return self._held.runs.get(_key(result), {}).get("sampled_values") or 0

    def _expectations(self, results: Sequence[RunResult]) -> pa.Table:
        """Values each touched run must have: what was held and stays, plus what was read."""
        rows = []
        for result in results:
            held = self._held.runs.get(_key(result), {}).get("stored_values") or 0
            kept = 0 if result.outcome and result.outcome.replaces else held
            entity, project, run_id = _key(result)
            common = {"entity": entity, "project": project, "run_id": run_id}
            rows.append({**common, "table": "history", "rows": kept + result.values})
            rows.append({**common, "table": "history_sampled", "rows": self._sampled_values(result)})
            rows.append({**common, "table": "runs", "rows": 1})
        return pa.Table.from_pylist(rows, schema=EXPECTATIONS)


@dataclass(frozen=True, slots=True)
class Held:
    """What the published file holds: its generation, the cursor of each project, the ledger by run."""

    generation: int
    cursors: Mapping[tuple[str, str], Cursor]
    runs: Mapping[RunKey, Mapping[str, Any]]
    pending: Mapping[tuple[str, str], Pending] = field(default_factory=dict)
    stands_for: Mapping[str, pa.Table] = field(default_factory=dict)
    """What the file's numbers stand for: `run_numbers` and `key_numbers`."""

    @classmethod
    def read(cls, warehouse: Path) -> "Held":
        """Read the published file; nothing is held where there is none."""
        last = last_sync(warehouse)
        if last is None:
            return cls(0, {}, {})
        return cls(
            last.generation,
            {
                (p["entity"], p["project"]): Cursor(datetime.fromisoformat(p["cursor"]), p["filters"])
                for p in last.projects
            },
            {
                (row["entity"], row["project"], row["run_id"]): row
                for row in stored_runs(warehouse).to_pylist()
            },
            {
                (p["entity"], p["project"]): {name: set(ids) for name, ids in p.get("pending", {}).items()}
                for p in last.projects
            },
            stored_numbers(warehouse),
        )

    @staticmethod
    def tables(warehouse: Path) -> dict[tuple[str, str], HeldTables]:
        """Read which logged tables the published file has, by project."""
        found: dict[tuple[str, str], HeldTables] = {}
        for row in held_tables(warehouse):
            runs = found.setdefault((row["entity"], row["project"]), {})
            table = HeldTable(row["sha256"], row["cells"], row["complete"])
            runs.setdefault(row["run_id"], {})[row["key"], row["path"]] = table
        return found

    @property
    def sweeps(self) -> bool:
        """Whether it is time to list large projects whole."""
        return self.generation % _SWEEP_EVERY == 0

    def numbers(self) -> Numbers:
        """The numbers of the file, for the extraction to go on from."""
        if not self.stands_for:
            return Numbers()
        runs, keys = self.stands_for["run_numbers"].to_pylist(), self.stands_for["key_numbers"].to_pylist()
        return Numbers(
            {RunRef(row["entity"], row["project"], row["run_id"]): row["run_number"] for row in runs},
            {row["key"]: row["key_number"] for row in keys},
        )

    def marks(self) -> dict[tuple[str, str], ProjectMarks]:
        """Marks of every project, for the extraction."""
        runs: dict[tuple[str, str], dict[str, RunMark]] = {key: {} for key in self.cursors}
        for (entity, project, run_id), row in self.runs.items():
            if row["synced_at"] is None:
                continue  # a run without a ledger row is fetched again
            pending = row["state"] == "pending" and row["stored_rows"] != row["expected_rows"]
            runs.setdefault((entity, project), {})[run_id] = RunMark(
                row["listing_digest"],
                row["detail_digest"],
                row["synced_at"],
                row["heartbeat_at"],
                row["stored_rows"],
                row["expected_last_step"],
                complete=row["state"] == "ok" or pending,
                expected_rows=row["expected_rows"],
                last_timestamp=row["last_timestamp"],
                details_as=row["details_as"] or "",
                history_as=row["history_as"] or "",
                sampled_as=row["sampled_as"] or "",
                sampled_rows=row["sampled_rows"],
            )
        return {key: ProjectMarks(self.cursors.get(key), marks) for key, marks in runs.items()}


class _PhaseClock:
    """Wall time by phase."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = round(self._seconds.get(name, 0.0) + time.monotonic() - started, 3)

    def stop(self, report: SyncReport) -> None:
        report.seconds = {**self._seconds, "total": round(time.monotonic() - self._started, 3)}


def _key(result: RunResult) -> RunKey:
    return result.run.entity, result.run.project, result.run.run_id


def _sampled(result: RunResult) -> bool:
    """Tell whether a run was sampled anew."""
    return result.sample is not None and result.sample.error is None


def _cursors_to_json(
    cursors: Mapping[tuple[str, str], Cursor], pending: Mapping[tuple[str, str], Pending]
) -> list[dict[str, Any]]:
    return [
        {
            "entity": entity,
            "project": project,
            "cursor": cursor.time.isoformat(),
            "filters": cursor.filters,
            "pending": {
                name: sorted(ids) for name, ids in sorted(pending.get((entity, project), {}).items())
            },
        }
        for (entity, project), cursor in cursors.items()
    ]


def _fill(report: SyncReport, counted: ExtractionReport, stats: Stats) -> None:
    report.runs_listed = counted.runs_listed
    report.runs_changed = counted.runs_changed
    report.runs_unchanged = counted.runs_listed - counted.runs_changed
    report.runs_quarantined = len(counted.quarantined)
    report.quarantined = dict(counted.quarantined)
    report.projects = list(counted.projects)
    report.failed = dict(counted.failed)
    report.runs_left = counted.runs_left
    report.projects_left = list(counted.projects_left)
    report.tables_left = list(counted.tables_left)
    report.rows = counted.rows
    report.values = counted.values
    report.requests = stats.requests
    report.retries = stats.retries
    report.bytes = stats.bytes
    report.waited_seconds = round(stats.waited_seconds, 3)


def _some(reasons: Mapping[str, str]) -> str:
    """The first few names with their reasons."""
    shown = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:_SHOWN])
    return f"{shown} and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else shown


def _raise_differences(differences: Sequence[Difference]) -> None:
    if not differences:
        return
    shown = "; ".join(map(str, differences[:_SHOWN]))
    raise ProofError(
        f"the load does not agree with what was read, in {len(differences)} places: {shown}",
        mend="nothing was published; run the sync again, and report it if it happens twice",
    )


@contextmanager
def _working_directory(warehouse: Path) -> Iterator[Path]:
    """Make a fresh private directory beside the warehouse, on its file system, and drop it at the end.

    What a killed sync left behind is removed first: the lock is ours, so nobody works in it.
    """
    folder = warehouse.resolve().parent
    prefix = f"{warehouse.name}.work-"
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
def _as_warehouse_errors(warehouse: Path) -> Iterator[None]:
    """Raise what dlt wraps as what it is: our own error, or the disk's."""
    try:
        yield
    except PipelineStepFailed as error:
        cause = _cause(error)
        if isinstance(cause, _NOT_THE_LOAD):
            raise cause from error
        raise StoreError(
            f"the load into {warehouse} failed: {' '.join(str(cause).split())[:500]}",
            mend="free disk space, or report it with the output of --debug",
        ) from error
    except OSError as error:
        raise StoreError(
            f"the sync of {warehouse} failed: {error}", mend="free disk space or mend the permissions"
        ) from error


def _cause(error: BaseException) -> BaseException:
    """Our own error or the interrupt behind `error`, else what it all began with."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    return next((each for each in chain if isinstance(each, _NOT_THE_LOAD)), chain[-1])
