"""A warehouse against everything the server has: each run is fetched again, and every table compared by digest.

What is fetched goes into a warehouse of its own in a private directory, some runs at a time, so that the disk it takes
is bounded by them and not by the project.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from wandb_warehouse.resources import COVERAGE, ProjectPath
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync import Held, SyncOptions
from wandb_warehouse.verification.asked import Asked
from wandb_warehouse.verification.fetching import Fetch, fetch, fetches
from wandb_warehouse.verification.report import VerifyReport
from wandb_warehouse.warehouse import Audit, Difference, RunKey, first_difference

__all__ = ["compare_all"]

RUNS_AT_ONCE = 500
ROWS_AT_ONCE = 2_000_000
"""History rows of the runs fetched together, as the ledger counts them."""

_KEYED = frozenset({"history", "system_metrics"})
"""Large tables that have a key: where they differ is looked for key by key."""


def compare_all(
    audit: Audit, held: Held, options: SyncOptions, paths: Sequence[ProjectPath], report: VerifyReport
) -> None:
    """Fetch the runs of some projects again and note in the report what differs.

    Runs that moved since the last sync are left out, and those that move while they are fetched.
    """
    left_out = {run.key for run in report.runs if run.state in {"moved", "deleted"}}
    there = {run.key for run in report.runs if run.expected_digest is not None}
    for path in paths:
        place = (path.entity, path.project)
        mine = [key for key in held.runs if key[:2] == place and key in there and key not in left_out]
        groups = list(fetches(held, mine, _EVERYTHING))
        whole = (
            len(groups) == 1 and len(list(_batches(held, groups[0]))) == 1 and len(mine) == _count(held, path)
        )
        for group in groups:
            for batch in _batches(held, group):
                names = None if whole else [key[2] for key in batch.runs]
                plain = replace(batch, asked=replace(batch.asked, sampled=None))
                with _fetched(plain, options, projects=whole, runs=names) as fresh:
                    _compare_runs(audit, held, fresh, batch, report)
                    if whole:
                        _compare_projects(audit, fresh, batch, report)
                if batch.asked.sampled is not None:
                    # Every sample is another one: what is stored of it must be somewhere in the whole.
                    both = replace(batch.asked, history=batch.asked.sampled)
                    both_of = replace(batch, asked=both, beside=frozenset())
                    with _fetched(both_of, options, projects=False, runs=names) as fresh:
                        _compare_samples(audit, held, fresh, batch, report)
        if not whole:
            nothing = Fetch(path, replace(_EVERYTHING, history=None), (), _of_projects(held, path))
            with _fetched(nothing, options, projects=True, runs=None) as fresh:
                _compare_projects(audit, fresh, nothing, report)


class _fetched:  # noqa: N801 - a context, used like a function
    """What the server has of some runs, in a warehouse of its own that is removed again."""

    def __init__(
        self, wanted: Fetch, options: SyncOptions, *, projects: bool, runs: Collection[str] | None
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wandb-warehouse-verify-"))
        try:
            path = self._folder / "fresh.duckdb"
            into = replace(options, warehouse=path, destination="duckdb")
            fetch(wanted, into, projects=projects, runs=runs, mend=False)
            self.held = Held.read(path)
            self._audit = Audit(path)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def __enter__(self) -> "tuple[Audit, Held]":
        return self._audit.__enter__(), self.held

    def __exit__(self, *error: object) -> None:
        try:
            self._audit.__exit__(*error)  # type: ignore[arg-type]
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


_EVERYTHING = Asked.of({"stored_rows": 0})
"""What a sync without options asks for."""


def _batches(held: Held, group: Fetch) -> Iterator[Fetch]:
    """Cut a group so that neither its runs nor their rows are too many."""
    runs: list[RunKey] = []
    rows = 0
    for key in group.runs:
        more = held.runs[key]["stored_rows"] or 0
        if runs and (len(runs) == RUNS_AT_ONCE or rows + more > ROWS_AT_ONCE):
            yield replace(group, runs=tuple(runs))
            runs, rows = [], 0
        runs.append(key)
        rows += more
    if runs:
        yield replace(group, runs=tuple(runs))


def _count(held: Held, path: ProjectPath) -> int:
    return sum(key[:2] == (path.entity, path.project) for key in held.runs)


def _of_projects(held: Held, path: ProjectPath) -> frozenset[str]:
    return frozenset(
        name
        for name in held.pending.get((path.entity, path.project), ())
        if name in COVERAGE and not TABLES[name].per_run
    )


def _compare_runs(
    audit: Audit, held: Held, fetched: tuple[Audit, Held], batch: Fetch, report: VerifyReport
) -> None:
    fresh, now = fetched
    asked = batch.asked
    still = [key for key in batch.runs if _same(held, now, key)]
    names = [*asked.tables, *(["history"] if asked.history is not None else [])]
    names += [name for name in COVERAGE if name in batch.beside and TABLES[name].per_run]
    for name in names:
        stored, expected = audit.digests(name, still), fresh.digests(name, still)
        owed = held.pending.get(batch.runs[0][:2], {}).get(name, set())
        for key in still:
            if stored.get(key) != expected.get(key) and key[2] not in owed:
                where = _where(audit, fresh, name, key)
                report.add([Difference("content", name, *key, where)])
    for key in set(batch.runs) - set(still):
        for run in report.runs:
            if run.key == key and run.state == "equal":
                run.state = "moved"


def _compare_samples(
    audit: Audit, held: Held, fetched: tuple[Audit, Held], batch: Fetch, report: VerifyReport
) -> None:
    fresh, now = fetched
    still = [key for key in batch.runs if _same(held, now, key)]
    rows, counts = audit.samples(still)
    _, expected = fresh.samples(still)
    report.add(fresh.not_in_history(rows, still))
    report.add(
        Difference("content", "history_sampled", *key, "keys have other numbers of sampled values")
        for key in still
        if counts.get(key) != expected.get(key)
    )


def _same(held: Held, now: Held, key: RunKey) -> bool:
    """Tell whether a run is still what the plain comparison saw: it moved otherwise while it was fetched."""
    ours, theirs = held.runs[key], now.runs.get(key)
    return theirs is not None and all(
        ours[name] == theirs[name] for name in ("listing_digest", "detail_digest")
    )


def _compare_projects(audit: Audit, fetched: tuple[Audit, Held], batch: Fetch, report: VerifyReport) -> None:
    fresh, _ = fetched
    place = (batch.path.entity, batch.path.project, "")
    for name in sorted(batch.beside):
        if TABLES[name].per_run:
            continue
        if audit.digests(name, ()).get(place) != fresh.digests(name, ()).get(place):
            where = first_difference(name, audit.rows(name, place), fresh.rows(name, place))
            report.add([Difference("content", name, *place, where)])


def _where(audit: Audit, fresh: Audit, name: str, key: RunKey) -> str:
    """Say where the rows of a run differ first: in large tables, by the first key in the order of names."""
    if name not in _KEYED:
        return first_difference(name, audit.rows(name, key), fresh.rows(name, key))
    stored, expected = audit.key_digests(name, key), fresh.key_digests(name, key)
    differing = sorted(
        each for each in stored.keys() | expected.keys() if stored.get(each) != expected.get(each)
    )
    first = differing[0]
    where = first_difference(name, audit.rows(name, key, first), fresh.rows(name, key, first))
    return where if len(differing) == 1 else f"{where}; {len(differing)} keys differ"
