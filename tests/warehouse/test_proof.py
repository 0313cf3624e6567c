"""The proof: silent on what is right, and it names every kind of wrong."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_warehouse.errors import StoreError
from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import EXPECTATIONS, Build, insert_rows
from wandb_warehouse.warehouse.proof import register_runs, statement

Rows = dict[str, list[dict[str, Any]]]

R1 = ("acme", "vision", "r1")
R2 = ("acme", "vision", "r2")

BESIDE = ("system_metrics", "run_artifacts", "files", "run_metadata", "console_logs")

# Counted by hand in conftest.ROWS.
COUNTS = {
    R1: {
        "runs": 1,
        "run_config": 1,
        "run_summary": 1,
        "run_tags": 0,
        "metrics": 1,
        "history": 3,
        "history_sampled": 1,
        **dict.fromkeys(BESIDE, 1),
        "run_ledger": 1,
    },
    R2: {
        "runs": 1,
        "run_config": 0,
        "run_summary": 0,
        "run_tags": 1,
        "metrics": 0,
        "history": 1,
        "history_sampled": 0,
        **dict.fromkeys(BESIDE, 0),
        "run_ledger": 1,
    },
}


def _expected(counts: Iterable[tuple[tuple[str, str, str], str, int]]) -> pa.Table:
    rows = [(*run, table, count) for run, table, count in counts]
    return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 5, schema=EXPECTATIONS)


EXPECTED = _expected((run, table, count) for run, counts in COUNTS.items() for table, count in counts.items())


_OF = "run_number = (SELECT run_number FROM run_numbers WHERE run_id = '{}')"
"""Rows of a run in a table whose rows are numbered."""


def test_counts_name_every_per_run_table() -> None:
    """The expectations of these tests leave no per-run table out."""
    assert set(COUNTS[R1]) == {table.name for table in TABLES.values() if table.per_run}


def test_right_build_has_no_differences(build: Build) -> None:
    """A build that holds what was sent is proven."""
    assert build.prove(EXPECTED, [R1, R2]) == []


@pytest.mark.parametrize("table", [t.name for t in TABLES.values() if t.per_run])
def test_row_stored_twice_is_found(build: Build, table: str) -> None:
    """A row that was loaded twice shows as a primary key stored twice, in every per-run table."""
    run_id = "r2" if table == "run_tags" else "r1"
    where = _OF.format(run_id) if TABLES[table].numbered else f"run_id = '{run_id}'"
    stored = TABLES[table].stored.name
    with duckdb.connect(str(build.path)) as connection:
        connection.execute(f"INSERT INTO {stored} SELECT * FROM {stored} WHERE {where} LIMIT 1")
    found = {(d.check, d.table, d.run_id) for d in build.prove(EXPECTED, [R1, R2])}
    assert {("duplicate_keys", table, run_id), ("wrong_counts", table, run_id)} <= found


_WRONG = {
    "name of a run lost": (
        "DELETE FROM run_numbers WHERE run_id = 'r2'",
        {
            ("wrong_counts", "history", "r2", "rows stored: 0, expected: 1"),
            (
                "wrong_ledger",
                "run_ledger",
                "r2",
                "ledger says 1 values, 1 keys, last step 0; history holds 0, 0, -1",
            ),
        },
    ),
    "name of a key lost": (
        "DELETE FROM key_numbers WHERE key = 'acc'",
        {
            ("wrong_counts", "history", "r2", "rows stored: 0, expected: 1"),
            ("orphans", "history", "r2", "rows of keys without a name: 1"),
        },
    ),
    "number of a run that stands for two": (
        "INSERT INTO run_numbers SELECT run_number, entity, project, 'r1' FROM run_numbers WHERE run_id = 'r2'",
        {
            ("wrong_counts", "history", "r1", "rows stored: 4, expected: 3"),
            (
                "wrong_ledger",
                "run_ledger",
                "r1",
                "ledger says 3 values, 1 keys, last step 2; history holds 4, 2, 2",
            ),
        },
    ),
    "row lost": (
        f"DELETE FROM history_values WHERE {_OF.format('r1')} AND step = 1",
        {
            ("wrong_counts", "history", "r1", "rows stored: 2, expected: 3"),
            (
                "wrong_ledger",
                "run_ledger",
                "r1",
                "ledger says 3 values, 1 keys, last step 2; history holds 2, 1, 2",
            ),
        },
    ),
    "all rows of a table lost": (
        "DELETE FROM run_config",
        {("wrong_counts", "run_config", "r1", "rows stored: 0, expected: 1")},
    ),
    "row too many": (
        "INSERT INTO run_tags VALUES ('acme', 'vision', 'r1', 'b', 0)",
        {("wrong_counts", "run_tags", "r1", "rows stored: 1, expected: 0")},
    ),
    "run lost": (
        "DELETE FROM runs WHERE run_id = 'r2'",
        {
            ("wrong_counts", "runs", "r2", "rows stored: 0, expected: 1"),
            ("orphans", "run_tags", "r2", "rows of a run that is not in runs: 1"),
            ("orphans", "history", "r2", "rows of a run that is not in runs: 1"),
            ("orphans", "run_ledger", "r2", "rows of a run that is not in runs: 1"),
        },
    ),
    "ledger row lost": (
        "DELETE FROM run_ledger WHERE run_id = 'r1'",
        {
            ("wrong_counts", "run_ledger", "r1", "rows stored: 0, expected: 1"),
            ("wrong_ledger", "run_ledger", "r1", "no ledger row"),
        },
    ),
    "step moved": (
        f"UPDATE history_values SET step = 9 WHERE {_OF.format('r2')}",
        {
            (
                "wrong_ledger",
                "run_ledger",
                "r2",
                "ledger says 1 values, 1 keys, last step 0; history holds 1, 1, 9",
            ),
        },
    ),
}


@pytest.mark.parametrize("case", _WRONG)
def test_what_is_wrong_is_named(build: Build, case: str) -> None:
    """Every kind of damage gives exactly its differences, with the run and the figures."""
    damage, expected = _WRONG[case]
    with duckdb.connect(str(build.path)) as connection:
        connection.execute(damage)
    found = build.prove(EXPECTED, [R1, R2])
    assert {(d.check, d.table, d.run_id, d.detail) for d in found} == expected


def test_untouched_runs_are_not_read(build: Build) -> None:
    """Damage to a run that the sync did not touch is not this proof's matter."""
    with duckdb.connect(str(build.path)) as connection:
        connection.execute(f"DELETE FROM history_values WHERE {_OF.format('r2')}")
    assert build.prove(_expected([(R1, "history", 3)]), [R1]) == []


def test_named_table_is_compared_for_every_touched_run(build: Build) -> None:
    """A touched run without an expectation in a table that is named must have no rows there."""
    found = build.prove(_expected([(R1, "history", 3)]), [R1, R2])
    assert [(d.check, d.run_id, d.detail) for d in found] == [
        ("wrong_counts", "r2", "rows stored: 1, expected: 0")
    ]


def test_expectations_add_up(build: Build) -> None:
    """Expectations of the same run and table (one a part file) are summed."""
    assert build.prove(_expected([(R1, "history", 1), (R1, "history", 2)]), [R1]) == []


def test_run_without_rows_is_proven(build: Build, insert: Callable[[Path, Rows], None]) -> None:
    """A run without any history agrees with a ledger that says so, in zeros or in nulls."""
    key = {"entity": "acme", "project": "vision"}
    insert(
        build.path,
        {
            "runs": [key | {"run_id": "r3"}, key | {"run_id": "r4"}],
            "run_ledger": [
                key | {"run_id": "r3", "state": "ok", "stored_values": 0, "stored_keys": 0, "last_step": -1},
                key | {"run_id": "r4", "state": "quarantined", "error": "it answers 500"},
            ],
        },
    )
    assert build.prove(_expected([]), [("acme", "vision", "r3"), ("acme", "vision", "r4")]) == []


def test_unknown_table_is_refused(build: Build) -> None:
    """An expectation of a table whose rows belong to no run is an error, not a silent pass."""
    with pytest.raises(StoreError, match="sync_log"):
        build.prove(_expected([(R1, "sync_log", 1)]), [R1])


def test_a_table_replaced_by_run_is_proven_alone(build: Build) -> None:
    """Rows as many as read, each once, of runs there are: every other finding is named."""
    assert build.prove_table("files", {R1: 1, R2: 0}) == []
    assert [(d.check, d.run_id) for d in build.prove_table("files", {R1: 2})] == [("wrong_counts", "r1")]
    with duckdb.connect(str(build.path)) as connection:
        connection.execute("INSERT INTO files SELECT * FROM files")
        connection.execute(
            "INSERT INTO files (entity, project, run_id, name) VALUES ('acme', 'vision', 'none', 'x')"
        )
    found = {(d.check, d.run_id) for d in build.prove_table("files", {R1: 2, ("acme", "vision", "none"): 1})}
    assert found == {("duplicate_keys", "r1"), ("orphans", "none")}


def test_a_table_replaced_by_project_has_its_keys_once(build: Build) -> None:
    """A row stored twice is named with its project; deleted by project or key, the others stay."""
    assert build.prove_table("artifacts", None) == []
    with duckdb.connect(str(build.path)) as connection:
        connection.execute("INSERT INTO artifacts SELECT * FROM artifacts")
        connection.execute("INSERT INTO users SELECT * REPLACE ('grace' AS username) FROM users")
    assert [(d.check, d.project) for d in build.prove_table("artifacts", None)] == [
        ("duplicate_project_keys", "vision")
    ]
    build.delete_project_rows("artifacts", [("acme", "other")])
    assert len(build.prove_table("artifacts", None)) == 1
    build.delete_project_rows("artifacts", [("acme", "vision")])
    key = {"entity": "acme", "project": "vision", "username": "ada"}
    build.delete_keys("users", pa.Table.from_pylist([key]))
    with duckdb.connect(str(build.path)) as connection:
        assert connection.execute("SELECT count(*) FROM artifacts").fetchall() == [(0,)]
        assert connection.execute("SELECT username FROM users").fetchall() == [("grace",)]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.one_of(st.integers(-70, 200), st.sampled_from([-(2**63), 2**53, 2**63 - 1])),
            st.integers(0, 2),
        ),
        max_size=60,
    )
)
def test_history_keys_stored_twice_are_counted_exactly(rows: list[tuple[str, int, int]]) -> None:
    """Whatever the steps, as many primary keys are reported as Python counts more than once."""
    twice = sum(times > 1 for times in Counter(rows).values())
    table = pa.Table.from_pylist(
        [
            dict(zip(("entity", "project", "run_id"), R1, strict=True))
            | {"key": key, "step": step, "seq": seq, "type": "number", "value": 1.0}
            for key, step, seq in rows
        ],
        schema=TABLES["history"].arrow,
    )
    with duckdb.connect() as connection:
        for made in (
            "run_numbers (run_number INTEGER, entity VARCHAR, project VARCHAR, run_id VARCHAR)",
            "key_numbers (key_number INTEGER, key VARCHAR)",
            (
                "history_values (run_number INTEGER, key_number INTEGER, step BIGINT, seq BIGINT,"
                " type VARCHAR, value DOUBLE, value_json VARCHAR)"
            ),
        ):
            connection.execute(f"CREATE TABLE {made}")
        connection.register("incoming", table)
        insert_rows(connection, "history")
        register_runs(connection, [R1])
        found = connection.execute(statement("duplicate_steps", table="history_values")).fetchall()
    assert [int(detail.split(": ")[1].split(",")[0]) for *_, detail in found] == ([twice] if twice else [])
