"""A lake holds what was published into it, whole, whoever reads it and wherever a sync was killed."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from lengths import examples
from support import plain_reader
from wandb_warehouse.errors import BusyError, ConfigError, CorruptStoreError, QueryError, StoreError
from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import (
    Build,
    WarehouseLock,
    content_digest,
    last_sync,
    open_store,
    run_query,
    status,
    stored_runs,
)
from wandb_warehouse.warehouse.lake import reading, segments
from wandb_warehouse.warehouse.lake.lake import Lake
from wandb_warehouse.warehouse.lake.storage import LocalStorage, RemoteStorage, shown

Run = tuple[str, str, str]
Rows = dict[str, list[dict[str, Any]]]
LogSync = Callable[[Build], int]

SMALL, LARGE = 60, 200
"""Rows below which a segment is given up, and about which it is full, in these tests."""


@pytest.fixture(autouse=True)
def little_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of few rows, so that there are several."""
    monkeypatch.setattr(segments, "SMALL_ROWS", SMALL)
    monkeypatch.setattr(segments, "SEGMENT_ROWS", LARGE)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a lake may be made."""
    return tmp_path / "lake"


class Writer:
    """Publishes histories: what each run holds, replaced as a whole."""

    def __init__(
        self, root: Path, work: Path, log_sync: LogSync, insert: Callable[[Path, Rows], None]
    ) -> None:
        self.root = root
        self.held: dict[str, list[tuple[str, int, float]]] = {}
        self._work = work
        self._log_sync = log_sync
        self._insert = insert
        self._number = 0

    def lake(self) -> Lake:
        """The lake as a sync opens it."""
        return Lake(LocalStorage(self.root))

    def publish(self, histories: dict[str, list[tuple[str, int, float]]], lake: Lake | None = None) -> None:
        """Give each named run these values (key, step, value), all others keep theirs."""
        lake = lake or self.lake()
        self._number += 1
        work = self._work / f"work{self._number}"
        work.mkdir(parents=True)
        keys: list[Run] = [("acme", "vision", run) for run in histories]
        with lake.lock():
            lake.mend(work)
            build = lake.begin(work, keys, {})
            build.delete_runs(["history", "runs"], keys)
            common = {"entity": "acme", "project": "vision"}
            rows: Rows = {
                "runs": [{**common, "run_id": run, "config": '{"n": [1, null]}'} for run in histories],
                "history": [
                    {
                        **common,
                        "run_id": run,
                        "key": key,
                        "step": step,
                        "seq": 0,
                        "type": "number",
                        "value": value,
                    }
                    for run, values in histories.items()
                    for key, step, value in values
                ],
            }
            self._insert(build.path, {name: content for name, content in rows.items() if content})
            self._log_sync(build)
            lake.publish(build)
        self.held.update(histories)

    def expected(self) -> list[tuple[str, str, int, float]]:
        """What the lake must hold."""
        return sorted((run, *value) for run, values in self.held.items() for value in values)


@pytest.fixture
def writer(root: Path, tmp_path: Path, log_sync: LogSync, insert: Callable[[Path, Rows], None]) -> Writer:
    """A writer into a new lake."""
    return Writer(root, tmp_path / "works", log_sync, insert)


def values(count: int, seed: int = 0) -> list[tuple[str, int, float]]:
    """Values of two metrics, some of them steps of one, in all `count`."""
    rng = random.Random(seed)
    return [(f"m/{number % 2}", number // 2, rng.random()) for number in range(count)]


def manifest_of(root: Path) -> dict[str, Any]:
    """The manifest as anybody reads it."""
    found: dict[str, Any] = json.loads((root / "manifest.json").read_text())
    return found


def paths(root: Path, table: str) -> list[str]:
    """Files of a table by the manifest."""
    return [file["path"] for file in manifest_of(root)["tables"][table]["files"]]


def by_manifest(root: Path) -> list[tuple[str, str, int, float]]:
    """The history as pyarrow reads the files that the manifest names."""
    rows = [row for path in paths(root, "history") for row in pq.read_table(root / path).to_pylist()]
    return sorted((row["run_id"], row["key"], row["step"], row["value"]) for row in rows)


def by_views(root: Path) -> list[tuple[str, str, int, float]]:
    """The history as DuckDB alone reads it through the views."""
    with plain_reader(root) as reader:
        return sorted(reader.execute("SELECT run_id, key, step, value FROM history").fetchall())


def by_us(root: Path) -> list[tuple[str, str, int, float]]:
    """The history as our own queries read it."""
    rows = run_query(root, "SELECT run_id, key, step, value FROM history").to_pylist()
    return sorted(tuple(row.values()) for row in rows)


def data_files(root: Path) -> set[str]:
    """Every parquet file that lies in the lake."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*.parquet")}


def named(root: Path) -> set[str]:
    """Every parquet file that the manifest names."""
    found = manifest_of(root)
    return {found["segment_runs"]["path"], *(file for table in TABLES for file in paths(root, table))}


@pytest.mark.parametrize("seed", range(examples(1)))
def test_what_is_published_is_what_is_read(writer: Writer, root: Path, seed: int) -> None:
    """Runs grow, shrink, vanish and come back: after every sync three readers see just them, each run in one file."""
    rng = random.Random(seed)
    writer.publish({f"r{n}": values(rng.randrange(80), n) for n in range(12)})
    for step in range(5):
        chosen = rng.sample(range(15), rng.randrange(1, 4))
        writer.publish({f"r{n}": values(rng.choice([0, 3, 50, 150, 500]), 100 * step + n) for n in chosen})
        assert by_manifest(root) == by_views(root) == by_us(root) == writer.expected()
        homes = [
            (run, path)
            for path in paths(root, "history")
            for run in set(pq.read_table(root / path, columns=["run_id"])["run_id"].to_pylist())
        ]
        assert len({run for run, _ in homes}) == len(homes)
        found = manifest_of(root)
        for table in found["tables"].values():
            for file in table["files"]:
                assert pq.read_metadata(root / file["path"]).num_rows == file["rows"]
                assert (root / file["path"]).stat().st_size == file["bytes"]
    few = [file for file in manifest_of(root)["tables"]["history"]["files"] if file["rows"] < SMALL]
    assert len(few) <= 1


def test_what_did_not_change_is_not_written(writer: Writer, root: Path) -> None:
    """Of large segments only the one that a changed run leaves is written again, of tables only those that changed."""
    writer.publish({f"r{n}": values(100, n) for n in range(8)})
    before = {table: paths(root, table) for table in TABLES}
    assert len(before["history"]) == 4
    writer.publish({"r7": values(100, 70)})
    after = {table: paths(root, table) for table in TABLES}
    assert len(set(before["history"]) & set(after["history"])) == 3
    assert {table for table in TABLES if before[table] != after[table]} == {"history", "sync_log"}


def test_a_run_that_goes_on_moves_nothing_else(writer: Writer, root: Path) -> None:
    """The second sync that touches a run writes its own small segment alone."""
    writer.publish({f"r{n}": values(100, n) for n in range(8)})
    writer.publish({"r0": values(20)})
    before = set(paths(root, "history"))
    writer.publish({"r0": values(30)})
    after = set(paths(root, "history"))
    assert (len(before - after), len(after - before)) == (1, 1)


def test_rows_of_a_segment_are_ordered_by_metric(writer: Writer, root: Path) -> None:
    """A file is ordered by key, run and step, so that one metric is read by itself."""
    writer.publish({f"r{n}": values(20, n) for n in range(3)})
    (path,) = paths(root, "history")
    rows = pq.read_table(root / path).to_pylist()
    places = [(row["key"], row["run_id"], row["step"]) for row in rows]
    assert places == sorted(places)


def test_readers_of_the_generation_before_finish(writer: Writer, root: Path) -> None:
    """Files of one generation back stay; those of two back are removed, and nothing else is."""
    writer.publish({"r": values(5)})
    first = {file for table in TABLES for file in paths(root, table)}
    (root / "history" / "notes.parquet").write_text("somebody's own")
    with plain_reader(root) as reader:
        reader.execute("SELECT 1")
        writer.publish({"r": values(6)})
        assert first <= data_files(root)
        assert len(reader.execute("FROM history").fetchall()) == 5
    second = {file for table in TABLES for file in paths(root, table)}
    writer.publish({"r": values(7)})
    assert second <= data_files(root)
    assert not (first - second) & data_files(root)
    assert (root / "history" / "notes.parquet").exists()


class _Killed(BaseException):
    pass


class Mortal(LocalStorage):
    """A directory whose writer dies before its n-th step."""

    def __init__(self, root: Path, steps: int) -> None:
        super().__init__(root)
        self.left = steps

    def _step(self) -> None:
        if self.left == 0:
            raise _Killed
        self.left -= 1

    def add(self, source: Path, path: str) -> None:
        """As in a directory that stays."""
        self._step()
        super().add(source, path)

    def replace(self, source: Path, path: str) -> None:
        """As in a directory that stays."""
        self._step()
        super().add(source, path)

    def remove(self, path: str) -> None:
        """As in a directory that stays."""
        self._step()
        super().remove(path)


def test_a_sync_killed_anywhere_leaves_a_whole_generation(writer: Writer, root: Path) -> None:
    """Before the manifest everybody reads the old one, after it the new one; the next sync mends what is left."""
    writer.publish({"a": values(30), "b": values(20)})
    survived = False
    steps = 0
    while not survived:
        old, number = writer.expected(), manifest_of(root)["generation"]
        histories = {"b": values(25 + steps, steps)}
        try:
            writer.publish(histories, Lake(Mortal(root, steps)))
            survived = True
        except _Killed:
            if manifest_of(root)["generation"] > number:
                writer.held.update(histories)
        assert by_manifest(root) == by_us(root) == writer.expected()
        assert by_views(root) in (old, writer.expected())
        before = named(root)
        writer.publish({"a": values(30, steps)})
        assert by_manifest(root) == by_us(root) == by_views(root) == writer.expected()
        assert data_files(root) == before | named(root)
        steps += 1
    assert steps >= 7  # files of some tables, the runs of the segments, the manifest, the views, the clearing


def test_a_first_sync_that_was_killed_leaves_no_lake(writer: Writer, root: Path) -> None:
    """Without a manifest there is no lake; the next sync makes one in the same directory."""
    with pytest.raises(_Killed):
        writer.publish({"a": values(3)}, Lake(Mortal(root, 4)))
    assert last_sync(root) is None
    with pytest.raises(StoreError):
        run_query(root, "SELECT 1")
    writer.publish({"a": values(3)})
    assert by_us(root) == writer.expected()


@pytest.mark.parametrize("damage", ["missing", "no database", "old"])
def test_views_are_mended(writer: Writer, root: Path, tmp_path: Path, damage: str) -> None:
    """Views that are missing, damaged or of another generation are made anew by the next sync, even a still one."""
    writer.publish({"a": values(3)})
    old = (root / "views.duckdb").read_bytes()
    writer.publish({"a": values(4)})
    (root / "views.duckdb").unlink()
    if damage != "missing":
        (root / "views.duckdb").write_bytes(old if damage == "old" else b"no database")
    writer.lake().mend(tmp_path)
    assert by_views(root) == writer.expected()
    mended = (root / "views.duckdb").stat().st_ino
    writer.lake().mend(tmp_path)
    assert (root / "views.duckdb").stat().st_ino == mended


def test_a_table_and_a_column_may_come_later(writer: Writer, root: Path) -> None:
    """A lake without a table or a column of today is read with nulls; the next sync writes it whole."""
    writer.publish({"a": values(100), "b": values(100)})
    found = manifest_of(root)
    del found["tables"]["reports"]
    table = found["tables"]["history"]
    del table["columns"]["value_json"]
    for file in table["files"]:
        pq.write_table(pq.read_table(root / file["path"]).drop_columns(["value_json"]), root / file["path"])
    (root / "manifest.json").write_text(json.dumps(found))
    assert by_us(root) == writer.expected()
    assert run_query(root, "SELECT count(*) n FROM reports").to_pylist() == [{"n": 0}]
    writer.publish({"c": values(5)})
    assert by_manifest(root) == by_us(root) == by_views(root) == writer.expected()
    for path in paths(root, "history"):
        assert "value_json" in pq.read_schema(root / path).names
    assert set(manifest_of(root)["tables"]) == set(TABLES)


def _change(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = manifest_of(root)
    change(found)
    (root / "manifest.json").write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda m: m.update(format=99), StoreError, "format 99"),
        (lambda m: m.update(schema_version=99), StoreError, "schema version 99"),
        (lambda m: m.pop("tables"), CorruptStoreError, "no manifest"),
        (
            lambda m: m["tables"]["history"]["files"][0].update(path="history/gone.parquet"),
            CorruptStoreError,
            "gone",
        ),
    ],
)
def test_what_cannot_be_read_is_named(
    writer: Writer, root: Path, change: Callable[[dict[str, Any]], object], error: type[StoreError], says: str
) -> None:
    """A newer format, a damaged manifest and a missing file are told in one line."""
    writer.publish({"a": values(3)})
    _change(root, change)
    with pytest.raises(error, match=says) as caught:
        by_us(root)
    assert "\n" not in str(caught.value)


def test_a_column_of_another_kind_is_refused(writer: Writer, root: Path) -> None:
    """No value is cast silently."""
    writer.publish({"a": values(3)})
    _change(root, lambda m: m["tables"]["history"]["columns"].update(step="text"))
    with pytest.raises(CorruptStoreError, match=r"history\.step"):
        writer.publish({"a": values(4)})


def test_a_reader_reaches_the_files_of_the_lake_only(writer: Writer, root: Path, tmp_path: Path) -> None:
    """SQL of unknown origin reads no other file, not even one that lies in the lake."""
    writer.publish({"a": values(3)})
    (root / "other.csv").write_text("x\n1\n")
    for sql in (
        f"SELECT * FROM read_csv('{root}/other.csv')",
        f"SELECT * FROM read_text('{root}/manifest.json')",
        "SELECT * FROM read_text('/etc/hostname')",
        f"COPY (SELECT 1) TO '{root}/evil.csv'",
        f"ATTACH '{root}/evil.duckdb'",
    ):
        with pytest.raises(QueryError):
            run_query(root, sql)
    assert run_query(root, "SELECT count(*) n FROM run_overview").to_pylist() == [{"n": 1}]


def test_columns_have_the_types_of_the_duckdb_file(writer: Writer, root: Path, published: Path) -> None:
    """A query sees the same columns and types over either; in the files JSON is text, which every reader knows."""
    writer.publish({"a": values(3)})
    sql = " UNION ALL ".join(
        f"SELECT '{table}' AS of_table, column_name, column_type FROM (DESCRIBE \"{table}\")"
        for table in TABLES
    )
    found = run_query(root, sql)
    assert set(found["of_table"].to_pylist()) == set(TABLES)
    assert found == run_query(published, sql)
    (path,) = paths(root, "runs")
    assert str(pq.read_schema(root / path).field("config").type) == "string"
    assert pq.read_table(root / path)["config"].to_pylist() == ['{"n": [1, null]}']


def test_the_directory_may_be_moved(writer: Writer, root: Path) -> None:
    """Nothing in a lake names the place where it lies."""
    writer.publish({"a": values(3)})
    moved = root.rename(root.with_name("elsewhere"))
    assert by_us(moved) == by_views(moved) == writer.expected()


def test_names_that_need_quotes(
    tmp_path: Path, log_sync: LogSync, insert: Callable[[Path, Rows], None]
) -> None:
    """A directory may have quotes, spaces and equal signs in its name; one that reads as a pattern is refused."""
    odd = Writer(tmp_path / "it's a=b lake ü$x", tmp_path / "works", log_sync, insert)
    odd.publish({"o'r": values(3)})
    odd.publish({"o'r": values(4)})
    assert by_us(odd.root) == by_views(odd.root) == by_manifest(odd.root) == odd.expected()
    with pytest.raises(ConfigError, match="another directory"):
        Writer(tmp_path / "la*ke", tmp_path / "more", log_sync, insert).publish({"r": values(3)})


def test_status_and_digest(writer: Writer, root: Path, tmp_path: Path) -> None:
    """A lake's status counts its rows and bytes; its digest moves with its content."""
    assert stored_runs(root).num_rows == 0
    writer.publish({"a": values(3), "b": values(2)})
    found = status(root)
    assert (found.tables["history"], found.tables["runs"], found.generation) == (5, 2, 1)
    assert found.size == sum((root / path).stat().st_size for path in data_files(root))
    digest = content_digest(root)
    writer.publish({"b": values(2)})
    assert content_digest(root) == digest
    writer.publish({"b": values(2, 9)})
    moved = content_digest(root)
    assert {name for name in digest if moved[name] != digest[name]} == {"history"}


@pytest.fixture
def remote(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address in fsspec's store in memory."""
    import fsspec  # noqa: PLC0415 - only here

    address = f"memory://bucket/{abs(hash(request.node.name))}"
    yield address
    fsspec.filesystem("memory").store.clear()


def _publish_remotely(
    address: str, work: Path, log_sync: LogSync, insert: Callable[[Path, Rows], None]
) -> Lake:
    work.mkdir()
    lake = open_store(address)
    assert isinstance(lake, Lake)
    build = lake.begin(work, [("acme", "vision", "r")], {})
    insert(build.path, {"runs": [{"entity": "acme", "project": "vision", "run_id": "r"}]})
    log_sync(build)
    lake.publish(build)
    return lake


def test_two_machines_do_not_overwrite_each_other(
    remote: str, tmp_path: Path, log_sync: LogSync, insert: Callable[[Path, Rows], None]
) -> None:
    """A sync of a lake elsewhere that finds another one published meanwhile publishes nothing."""
    mine, work = open_store(remote), tmp_path / "mine"
    work.mkdir()
    build = mine.begin(work, [], {})
    log_sync(build)
    _publish_remotely(remote, tmp_path / "other", log_sync, insert)
    digest = content_digest(remote)
    with pytest.raises(BusyError, match="meanwhile"):
        mine.publish(build)
    assert content_digest(remote) == digest
    assert last_sync(remote) is not None


def test_a_store_that_fails_is_told_without_its_words(tmp_path: Path) -> None:
    """What a store says may hold signed addresses: its kind of error is told alone."""

    class Failing:
        def cat_file(self, _path: str) -> bytes:
            message = "https://signed.example/?X-Amz-Signature=hidden"
            raise PermissionError(message)

    with pytest.raises(StoreError, match="PermissionError") as caught:
        reading.read_manifest(RemoteStorage("s3://bucket/lake", Failing(), "bucket/lake"))
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_credentials_of_an_address_are_not_shown() -> None:
    """User, password and query of an address stay out of reports and messages."""
    assert shown("s3://key:hidden@bucket/lake?token=hidden") == "s3://bucket/lake"
    assert shown(Path("lake")) == "lake"


def test_destination_and_place_must_agree(
    tmp_path: Path, published: Path, writer: Writer, root: Path
) -> None:
    """A lake is not overwritten by a file, nor a file by a lake, nor somebody's directory by either."""
    writer.publish({"a": values(3)})
    for place in (root, "memory://bucket/lake"):
        with pytest.raises(ConfigError, match="no path of a DuckDB file"):
            open_store(place, "duckdb")
    with pytest.raises(ConfigError, match="a lake is a directory"):
        open_store(published, "filesystem")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match=r"thesis\.tex"):
        open_store(tmp_path / "mine", "filesystem").lock()
    with pytest.raises(StoreError, match="not a file"):
        open_store(tmp_path / "mine")
    assert isinstance(open_store(f"file://{root}"), Lake)
    assert content_digest(f"file://{root}") == content_digest(root)


def test_one_sync_at_a_time(writer: Writer, root: Path) -> None:
    """The lock of a lake lies in its directory."""
    writer.publish({"a": values(3)})
    with writer.lake().lock(), pytest.raises(BusyError, match="lake"):
        writer.publish({"a": values(4)})
    assert WarehouseLock(root, root / ".lock").path.exists()


def test_old_readers_open_the_views(writer: Writer, root: Path) -> None:
    """The views are written in the oldest storage, which DuckDB from 1.1 on opens."""
    writer.publish({"a": values(3)})
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{root}/views.duckdb' AS views (READ_ONLY)")
        tags = connection.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'views'"
        ).fetchall()
    assert "v1.0.0" in str(tags)
