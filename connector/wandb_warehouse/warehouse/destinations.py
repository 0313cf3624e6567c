"""What dlt gives the warehouse: the pipeline that loads a private build, and file systems as dlt configures them."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import dlt
from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import DltException
from dlt.common.storages import FilesystemConfiguration, fsspec_from_config
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from wandb_warehouse.errors import ConfigError
from wandb_warehouse.warehouse.instance import MEMORY_LIMIT
from wandb_warehouse.warehouse.lake.storage import shown

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["build_pipeline", "remote_filesystem"]


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
    # A job that fails is told by what it raises; dlt would also write the traceback to stderr.
    logging.getLogger("dlt").setLevel(logging.CRITICAL)
    return pipeline


def remote_filesystem(address: str) -> "tuple[AbstractFileSystem, str]":
    """The file system an address names, with its path there, as dlt's filesystem destination would open it.

    Credentials and further settings come from where dlt looks for them: `DESTINATION__FILESYSTEM__CREDENTIALS__...`
    in the environment, `[destination.filesystem.credentials]` in `.dlt/secrets.toml`, the store's own defaults.

    Raises:
        ConfigError: credentials are missing, or the package that reaches the store.
    """
    try:
        configuration = resolve_configuration(
            FilesystemConfiguration(bucket_url=address), sections=("destination", "filesystem")
        )
        filesystem, path = fsspec_from_config(configuration)
    except (ConfigurationException, DltException, ImportError, ValueError) as error:
        # Their texts may quote the configuration, and with it a secret.
        raise ConfigError(
            f"{shown(address)} cannot be reached as configured ({type(error).__name__})",
            mend="install dlt's extra for the store and set [destination.filesystem.credentials] in .dlt/secrets.toml",
        ) from None
    return filesystem, str(path)
