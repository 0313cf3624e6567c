"""A published warehouse by itself, without any server: read to its last block, and what it says of itself checked."""

import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wandb_warehouse.errors import CorruptStoreError
from wandb_warehouse.schema import SCHEMA_VERSION, TABLES
from wandb_warehouse.warehouse.audit import Audit
from wandb_warehouse.warehouse.lake.manifest import SEGMENT_RUNS, Manifest
from wandb_warehouse.warehouse.lake.reading import read_manifest
from wandb_warehouse.warehouse.lake.storage import LocalStorage, Storage, find_lake, local_path
from wandb_warehouse.warehouse.lock import WarehouseLock
from wandb_warehouse.warehouse.proof import Difference
from wandb_warehouse.warehouse.status import last_sync
from wandb_warehouse.warehouse.store import open_store
from wandb_warehouse.warehouse.views import load_sql_files

__all__ = ["Examination", "examine"]

_SHOWN = 3


@dataclass(slots=True)
class Examination:
    """What was found in a warehouse: `findings` are wrong, `notes` are worth knowing."""

    warehouse: str
    generation: int = 0
    schema_version: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    """Of the libraries that read it now, and of the wandb-warehouse that wrote it."""
    tables: dict[str, int] = field(default_factory=dict)
    """Rows of every table and view, each of them read to its end."""
    findings: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return the examination as plain JSON types."""
        return {"sound": self.sound, **asdict(self)}

    def raise_if_unsound(self) -> None:
        """Raise where something is wrong.

        Raises:
            CorruptStoreError: there are findings.
        """
        if self.sound:
            return
        shown = "; ".join(str(each) for each in self.findings[:_SHOWN])
        more = f" and {len(self.findings) - _SHOWN} more" if len(self.findings) > _SHOWN else ""
        raise CorruptStoreError(
            f"{self.warehouse} is not sound: {shown}{more}",
            mend="run `wandb-warehouse verify --repair`, or sync into a new file with --full-refresh",
        )


def examine(warehouse: Path | str) -> Examination:
    """Read a whole warehouse and check it against itself; nothing is written, no server is asked.

    Raises:
        StoreError: as `open_readonly`; CorruptStoreError where it cannot be read to its end.
    """
    lake = find_lake(warehouse)
    with Audit(warehouse) as audit:
        found = Examination(open_store(warehouse).name)
        newest = last_sync(warehouse)
        found.versions = {name: version(name) for name in ("duckdb", "dlt", "pyarrow", "wandb-warehouse")}
        if newest is not None:
            found.generation, found.schema_version = newest.generation, newest.schema_version
            found.versions["written by wandb-warehouse"] = newest.package_version
        if found.schema_version is not None and found.schema_version < SCHEMA_VERSION:
            found.notes.append(
                f"schema version {found.schema_version}: the next sync makes it {SCHEMA_VERSION}"
            )
        found.tables = audit.read_all()
        expected = [table.stored.name for table in TABLES.values()] if audit.numbered else list(TABLES)
        found.findings += [
            _of_all("missing", name, "there is no such table")
            for name in expected
            if name not in found.tables
        ]
        views = [file.name for file in load_sql_files() if audit.numbered or not file.shows_table]
        found.findings += [
            _of_all("missing", name, "there is no such view") for name in audit.missing_views(views)
        ]
        if not found.findings:
            runs = audit.runs()
            audit.recount(runs)
            found.findings += audit.inner_differences(runs)
    manifest = read_manifest(lake) if lake else None
    if lake is not None and manifest is not None:
        found.findings += _wrong_files(lake, manifest, found.tables)
    found.notes += _around(warehouse, lake)
    return found


def _wrong_files(lake: Storage, manifest: Manifest, rows: dict[str, int]) -> Iterator[Difference]:
    """Files that are not what the manifest says; the rows of each table were counted through the views."""
    for name, table in manifest.tables.items():
        told = sum(file.rows for file in table.files)
        if name in rows and rows[name] != told:
            yield _of_all("files", name, f"its files hold {rows[name]} rows, the manifest says {told}")
    if isinstance(lake, LocalStorage):
        for file in manifest.files:
            path = lake.root / file.path
            size = path.stat().st_size if path.exists() else None
            if size != file.bytes:
                what = "is missing" if size is None else f"has {size} bytes, the manifest says {file.bytes}"
                yield _of_all("files", file.path.partition("/")[0], f"{file.path} {what}")


def _around(warehouse: Path | str, lake: Storage | None) -> Iterator[str]:
    """What lies beside a warehouse: its lock, what a killed sync left, files that others may read."""
    store = open_store(warehouse)
    lock = store.lock()
    holder = lock.held_by() if isinstance(lock, WarehouseLock) else None
    if holder is not None:
        yield f"a sync holds it (pid {holder})"
    prefix = store.work_prefix
    left = sorted(path.name for path in prefix.parent.glob(f"{prefix.name}*")) if holder is None else []
    for name in left:
        yield f"{name} was left by a sync that was killed; the next one removes it"
    if lake is None:
        path = local_path(warehouse)
        wal = path.with_name(f"{path.name}.wal")
        if wal.exists():
            yield f"{wal.name} lies beside it: somebody else wrote into the file"
        yield from _open_to_others([path])
    elif isinstance(lake, LocalStorage):
        named = read_manifest(lake)
        files = [lake.root / file.path for file in named.files] if named else []
        yield from _open_to_others([path for path in files if path.exists()])
        known = {path.name for path in files}
        strays = sum(name not in known for folder in (*TABLES, SEGMENT_RUNS) for name in lake.list(folder))
        if strays:
            yield f"{strays} files are of another generation; syncs keep the one before"


def _open_to_others(paths: list[Path]) -> Iterator[str]:
    shared = [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if shared:
        mode = stat.S_IMODE(shared[0].stat().st_mode)
        more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        yield f"{shared[0].name}{more} can be read or written by others (mode {mode:04o}); a sync writes 0600"


def _of_all(check: str, table: str, detail: str) -> Difference:
    return Difference(check, table, "", "", "", detail)
