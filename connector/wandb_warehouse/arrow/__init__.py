"""Pure conversion: W&B values in, Arrow in `schema.py`'s shape out. No network, no clock, no dlt.

text      JSON text to values and back, exactly
values    one logged value <-> (type, value, value_json); nested objects <-> dotted keys
runs      run nodes -> runs, run_config, run_summary, run_tags, metrics; digests of a run
history   history rows -> column chunks
exports   parquet exports of a history -> column chunks
merge     exports and live rows of one run -> its history, each row once
sampled   sampled rows -> column chunks
tables    logged tables (`logged_tables`), and their files row by row (`table_files`)
selection which keys are stored, in histories and in the documents of runs
coverage  what a run or a project holds beside them -> its tables
numbers   numbers for runs and keys, as our warehouse stores them
parts     column chunks -> parquet part files, ordered by key, run and step
"""

from wandb_warehouse.arrow.coverage import (
    artifact_tables,
    console_table,
    files_table,
    metadata_table,
    reports_table,
    run_artifacts_table,
    sweeps_table,
    system_metrics,
    users_table,
    writer_document,
)
from wandb_warehouse.arrow.exports import Export, chunks_from_export
from wandb_warehouse.arrow.history import Chunk, HistoryBatch, RunRef, chunks_from_rows, key_counts, key_types
from wandb_warehouse.arrow.logged_tables import (
    TableFacts,
    TablePlace,
    TableRef,
    table_cells,
    table_facts,
    table_keys,
    table_refs,
    table_row,
)
from wandb_warehouse.arrow.merge import run_history
from wandb_warehouse.arrow.numbers import Numbers
from wandb_warehouse.arrow.parts import PartWriter, RunCount
from wandb_warehouse.arrow.runs import (
    LISTING_FIELDS,
    detail_digest,
    listing_digest,
    parse_config,
    parse_time,
    run_tables,
)
from wandb_warehouse.arrow.sampled import sampled_batch
from wandb_warehouse.arrow.selection import Selection
from wandb_warehouse.arrow.table_files import TableFile
from wandb_warehouse.arrow.text import ExactNumber, dumps, escape, loads, undump, unescape
from wandb_warehouse.arrow.values import classify, flatten, restore

__all__ = [
    "LISTING_FIELDS",
    "Chunk",
    "ExactNumber",
    "Export",
    "HistoryBatch",
    "Numbers",
    "PartWriter",
    "RunCount",
    "RunRef",
    "Selection",
    "TableFacts",
    "TableFile",
    "TablePlace",
    "TableRef",
    "artifact_tables",
    "chunks_from_export",
    "chunks_from_rows",
    "classify",
    "console_table",
    "detail_digest",
    "dumps",
    "escape",
    "files_table",
    "flatten",
    "key_counts",
    "key_types",
    "listing_digest",
    "loads",
    "metadata_table",
    "parse_config",
    "parse_time",
    "reports_table",
    "restore",
    "run_artifacts_table",
    "run_history",
    "run_tables",
    "sampled_batch",
    "sweeps_table",
    "system_metrics",
    "table_cells",
    "table_facts",
    "table_keys",
    "table_refs",
    "table_row",
    "undump",
    "unescape",
    "users_table",
    "writer_document",
]
