"""What one sync is asked to do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb_warehouse.arrow import Selection
from wandb_warehouse.client import Connection
from wandb_warehouse.resources import (
    COVERAGE,
    DEFAULT_SAMPLES,
    MAX_TABLE_BYTES,
    OPT_IN,
    RESOURCES,
    UNSIFTED,
    HistoryMode,
    Scope,
)
from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Destination

__all__ = ["LOGGED", "PUBLISH_EVERY", "SyncOptions"]

PUBLISH_EVERY = 60.0
"""Seconds of fetching after which a sync publishes and goes on, where nothing else is asked for."""

_HISTORIES = {"full": "history", "sampled": "history_sampled"}
"""The table that each way of reading the history fills."""


_DETAIL_TABLES = [
    name
    for name in RESOURCES
    if TABLES[name].per_run and name not in _HISTORIES.values() and name not in COVERAGE
]


LOGGED = frozenset({"logged_tables", "logged_table_cells"})
"""Neither is loaded without the other."""


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What one sync does."""

    projects: tuple[Scope, ...]
    """Projects, and patterns of projects that are resolved when the sync begins."""
    connection: Connection
    warehouse: Path | str
    """Path of a DuckDB file or of a lake's directory, or the address of a lake (`s3://...`)."""
    destination: Destination | None = None
    """`duckdb` or `filesystem`; None takes what lies at `warehouse`, a DuckDB file where nothing does."""
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
    """Look at the details of every run, and at the tables beside them; None where that was long ago."""
    allow_mass_delete: bool = False
    """Mark runs as deleted however many of a project are gone at once."""
    workers: int | None = None
    """Requests at a time; None takes the client's default."""
    max_minutes: float | None = None
    """Minutes after which nothing new is fetched: what was is published, the rest is left for the next sync."""
    publish_every: float = PUBLISH_EVERY
    """Seconds of fetching after which what was fetched is published, and the sync goes on; 0 to publish at the end.

    It becomes longer where copying, proving and publishing take more than a tenth of it.
    """
    opt_in: frozenset[str] = frozenset()
    """Tables to load that are left out otherwise: `console_logs`, `logged_tables`, `logged_table_cells`."""
    metadata_files: bool = False
    """Read `run_metadata` from each run's `wandb-metadata.json`, a download a run, rather than from its config."""
    max_table_bytes: int = MAX_TABLE_BYTES
    """Bytes of the file of one logged table; a larger one is named in the report and left out."""
    mode: int | None = None
    """Permissions of what is published, as `0o640` to share it; None lets its owner alone read it."""
    anew: frozenset[tuple[str, str, str]] | None = None
    """Runs (entity, project, run id) of which everything asked for is fetched again and what is stored is dropped,
    whatever is known of them; the cursors stay where they are."""

    whole: bool = False
    """Publish nothing where a run comes short: what was stored of it stays."""

    owed: Mapping[str, Collection[str]] = field(default_factory=dict)
    """What is read of tables beside details and history although nothing tells that it moved, where it was read before:
    ids of runs by table, `*` for a table of the project."""

    beside: frozenset[str] | None = None
    """Exactly these tables beside details and history, whatever the other options say; None lets them decide."""

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
    def run_tables(self) -> list[str]:
        """Tables with rows of runs that are loaded, with both histories and the ledger, which goes with them."""
        beside = sorted(name for name in self.coverage_tables if TABLES[name].per_run)
        return [*self.detail_tables, *_HISTORIES.values(), *beside, "run_ledger"]

    @property
    def coverage_tables(self) -> frozenset[str]:
        """Tables beside details and history that are loaded.

        With excluded keys, those that may repeat what stands under one only where `resources` names them.
        """
        if self.beside is not None:
            return self.beside
        named = frozenset(self.resources)
        tables = (named or frozenset(COVERAGE) - OPT_IN) | self.opt_in
        if tables & LOGGED:
            tables |= LOGGED
        if self.selection.exclude:
            tables -= UNSIFTED - named
        if self.history == "none":
            tables -= {"system_metrics"}
        return tables & frozenset(COVERAGE)
