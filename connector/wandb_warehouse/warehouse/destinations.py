"""What dlt gives the warehouse: the pipeline that loads a private build, and file systems as dlt configures them."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dlt
from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.exceptions import DltException
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.storages import FilesystemConfiguration, fsspec_from_config
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration

from wandb_warehouse.errors import ConfigError
from wandb_warehouse.warehouse.lake.storage import shown

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["build_pipeline", "remote_filesystem"]


class BuildDestination(dlt.destinations.duckdb):
    """The private build as dlt's destination: what it is capable of is found out once, not thirty times a load."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[type[NamingConvention] | None, DestinationCapabilitiesContext] = {}

    def capabilities(
        self, config: DuckDbClientConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """See `dlt.common.destination.Destination`; nothing that is configured changes what this one can do."""
        kind = type(naming) if naming else None
        if kind not in self._found:
            self._found[kind] = super().capabilities(config, naming)
        return self._found[kind].copy()


def build_pipeline(workdir: Path) -> dlt.Pipeline:
    """Return the pipeline that loads one sync's package into its private build database.

    Its working directory is fresh and thrown away: dlt resumes a pending package by loading files twice, so none may
    ever be pending. The tables stand in DuckDB's default schema, so that bare names work in any client. `load` is to
    be given the open build.
    """
    with _told_to_nobody():
        pipeline = dlt.pipeline(
            pipeline_name="wandb_warehouse",
            pipelines_dir=str(workdir / "dlt"),
            destination=BuildDestination(),
            dataset_name="main",
        )
    # dlt would hold SIGINT and SIGTERM back until its step is over, and forget one that comes late in it.
    pipeline.runtime_config.intercept_signals = False
    # No later load asks what this one did: its state would be a table more to load, its trace a file more to write.
    pipeline.config.restore_from_destination = False
    pipeline.config.enable_runtime_trace = False
    # A job that fails is told by what it raises; dlt would also write the traceback to stderr.
    logging.getLogger("dlt").setLevel(logging.CRITICAL)
    return pipeline


_REPORTING = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__SENTRY_DSN": "",
    "RUNTIME__DLTHUB_DSN": "",
    "RUNTIME__SLACK_INCOMING_HOOK": "",
}
"""What dlt sends to others than the destination, each to be left off: a variable wins over every `.dlt`."""


@contextmanager
def _told_to_nobody() -> Iterator[None]:
    """Let dlt start without the reporting that environment or `.dlt` configure for other pipelines.

    Exceptions and traces would go to Sentry, Slack or dlt's makers, and a sync speaks to W&B alone.
    """
    before = {name: os.environ.get(name) for name in _REPORTING}
    os.environ.update(_REPORTING)
    try:
        # Read now: dlt would else read it when the pipeline is made, once in a process, or later.
        dlt.current.run_context().initialize_runtime()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
