"""A lake's tables as DuckDB views: in an instance of our own, and in `views.duckdb` for everybody else's."""

from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb

from wandb_warehouse.errors import CorruptStoreError, StoreError
from wandb_warehouse.schema import TABLES, Column, Table
from wandb_warehouse.warehouse.ddl import SQL_TYPES
from wandb_warehouse.warehouse.files import STORAGE_VERSION
from wandb_warehouse.warehouse.instance import CATALOG, SETTINGS, reader_instance
from wandb_warehouse.warehouse.lake.manifest import MANIFEST, VIEWS, WIDE, LakeTable, Manifest
from wandb_warehouse.warehouse.lake.storage import Storage
from wandb_warehouse.warehouse.proof import statement
from wandb_warehouse.warehouse.views import create_views, load_sql_files
from wandb_warehouse.warehouse.wide import WideView, create_wide_view, from_json

__all__ = [
    "columns_read",
    "columns_written",
    "open_lake",
    "read_files",
    "read_manifest",
    "read_wide",
    "views_id",
    "write_views",
]


def read_manifest(storage: Storage) -> Manifest | None:
    """The manifest of a lake, None where there is none.

    Raises:
        StoreError: it cannot be read, or a newer wandb-warehouse wrote it.
        CorruptStoreError: it is no manifest.
    """
    text = storage.read(MANIFEST)
    return None if text is None else Manifest.from_json(text, storage.name)


def read_wide(storage: Storage) -> list[WideView]:
    """The wide views that somebody made of a lake.

    Raises:
        CorruptStoreError: what says so cannot be understood.
    """
    text = storage.read(WIDE)
    return [] if text is None else from_json(text, f"{storage.name}/{WIDE}")


def quoted(text: str) -> str:
    """A SQL literal."""
    return "'{}'".format(text.replace("'", "''"))


def read_files(paths: Iterable[str]) -> str:
    """DuckDB's table function over parquet files."""
    return f"read_parquet([{', '.join(map(quoted, paths))}], hive_partitioning = false)"


def columns_written(table: Table) -> str:
    """The select list that turns a table's rows into those of its files: JSON is text there, for every reader."""
    return ", ".join(
        f'CAST("{c.name}" AS VARCHAR) AS "{c.name}"' if c.kind == "json" else f'"{c.name}"'
        for c in table.columns
    )


def columns_read(table: Table, held: LakeTable, *, as_stored: bool = False) -> str:
    """The select list that turns the rows of a table's files into the table's; columns they lack are null.

    Args:
        table: the table.
        held: what the manifest says of it.
        as_stored: keep JSON as text, for writing the rows again.
    """

    def one(column: Column) -> str:
        kind = "VARCHAR" if as_stored and column.kind == "json" else SQL_TYPES[column.kind]
        if column.name not in held.columns:
            return f'CAST(NULL AS {kind}) AS "{column.name}"'
        return (
            f'CAST("{column.name}" AS {kind}) AS "{column.name}"'
            if column.kind == "json"
            else f'"{column.name}"'
        )

    return ", ".join(map(one, table.columns))


def open_lake(storage: Storage, *, tables_only: bool = False) -> tuple[duckdb.DuckDBPyConnection, list[str]]:
    """Open a lake for reading, as the default catalog of an instance of its own, and name the files it reads.

    Args:
        storage: where it lies.
        tables_only: without the views of `sql/`, wide ones and meanings: making these takes most of the time.

    Raises:
        StoreError: there is no lake, it cannot be read, or a newer wandb-warehouse wrote it.
        CorruptStoreError: the manifest is none, or a file that it names is missing or damaged.
    """
    manifest = read_manifest(storage)
    if manifest is None:
        raise StoreError(
            f"no lake at {storage.name}", mend="run `wandb-warehouse sync --destination filesystem`"
        )
    connection = reader_instance(str(storage.beside("reader")))
    try:
        storage.prepare(connection)
        connection.execute(f"ATTACH ':memory:' AS {CATALOG}")
        connection.execute(f"USE {CATALOG}")
        if tables_only:
            _create_table_views(connection, manifest, storage.address, meanings=False)
        else:
            _create_all(connection, manifest, storage.address, read_wide(storage))
    except duckdb.Error as error:
        connection.close()
        raise CorruptStoreError(
            f"the lake at {storage.name} cannot be read: {storage.told(error)}",
            mend="read it again; if it stays, restore the files that its manifest names, or sync into a new lake",
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection, [storage.address(file.path) for file in manifest.files]


def write_views(storage: Storage, manifest: Manifest, work: Path) -> None:
    """Put a `views.duckdb` for the manifest in place of the one that is there.

    The file has the oldest storage version, so that DuckDB from 1.1 on opens it.

    Raises:
        StoreError: it cannot be written.
    """
    path = work / VIEWS
    path.unlink(missing_ok=True)
    connection = duckdb.connect(config=SETTINGS)
    try:
        storage.prepare(connection)
        connection.execute(f"ATTACH {quoted(str(path))} AS views (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE views")
        _create_all(connection, manifest, storage.view_path, read_wide(storage))
        connection.execute(
            statement("lake/manifest_view", generation=str(manifest.generation), id=quoted(manifest.id))
        )
        connection.execute("CHECKPOINT views")
    except duckdb.Error as error:
        raise StoreError(
            f"cannot make {VIEWS} for {storage.name}: {storage.told(error)}", mend="free disk space"
        ) from error
    finally:
        connection.close()
    storage.replace(path, VIEWS)


def views_id(storage: Storage, work: Path) -> str | None:
    """Id of the manifest that `views.duckdb` was made from; None where it is missing or not readable."""
    contents = storage.read(VIEWS)
    if contents is None:
        return None
    copy = work / f"published-{VIEWS}"
    copy.write_bytes(contents)
    try:
        connection = duckdb.connect(str(copy), read_only=True, config=SETTINGS)
        try:
            return str(connection.execute(statement("lake/manifest_id")).fetchall()[0][0])
        finally:
            connection.close()
    except duckdb.Error:
        return None
    finally:
        copy.unlink()


def _create_all(
    connection: duckdb.DuckDBPyConnection,
    manifest: Manifest,
    path_of: Callable[[str], str],
    wide: Iterable[WideView],
) -> None:
    """Create the tables' views, those of `sql/` and wide ones.

    DuckDB opens what a view reads when the view is made, files far away among it: so all others are made over tables
    without files, which the real ones replace.
    """
    connection.begin()  # one transaction: in a file, each statement would be flushed by itself
    for table in TABLES.values():
        nothing = columns_read(table, LakeTable(table.primary_key, {}, ()))
        connection.execute(statement("lake/view_of_nothing", table=table.name, columns=nothing))
    # A table stored with numbers has a view of its own elsewhere; the files of a lake hold the names.
    names = create_views(connection, [file for file in load_sql_files() if not file.shows_table])
    for view in wide:
        if view.name.lower() not in {*names, *TABLES}:  # a newer version may have a view of that name
            create_wide_view(connection, view)
    _create_table_views(connection, manifest, path_of)
    connection.commit()


def _create_table_views(
    connection: duckdb.DuckDBPyConnection,
    manifest: Manifest,
    path_of: Callable[[str], str],
    *,
    meanings: bool = True,
) -> None:
    script = []
    for table in TABLES.values():
        held = manifest.tables.get(table.name)
        if held is None:
            nothing = columns_read(table, LakeTable(table.primary_key, {}, ()))
            create = statement("lake/view_of_nothing", table=table.name, columns=nothing)
        else:
            source = read_files(path_of(file.path) for file in held.files)
            columns = columns_read(table, held)
            create = statement("lake/view", table=table.name, columns=columns, source=source)
        script.append(create)
        if not meanings:
            continue
        script.append(f'COMMENT ON VIEW "{table.name}" IS {quoted(table.meaning)}')
        script += [
            f'COMMENT ON COLUMN "{table.name}"."{column.name}" IS {quoted(column.meaning)}'
            for column in table.columns
        ]
    connection.execute(";\n".join(script))
