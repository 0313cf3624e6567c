"""The one vocabulary: every table's columns, keys, meanings and units.

Tables are declared once, here. The Arrow builders shape their output by `TABLES[name].arrow`, the dlt resources
take their hints from it, the warehouse creates and proves by it, and `docs/tables.md` is checked against it.

Names of metrics and config entries are data in these tables, never column names.
"""

from wandb_warehouse.schema.coverage import COVERAGE
from wandb_warehouse.schema.vocabulary import (
    ENTITY,
    NUMBER_TABLES,
    PROJECT,
    RUN_COLUMNS,
    RUN_KEY,
    VALUE_COLUMNS,
    Column,
    Kind,
    Table,
)

__all__ = ["NUMBER_TABLES", "RUN_KEY", "SCHEMA_VERSION", "TABLES", "VALUE_TYPES", "Column", "Kind", "Table"]

SCHEMA_VERSION = 2
"""Version of this vocabulary, kept in every warehouse; a newer one than ours is refused."""

VALUE_TYPES = ("number", "bool", "string", "json", "null")
"""Kinds of a logged value. The writer turns 1.0 into 1 on the wire, so integer and float are one kind."""

_KEYED = (
    Column("key", "text", "dotted path of the entry"),
    Column("seq", "bigint", "0; 1 and up where several paths give the same dotted key"),
    *VALUE_COLUMNS,
)

_DECLARED = (
    Table(
        "projects",
        "one row per synced project",
        (
            ENTITY,
            PROJECT,
            Column("project_id", "text", "internal id, stable under renames (W&B `internalId`)"),
            Column("created_at", "timestamp", "creation time of the project"),
            Column("run_count", "bigint", "runs the server counted when last synced"),
            Column("read_only", "bool", "whether the key may only read the project"),
        ),
        ("entity", "project"),
    ),
    Table(
        "runs",
        "one row per run with all its metadata; the JSON originals stand next to the flattened tables",
        (
            *RUN_COLUMNS,
            Column("project_id", "text", "internal id of the project, stable under renames"),
            Column("storage_id", "text", "opaque global id (W&B `Run.id`), needed to write to the run"),
            Column("name", "text", "name shown in the interface (W&B `displayName`)"),
            Column(
                "state",
                "text",
                "running, finished, failed, crashed, killed, pending, preempting or preempted",
            ),
            Column("username", "text", "login of the user that started the run"),
            Column("user_name", "text", "full name of that user"),
            Column("run_group", "text", "group of the run"),
            Column("job_type", "text", "job type of the run"),
            Column("sweep_id", "text", "id of the sweep the run belongs to (W&B `sweepName`)"),
            Column("commit", "text", "git commit recorded by the writer"),
            Column("host", "text", "host name recorded by the writer"),
            Column("description", "text", "legacy description field"),
            Column("notes", "text", "notes as shown in the interface"),
            Column("tags", "json", "list of tags in stored order"),
            Column("created_at", "timestamp", "creation time"),
            Column("heartbeat_at", "timestamp", "last sign of life of the writer"),
            Column("runtime", "double", "seconds computed (W&B `computeSeconds`)"),
            Column("last_step", "bigint", "last step of the history; -1 when nothing was logged"),
            Column("history_line_count", "bigint", "rows of the history as the server counts them"),
            Column("read_only", "bool", "whether the key may only read the run"),
            Column("config", "json", "config as the writer set it, unwrapped, without W&B's own entries"),
            Column("raw_config", "json", "config unwrapped, with W&B's own entries (`_wandb`, ...)"),
            Column("summary", "json", "summary metrics as stored, nested"),
            Column("system_metrics", "json", "last sample of the system metrics"),
            Column("history_keys", "json", "W&B's index of the history: keys, type counts, last step"),
            Column("deleted_at", "timestamp", "when the run was proven gone from the server, else null"),
        ),
        RUN_KEY,
        per_run=True,
        volatile=("deleted_at",),
    ),
    Table(
        "run_config",
        "one row per leaf of a run's config; lists, empty dicts and typed objects stay whole",
        (*RUN_COLUMNS, *_KEYED),
        (*RUN_KEY, "key", "seq"),
        per_run=True,
    ),
    Table(
        "run_summary",
        "one row per leaf of a run's summary; lists, empty dicts and typed objects stay whole",
        (*RUN_COLUMNS, *_KEYED),
        (*RUN_KEY, "key", "seq"),
        per_run=True,
    ),
    Table(
        "run_tags",
        "one row per tag of a run",
        (
            *RUN_COLUMNS,
            Column("tag", "text", "the tag"),
            Column("position", "bigint", "0-based place in the stored order"),
        ),
        (*RUN_KEY, "position"),
        per_run=True,
    ),
    Table(
        "metrics",
        "one row per run and history key: what the server indexes, and what is stored",
        (
            *RUN_COLUMNS,
            Column("key", "text", "dotted metric name"),
            Column(
                "types", "json", "list of W&B's type names seen for the key (number, string, histogram, ...)"
            ),
            Column("count", "bigint", "values the server counts for the key; null when it does not say"),
            Column("stored_count", "bigint", "values stored in `history`"),
            Column("first_step", "bigint", "first stored step"),
            Column("last_step", "bigint", "last stored step"),
            Column("last_value", "double", "value at the last stored step where it is a number"),
            Column("min_value", "double", "smallest stored number, NaN left out"),
            Column("max_value", "double", "largest stored number, NaN left out"),
        ),
        (*RUN_KEY, "key"),
        per_run=True,
    ),
    Table(
        "history",
        "one row per logged value, every step, nothing sampled",
        (
            *RUN_COLUMNS,
            Column("key", "text", "dotted metric name; `_timestamp` and `_runtime` are keys like any other"),
            Column("step", "bigint", "step of the row (`_step`); -1 where the row had none"),
            Column("seq", "bigint", "0; 1 and up where the history repeats a step or a dotted key"),
            *VALUE_COLUMNS,
        ),
        (*RUN_KEY, "key", "step", "seq"),
        per_run=True,
        numbered=True,
    ),
    Table(
        "history_sampled",
        "one row per sampled value, as the server chose them; never mixed with `history`",
        (
            *RUN_COLUMNS,
            Column("key", "text", "dotted metric name, sampled by itself"),
            Column("step", "bigint", "step of the row (`_step`); -1 where the row had none"),
            Column("seq", "bigint", "0; 1 and up where the sample repeats a step"),
            *VALUE_COLUMNS,
            Column("samples", "bigint", "rows asked for; a metric with no more rows is whole"),
        ),
        (*RUN_KEY, "key", "step", "seq"),
        per_run=True,
        numbered=True,
    ),
    *COVERAGE,
    Table(
        "run_ledger",
        "one row per run: what the server said against what is stored, and how it came here",
        (
            *RUN_COLUMNS,
            Column(
                "state",
                "text",
                "ok, pending (its history is left for the next sync), partial, quarantined or deleted (at W&B)",
            ),
            Column("source", "text", "where the history came from: exports, live, mixed or none"),
            Column("expected_rows", "bigint", "history rows the server counts"),
            Column("stored_rows", "bigint", "history rows stored"),
            Column("stored_values", "bigint", "history values stored"),
            Column("stored_keys", "bigint", "distinct history keys stored"),
            Column("last_step", "bigint", "last stored step; -1 when nothing is stored"),
            Column(
                "expected_last_step", "bigint", "last step as the server indexes it; -1 when it indexes none"
            ),
            Column("listing_digest", "text", "sha256 of the run's light listing"),
            Column("detail_digest", "text", "sha256 of the run's config, summary and other details"),
            Column("error", "text", "why the run is partial or quarantined"),
            Column("synced_at", "timestamp", "server time at the start of the sync that wrote the row"),
            Column(
                "details_as",
                "json",
                "tables and excluded keys the details were read with; null for everything",
            ),
            Column(
                "history_as", "json", "keys and excluded keys `history` was read with; null for every key"
            ),
            Column(
                "sampled_as",
                "json",
                "samples and keys `history_sampled` was read with; null where it never was",
            ),
            Column("sampled_rows", "bigint", "history rows the server counted when the run was sampled"),
            Column("sampled_values", "bigint", "values stored in `history_sampled`"),
        ),
        RUN_KEY,
        per_run=True,
        volatile=("synced_at", "source"),
    ),
    Table(
        "sync_log",
        "one row per published sync",
        (
            Column("generation", "bigint", "1 for the first published sync, then one up"),
            Column(
                "started_at", "timestamp", "server time at the start: the next sync's cursor counts from here"
            ),
            Column("finished_at", "timestamp", "local time of publishing"),
            Column("schema_version", "bigint", "version of this vocabulary"),
            Column("package_version", "text", "version of wandb-warehouse"),
            Column("projects", "json", "the projects synced and each one's cursor"),
            Column("report", "json", "the sync's report: runs, values, bytes, requests, seconds"),
        ),
        ("generation",),
        volatile=("started_at", "finished_at", "package_version", "projects", "report", "generation"),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _DECLARED}
"""Every table by name, in the order they are documented."""
