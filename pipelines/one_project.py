"""One W&B project into DuckDB with dlt alone: the source in a pipeline of your own.

    WANDB_API_KEY=... python pipelines/one_project.py my-team/my-project

For published, proven warehouses with atomic updates use `wandb-warehouse sync`; this shows the source by itself.
"""

import sys

import dlt

from wandb_warehouse import wandb_source


def load(project: str) -> None:
    """Load a project, or what is new in it since the last time."""
    pipeline = dlt.pipeline("wandb_one_project", destination="duckdb", dataset_name="wandb")
    print(pipeline.run(wandb_source(project)))


if __name__ == "__main__":
    load(sys.argv[1])
