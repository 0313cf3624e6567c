"""One extraction on its way into the published file: load, ledger, proof, publish."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow import Numbers, RunRef
from wandb_warehouse.client import Stats
from wandb_warehouse.errors import ProofError, RetriableRemoteError
from wandb_warehouse.resources import (
    COVERAGE,
    RESOURCES,
    Extraction,
    KnownMarks,
    RunResult,
    extraction_source,
)
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync.held import Held, RunKey, cursors_to_json
from wandb_warehouse.sync.options import SyncOptions
from wandb_warehouse.sync.report import SHOWN, PhaseClock, Stopwatch, SyncReport, fill
from wandb_warehouse.warehouse import EXPECTATIONS, Build, Difference, Store
from wandb_warehouse.warehouse.destinations import build_pipeline

__all__ = ["Load"]


class Load:
    """One extraction on its way into the published file."""

    def __init__(
        self,
        options: SyncOptions,
        *,
        store: Store,
        extraction: Extraction,
        marks: KnownMarks,
        held: "Held",
        numbers: Numbers,
        work: Path,
        clock: PhaseClock,
        stats: Stats,
        proven: set[RunKey],
    ) -> None:
        self._options = options
        self._store = store
        self._extraction = extraction
        self._marks = marks
        self._held = held
        self._numbers = numbers
        self._work = work
        self._clock = clock
        self._stats = stats
        self._proven = proven
        self.upkeep = Stopwatch()
        """Time that a sync takes whatever it loads: for copying what is held, proving and publishing."""

    def publish(self, report: SyncReport) -> None:
        """Load, prove, publish; the report gets the generation."""
        phase = self._clock.phase
        pipeline = build_pipeline(self._work)
        with phase("extract"):
            source = extraction_source(self._extraction)
            loaded = self._options.resources or [name for name in RESOURCES if name not in COVERAGE]
            source = source.with_resources(
                "runs",
                *(name for name in loaded if name not in COVERAGE and name != "runs"),
                *self._options.coverage_tables,
            )
            pipeline.extract(source)
            pa.default_memory_pool().release_unused()
        if self._options.whole:
            _raise_short(self._extraction.report.quarantined)
        self._extraction.report.phase = "loading"
        results = self._extraction.results
        names = {old: new for new, old in self._marks.renamed.items()}
        touched = self._touched(results) | _under_both(names, self._held)
        self._held = self._held.renamed(names)
        with phase("load"):
            pipeline.normalize()
            with self.upkeep.running():
                build = self._store.begin(self._work, touched, self._numbers.new())
        with build.session() as connection:
            with phase("load"):
                build.rename_projects(names)
                self._make_room(build, results)
                pipeline.load(credentials=connection, raise_on_failed_jobs=True)
                build.refresh_metrics(map(_key, results))
                build.write_ledger(self._ledger(build, results))
                build.mark_deleted(
                    {_run_key(run): moment for run, moment in self._extraction.tombstones().items()}
                )
            self._extraction.report.phase = "proving"
            with phase("prove"), self.upkeep.running():
                self._prove(build, results)
                self._proven |= self._touched(results)
                report.runs_proven = len(self._proven)
            # Runs that were named tell nothing of the others: nobody may count on from here.
            of_all = self._options.anew is None
            with phase("publish"):
                fill(report, self._extraction.report, self._stats)
                report.generation = build.write_sync_log(
                    started_at=self._extraction.started_at(),
                    finished_at=datetime.now(UTC),
                    package_version=version("wandb-warehouse"),
                    projects=cursors_to_json(
                        {**self._held.cursors, **(self._marks.cursors if of_all else {})},
                        self._marks.left,
                        self._held.still_short(self._extraction.coverage.short, self._marks.left),
                        {**self._held.swept, **(self._marks.swept if of_all else {})},
                    ),
                    report=report.to_dict(),
                )
            with phase("publish"), self.upkeep.running():
                self._store.publish(build)

    def _touched(self, results: Sequence[RunResult]) -> set[RunKey]:
        """Runs of which anything is loaded anew."""
        beside = self._extraction.coverage.outcomes.items()
        runs = (run for name, outcome in beside if TABLES[name].per_run for run in outcome.rows)
        gone = map(_run_key, self._extraction.tombstones())
        return {*map(_key, results), *runs, *gone, *(self._options.anew or ())}

    def _make_room(self, build: Build, results: Sequence[RunResult]) -> None:
        """Take the rows that are loaded anew out of the build."""
        if self._options.anew:
            build.delete_runs(self._options.run_tables, self._options.anew)
        build.delete_runs(self._options.detail_tables, [_key(r) for r in results if r.details_changed])
        build.delete_runs(["history"], [_key(r) for r in results if r.outcome and r.outcome.replaces])
        build.delete_runs(["history_sampled"], [_key(r) for r in results if _sampled(r)])
        if not self._options.resources or "projects" in self._options.resources:
            projects = self._extraction.moved_projects()
            build.delete_projects([(path.entity, path.project) for path in projects])
        for name, outcome in self._extraction.coverage.outcomes.items():
            if TABLES[name].per_run and outcome.whole_runs:
                build.delete_runs([name], outcome.rows)
            build.delete_project_rows(name, outcome.projects)
            for keys in outcome.keys:
                build.delete_keys(name, keys)
        build.make_room()

    def _prove(self, build: Build, results: Sequence[RunResult]) -> None:
        """Compare the build with what was read.

        Raises:
            ProofError: they differ.
        """
        differences = build.prove(self._expectations(results), map(_key, results))
        for name, outcome in self._extraction.coverage.outcomes.items():
            differences += build.prove_table(name, outcome.rows if TABLES[name].per_run else None)
        _raise_differences(differences)

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


def _key(result: RunResult) -> RunKey:
    return _run_key(result.run)


def _run_key(run: RunRef) -> RunKey:
    return run.entity, run.project, run.run_id


def _raise_short(quarantined: Mapping[str, str]) -> None:
    for run, error in quarantined.items():
        raise RetriableRemoteError(f"{run} cannot be fetched whole: {error}", mend="try again later")


def _under_both(names: Mapping[tuple[str, str], tuple[str, str]], held: Held) -> set[RunKey]:
    """Runs of projects that get a new name, under the old and the new one."""
    runs = [run for run in held.runs if run[:2] in names]
    return {*runs, *((*names[run[:2]], run[2]) for run in runs)}


def _sampled(result: RunResult) -> bool:
    """Tell whether a run was sampled anew."""
    return result.sample is not None and result.sample.error is None


def _raise_differences(differences: Sequence[Difference]) -> None:
    if not differences:
        return
    shown = "; ".join(map(str, differences[:SHOWN]))
    raise ProofError(
        f"the load does not agree with what was read, in {len(differences)} places: {shown}",
        mend="nothing was published; run the sync again, and report it if it happens twice",
    )
