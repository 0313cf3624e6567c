"""What a warehouse says of itself."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from wandb_warehouse.errors import CorruptStoreError, StoreError
from wandb_warehouse.schema import SCHEMA_VERSION
from wandb_warehouse.schema.coverage import COVERAGE
from wandb_warehouse.warehouse import (
    STORED_RUNS,
    ProjectStatus,
    TroubledRun,
    last_sync,
    records,
    status,
    stored_runs,
)


def test_status_counts_what_is_stored(published: Path) -> None:
    """Projects, runs by state, history and troubled runs are those of the rows that were loaded."""
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "INSERT INTO runs BY NAME SELECT * REPLACE ('r3' AS run_id, now() AS deleted_at) FROM runs LIMIT 1"
        )
    found = status(published)
    assert found.size == published.stat().st_size
    assert (found.generation, found.schema_version) == (1, SCHEMA_VERSION)
    assert found.projects == (
        ProjectStatus(
            entity="acme",
            project="vision",
            runs={"finished": 1, "running": 1},
            deleted_runs=1,
            history_rows=4,
            history_values=4,
            troubled=(TroubledRun("r2", "partial", "read cut short"),),
        ),
    )
    assert found.tables == {
        "projects": 1,
        "runs": 3,
        "run_config": 1,
        "run_summary": 1,
        "run_tags": 1,
        "metrics": 1,
        "history": 4,
        "history_sampled": 1,
        **{table.name: 1 for table in COVERAGE},
        "run_ledger": 2,
        "sync_log": 1,
    }


def test_stored_runs_join_runs_and_ledger(published: Path) -> None:
    """Planning sees the server's state and ours of every run, of quarantined ones too that never landed."""
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "INSERT INTO run_ledger BY NAME SELECT * REPLACE ('r0' AS run_id, 'quarantined' AS state) "
            "FROM run_ledger WHERE run_id = 'r2'"
        )
    table = stored_runs(published)
    assert table.schema == STORED_RUNS
    chosen = table.select(["run_id", "run_state", "state", "stored_rows", "project_id", "heartbeat_at"])
    assert [tuple(row.values()) for row in chosen.to_pylist()] == [
        ("r0", None, "quarantined", 1, None, None),
        ("r1", "finished", "ok", 3, "p1", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("r2", "running", "partial", 1, "p1", None),
    ]


def test_no_file_is_no_runs(tmp_path: Path) -> None:
    """Before the first sync there are no stored runs and no last sync, while status says that there is nothing."""
    missing = tmp_path / "missing.duckdb"
    assert stored_runs(missing) == STORED_RUNS.empty_table()
    assert last_sync(missing) is None
    with pytest.raises(StoreError, match="no warehouse"):
        status(missing)


def test_damaged_file_is_not_an_empty_one(tmp_path: Path) -> None:
    """A file that is no warehouse is an error for planning too, never a fresh start."""
    path = tmp_path / "w.duckdb"
    path.write_text("not a database")
    for read in (stored_runs, last_sync, status):
        with pytest.raises(CorruptStoreError):
            read(path)


def test_last_sync_gives_the_log_back(published: Path) -> None:
    """The newest row of the log comes back with its JSON read."""
    newest = last_sync(published)
    assert newest is not None
    assert newest.report == {"runs": 2}
    assert newest.finished_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert newest.package_version == "0.1.0"


def test_records_are_the_rows_of_a_table() -> None:
    """Records are what pyarrow's own way gives, at the bounds of times, with nulls, in chunks and without rows."""
    utc = pa.timestamp("us", tz="UTC")
    times = [datetime(1, 1, 1, tzinfo=UTC), None, datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
    part = pa.table({"time": pa.array(times, utc), "text": ["a", None, "c"], "list": [[1], [], None]})
    for table in (part, pa.concat_tables([part, part]), part.slice(0, 0)):
        assert records(table) == table.to_pylist()


def test_reading_what_is_held_imports_no_pandas(published: Path) -> None:
    """A sync that finds nothing new is spared the import, which would take longer than the sync."""
    script = (
        "import sys; from wandb_warehouse.warehouse import last_sync, records, stored_runs;"
        f"last_sync({str(published)!r}); records(stored_runs({str(published)!r}));"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
