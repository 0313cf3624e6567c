"""The only room that talks to W&B: one method a question, plain JSON objects out.

It knows no Arrow, no dlt and no DuckDB, reads no environment and no files but those it downloads.
"""

from wandb_warehouse.client.answers import Exports, RunPage, Sample, Window, slices
from wandb_warehouse.client.artifact_files import ArtifactEntry, EntryRef
from wandb_warehouse.client.catalog import Catalog, Found
from wandb_warehouse.client.client import WandbClient
from wandb_warehouse.client.connection import Connection, Secret, is_private_host
from wandb_warehouse.client.governor import Governor
from wandb_warehouse.client.lists import PagedList
from wandb_warehouse.client.redaction import redact
from wandb_warehouse.client.retry import ExpiredUrlError, Limits, Stats

__all__ = [
    "ArtifactEntry",
    "Catalog",
    "Connection",
    "EntryRef",
    "ExpiredUrlError",
    "Exports",
    "Found",
    "Governor",
    "Limits",
    "PagedList",
    "RunPage",
    "Sample",
    "Secret",
    "Stats",
    "WandbClient",
    "Window",
    "is_private_host",
    "redact",
    "slices",
]
