"""What a sync publishes into: a DuckDB file or a lake. Both begin with a private build and end with it published."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from wandb_warehouse.errors import ConfigError, StoreError
from wandb_warehouse.warehouse.build import Build
from wandb_warehouse.warehouse.lake.lake import Lake
from wandb_warehouse.warehouse.lake.storage import find_lake, is_address, local_path, storage_at
from wandb_warehouse.warehouse.lock import WarehouseLock

__all__ = ["DESTINATIONS", "Destination", "DuckDBFile", "Store", "open_store"]

Destination = Literal["duckdb", "filesystem"]
DESTINATIONS: tuple[Destination, ...] = ("duckdb", "filesystem")
"""Kinds of warehouses, by dlt's names for them."""


class Store(Protocol):
    """A warehouse as one sync sees it."""

    @property
    def name(self) -> str:
        """Path or address, without credentials."""

    @property
    def work_prefix(self) -> Path:
        """Beginning of the paths of its working directories, on the file system of what is published."""

    @property
    def hints(self) -> Path:
        """A local file, beside that of the lock, of what the next sync need not find out again."""

    def lock(self) -> AbstractContextManager[object]:
        """Hold it against other syncs."""

    def mend(self, work: Path) -> None:
        """Finish what a sync killed after its publishing left undone."""

    def begin(
        self, work: Path, touched: Iterable[tuple[str, str, str]], numbers: Mapping[str, pa.Table]
    ) -> Build:
        """Make the build: every table, with what is held of the touched runs and of everything beside runs.

        Args:
            work: a private directory of this sync.
            touched: runs of which anything is loaded anew.
            numbers: what the numbers of the load stand for, as far as it is new.
        """

    def publish(self, build: Build) -> None:
        """Put the build in place of what was published before: whole, or not at all."""


class DuckDBFile:
    """A DuckDB file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    @property
    def work_prefix(self) -> Path:
        """See `Store`: beside the file."""
        resolved = self.path.resolve()
        return resolved.with_name(f"{self.path.name}.work-")

    @property
    def hints(self) -> Path:
        """See `Store`."""
        resolved = self.path.resolve()
        return resolved.with_name(f"{resolved.name}.swept")

    def lock(self) -> WarehouseLock:
        """See `Store`."""
        return WarehouseLock(self.path)

    def mend(self, work: Path) -> None:
        """See `Store`: one rename leaves nothing undone."""

    def begin(
        self,
        work: Path,
        touched: Iterable[tuple[str, str, str]],  # noqa: ARG002 - everything is copied
        numbers: Mapping[str, pa.Table],
    ) -> Build:
        """See `Store`: a copy of the whole file."""
        build = Build.create(self.path, work)
        with build.session():
            build.prepare_tables()
            build.write_numbers(numbers)
        return build

    def publish(self, build: Build) -> None:
        """See `Store`."""
        with build.session():
            build.create_views()
            build.drop_loader_tables()
        build.publish(self.path)


def open_store(warehouse: Path | str, destination: Destination | None = None) -> Store:
    """The store at a path or an address.

    Args:
        warehouse: path of a DuckDB file, directory of a lake, or address of one.
        destination: which of them it is; by default what lies there, and a DuckDB file where nothing does.

    Raises:
        ConfigError: something else lies there than the destination says.
        StoreError: a directory lies where a DuckDB file is to be.
    """
    address = is_address(warehouse)
    if destination is None:
        destination = "filesystem" if address or find_lake(warehouse) else "duckdb"
    if destination == "duckdb":
        if address or find_lake(warehouse):
            raise ConfigError(
                f"{storage_at(warehouse).name} is no path of a DuckDB file",
                mend="choose another --warehouse, or --destination filesystem",
            )
        if local_path(warehouse).is_dir():
            raise StoreError(
                f"{warehouse} is not a file", mend="choose another --warehouse, or --destination filesystem"
            )
        return DuckDBFile(local_path(warehouse))
    if not address and local_path(warehouse).is_file():
        raise ConfigError(
            f"{warehouse} is a file, and a lake is a directory",
            mend="choose another --warehouse, or --destination duckdb",
        )
    return Lake(storage_at(warehouse))
