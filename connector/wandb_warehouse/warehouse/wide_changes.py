"""Making and removing wide views of a published warehouse, under the lock of a sync and published as one is."""

import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wandb_warehouse.errors import ConfigError, StoreError
from wandb_warehouse.warehouse.connection import reading
from wandb_warehouse.warehouse.lake.manifest import MANIFEST
from wandb_warehouse.warehouse.lake.storage import find_lake, is_address, local_path
from wandb_warehouse.warehouse.store import Store, open_store
from wandb_warehouse.warehouse.wide import (
    Subject,
    WideView,
    choose_columns,
    refuse_other,
    valid_name,
    wide_view_names,
)

__all__ = ["create_wide", "drop_wide"]


def create_wide(
    warehouse: Path | str, keys: Sequence[str], *, of: Subject = "history", name: str | None = None
) -> WideView:
    """Make a view with a column for each key that `keys` choose, or replace the wide view of that name.

    Later syncs keep it. Its columns stay those of the keys there are now.

    Args:
        warehouse: a DuckDB file, or the directory or address of a lake.
        keys: keys as they are, or globs.
        of: where the keys are.
        name: the view's name; by default `history_wide` and the like.

    Raises:
        ConfigError: a key matches nothing, too many do, or the name is taken.
        StoreError: there is no warehouse, or it cannot be read or written.
        BusyError: a sync holds it.

    Example:
        >>> create_wide("nowhere.duckdb", ["loss"])
        Traceback (most recent call last):
        wandb_warehouse.errors.StoreError: no warehouse at nowhere.duckdb; run `wandb-warehouse sync`
    """
    chosen = valid_name(name or f"{of}_wide")
    with _opened(warehouse) as (store, work):
        with reading(warehouse) as connection:
            refuse_other(connection, chosen)
            view = WideView(chosen, of, choose_columns(connection, keys, of))
        store.write_wide(work, chosen, view)
    return view


def drop_wide(warehouse: Path | str, name: str) -> None:
    """Remove a wide view.

    Raises:
        ConfigError: there is no wide view of that name.
        StoreError, BusyError: as `create_wide`.
    """
    with _opened(warehouse) as (store, work):
        with reading(warehouse) as connection:
            names = wide_view_names(connection)
        found = next((each for each in names if each.lower() == name.lower()), None)
        if found is None:
            raise ConfigError(
                f"there is no wide view {name[:80]!r}",
                mend=f"name one of {', '.join(names)}" if names else "none is left",
            )
        store.write_wide(work, found, None)


@contextmanager
def _opened(warehouse: Path | str) -> Iterator[tuple[Store, Path]]:
    """Lock a warehouse that is there, and make a private directory to work in."""
    with reading(warehouse):
        pass  # a lock would make a file, and a directory for a lake, where there is nothing
    store = open_store(warehouse, mode=_mode(warehouse))
    with store.lock():
        work = store.work_prefix.with_name(f"{store.work_prefix.name}{secrets.token_hex(4)}")
        try:
            try:
                work.mkdir(mode=0o700)
            except OSError as error:
                raise StoreError(
                    f"cannot work in {work.parent}: {error.strerror}", mend="mend the permissions"
                ) from error
            yield store, work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _mode(warehouse: Path | str) -> int | None:
    """Permissions that are to stay; None for what is somewhere else."""
    if is_address(warehouse):
        return None
    path = local_path(warehouse)
    return stat.S_IMODE((path / MANIFEST if find_lake(warehouse) else path).stat().st_mode)
