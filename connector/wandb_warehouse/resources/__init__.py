"""The dlt source: thin resources over the client and the Arrow builders, incremental by the runs' heartbeat."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# dlt reports usage to its makers unless it is told otherwise before it is imported; a sync speaks to W&B only.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = os.environ.get("RUNTIME__DLTHUB_TELEMETRY", "false")

from wandb_warehouse.resources.bridge import EventLoopThread
from wandb_warehouse.resources.coverage import (
    COVERAGE,
    MAX_TABLE_BYTES,
    OPT_IN,
    RESOURCES,
    UNSIFTED,
    Coverage,
    CoverageOptions,
)
from wandb_warehouse.resources.deadline import Deadline
from wandb_warehouse.resources.details import Detail, read_details
from wandb_warehouse.resources.estimate import ProjectEstimate, estimate_project
from wandb_warehouse.resources.estimate_tables import TablesWanted
from wandb_warehouse.resources.extraction import Extraction, RunResult, Session, connected
from wandb_warehouse.resources.listing import LAG, TERMINAL_STATES, Listing, ProjectPath, list_project
from wandb_warehouse.resources.marks import (
    Cursor,
    DltStateMarks,
    HeldTable,
    HeldTables,
    KnownMarks,
    Marks,
    Pending,
    ProjectMarks,
    RunMark,
    Shortfalls,
)
from wandb_warehouse.resources.report import ExtractionReport
from wandb_warehouse.resources.rounds import Rounds
from wandb_warehouse.resources.scopes import (
    OF_ONE_PROJECT,
    ProjectPattern,
    Scope,
    parse_projects,
    read_projects,
    resolve,
)
from wandb_warehouse.resources.wanted import DEFAULT_SAMPLES, HistoryMode, Wanted

if TYPE_CHECKING:
    from wandb_warehouse.resources.source import column_hints, extraction_source, wandb_source

__all__ = [
    "COVERAGE",
    "DEFAULT_SAMPLES",
    "LAG",
    "MAX_TABLE_BYTES",
    "OF_ONE_PROJECT",
    "OPT_IN",
    "RESOURCES",
    "TERMINAL_STATES",
    "UNSIFTED",
    "Coverage",
    "CoverageOptions",
    "Cursor",
    "Deadline",
    "Detail",
    "DltStateMarks",
    "EventLoopThread",
    "Extraction",
    "ExtractionReport",
    "HeldTable",
    "HeldTables",
    "HistoryMode",
    "KnownMarks",
    "Listing",
    "Marks",
    "Pending",
    "ProjectEstimate",
    "ProjectMarks",
    "ProjectPath",
    "ProjectPattern",
    "Rounds",
    "RunMark",
    "RunResult",
    "Scope",
    "Session",
    "Shortfalls",
    "TablesWanted",
    "Wanted",
    "column_hints",
    "connected",
    "estimate_project",
    "extraction_source",
    "list_project",
    "parse_projects",
    "read_details",
    "read_projects",
    "resolve",
    "wandb_source",
]

_OF_DLT = frozenset({"column_hints", "extraction_source", "wandb_source"})
"""Imported on first use: dlt takes longer to import than a sync that finds nothing new."""


def __getattr__(name: str) -> Any:
    if name not in _OF_DLT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.source"), name)
