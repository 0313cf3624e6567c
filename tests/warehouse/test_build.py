"""The build: made from nothing or from the published file, filled, and put in its place in one step."""

import hashlib
import math
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from wandb_warehouse.errors import BusyError, CorruptStoreError, StoreError
from wandb_warehouse.schema import NUMBER_TABLES, TABLES
from wandb_warehouse.warehouse import Build, content_digest, insert_rows, last_sync, open_readonly, run_query

Rows = dict[str, list[dict[str, Any]]]
Fill = Callable[[Path, Rows], Build]

OLD_STORAGE = 64
"""Storage version number of DuckDB 0.9.0 to 1.1.3 (https://duckdb.org/docs/internals/storage)."""


def _storage_version(path: Path) -> int:
    """Read the version from the main header: 8 bytes checksum, `DUCK`, 8 bytes version."""
    header = path.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    return int.from_bytes(header[12:20], "little")


def _again(published: Path, name: str = "work2") -> Build:
    workdir = published.parent / name
    workdir.mkdir()
    return Build.create(published, workdir)


def _rows(path: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()


def test_tables_are_those_of_the_schema(build: Build) -> None:
    """A new build has every table and column of the schema in order, with types, comments and keys not null."""
    sql = (
        "SELECT column_name, comment, is_nullable FROM duckdb_columns() "
        "WHERE table_name = '{}' AND NOT internal ORDER BY column_index"
    )
    stored = [*(table.stored for table in TABLES.values()), *NUMBER_TABLES.values()]
    for table in (*stored, *TABLES.values()):
        assert _rows(build.path, sql.format(table.name)) == [
            (column.name, column.meaning, table.numbered or column.name not in table.primary_key)
            for column in table.columns
        ]
    assert _rows(build.path, "SELECT count(*) FROM duckdb_tables()") == [(len(stored),)]
    with duckdb.connect(str(build.path)) as connection:
        arrow = {name: connection.sql(f'FROM "{name}"').to_arrow_table().schema for name in TABLES}
    for name, table in TABLES.items():
        assert [field.type for field in table.arrow if not pa.types.is_timestamp(field.type)] == [
            field.type for field in arrow[name] if not pa.types.is_timestamp(field.type)
        ]


def test_a_history_of_an_earlier_version_is_taken_over(published: Path) -> None:
    """A file whose history stands in a table of that name, with its texts, keeps every row; nothing is left of it."""
    again = _again(published)
    with duckdb.connect(str(again.path)) as connection:
        before = content_digest(connection)
        connection.execute("CREATE TABLE texts AS FROM history")
        connection.execute("DROP VIEW history; DROP TABLE history_values; DELETE FROM key_numbers")
        connection.execute("ALTER TABLE texts RENAME TO history")
    again.prepare_tables()
    with duckdb.connect(str(again.path)) as connection:
        assert {**content_digest(connection), "history_sampled": ""} == {**before, "history_sampled": ""}
    assert _rows(again.path, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'history'") == [(0,)]


def test_build_from_the_published_file_keeps_its_rows(published: Path) -> None:
    """A build made from a published warehouse has the same content, and working in it leaves that file alone."""
    before = hashlib.sha256(published.read_bytes()).hexdigest()
    again = _again(published)
    again.prepare_tables()
    with duckdb.connect(str(again.path)) as connection:
        assert content_digest(connection) == content_digest(published)
    again.delete_runs(["runs", "history"], [("acme", "vision", "r1")])
    assert hashlib.sha256(published.read_bytes()).hexdigest() == before
    assert stat.S_IMODE(again.path.stat().st_mode) == 0o600


def test_missing_columns_are_added(published: Path) -> None:
    """A warehouse that lacks a table and a column of the schema gets them, its rows keep what they had."""
    again = _again(published)
    _rows(again.path, "DROP VIEW run_overview; ALTER TABLE runs DROP COLUMN notes; DROP TABLE run_tags")
    again.prepare_tables()
    assert _rows(again.path, "SELECT notes, name FROM runs ORDER BY name") == [
        (None, "amber-lake-1"),
        (None, "blue-moon-2"),
    ]
    assert _rows(again.path, "SELECT count(*) FROM run_tags") == [(0,)]


def test_meanings_that_changed_are_written(published: Path) -> None:
    """Comments of another version, of a table and of a column, are replaced by the schema's."""
    again = _again(published)
    again.prepare_tables()
    comments = "SELECT * FROM (SELECT table_name, column_name, comment FROM duckdb_columns() UNION ALL"
    comments += " SELECT table_name, '', comment FROM duckdb_tables()) ORDER BY ALL"
    meant = _rows(again.path, comments)
    _rows(again.path, "COMMENT ON COLUMN runs.notes IS 'older'; COMMENT ON TABLE run_tags IS NULL")
    assert _rows(again.path, comments) != meant
    again.prepare_tables()
    assert _rows(again.path, comments) == meant


def test_column_of_another_type_is_refused(published: Path) -> None:
    """A column that somebody changed to another type is an error that names it."""
    again = _again(published)
    _rows(again.path, "ALTER TABLE history_values ALTER COLUMN step TYPE VARCHAR")
    with pytest.raises(CorruptStoreError, match=r"history_values\.step is VARCHAR instead of BIGINT"):
        again.prepare_tables()


def test_delete_runs_deletes_these_runs_only(build: Build) -> None:
    """Only the rows of the named runs and tables go; the same run id in another project stays."""
    with duckdb.connect(str(build.path)) as connection:
        connection.execute(
            "CREATE TEMP TABLE incoming AS SELECT * REPLACE ('other' AS project) FROM history WHERE run_id = 'r1'"
        )
        insert_rows(connection, "history")
    build.delete_runs(["history", "run_config"], [("acme", "vision", "r1"), ("acme", "vision", "unknown")])
    assert _rows(build.path, "SELECT project, run_id, count(*) FROM history GROUP BY ALL ORDER BY ALL") == [
        ("other", "r1", 3),
        ("vision", "r2", 1),
    ]
    assert _rows(build.path, "SELECT count(*) FROM run_config") == [(0,)]
    assert _rows(build.path, "SELECT count(*) FROM runs") == [(2,)]


def test_delete_runs_refuses_tables_without_runs(build: Build) -> None:
    """Tables whose rows belong to no run cannot be emptied by run."""
    with pytest.raises(StoreError, match="sync_log, nowhere"):
        build.delete_runs(["history", "sync_log", "nowhere"], [])


def test_refresh_metrics_agrees_with_plain_python(tmp_path: Path, fill: Fill) -> None:
    """Counts, steps, last value and bounds per key are those plain Python finds in the same rows."""
    random.seed(7)
    special = [math.nan, math.inf, -math.inf, 0.0, 1.5, -2.5, 1e300]
    history: list[dict[str, Any]] = []
    for run_id in ("a", "b", "untouched"):
        for key in ("loss", "acc", "mixed", "only-nan"):
            for step in sorted(random.sample(range(50), 12)):
                for seq in range(random.choice([1, 1, 1, 2])):
                    kind = random.choice(["number", "string", "bool", "null"]) if key == "mixed" else "number"
                    number = math.nan if key == "only-nan" else random.choice([*special, random.gauss(0, 1)])
                    value = {"number": number, "bool": 1.0}.get(kind)
                    history.append(
                        {
                            "entity": "e",
                            "project": "p",
                            "run_id": run_id,
                            "key": key,
                            "step": step,
                            "seq": seq,
                        }
                        | {"type": kind, "value": value}
                    )
    random.shuffle(history)
    indexed = [
        {"entity": "e", "project": "p", "run_id": run_id, "key": key, "types": '["number"]', "count": 99}
        for run_id in ("a", "untouched")
        for key in ("loss", "mixed", "never-stored")
    ]
    build = fill(tmp_path / "work", {"history": history, "metrics": indexed})
    build.refresh_metrics([("e", "p", "a"), ("e", "p", "b"), ("e", "p", "gone")])

    expected: dict[tuple[str, str], tuple[Any, ...]] = {
        ("a", "never-stored"): (99, 0, None, None, None, None, None)
    }
    for run_id in ("a", "b"):
        for key in ("loss", "acc", "mixed", "only-nan"):
            mine = sorted(
                (row for row in history if (row["run_id"], row["key"]) == (run_id, key)),
                key=lambda row: (row["step"], row["seq"]),
            )
            numbers = [r["value"] for r in mine if r["type"] == "number" and not math.isnan(r["value"])]
            expected[run_id, key] = (
                99 if run_id == "a" and key in ("loss", "mixed") else None,
                len(mine),
                mine[0]["step"],
                mine[-1]["step"],
                mine[-1]["value"] if mine[-1]["type"] == "number" else None,
                min(numbers, default=None),
                max(numbers, default=None),
            )
    columns = 'run_id, key, "count", stored_count, first_step, last_step, last_value, min_value, max_value'
    found = {(row[0], row[1]): row[2:] for row in _rows(build.path, f"SELECT {columns} FROM metrics")}
    untouched = {key: found.pop(key) for key in list(found) if key[0] == "untouched"}
    assert {key: repr(value) for key, value in found.items()} == {k: repr(v) for k, v in expected.items()}
    assert set(untouched.values()) == {(99, *[None] * 6)}


def test_loader_tables_are_dropped(build: Build) -> None:
    """What the loader leaves for itself goes, the warehouse's own tables stay."""
    _rows(build.path, "CREATE SCHEMA main_staging; CREATE TABLE main_staging.runs (a INT)")
    _rows(build.path, "CREATE TABLE _dlt_loads (a INT); CREATE TABLE _dlt_version (a INT)")
    build.drop_loader_tables()
    found = _rows(build.path, "SELECT schema_name, table_name FROM duckdb_tables()")
    assert set(found) == {("main", table.stored.name) for table in TABLES.values()} | {
        ("main", name) for name in NUMBER_TABLES
    }


def test_ledger_rows_are_replaced_by_key(build: Build) -> None:
    """Writing the ledger replaces the rows of its runs and leaves the others."""
    row = {"entity": "acme", "project": "vision", "run_id": "r2", "state": "ok", "stored_rows": 7}
    new = row | {"run_id": "r3", "state": "quarantined", "error": "it's gone"}
    build.write_ledger(pa.Table.from_pylist([row, new], schema=TABLES["run_ledger"].arrow))
    assert _rows(build.path, "SELECT run_id, state, stored_rows, error FROM run_ledger ORDER BY run_id") == [
        ("r1", "ok", 3, None),
        ("r2", "ok", 7, None),
        ("r3", "quarantined", 7, "it's gone"),
    ]


def test_generations_count_up(published: Path, log_sync: Callable[[Build], int]) -> None:
    """Each published sync is one generation more; the newest is what `last_sync` gives back."""
    for generation in (2, 3):
        again = _again(published, f"work{generation}")
        assert log_sync(again) == generation
        again.publish(published)
    newest = last_sync(published)
    assert newest is not None
    assert (newest.generation, newest.started_at) == (3, datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert newest.projects == [{"entity": "acme", "project": "vision", "cursor": "2026-03-01T12:00:00"}]


def test_publish_leaves_one_private_file(build: Build, tmp_path: Path) -> None:
    """After publishing there is one file of the asked mode, without a log beside it, and no build any more."""
    target = tmp_path / "wandb.duckdb"
    build.publish(target, mode=0o640)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["wandb.duckdb"]


def test_publish_writes_the_old_storage_version(published: Path) -> None:
    """Published files carry the storage version that DuckDB 1.1 reads, also after a second sync."""
    assert _storage_version(published) == OLD_STORAGE
    again = _again(published)
    again.delete_runs(["history"], [("acme", "vision", "r1")])
    again.publish(published)
    assert _storage_version(published) == OLD_STORAGE


def test_publish_through_a_link_keeps_the_link(published: Path) -> None:
    """A symbolic link at the target stays a link, its file is replaced."""
    link = published.with_name("link.duckdb")
    link.symlink_to(published)
    again = _again(link)
    again.delete_runs(["history"], [("acme", "vision", "r1")])
    again.publish(link)
    assert link.is_symlink()
    assert run_query(published, "SELECT count(*) AS n FROM history").to_pylist() == [{"n": 1}]


_READ = """
import sys
from wandb_warehouse.warehouse import open_readonly
connection = open_readonly(sys.argv[1])
for _ in sys.stdin:
    print(connection.execute("SELECT count(*) FROM history").fetchall()[0][0], flush=True)
"""


def test_publish_while_readers_hold_the_old_file(published: Path) -> None:
    """A reader keeps the old rows while and after a sync publishes; new readers see the new ones at once."""
    other = subprocess.Popen(
        [sys.executable, "-c", _READ, str(published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None
    assert other.stdout is not None

    def ask() -> str:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("\n")
        other.stdin.flush()
        return other.stdout.readline()

    own = open_readonly(published)
    try:
        assert ask() == "4\n"
        again = _again(published)
        again.delete_runs(["history"], [("acme", "vision", "r1")])
        again.publish(published)
        assert ask() == "4\n"
        assert own.execute("SELECT count(*) FROM history").fetchall() == [(4,)]
        assert run_query(published, "SELECT count(*) AS n FROM history").to_pylist() == [{"n": 1}]
    finally:
        own.close()
        other.kill()
        other.communicate()


def test_rows_in_the_log_of_a_foreign_writer_are_kept(published: Path) -> None:
    """What another program committed to the published file but left in its log is in the build and then published."""
    script = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]);"
        "c.execute(\"INSERT INTO run_tags VALUES ('acme', 'vision', 'r1', 'by hand', 0)\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(published)], check=True)
    wal = published.with_name(f"{published.name}.wal")
    assert wal.exists()
    _again(published).publish(published)
    assert not wal.exists()
    assert run_query(published, "SELECT tag FROM run_tags ORDER BY tag").to_pylist() == [
        {"tag": "a"},
        {"tag": "by hand"},
    ]


def test_open_writer_is_named(published: Path, foreign_writer: int) -> None:
    """While another program has the published file open for writing no build is made of it."""
    with pytest.raises(BusyError, match=rf"pid {foreign_writer}\b"):
        _again(published)


_FULL = """
import resource, sys
from pathlib import Path
from wandb_warehouse.errors import StoreError
from wandb_warehouse.warehouse import Build
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    build = Build.create(Path(sys.argv[1]), Path(sys.argv[1]).parent / "work2")
    for n in range(40):
        build.write_sync_log(started_at=None, finished_at=None, package_version="x" * 1_000_000, projects=n, report={})
    build.publish(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [100_000, 6_000_000])
def test_full_disk_leaves_the_published_file(published: Path, room: int) -> None:
    """When the disk fills up while copying or writing, one line names the build and the old file stays."""
    before = hashlib.sha256(published.read_bytes()).hexdigest()
    (published.parent / "work2").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(published), str(room)], capture_output=True, text=True, check=True
    )
    assert str(published.parent / "work2" / "build.duckdb") in done.stdout
    assert done.stdout.count("\n") == 1
    assert hashlib.sha256(published.read_bytes()).hexdigest() == before


def test_corrupt_published_file_is_refused(published: Path) -> None:
    """No build is made of a damaged file, and the file is not touched."""
    os.truncate(published, 12_288)
    with pytest.raises(CorruptStoreError, match=r"wandb\.duckdb"):
        _again(published)
    assert published.stat().st_size == 12_288
