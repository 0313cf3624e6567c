"""Tables beyond runs and their history: system metrics, artifacts, files, sweeps, users, reports, console output."""

from wandb_warehouse.schema.vocabulary import (
    ENTITY,
    PROJECT,
    RUN_COLUMNS,
    RUN_KEY,
    VALUE_COLUMNS,
    Column,
    Table,
)

__all__ = ["COVERAGE"]

_ARTIFACT = Column("artifact_id", "text", "opaque global id of the version (W&B `Artifact.id`)")
_TYPE = Column("type", "text", "type of the artifact (model, dataset, run_table, ...)")
_INDEX = Column("version_index", "bigint", "number of the version in its collection; null until committed")

_SYSTEM_METRICS = Table(
    "system_metrics",
    "one row per sampled system metric, every sample the server keeps",
    (
        *RUN_COLUMNS,
        Column("key", "text", "dotted name of the metric, e.g. `system.gpu.0.gpu`"),
        Column(
            "seq", "bigint", "0-based place among the run's values of the key, in the order of the samples"
        ),
        Column("time", "timestamp", "when the sample was taken (W&B `_timestamp`); null where it has none"),
        Column("runtime", "double", "seconds since the start of the run (W&B `_runtime`)"),
        *VALUE_COLUMNS,
    ),
    (*RUN_KEY, "key", "seq"),
    per_run=True,
)

_ARTIFACTS = Table(
    "artifacts",
    "one row per version of an artifact collection of the project",
    (
        ENTITY,
        PROJECT,
        Column("collection", "text", "name of the collection"),
        _ARTIFACT,
        _TYPE,
        Column("version", "text", "version in the collection, like `v3`; null until committed"),
        _INDEX,
        Column("is_linked", "bool", "whether the version was linked into the collection from another one"),
        Column("digest", "text", "digest of the contents"),
        Column("size", "bigint", "bytes of all files"),
        Column("file_count", "bigint", "files of the version"),
        Column("state", "text", "PENDING, COMMITTED or DELETED"),
        Column("description", "text", "description"),
        Column("metadata", "json", "metadata as the writer set it"),
        Column("tags", "json", "list of tags in stored order"),
        Column("history_step", "bigint", "step of the run at which it was logged"),
        Column("commit_hash", "text", "hash the server gave the commit"),
        Column("ttl_seconds", "bigint", "seconds the version is kept; null where it is kept for ever"),
        Column("created_at", "timestamp", "creation time"),
        Column("updated_at", "timestamp", "time of the last change"),
        Column("created_by_entity", "text", "entity of the run that created it"),
        Column("created_by_project", "text", "project of the run that created it"),
        Column("created_by_run_id", "text", "id of the run that created it"),
        Column("created_by_username", "text", "login of the user that created it without a run"),
    ),
    ("entity", "project", "collection", "artifact_id"),
)

_ARTIFACT_ALIASES = Table(
    "artifact_aliases",
    "one row per alias of a collection: the version it points to when last synced",
    (
        ENTITY,
        PROJECT,
        Column("collection", "text", "name of the collection"),
        Column("alias", "text", "the alias, e.g. `latest`"),
        _TYPE,
        _ARTIFACT,
        _INDEX,
    ),
    ("entity", "project", "collection", "alias"),
)

_RUN_ARTIFACTS = Table(
    "run_artifacts",
    "one row per artifact version that a run logged or used",
    (
        *RUN_COLUMNS,
        Column("direction", "text", "logged or used"),
        _ARTIFACT,
        Column("artifact_entity", "text", "entity of the artifact's own project"),
        Column("artifact_project", "text", "the artifact's own project, which may be another one"),
        Column("collection", "text", "collection the version was made in"),
        _TYPE,
        Column("version", "text", "version in that collection, like `v3`; null until committed"),
        _INDEX,
    ),
    (*RUN_KEY, "direction", "artifact_id"),
    per_run=True,
)

_FILES = Table(
    "files",
    "one row per file of a run; contents and addresses stay at W&B",
    (
        *RUN_COLUMNS,
        Column("name", "text", "path of the file within the run"),
        Column("size", "bigint", "bytes"),
        Column("md5", "text", "MD5 of the contents in base64; null until uploaded"),
        Column("mimetype", "text", "media type"),
        Column("updated_at", "timestamp", "time of the last upload; null until uploaded"),
    ),
    (*RUN_KEY, "name"),
    per_run=True,
)

_RUN_METADATA = Table(
    "run_metadata",
    "one row per run whose writer recorded where it ran; of several writers, the one started last",
    (
        *RUN_COLUMNS,
        Column("source", "text", "file (`wandb-metadata.json`) or config (`_wandb.e`, the same facts)"),
        Column("writer_id", "text", "id of the writer (`writerId`)"),
        Column("started_at", "timestamp", "start of the writer"),
        Column("os", "text", "operating system"),
        Column("python", "text", "Python version"),
        Column("host", "text", "host name"),
        Column("program", "text", "program as it was started"),
        Column("code_path", "text", "path of the program within its repository"),
        Column("executable", "text", "path of the interpreter"),
        Column("args", "json", "list of command-line arguments"),
        Column("git_remote", "text", "address of the git remote"),
        Column("git_commit", "text", "git commit"),
        Column("gpu", "text", "model of the GPU"),
        Column("gpu_count", "bigint", "GPUs"),
        Column("cpu_count", "bigint", "physical CPU cores"),
        Column("cpu_count_logical", "bigint", "logical CPU cores"),
        Column("memory_total", "bigint", "bytes of memory"),
        Column("document", "json", "the whole document"),
    ),
    RUN_KEY,
    per_run=True,
)

_SWEEPS = Table(
    "sweeps",
    "one row per sweep of the project",
    (
        ENTITY,
        PROJECT,
        Column("sweep_id", "text", "id of the sweep within the project (W&B `Sweep.name`)"),
        Column("storage_id", "text", "opaque global id (W&B `Sweep.id`)"),
        Column("name", "text", "name the sweep's configuration gives it"),
        Column("display_name", "text", "name given in the interface"),
        Column("method", "text", "search method: grid, random, bayes, custom"),
        Column("state", "text", "PENDING, RUNNING, PAUSED, STOPPED, FINISHED, CANCELED, FAILED or CRASHED"),
        Column("description", "text", "description"),
        Column("config", "json", "configuration; null where its text is no YAML that JSON can hold"),
        Column("config_text", "text", "configuration as stored, YAML"),
        Column("best_loss", "double", "best value of the metric, as the server keeps it"),
        Column("created_at", "timestamp", "creation time"),
        Column("updated_at", "timestamp", "time of the last change"),
        Column("run_count", "bigint", "runs of the sweep"),
        Column("expected_run_count", "bigint", "runs the sweep will have; null where there is no end"),
    ),
    ("entity", "project", "sweep_id"),
)

_USERS = Table(
    "users",
    "one row per user seen in the project: who started runs, and members of its team",
    (
        ENTITY,
        PROJECT,
        Column("username", "text", "login"),
        Column("name", "text", "full name"),
        Column("is_member", "bool", "whether the team lists the user; null where the server does not say"),
    ),
    ("entity", "project", "username"),
)

_REPORTS = Table(
    "reports",
    "one row per published report of the project",
    (
        ENTITY,
        PROJECT,
        Column("report_id", "text", "opaque global id (W&B `View.id`)"),
        Column("name", "text", "internal name"),
        Column("display_name", "text", "title"),
        Column("description", "text", "description"),
        Column("username", "text", "login of the author"),
        Column("created_at", "timestamp", "creation time"),
        Column("updated_at", "timestamp", "time of the last change"),
        Column("spec", "json", "contents: blocks, panels, run sets"),
    ),
    ("entity", "project", "report_id"),
)

_CONSOLE_LOGS = Table(
    "console_logs",
    "one row per line a run wrote to its console; loaded only when asked for",
    (
        *RUN_COLUMNS,
        Column("line", "bigint", "0-based number of the line"),
        Column("time", "timestamp", "when the line was written; null where the server does not say"),
        Column("level", "text", "error for lines written to stderr, else null"),
        Column("label", "text", "writer of the line where a run has several, else null"),
        Column("text", "text", "the line"),
    ),
    (*RUN_KEY, "line"),
    per_run=True,
)

_TABLE_PLACE = (
    *RUN_COLUMNS,
    Column("key", "text", "dotted key it was logged under, in the history or the summary"),
    Column("path", "text", "file of the table within the run, or within an artifact (`wandb-artifact://`)"),
)
_TABLE_KEY = (*RUN_KEY, "key", "path")

_LOGGED_TABLES = Table(
    "logged_tables",
    "one row per file of a `wandb.Table` that a run logged; loaded only when asked for",
    (
        *_TABLE_PLACE,
        Column("step", "bigint", "first step it was logged at; null where only the summary has it"),
        Column("last_step", "bigint", "last step it was logged at; null where only the summary has it"),
        Column(
            "type",
            "text",
            "table-file, incremental-table-file, partitioned-table, joined-table, or table for a part of a joined one",
        ),
        Column("increment", "bigint", "0-based number among the increments of the key; null for other types"),
        Column("sha256", "text", "sha256 of the run's file in hex, as the writer says"),
        Column("size", "bigint", "bytes of the file that was read"),
        Column("row_count", "bigint", "rows stored"),
        Column("column_count", "bigint", "columns stored"),
        Column(
            "columns", "json", "list of the columns: name, and W&B's type names where the file tells them"
        ),
        Column("column_types", "json", "W&B's types in full, as the file has them"),
        Column(
            "definition",
            "json",
            "what else the file holds: join key and parts of a joined table, and the like",
        ),
        Column("source", "text", "where it was read: artifact, file (the run's own), or both"),
        Column(
            "state",
            "text",
            "ok, cut (its writer stored fewer rows or cells than it logged) or failed (tried again next time)",
        ),
        Column("error", "text", "why it is cut or failed"),
    ),
    _TABLE_KEY,
    per_run=True,
)

_LOGGED_TABLE_CELLS = Table(
    "logged_table_cells",
    "one row per cell of a logged table; loaded only when asked for",
    (
        *_TABLE_PLACE,
        Column("row_index", "bigint", "0-based row within the file"),
        Column("column_index", "bigint", "0-based column; names may repeat"),
        Column("column_name", "text", "name of the column; a number as its JSON text"),
        *VALUE_COLUMNS,
    ),
    (*_TABLE_KEY, "row_index", "column_index"),
    per_run=True,
)

COVERAGE = (
    _SYSTEM_METRICS,
    _ARTIFACTS,
    _ARTIFACT_ALIASES,
    _RUN_ARTIFACTS,
    _FILES,
    _RUN_METADATA,
    _SWEEPS,
    _USERS,
    _REPORTS,
    _CONSOLE_LOGS,
    _LOGGED_TABLES,
    _LOGGED_TABLE_CELLS,
)
"""Their declarations, in the order they are documented."""
