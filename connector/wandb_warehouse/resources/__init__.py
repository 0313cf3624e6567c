"""The dlt source: thin resources over the client and the Arrow builders, incremental by the runs' heartbeat."""

import os

# dlt reports usage to its makers unless it is told otherwise before it is imported; a sync speaks to W&B only.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = os.environ.get("RUNTIME__DLTHUB_TELEMETRY", "false")

from wandb_warehouse.resources.extraction import Extraction, HistoryMode, RunResult
from wandb_warehouse.resources.listing import ProjectPath
from wandb_warehouse.resources.marks import Cursor, DltStateMarks, KnownMarks, Marks, ProjectMarks, RunMark
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.scopes import ProjectPattern, Scope, parse_projects
from wandb_warehouse.resources.source import RESOURCES, column_hints, extraction_source, wandb_source

__all__ = [
    "RESOURCES",
    "Cursor",
    "DltStateMarks",
    "Extraction",
    "ExtractionReport",
    "HistoryMode",
    "KnownMarks",
    "Marks",
    "ProjectMarks",
    "ProjectPath",
    "ProjectPattern",
    "RunMark",
    "RunResult",
    "Scope",
    "column_hints",
    "extraction_source",
    "parse_projects",
    "wandb_source",
]
