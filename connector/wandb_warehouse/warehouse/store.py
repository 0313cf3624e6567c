"""What a sync publishes into: a DuckDB file or a lake. Both begin with a private build and end with it published."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from wandb_warehouse.errors import ConfigError, StoreError
from wandb_warehouse.warehouse.build import Build
from wandb_warehouse.warehouse.lake.lake import Lake
from wandb_warehouse.warehouse.lake.storage import (
    PRIVATE,
    LocalStorage,
    find_lake,
    is_address,
    local_path,
    storage_at,
)
from wandb_warehouse.warehouse.lock import WarehouseLock
from wandb_warehouse.warehouse.wide import WideView, create_wide_view, drop_wide_view

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

        It may be open; a session of it, or publishing it, closes it.

        Args:
            work: a private directory of this sync.
            touched: runs of which anything is loaded anew.
            numbers: what the numbers of the load stand for, as far as it is new.
        """

    def publish(self, build: Build) -> None:
        """Put the build in place of what was published before: whole, or not at all."""

    def write_wide(self, work: Path, name: str, view: WideView | None) -> None:
        """Make or replace a wide view, or remove it (None), and publish that in one step."""

    def share(self) -> None:
        """Give what is published the permissions that this sync was asked to give."""


class DuckDBFile:
    """A DuckDB file, replaced as a whole."""

    def __init__(self, path: Path, mode: int = PRIVATE) -> None:
        self.path = path
        self.name = str(path)
        self._mode = mode

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
        with build.session(stays_open=True):
            build.prepare_tables(numbers)
        return build

    def publish(self, build: Build) -> None:
        """See `Store`."""
        with build.session():
            if not build.views_stand:
                build.create_views()
            build.drop_loader_tables()
            build.publish(self.path, self._mode)

    def write_wide(self, work: Path, name: str, view: WideView | None) -> None:
        """See `Store`: in a copy of the file, put in its place."""
        build = Build.create(self.path, work)
        with build.session() as connection:
            if view is None:
                drop_wide_view(connection, name)
            else:
                create_wide_view(connection, view)
        build.publish(self.path, self._mode)

    def share(self) -> None:
        """See `Store`."""
        try:
            if self.path.exists():
                self.path.chmod(self._mode)
        except OSError as error:
            raise StoreError(
                f"cannot set the mode of {self.path}: {error.strerror}", mend="run the sync as its owner"
            ) from error


def open_store(
    warehouse: Path | str, destination: Destination | None = None, mode: int | None = None
) -> Store:
    """The store at a path or an address.

    Args:
        warehouse: path of a DuckDB file, directory of a lake, or address of one.
        destination: which of them it is; by default what lies there, and a DuckDB file where nothing does.
        mode: permissions of what is published, of its owner alone where None.

    Raises:
        ConfigError: something else lies there than the destination says, or an address is to have a mode.
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
        return DuckDBFile(local_path(warehouse), mode or PRIVATE)
    if not address and local_path(warehouse).is_file():
        raise ConfigError(
            f"{warehouse} is a file, and a lake is a directory",
            mend="choose another --warehouse, or --destination duckdb",
        )
    storage = storage_at(warehouse)
    if isinstance(storage, LocalStorage):
        storage.mode = mode or PRIVATE
    elif mode is not None:
        raise ConfigError(
            f"{storage.name} has no file modes", mend="leave --mode out, and set the store's own permissions"
        )
    return Lake(storage)
