"""The warehouse: the only room that opens DuckDB.

A sync works in a private `Build`, proves it and publishes it through a `Store`: a DuckDB file that is replaced in one
rename, or a lake of parquet files that one manifest names. Readers see whole syncs only.
"""

from wandb_warehouse.warehouse.audit import EXPECTED_KEYS, Audit, Digests, RunKey, first_difference, in_order
from wandb_warehouse.warehouse.build import Build
from wandb_warehouse.warehouse.connection import Answer, open_hardened, open_readonly, run_query, stream_query
from wandb_warehouse.warehouse.digest import content_digest
from wandb_warehouse.warehouse.examination import Examination, examine
from wandb_warehouse.warehouse.finding import find_runs
from wandb_warehouse.warehouse.instance import damage
from wandb_warehouse.warehouse.lock import WarehouseLock
from wandb_warehouse.warehouse.numbering import insert_rows
from wandb_warehouse.warehouse.proof import EXPECTATIONS, Difference
from wandb_warehouse.warehouse.reader import Reader
from wandb_warehouse.warehouse.status import (
    STORED_RUNS,
    HeldRows,
    LastSync,
    ProjectStatus,
    ShortTable,
    Status,
    TroubledRun,
    columns,
    held_rows,
    held_tables,
    last_sync,
    records,
    status,
    stored_runs,
)
from wandb_warehouse.warehouse.store import DESTINATIONS, Destination, Store, open_store
from wandb_warehouse.warehouse.views import SqlFile, load_sql_files, render
from wandb_warehouse.warehouse.wide import WideColumn, WideView
from wandb_warehouse.warehouse.wide_changes import create_wide, drop_wide

__all__ = [
    "DESTINATIONS",
    "EXPECTATIONS",
    "EXPECTED_KEYS",
    "STORED_RUNS",
    "Answer",
    "Audit",
    "Build",
    "Destination",
    "Difference",
    "Digests",
    "Examination",
    "HeldRows",
    "LastSync",
    "ProjectStatus",
    "Reader",
    "RunKey",
    "ShortTable",
    "SqlFile",
    "Status",
    "Store",
    "TroubledRun",
    "WarehouseLock",
    "WideColumn",
    "WideView",
    "columns",
    "content_digest",
    "create_wide",
    "damage",
    "drop_wide",
    "examine",
    "find_runs",
    "first_difference",
    "held_rows",
    "held_tables",
    "in_order",
    "insert_rows",
    "last_sync",
    "load_sql_files",
    "open_hardened",
    "open_readonly",
    "open_store",
    "records",
    "render",
    "run_query",
    "status",
    "stored_runs",
    "stream_query",
]
