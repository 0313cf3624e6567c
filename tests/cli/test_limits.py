"""A query ends in time and in memory, also where DuckDB itself would not end it."""

import time
from pathlib import Path

import pytest

from cli.commands import Cli

RUNAWAYS = {
    "one call that fills memory": ("select length(repeat('a', 2000000000))", "memory"),
    "one list that fills memory": ("select len(range(1000000000))", "memory"),
    "one call that does not end": (
        "select levenshtein(repeat('a', 200000), repeat('b', 200000))",
        "after 1 s",
    ),
    "rows without end": (
        "with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t",
        "after 1 s",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", RUNAWAYS)
def test_a_runaway_is_ended(process: Cli, warehouse: Path, home: Path, case: str) -> None:
    """A statement beyond its limits ends in one line, and leaves nothing behind."""
    sql, said = RUNAWAYS[case]
    began = time.monotonic()
    ended = process("query", sql, "--timeout", "1", "--memory", "400MB")
    assert ended.code == 2
    assert said in ended.line
    assert time.monotonic() - began < 60  # undisturbed it takes 4; DuckDB alone took minutes
    assert [entry.name for entry in home.iterdir()] == ["wandb.duckdb"]
