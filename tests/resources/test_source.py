"""The dlt source in a pipeline of the user's own: merged, incremental, one resource at a time."""

from pathlib import Path
from typing import Any

import dlt
import pytest

from support import expected, query, records, stored, training
from wandb_warehouse.errors import ConfigError
from wandb_warehouse.resources import RESOURCES, parse_projects, wandb_source
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.schema import TABLES


class Lake:
    """A plain dlt pipeline into DuckDB."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "plain.duckdb"
        self.pipeline = dlt.pipeline(
            "plain",
            pipelines_dir=str(folder / "pipelines"),
            destination=dlt.destinations.duckdb(str(self.database)),
            dataset_name="wandb",
        )

    def load(self, box: Sandbox, *resources: str, **more: Any) -> None:
        """Run the source once."""
        source = wandb_source("e/p", api_key=box.key, base_url=box.base_url, **more)
        self.pipeline.run(source.with_resources(*resources) if resources else source)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query, asked by DuckDB itself."""
        return query(self.database, sql)

    def counts(self) -> dict[str, int]:
        """Rows of every table of ours, by name."""
        names = self.query(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'wandb' AND NOT starts_with(table_name, '_dlt')"
        )
        return {name: self.query(f'SELECT count(*) FROM wandb."{name}"')[0][0] for (name,) in names}

    def history(self, run_id: str) -> Any:
        """What is stored of a run's history."""
        return stored(records(self.database, "FROM wandb.history WHERE run_id = ?", [run_id]))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty destination."""
    return Lake(tmp_path)


def fill(box: Sandbox) -> dict[str, int]:
    """Three runs; gives how many rows every table must have of them."""
    for number in range(3):
        box.add_run(
            "e", "p", f"r{number}", rows=training(20 + number, seed=number), config={"lr": 0.1, "net": {"depth": 3}},
            summary={"best": number, "last": {"loss": 0.5}, "done": True}, tags=["a", "b"][:number],
        )  # fmt: skip
    box.export("e", "p", "r1")
    histories = [expected(run.history.lines) for run in box.store.projects["e", "p"].live_runs]
    return {
        "projects": 1,
        "runs": 3,
        "run_config": 3 * 2,
        "run_summary": 3 * 3,
        "run_tags": 0 + 1 + 2,
        "metrics": sum(len({key for key, _, _ in history}) for history in histories),
        "history": sum(map(len, histories)),
        "users": 1,
    }


def operations(box: Sandbox) -> list[str]:
    """Names of the queries seen."""
    return [request.operation or request.path for request in box.requests]


def test_a_second_load_adds_no_row_and_asks_for_no_history(box: Sandbox, lake: Lake) -> None:
    """Loaded twice, every table has the rows it had; the marks in dlt's state spare the second all but the list."""
    counts = fill(box)
    lake.load(box)
    assert lake.counts() == counts
    box.clear_requests()
    lake.load(box)
    assert operations(box) == ["ListRuns"]
    assert lake.counts() == counts
    for run in box.store.projects["e", "p"].live_runs:
        assert lake.history(run.name) == expected(run.history.lines)


def test_marks_come_back_from_the_destination(box: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """A pipeline whose working directory is lost takes its marks from the destination: nothing is read again."""
    counts = fill(box)
    lake.load(box)
    lake.pipeline.drop()
    again = Lake(tmp_path)
    box.clear_requests()
    again.load(box)
    assert operations(box) == ["ListRuns"]
    assert again.counts() == counts


def test_chosen_resources_load_alone_and_the_others_catch_up(box: Sandbox, lake: Lake) -> None:
    """Runs and config alone ask for no history; a later load with all resources brings what was left out."""
    counts = fill(box)
    lake.load(box, "runs", "run_config")
    assert lake.counts() == {"runs": 3, "run_config": 6}
    assert operations(box) == ["ListRuns", "RunDetails"]
    lake.load(box, "history")
    assert lake.counts() == {name: counts[name] for name in ("runs", "run_config", "history")}
    box.append_rows("e", "p", "r2", training(7, seed=9, first=22))
    box.finish("e", "p", "r2")
    lake.load(box, "runs")
    lake.load(box, "history")
    run = box.store.projects["e", "p"].runs["r2"]
    assert lake.history("r2") == expected(run.history.lines)


def test_changed_runs_merge(box: Sandbox, lake: Lake) -> None:
    """Growth, edited config, summary and tags replace what was there, and only there."""
    counts = fill(box)
    lake.load(box)
    box.edit("e", "p", "r1", config={"lr": 0.2, "new": 1}, summary={"best": 9}, tags=["z"])
    box.append_rows("e", "p", "r2", training(5, seed=9, first=22))
    lake.load(box)
    run = box.store.projects["e", "p"].runs["r2"]
    assert lake.history("r2") == expected(run.history.lines)
    assert lake.query("SELECT key, value FROM wandb.run_config WHERE run_id = 'r1' ORDER BY key") == [
        ("lr", 0.2), ("net.depth", 3.0), ("new", 1.0)
    ]  # fmt: skip
    assert lake.query("SELECT tag FROM wandb.run_tags WHERE run_id = 'r1'") == [("z",)]
    grown = lake.counts()
    assert {name: grown[name] - counts[name] for name in ("projects", "runs", "run_config", "run_tags")} == {
        "projects": 0, "runs": 0, "run_config": 1, "run_tags": 0
    }  # fmt: skip


def test_metadata_alone(box: Sandbox, lake: Lake) -> None:
    """`history="none"` loads everything but history, and asks for none."""
    counts = fill(box)
    lake.load(box, history="none")
    assert lake.counts() == {name: count for name, count in counts.items() if name != "history"}
    assert operations(box)[:2] == ["ListRuns", "RunDetails"]
    assert not {"ParquetExports", "HistoryWindows", "EventCounts", "Events"} & set(operations(box))


def test_samples_loaded_twice_and_replaced_where_a_run_moved(box: Sandbox, lake: Lake) -> None:
    """A second load adds nothing and asks for the list only; the sample of a run that moved replaces the one held."""
    fill(box)
    lake.load(box, history="sampled", samples=10)
    counts = lake.counts()
    keys = "SELECT key, count(*) FROM wandb.history_sampled WHERE run_id = 'r2' GROUP BY ALL ORDER BY ALL"
    assert dict(lake.query(keys))["loss"] == 10
    box.clear_requests()
    lake.load(box, history="sampled", samples=10)
    assert operations(box) == ["ListRuns"]
    assert lake.counts() == counts
    box.rewind("e", "p", "r2", 2)
    lake.load(box, history="sampled", samples=10)
    assert dict(lake.query(keys))["loss"] == 3
    others = "SELECT count(*) FROM wandb.history_sampled WHERE run_id <> 'r2'"
    assert lake.query(others)[0][0] + sum(dict(lake.query(keys)).values()) == lake.counts()["history_sampled"]
    assert "history" not in counts


def test_chosen_and_excluded_keys(box: Sandbox, lake: Lake) -> None:
    """Metrics that match are loaded; an excluded key is in no table and no document; another choice loads again."""
    fill(box)
    lake.load(box, metric_keys=["loss", "opt"], exclude=["*lr", "best"])
    chosen = "SELECT DISTINCT key FROM wandb.history ORDER BY 1"
    assert lake.query(chosen) == [("_runtime",), ("_timestamp",), ("loss",), ("opt.group.decay",)]
    assert lake.query("SELECT DISTINCT key FROM wandb.run_config") == [("net.depth",)]
    assert lake.query("SELECT count(*) FROM wandb.runs WHERE contains(runs::VARCHAR, '\"lr\"')") == [(0,)]
    lake.load(box)
    for run in box.store.projects["e", "p"].live_runs:
        assert lake.history(run.name) == expected(run.history.lines)
    assert lake.query("SELECT count(*) FROM wandb.run_config") == [(6,)]


def test_resources_are_the_declared_tables() -> None:
    """Every resource is a table of the vocabulary with its key and columns, none of them evolved by data."""
    source = wandb_source("e/p", api_key="0" * 40, base_url="http://127.0.0.1:9")
    assert tuple(source.resources) == RESOURCES
    for name, resource in source.resources.items():
        schema = resource.compute_table_schema()
        declared = TABLES[name]
        assert list(schema["columns"]) == list(declared.names)
        keys = [column for column, hints in schema["columns"].items() if hints.get("primary_key")]
        assert keys == [column for column in declared.names if column in declared.primary_key]


@pytest.mark.parametrize("wrong", ["", "e/", "/p", "e/p/r", "e*", "*/p", "e/a/*"])
def test_a_project_is_entity_and_name(wrong: str) -> None:
    """What is not ENTITY/PROJECT is refused, with the way to write it."""
    with pytest.raises(ConfigError, match="my-team/my-project"):
        parse_projects([wrong])
    with pytest.raises(ConfigError):
        parse_projects([])


def test_projects_are_taken_once_in_order() -> None:
    """A project named twice is one project."""
    assert list(map(str, parse_projects(["b/x", " a/y/", "b/x"]))) == ["b/x", "a/y"]
