"""Opening: what is no warehouse is told apart; several readers live side by side."""

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from wandb_warehouse.errors import BusyError, CorruptStoreError, QueryError, StoreError
from wandb_warehouse.schema import SCHEMA_VERSION
from wandb_warehouse.warehouse import open_hardened, open_readonly, run_query


def _nothing(path: Path) -> None:
    assert not path.exists()


def _plain_duckdb(path: Path) -> None:
    duckdb.connect(str(path)).close()


_NOT_OURS: dict[str, tuple[Callable[[Path], object], type[StoreError], str]] = {
    "missing": (_nothing, StoreError, "no warehouse at"),
    "empty": (lambda path: path.write_bytes(b""), CorruptStoreError, "not a DuckDB file"),
    "text": (lambda path: path.write_bytes(b"hello\n" * 5000), CorruptStoreError, "not a DuckDB file"),
    "zeros": (lambda path: path.write_bytes(bytes(50_000)), CorruptStoreError, "not a DuckDB file"),
    "sqlite": (
        lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(8000)),
        CorruptStoreError,
        "not a DuckDB file",
    ),
    "directory": (lambda path: path.mkdir(), StoreError, "is not a file"),
    "other database": (_plain_duckdb, CorruptStoreError, "no warehouse of wandb-warehouse"),
}


@pytest.mark.parametrize("case", _NOT_OURS)
def test_what_is_no_warehouse_is_refused(case: str, tmp_path: Path) -> None:
    """A path without a warehouse gives an error of one line that names the path and a cure."""
    make, kind, message = _NOT_OURS[case]
    path = tmp_path / "it's.duckdb"
    make(path)
    with pytest.raises(kind, match=message) as caught:
        open_readonly(path)
    assert type(caught.value) is kind
    assert str(path) in caught.value.what
    assert caught.value.mend
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("offset", [8, 4096, 8192])
def test_damaged_header_is_corrupt(offset: int, published: Path) -> None:
    """A file whose magic or header blocks are overwritten is refused as damaged."""
    content = bytearray(published.read_bytes())
    content[offset : offset + 64] = b"\xff" * 64
    if offset > 8:  # both database headers: one alone is the older, valid state
        content[4096 : 4096 + 64] = content[8192 : 8192 + 64] = b"\xff" * 64
    published.write_bytes(content)
    with pytest.raises(CorruptStoreError):
        open_readonly(published)


def test_truncated_file_is_corrupt(published: Path) -> None:
    """A file cut after its headers is refused as damaged."""
    os.truncate(published, 12_288)
    with pytest.raises(CorruptStoreError):
        open_readonly(published)


def test_newer_schema_is_refused(published: Path) -> None:
    """A warehouse written by a newer package is refused with the advice to upgrade."""
    with duckdb.connect(str(published)) as connection:
        connection.execute("UPDATE sync_log SET schema_version = ?", [SCHEMA_VERSION + 1])
    with pytest.raises(StoreError, match="upgrade wandb-warehouse") as caught:
        open_readonly(published)
    assert type(caught.value) is StoreError


def test_open_writer_is_busy(published: Path, foreign_writer: int) -> None:
    """A file that another process has open for writing names that process."""
    with pytest.raises(BusyError, match=rf"pid {foreign_writer}\b"):
        open_readonly(published)


def test_readers_with_different_settings_live_side_by_side(published: Path) -> None:
    """One process may hold ordinary and hardened readers of the same file at once."""
    readers = [
        open_readonly(published),
        open_hardened(published, threads=1),
        open_hardened(published, memory="1GB"),
    ]
    assert [r.execute("SELECT count(*) FROM history").fetchall() for r in readers] == [[(4,)]] * 3
    for reader in readers:
        reader.close()


def test_reader_cannot_write(published: Path) -> None:
    """A read-only connection refuses to change the warehouse, and Python variables are no tables to it."""
    reader = open_readonly(published)
    with pytest.raises(duckdb.Error, match="read-only"):
        reader.execute("DELETE FROM runs")
    history = [1]
    with pytest.raises(duckdb.CatalogException):
        reader.execute("SELECT * FROM nowhere")
    nowhere = history
    with pytest.raises(duckdb.CatalogException):
        reader.execute("SELECT * FROM nowhere")
    assert nowhere
    reader.close()


def test_limits_are_checked(published: Path) -> None:
    """A limit DuckDB does not understand is an error of the query, not of the file."""
    with pytest.raises(QueryError, match="limit refused"):
        open_hardened(published, memory="plenty")


def test_spill_is_removed(published: Path) -> None:
    """A sort larger than the memory limit runs hardened as well, and leaves nothing beside the warehouse."""
    before = set(published.parent.iterdir())
    sql = """
    SELECT * FROM (SELECT hash(range) AS h, repeat('x', 60) || range AS text FROM range(1500000))
    ORDER BY h OFFSET 1499990
    """
    assert run_query(published, sql, memory="100MB", threads=2).num_rows == 10
    assert set(published.parent.iterdir()) == before
