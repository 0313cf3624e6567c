"""The dlt pipelines that load a private build: no telemetry, no state between syncs, no staging of ours to clean."""

from pathlib import Path

import dlt
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from wandb_warehouse.warehouse.connection import MEMORY_LIMIT

__all__ = ["build_pipeline"]


def build_pipeline(build: Path, workdir: Path) -> dlt.Pipeline:
    """Return the pipeline that loads one sync's package into its private build database.

    Its working directory is fresh and thrown away: dlt resumes a pending package by loading files twice, so none may
    ever be pending. The tables stand in DuckDB's default schema, so that bare names work in any client.
    """
    pipeline = dlt.pipeline(
        pipeline_name="wandb_warehouse",
        pipelines_dir=str(workdir / "dlt"),
        destination=dlt.destinations.duckdb(
            DuckDbCredentials(str(build), global_config={"memory_limit": MEMORY_LIMIT})
        ),
        dataset_name="main",
    )
    # dlt would hold SIGINT and SIGTERM back until its step is over, and forget one that comes late in it.
    pipeline.runtime_config.intercept_signals = False
    return pipeline
