"""One sync of a lake: the build from what is held, and its publishing as a new generation."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow as pa

from wandb_warehouse.errors import BusyError, ConfigError, ProofError, StoreError
from wandb_warehouse.schema import SCHEMA_VERSION, TABLES, Table
from wandb_warehouse.warehouse.build import Build
from wandb_warehouse.warehouse.instance import open_private
from wandb_warehouse.warehouse.lake.manifest import MANIFEST, SEGMENT_RUNS, VIEWS, WIDE, Manifest
from wandb_warehouse.warehouse.lake.reading import (
    columns_read,
    read_files,
    read_manifest,
    read_wide,
    views_id,
    write_views,
)
from wandb_warehouse.warehouse.lake.segments import SegmentWriter
from wandb_warehouse.warehouse.lake.storage import LocalStorage, Storage
from wandb_warehouse.warehouse.lock import WarehouseLock
from wandb_warehouse.warehouse.numbering import insert_rows
from wandb_warehouse.warehouse.proof import register_runs, statement
from wandb_warehouse.warehouse.wide import WideView, to_json

__all__ = ["Lake"]

_MEMORY = f"{256 + 72 * (os.cpu_count() or 1)}MB"
"""Memory for sorting and writing segments, more than for a load; DuckDB spills the rest into the working directory."""

_FILE = re.compile(r"g\d{8}-[0-9a-f]{8}-\d{4,}\.parquet")
"""Names of our files: the generation, a mark of the attempt, a number."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a sync began with."""

    manifest: Manifest | None = None
    touched: tuple[tuple[str, str, str], ...] = ()
    fingerprints: pa.Table = field(default_factory=lambda: pa.table({}))


class Lake:
    """A lake as one sync sees it; see `store.Store`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.name = storage.name
        self._begun = _Begun()

    @property
    def work_prefix(self) -> Path:
        """See `store.Store`."""
        return self._storage.beside("work-")

    @property
    def hints(self) -> Path:
        """See `store.Store`."""
        return self._storage.beside("swept")

    def lock(self) -> AbstractContextManager[object]:
        """See `store.Store`; makes the directory of a new local lake.

        Raises:
            ConfigError: the directory holds something else.
        """
        if isinstance(self._storage, LocalStorage):
            _make_directory(self._storage)
        return WarehouseLock(self.name, self._storage.beside("lock"))

    def mend(self, work: Path) -> None:
        """See `store.Store`: writes `views.duckdb` where it is not the manifest's."""
        manifest = read_manifest(self._storage)
        if manifest is not None and views_id(self._storage, work) != manifest.id:
            write_views(self._storage, manifest, work)

    def begin(
        self, work: Path, touched: Iterable[tuple[str, str, str]], numbers: Mapping[str, pa.Table]
    ) -> Build:
        """See `store.Store`.

        Raises:
            StoreError: what is held cannot be read.
        """
        manifest = read_manifest(self._storage)
        runs = tuple(sorted(set(touched)))
        build = Build.create(None, work)
        with build.session():
            build.prepare_tables(numbers)
        with self._session(build) as connection:
            register_runs(connection, runs)
            if manifest is not None:
                self._fill(connection, manifest)
            self._begun = _Begun(manifest, runs, _fingerprints(connection))
        return build

    def publish(self, build: Build) -> None:
        """See `store.Store`: new files, then the manifest in one step, then the views, then the clearing.

        Raises:
            ProofError: what was written does not read back as it must; nothing is published.
            BusyError: another sync published meanwhile; nothing is published.
            StoreError: something cannot be written; only the views may then be a generation behind.
        """
        held = self._begun.manifest
        work = build.path.parent
        mark = secrets.token_hex(4)
        with self._session(build) as connection:
            rows = connection.execute(statement("lake/generation")).fetchall()
            generation = int(rows[0][0])
            self._note_changes(connection)
            self._load_segment_runs(connection, held)
            connection.execute(statement("lake/create_segment_runs", table="next_segment_runs"))
            writer = SegmentWriter(connection, self._storage, held, work, f"g{generation:08}-{mark}")
            tables = {table.name: writer.table(table) for table in TABLES.values()}
            manifest = Manifest(
                generation,
                mark,
                SCHEMA_VERSION,
                version("wandb-warehouse"),
                tables,
                writer.runs_of_segments(),
            )
        for written in writer.written:
            self._storage.add(written.source, written.file.path)
        self._refuse_others(held)
        text = work / MANIFEST
        text.write_text(manifest.to_json(), encoding="utf-8")
        self._storage.replace(text, MANIFEST)
        write_views(self._storage, manifest, work)
        self._clear(manifest, held)

    def write_wide(self, work: Path, name: str, view: WideView | None) -> None:
        """See `store.Store`: the list of wide views, then `views.duckdb` anew; no generation."""
        manifest = read_manifest(self._storage)
        if manifest is None:
            raise StoreError(f"no lake at {self.name}", mend="run `wandb-warehouse sync` first")
        others = [each for each in read_wide(self._storage) if each.name.lower() != name.lower()]
        text = work / WIDE
        text.write_text(to_json([*others, *([view] if view else [])]), encoding="utf-8")
        self._storage.replace(text, WIDE)
        write_views(self._storage, manifest, work)

    def share(self) -> None:
        """See `store.Store`."""
        manifest = read_manifest(self._storage)
        if isinstance(self._storage, LocalStorage):
            files = [file.path for file in manifest.files] if manifest else []
            self._storage.share([*files, MANIFEST, VIEWS, WIDE])

    def _fill(self, connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
        """Bring into the build what the lake holds of the touched runs, and the tables beside runs whole."""
        self._load_segment_runs(connection, manifest)
        touched: dict[str, list[str]] = {}
        for name, path in connection.execute(statement("lake/touched_files")).fetchall():
            touched.setdefault(name, []).append(path)
        for name, held in manifest.tables.items():
            table = TABLES.get(name)
            if table is None:
                continue  # of a newer minor version; not ours to write
            manifest.stale(name)  # raises where a column changed its kind
            paths = touched.get(name, []) if table.per_run else [file.path for file in held.files]
            if paths:
                source = read_files(map(self._storage.address, paths))
                view = "lake/held_rows_of_runs" if table.per_run else "lake/held_rows"
                connection.execute(statement(view, columns=columns_read(table, held), source=source))
                insert_rows(connection, name, rows="held_rows")

    def _load_segment_runs(self, connection: duckdb.DuckDBPyConnection, manifest: Manifest | None) -> None:
        connection.execute(statement("lake/create_segment_runs", table="segment_runs"))
        if manifest is not None:
            source = read_files([self._storage.address(manifest.segment_runs.path)])
            connection.execute(statement("lake/load_segment_runs", source=source))

    def _note_changes(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Compare the build with what it began with: the temporary table `changes`."""
        connection.register("fingerprints_before", self._begun.fingerprints)
        _fingerprints(connection)
        register_runs(connection, self._begun.touched)
        if connection.execute(statement("lake/strays")).fetchall()[0][0]:
            raise ProofError(
                "the load wrote rows of runs it was not to touch",
                mend="nothing was published; report it with the output of --debug",
            )
        connection.execute(statement("lake/changes"))
        connection.unregister("fingerprints_before")

    def _refuse_others(self, held: Manifest | None) -> None:
        """The lock is this machine's; a lake elsewhere may have been written by another one."""
        now = read_manifest(self._storage)
        if (now.id if now else None) != (held.id if held else None):
            raise BusyError(
                f"another sync published {self.name} meanwhile; nothing of this one was",
                mend="run it again, and let one machine at a time write to a lake",
            )

    def _clear(self, manifest: Manifest, held: Manifest | None) -> None:
        """Remove files that neither this generation nor the one before names.

        Readers of the one before are not disturbed. A failure costs space only: the next sync tries again.
        """
        named = {file.path for each in (manifest, held) if each for file in each.files}
        for folder in (*TABLES, SEGMENT_RUNS):
            with contextlib.suppress(OSError, StoreError):
                for name in self._storage.list(folder):
                    if _FILE.fullmatch(name) and f"{folder}/{name}" not in named:
                        self._storage.remove(f"{folder}/{name}")

    @contextmanager
    def _session(self, build: Build) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the build with the lake's files in reach, in an instance of its own."""
        build.close()
        connection = open_private(build.path)
        try:
            self._storage.prepare(connection)
            connection.execute(f"SET memory_limit = '{_MEMORY}'")
            yield connection
        except duckdb.Error as error:
            raise StoreError(
                f"the build for {self.name} failed: {self._storage.told(error)}",
                mend="free disk space or memory; if a file is missing, restore it or sync into a new lake",
            ) from error
        finally:
            connection.close()


def _fingerprints(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Fill the temporary table `fingerprints` with what the build holds now, and give it."""
    connection.execute(statement("lake/create_fingerprints"))
    for table in TABLES.values():
        connection.execute(
            statement("lake/fingerprints", table=table.name, run=_run_of(table), columns=_columns(table))
        )
    return connection.sql("FROM fingerprints").to_arrow_table()


def _run_of(table: Table) -> str:
    return "entity, project, run_id" if table.per_run else "'' AS entity, '' AS project, '' AS run_id"


def _columns(table: Table) -> str:
    return ", ".join(f'"{name}"' for name in table.names)


def _make_directory(storage: LocalStorage) -> None:
    """Make the directory of a new lake; refuse one in which other things lie."""
    root = storage.root
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        entries = sorted(entry.name for entry in os.scandir(root) if not entry.name.startswith("."))
    except OSError as error:
        raise StoreError(
            f"cannot make the lake at {storage.name}: {error.strerror}",
            mend="create the directory above it or choose another --warehouse",
        ) from error
    foreign = [name for name in entries if name not in {*TABLES, SEGMENT_RUNS, MANIFEST, VIEWS, WIDE}]
    if foreign and MANIFEST not in entries:
        raise ConfigError(
            f"{storage.name} holds something else than a lake ({foreign[0]})",
            mend="choose a directory of its own",
        )
