"""Runs, config and summary of several projects, without their history: a light table for dashboards.

WANDB_API_KEY=... python pipelines/metadata_only.py my-team/vision my-team/language
"""

import sys

import dlt

from wandb_warehouse import wandb_source


def load(projects: list[str]) -> None:
    """Load four tables of the named projects."""
    pipeline = dlt.pipeline("wandb_metadata", destination="duckdb", dataset_name="wandb")
    source = wandb_source(projects).with_resources("projects", "runs", "run_config", "run_summary")
    print(pipeline.run(source))


if __name__ == "__main__":
    load(sys.argv[1:])
