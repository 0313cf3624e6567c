"""Queries: reading statements run, everything else is refused, wrong ones say where."""

import contextlib
import time
from pathlib import Path

import pyarrow as pa
import pytest

from wandb_warehouse.errors import QueryError
from wandb_warehouse.warehouse import run_query, stream_query

_READING = {
    "SELECT run_id FROM runs ORDER BY run_id": [{"run_id": "r1"}, {"run_id": "r2"}],
    "select 1 as a; -- one statement": [{"a": 1}],
    "WITH a AS (SELECT 2 AS b) SELECT b FROM a": [{"b": 2}],
    "FROM run_tags SELECT tag": [{"tag": "a"}],
    "VALUES (1), (2)": [{"col0": 1}, {"col0": 2}],
    "PIVOT (SELECT key, value FROM history WHERE run_id = 'r2') ON key USING sum(value)": [{"acc": 0.5}],
    "SELECT name FROM run_overview ORDER BY name": [{"name": "amber-lake-1"}, {"name": "blue-moon-2"}],
    "SELECT step, value FROM run_curves('acc')": [{"step": 0, "value": 0.5}],
}


@pytest.mark.parametrize("sql", _READING)
def test_reading_statements_run(sql: str, published: Path) -> None:
    """Every form of a reading statement gives its rows, with bare table, view and macro names."""
    assert run_query(published, sql).to_pylist() == _READING[sql]


@pytest.mark.parametrize(
    "sql",
    ["DESCRIBE history", "SHOW TABLES", "SUMMARIZE runs", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1"],
)
def test_describing_statements_run(sql: str, published: Path) -> None:
    """Statements that describe give rows too."""
    assert run_query(published, sql).num_rows > 0


def test_times_are_utc(published: Path) -> None:
    """Times come as UTC whatever the machine's zone is."""
    table = run_query(
        published, "SELECT heartbeat_at, heartbeat_at::VARCHAR AS t FROM runs WHERE run_id = 'r1'"
    )
    assert table.schema.field("heartbeat_at").type == pa.timestamp("us", tz="UTC")
    assert table["t"].to_pylist() == ["2026-03-01 12:00:00+00"]


_HOSTILE = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_json('{dir}/secret.json')",
    "SELECT * FROM '{dir}/secret.csv'",
    "SELECT * FROM read_parquet('https://example.invalid/x.parquet')",
    "SELECT * FROM glob('{dir}/*')",
    "SELECT * FROM sniff_csv('{dir}/secret.csv')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "WITH a AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM a",
    "EXPLAIN ANALYZE COPY runs TO '{dir}/out.csv'",
    "EXPLAIN ANALYZE DELETE FROM runs",
    "COPY runs TO '{dir}/out.csv'",
    "COPY runs FROM '{dir}/secret.csv'",
    "EXPORT DATABASE '{dir}/out'",
    "IMPORT DATABASE '{dir}'",
    "COPY FROM DATABASE warehouse TO memory",
    "ATTACH '{dir}/out.duckdb'",
    "DETACH warehouse",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET enable_external_access",
    "PRAGMA memory_limit='1GB'",
    "PRAGMA enable_profiling",
    "CALL enable_logging(storage = 'file', storage_path = '{dir}/out')",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET 's')",
    "SELECT * FROM duckdb_secrets()",
    "INSERT INTO runs BY NAME SELECT 'a' AS entity",
    "UPDATE runs SET name = 'x'",
    "DELETE FROM runs",
    "TRUNCATE runs",
    "DROP TABLE runs",
    "ALTER TABLE runs ADD COLUMN x INT",
    "COMMENT ON TABLE runs IS 'x'",
    "MERGE INTO runs USING run_tags ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM runs RETURNING *) SELECT * FROM gone",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "PREPARE p AS SELECT 1",
    "SET VARIABLE a = 1",
    "SELECT 1; DROP TABLE runs",
    "SELECT 1; SELECT 2",
    "CREATE TEMP TABLE x AS SELECT 1; SELECT 2",
    "SELECT getenv('HOME')",
    "FROM '/etc/passwd'",
    "SELECT * FROM parquet_metadata('{dir}/x.parquet')",
    "SELECT * FROM parquet_kv_metadata('{dir}/x.parquet')",
    "SELECT * FROM parquet_schema('{dir}/x.parquet')",
    "SELECT * FROM read_duckdb('{dir}/out.duckdb')",
    "SELECT * FROM read_ndjson('{dir}/secret.json')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{dir}/secret.csv'')'))",
    "SELECT * FROM query_table(['{dir}/secret.csv'])",
    "SELECT * FROM register_external_resource('x', '{dir}/secret.csv')",
    "ATTACH 'https://example.invalid/x.duckdb' AS x",
    "ATTACH '{dir}/secret.csv' AS x (TYPE sqlite)",
    "SELECT * FROM 's3://example/x.parquet'",
    "SET secret_directory = '{dir}'",
    "SET temp_directory = '{dir}/out'",
    "SET GLOBAL memory_limit = '1TB'",
    "PRAGMA database_list; COPY runs TO '{dir}/out.csv'",
    "PREPARE p AS COPY runs TO '{dir}/out.csv'",
    "EXECUTE p",
    "CALL pragma_version()",
    "CREATE MACRO m() AS TABLE FROM read_text('/etc/passwd')",
    "CREATE VIEW v AS SELECT 1",
    "FORCE INSTALL spatial FROM community",
    "UPDATE EXTENSIONS",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY runs TO PROGRAM 'cat'",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("sql", _HOSTILE)
def test_hostile_statements_are_refused(sql: str, published: Path) -> None:
    """No statement reads or writes files, reaches the network, changes settings or the warehouse."""
    folder = published.parent
    (folder / "secret.csv").write_text("secret\n1\n")
    (folder / "secret.json").write_text('{"secret": 1}')
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(QueryError) as caught:
        run_query(published, sql.format(dir=folder), timeout=20)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("rest", ["", ", runs, history, range(100000)"])
def test_logging_reaches_no_file(rest: str, published: Path) -> None:
    """DuckDB 1.5 lets a SELECT switch on the log of its own instance (2.0 refuses); it cannot reach a file."""
    before = {path: path.read_bytes() for path in published.parent.iterdir()}
    log = published.parent / "out"
    sql = f"SELECT * FROM enable_logging(level = 'trace', storage = 'file', storage_path = '{log}'){rest}"
    with contextlib.suppress(QueryError):
        run_query(published, sql)
    assert {path: path.read_bytes() for path in published.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("select 1 fro m x y", "line 1, column 14"),
        ("select\n  nope\nfrom runs", "line 2, column 3"),
        ("select '" + "x" * 300 + "', nope from runs", "line 1, column 312"),
    ],
)
def test_errors_say_where(sql: str, place: str, published: Path) -> None:
    """A wrong statement gives one line with the place, counted from 1, also in long lines."""
    with pytest.raises(QueryError) as caught:
        run_query(published, sql)
    assert place in str(caught.value)
    assert "^" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE hash(a.range + b.range) % 7 = 3",
        "SELECT a.range FROM range(3000000) a, range(3000000) b WHERE hash(a.range + b.range) % 1000003 = 3",
    ],
)
def test_timeout_stops_a_statement(sql: str, published: Path) -> None:
    """A statement that runs away is interrupted, whether it has given rows by then or not."""
    begun = time.monotonic()
    with pytest.raises(QueryError, match=r"stopped after 0\.3 s"):
        run_query(published, sql, timeout=0.3)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("limit", "rows", "truncated"), [(0, 0, True), (3, 3, True), (4, 4, False), (None, 4, False)]
)
def test_limit_cuts_and_says_so(limit: int | None, rows: int, truncated: bool, published: Path) -> None:
    """A limit cuts the rows, and the answer says whether there were more."""
    with stream_query(published, "SELECT * FROM history", limit=limit) as answer:
        assert sum(batch.num_rows for batch in answer.batches) == rows
        assert answer.truncated is truncated


def test_rows_stream(published: Path) -> None:
    """Rows come in batches: the first of a trillion is there at once."""
    with stream_query(published, "SELECT range AS n FROM range(1000000000000)") as answer:
        assert answer.schema.names == ["n"]
        assert next(answer.batches)["n"][:3].to_pylist() == [0, 1, 2]


def test_failure_of_the_caller_passes_through(published: Path) -> None:
    """What the caller raises while reading rows stays what it is."""
    with pytest.raises(ZeroDivisionError), stream_query(published, "SELECT 1", timeout=60):
        raise ZeroDivisionError


def test_no_table_function_reads_a_file(published: Path) -> None:
    """Whatever the engine of today calls them: none of its table functions gives a file beside the warehouse."""
    secret = published.parent / "secret.txt"
    secret.write_text("open sesame\n")
    before = {path: path.read_bytes() for path in published.parent.iterdir()}
    names = run_query(
        published, "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'table'"
    )["function_name"].to_pylist()
    assert len(names) > 80
    assert {"read_text", "read_csv", "glob"} <= set(names)
    for name in names:
        for arguments in (f"'{secret}'", f"['{secret}']"):
            with contextlib.suppress(QueryError):
                found = run_query(published, f'SELECT * FROM "{name}"({arguments})', limit=20, timeout=5)
                assert "sesame" not in str(found.to_pylist()), name
    assert {path: path.read_bytes() for path in published.parent.iterdir()} == before
