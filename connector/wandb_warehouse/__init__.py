"""Sync Weights & Biases projects into a local DuckDB warehouse: completely, incrementally, and proven.

    Api()                      W&B's public API over a warehouse: `Runs`, `Run` and what hangs on them
    wandb_source(projects)     the dlt source, for pipelines of your own
    open_readonly(path)        a DuckDB connection to a published warehouse
    run_query(path, sql)       one read-only statement, its rows as an Arrow table
    compile_operation(text)    W&B's run operations as SQL
    content_digest(path)       digests of what the tables hold
    wandb_warehouse.sync       one sync from lock to publish: `sync(SyncOptions(...))`

The names are imported on first use: dlt and DuckDB take seconds to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_warehouse.api import Api
    from wandb_warehouse.operations import compile_operation
    from wandb_warehouse.resources import wandb_source
    from wandb_warehouse.warehouse import content_digest, open_readonly, run_query

__all__ = ["Api", "compile_operation", "content_digest", "open_readonly", "run_query", "wandb_source"]

_HOMES = {
    "Api": "api",
    "compile_operation": "operations",
    "content_digest": "warehouse",
    "open_readonly": "warehouse",
    "run_query": "warehouse",
    "wandb_source": "resources",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
