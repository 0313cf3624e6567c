"""The dlt source: one thin resource per table over one shared extraction."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dlt
from dlt.common.schema.typing import TColumnSchema, TDeleteInsertStrategyDict
from dlt.common.schema.utils import new_table
from dlt.extract import DltResource

from wandb_warehouse.arrow import Selection
from wandb_warehouse.client import WandbClient
from wandb_warehouse.resources.coverage import (
    COVERAGE,
    MAX_TABLE_BYTES,
    OPT_IN,
    RESOURCES,
    UNSIFTED,
    CoverageOptions,
)
from wandb_warehouse.resources.extraction import Extraction
from wandb_warehouse.resources.marks import DltStateMarks
from wandb_warehouse.resources.scopes import parse_projects
from wandb_warehouse.resources.spool import Part
from wandb_warehouse.resources.wanted import DEFAULT_SAMPLES, HistoryMode
from wandb_warehouse.schema import RUN_KEY, TABLES, Kind, Table
from wandb_warehouse.settings import resolve_connection

__all__ = ["column_hints", "extraction_source", "wandb_source"]

_REPLACED = dict.fromkeys(("logged_tables", "logged_table_cells"), (*RUN_KEY, "key", "path"))
"""What is replaced together where it is not all of a run: a logged table that is held does not come again."""

_MERGE: TDeleteInsertStrategyDict = {"disposition": "merge", "strategy": "delete-insert"}


@dlt.source(name="wandb", section="wandb")
def wandb_source(
    projects: Sequence[str] | str = dlt.config.value,
    api_key: dlt.TSecretStrValue | None = None,
    base_url: str | None = None,
    history: HistoryMode = "full",
    filters: dict[str, Any] | None = None,
    *,
    samples: int = DEFAULT_SAMPLES,
    metric_keys: Sequence[str] = (),
    exclude: Sequence[str] = (),
    metadata_files: bool = False,
    max_table_bytes: int = MAX_TABLE_BYTES,
) -> Any:
    """Runs, config, summary, tags, metrics, full history and all that lies beside them, incrementally.

    Tables and columns are those of `docs/tables.md`. Every resource merges by its primary key, and the tables of one
    run (config, summary, tags, metrics) are replaced together, so that a run loaded twice leaves no second row. What
    was loaded is remembered in dlt's state: the server's time at the start of the last load, and rows and last step
    of each run. A merge only replaces what arrives: history rows that a rewind took back, and the last tag, config or
    summary entry taken from a run, stay where they were loaded (`wandb-warehouse sync` removes them), and so do runs
    deleted at W&B and projects renamed there (`wandb-warehouse sync` marks and renames them).

    System metrics, files, artifacts, metadata, sweeps, users and reports are read for the runs that moved, and for a
    project in which something moved; one that is chosen later catches up. A resource that is not chosen sends no
    request: `with_resources(...)` chooses, and `console_logs`, `logged_tables` and `logged_table_cells` are left out
    unless they are named.

    Args:
        projects: `"entity/project"`, `"entity/glob*"` or `"entity"`, or several; `[sources.wandb] projects` in
            `.dlt/config.toml` otherwise.
        api_key: W&B API key; `WANDB_API_KEY`, netrc or `.dlt/secrets.toml` otherwise.
        base_url: server, `WANDB_BASE_URL` or the public service otherwise.
        history: `"full"`, `"sampled"` (into `history_sampled`), or `"none"` for metadata only.
        filters: MongoDB-style run filters, as `wandb.Api().runs(filters=...)` takes them.
        samples: rows asked for of each metric of a run where the history is sampled.
        metric_keys: globs of the metrics to load; all where there are none.
        exclude: globs of keys of history, config, summary and system metrics that are dropped before anything is
            written. `artifacts`, `files`, `run_metadata`, `sweeps`, `reports` and `console_logs`, which may repeat
            what stands under them, are then left out unless `with_resources(...)` names them.
        metadata_files: read `run_metadata` from `wandb-metadata.json`, a download a run, rather than from the config,
            which says the same of runs since 2024.
        max_table_bytes: bytes of the file of one logged table; a larger one is named in `logged_tables` and not read.

    Raises:
        ConfigError: a project is not written in one of these ways.
        AuthError: no key was found.

    Example:
        >>> pipeline = dlt.pipeline("experiments", destination="duckdb", dataset_name="wandb")
        >>> pipeline.run(wandb_source("my-team/my-project"))  # doctest: +SKIP
    """
    paths = parse_projects([projects] if isinstance(projects, str) else projects)
    connection = resolve_connection(base_url=base_url, api_key=str(api_key) if api_key is not None else None)
    extraction: Extraction | None = None

    def shared() -> Extraction:
        nonlocal extraction
        if extraction is None:
            extraction = Extraction(
                paths,
                lambda: WandbClient(connection),
                DltStateMarks(dlt.current.source_state()),
                history=history,
                filters=filters,
                selection=Selection(tuple(metric_keys), tuple(exclude)),
                samples=samples,
                coverage=CoverageOptions(
                    skipped=frozenset({"system_metrics"}) if history == "none" else frozenset(),
                    metadata_files=metadata_files,
                    max_table_bytes=max_table_bytes,
                ),
            )
        return extraction

    return _resources(shared, OPT_IN | UNSIFTED if exclude else OPT_IN)


@dlt.source(name="wandb", section="wandb")
def extraction_source(extraction: Extraction) -> Any:
    """Wrap an extraction that is already under way; for a build, which replaces moved runs itself.

    Rows go into the tables in which the build stores them (`Table.stored`): the extraction has to number them.
    """
    return _resources(lambda: extraction, OPT_IN, build=True)


def _resources(
    shared: Callable[[], Extraction], unless_named: frozenset[str], *, build: bool = False
) -> list[DltResource]:
    return [
        _resource(TABLES[name], shared, build=build, selected=name not in unless_named) for name in RESOURCES
    ]


def _resource(table: Table, shared: Callable[[], Extraction], *, build: bool, selected: bool) -> DltResource:
    target = table.stored if build else table

    def parts() -> Iterator[Any]:
        extraction = shared()
        phases = {"history": extraction.history, "history_sampled": extraction.sampled}
        if table.name in COVERAGE:
            produced = iter(extraction.beside(table.name))
        else:
            produced = iter(phases.get(table.name, extraction.details)())
        for part in produced:
            if part.table == table.name:
                if build and target.name not in dlt.current.source_schema().tables:
                    # As hints dlt would print the columns of every table, whether rows come for it or not.
                    columns = list(column_hints(target).values())
                    dlt.current.source_schema().update_table(new_table(target.name, columns=columns))
                yield _imported(part)

    # The rows of a run in its small tables come complete, so they replace all it had; history comes in tails.
    whole = RUN_KEY if table.per_run and table.name != "history" else ()
    factory = dlt.resource(
        parts,
        name=table.name,
        table_name=target.name,
        columns={} if build else column_hints(target),
        primary_key=list(target.primary_key),
        merge_key=() if build else list(_REPLACED.get(table.name, whole)),
        write_disposition="append" if build else _MERGE,
        file_format="parquet",
        selected=selected,
        schema_contract={"tables": "evolve", "columns": "freeze", "data_type": "freeze"},
    )
    resource: DltResource = factory()
    return resource


_DATA_TYPES: dict[Kind, TColumnSchema] = {
    **{kind: {"data_type": kind} for kind in ("text", "json", "bigint", "double", "bool", "timestamp")},
    "integer": {"data_type": "bigint", "precision": 32},
    "value_type": {"data_type": "text"},
}


def column_hints(table: Table) -> dict[str, TColumnSchema]:
    """Return dlt's column hints of a declared table."""
    return {
        column.name: {
            "name": column.name,
            **_DATA_TYPES[column.kind],
            "nullable": column.name not in table.primary_key,
            "description": column.meaning,
        }
        for column in table.columns
    }


def _imported(part: Part) -> Any:
    return dlt.mark.with_file_import(str(part.path), "parquet", part.rows)
