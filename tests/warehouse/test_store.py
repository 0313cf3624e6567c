"""A DuckDB file as one sync after another publishes it: what they leave alone, and what they put right."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from wandb_warehouse.errors import StoreError
from wandb_warehouse.warehouse import Build, load_sql_files, open_store

VIEWS = "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
LogSync = Callable[[Build], int]


@pytest.fixture
def warehouse(tmp_path: Path, log_sync: LogSync) -> Path:
    """A warehouse without runs, which this process published."""
    path = tmp_path / "wandb.duckdb"
    _publish(path, log_sync)
    return path


def _publish(warehouse: Path, log_sync: LogSync) -> bool:
    """Publish once more, as a sync does; tell whether the views stood already."""
    store = open_store(warehouse)
    work = warehouse.parent / f"work-{len(list(warehouse.parent.glob('work-*')))}"
    work.mkdir()
    build = store.begin(work, [], {})
    with build.session():
        log_sync(build)
        stood = build.views_stand
        store.publish(build)
    return stood


def _shown(warehouse: Path) -> list[tuple[str, str]]:
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        return reader.execute(VIEWS).fetchall()


def test_views_of_an_untouched_file_are_left(warehouse: Path, log_sync: LogSync) -> None:
    """What this process published with every view, and nobody wrote to since, keeps them as they are."""
    shown = _shown(warehouse)
    assert {name for name, _ in shown} == {file.name for file in load_sql_files() if file.kind == "view"}
    assert _publish(warehouse, log_sync)
    assert _shown(warehouse) == shown


@pytest.mark.parametrize(
    "written",
    [
        "DROP VIEW run_overview",
        "CREATE OR REPLACE VIEW history AS SELECT 1 AS step",
        "COMMENT ON VIEW latest_metrics IS 'mine'",
        "ALTER TABLE runs DROP COLUMN notes",
    ],
)
@pytest.mark.parametrize("logged", [False, True], ids=["in the file", "in a log beside it"])
def test_views_are_made_anew_where_somebody_wrote(
    warehouse: Path, log_sync: LogSync, written: str, logged: bool
) -> None:
    """Views that somebody dropped or changed are those of `sql/` after the next sync, wherever his change lies."""
    shown = _shown(warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        if logged:
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        connection.execute(written)
    assert warehouse.with_name("wandb.duckdb.wal").exists() == logged
    assert not _publish(warehouse, log_sync)
    assert _shown(warehouse) == shown
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        assert reader.execute("SELECT * FROM run_overview, history, latest_metrics").fetchall() == []


def test_an_older_file_gets_views_over_its_new_columns(warehouse: Path, log_sync: LogSync) -> None:
    """A file that lacks a column of the schema gets it, and its views are made anew over the table as it is now."""
    build = Build.create(warehouse, warehouse.parent)
    assert build.views_stand
    with build.session() as connection:
        connection.execute("DROP VIEW run_overview")
        connection.execute("ALTER TABLE runs DROP COLUMN notes")
        build.prepare_tables()
    assert not build.views_stand


def test_a_build_that_is_published_has_no_further_session(warehouse: Path, log_sync: LogSync) -> None:
    """Publishing ends the session that it is called in: what is done to the build after that is an error."""
    store = open_store(warehouse)
    work = warehouse.parent / "work"
    work.mkdir()
    build = store.begin(work, [], {})
    with build.session():
        log_sync(build)
        store.publish(build)
        with pytest.raises(StoreError, match="published already"):
            build.create_views()


def test_a_session_that_fails_closes_the_build(warehouse: Path) -> None:
    """After a failure nothing holds the build open, even where it was to stay open."""
    work = warehouse.parent / "work"
    work.mkdir()
    build = Build.create(warehouse, work)
    with pytest.raises(RuntimeError), build.session(stays_open=True):
        raise RuntimeError
    with duckdb.connect(
        str(build.path), config={"threads": 1}
    ):  # refused where it is open with other settings
        pass


@pytest.mark.parametrize("rows", [100, 100_000])
def test_rows_that_replace_others_take_their_place(tmp_path: Path, rows: int) -> None:
    """A run loaded anew leaves the file about as large as it was, although both loads are one session."""
    run = ("e", "p", "r")
    load = (
        "INSERT INTO run_config BY NAME SELECT 'e' AS entity, 'p' AS project, 'r' AS run_id, i::VARCHAR AS \"key\", "
        f'0 AS seq, \'number\' AS "type", random() AS "value" FROM range({rows}) AS numbers(i)'
    )
    sizes = []
    for times in (1, 2):
        work = tmp_path / f"work{times}"
        work.mkdir()
        build = Build.create(None, work)
        with build.session() as connection:
            build.prepare_tables()
            for _ in range(times):
                build.delete_runs(["run_config"], [run])
                build.make_room()
                connection.execute(load)
                connection.execute("CHECKPOINT")
            build.publish(tmp_path / f"{times}.duckdb")
        sizes.append((tmp_path / f"{times}.duckdb").stat().st_size)
    assert sizes[1] < 1.3 * sizes[0]
