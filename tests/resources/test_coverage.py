"""Tables beside details and history in a pipeline of the user's own and in a sync: what is asked, and what is kept."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import COVERAGE, OPT_IN, ProjectPath, readers, wandb_source
from wandb_warehouse.sandbox import Sandbox, Switches
from wandb_warehouse.sandbox.store import Sweep
from wandb_warehouse.sandbox.tables import log_table
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync import SyncOptions, SyncReport, sync
from wandb_warehouse.warehouse import content_digest

SAMPLES = 230
SWEEP = "method: grid\nname: tuning\nparameters:\n  lr:\n    values: [0.1, 1e-5]\nrun_cap: 4\n"


def samples(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Samples as the writer sends them; some values are not finite, some not numbers."""
    return [
        {
            "_wandb": True,
            "_timestamp": 1_700_000_000.25 + number * 15,
            "_runtime": number * 15.0,
            "system.cpu": number / 7 if number % 50 else float("nan"),
            "system.gpu": {"0": {"temp": number}},
            "system.state": "NaN" if number % 2 else "busy",
        }
        for number in range(first, first + count)
    ]


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Three runs with files, samples and console lines; a sweep, a report, a team; pages of ten."""
    with Sandbox(switches=Switches(page_cap=10)) as running:
        for number in range(3):
            run = running.add_run(
                "e", "p", f"r{number}", rows=[{"loss": number}], sweep="s1", user=f"u{number % 2}",
                events=samples(SAMPLES * number), heartbeat_at="2026-01-01",
                config={"_wandb": {"e": {"w": {"writerId": "w", "os": "Linux", "startedAt": "2026-01-01T00:00:00Z"}}}},
            )  # fmt: skip
            for name in range(12 * number):
                running.store.save(run, f"media/{name}.txt", b"x" * name)
            run.log = [
                json.dumps({"ts": f"2026-01-01T00:00:{n:02}.5", "content": f"line {n}"}) for n in range(25)
            ]
        home = running.store.projects["e", "p"]
        home.sweeps["s1"] = Sweep("s1", SWEEP, running.store.now(), "FINISHED", best_loss=0.5)
        running.add_report("e", "p", "findings", {"blocks": []})
        running.store.members["e"] = ["u0", "boss"]
        yield running


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where a warehouse may be made."""
    return tmp_path / "wandb.duckdb"


def load(box: Sandbox, warehouse: Path, **more: Any) -> SyncReport:
    """Sync the project."""
    path, key = ProjectPath("e", "p"), Secret(box.key)
    return sync(SyncOptions((path,), Connection(box.base_url, key, "argument"), warehouse, **more))


def rows(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query, asked by DuckDB itself."""
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        return reader.execute(sql).fetchall()


def counts(warehouse: Path, schema: str = "main") -> dict[str, int]:
    """Rows of each table that has any."""
    tables = rows(warehouse, f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{schema}'")
    found = {
        name: rows(warehouse, f'SELECT count(*) FROM {schema}."{name}"')[0][0]
        for (name,) in tables
        if name in COVERAGE
    }
    return {name: count for name, count in found.items() if count}


EXPECTED = {
    # Three keys a sample.
    "system_metrics": 3 * (SAMPLES + 2 * SAMPLES),
    "files": 12 + 24,
    "run_metadata": 3,
    "sweeps": 1,
    "users": 3,
    "reports": 1,
}


def test_a_sync_holds_everything_once(box: Sandbox, warehouse: Path) -> None:
    """Pages and batches come together, a second sync asks for the list alone, a full refresh changes nothing."""
    assert load(box, warehouse).quarantined == {}
    assert counts(warehouse) == EXPECTED
    digest = content_digest(warehouse)
    box.clear_requests()
    assert load(box, warehouse).generation is None
    assert [request.operation for request in box.requests] == ["ListRuns"]
    load(box, warehouse, full_refresh=True)
    assert content_digest(warehouse) == digest


def test_samples_keep_their_values(box: Sandbox, warehouse: Path) -> None:
    """NaN is a number where the key has numbers, text where it has text; time and place are the sample's."""
    load(box, warehouse)
    found = rows(
        warehouse,
        "SELECT seq, epoch_us(time), runtime, type, value, value_json::VARCHAR FROM system_metrics "
        "WHERE run_id = 'r1' AND seq IN (0, 1, 50) AND key = 'system.cpu' ORDER BY seq",
    )
    assert [row[:4] for row in found] == [
        (n, 1_700_000_000_250_000 + n * 15_000_000, n * 15.0, "number") for n in (0, 1, 50)
    ]
    assert str([row[4] for row in found]) == str([float("nan"), 1 / 7, float("nan")])
    assert rows(
        warehouse,
        "SELECT DISTINCT value_json::VARCHAR FROM system_metrics WHERE key = 'system.state' ORDER BY ALL",
    ) == [('"NaN"',), ('"busy"',)]
    assert rows(
        warehouse, "SELECT max(value) FROM system_metrics WHERE run_id = 'r2' AND key = 'system.gpu.0.temp'"
    ) == [(2 * SAMPLES - 1,)]


def test_what_moves_is_replaced_and_nothing_else(box: Sandbox, warehouse: Path) -> None:
    """A run that went on is read again, alone; a file that is gone at W&B is gone here; opted-in lines come later."""
    load(box, warehouse)
    run = box.store.projects["e", "p"].runs["r1"]
    run.files.clear()
    box.store.save(run, "new.txt", b"new")
    run.events.write(len(run.events), [json.dumps(each).encode() for each in samples(5, SAMPLES)])
    box.append_rows("e", "p", "r1", [{"loss": 9}])
    box.finish("e", "p", "r1")
    box.store.projects["e", "p"].reports.clear()
    assert load(box, warehouse).quarantined == {}
    assert rows(warehouse, "SELECT name, size FROM files WHERE run_id = 'r1'") == [("new.txt", 3)]
    expected = EXPECTED | {"files": 1 + 24, "system_metrics": EXPECTED["system_metrics"] + 15}
    del expected["reports"]
    assert counts(warehouse) == expected
    # Nothing moved, but a table is wanted that was never read: it owes every run.
    assert load(box, warehouse, opt_in=OPT_IN).generation is not None
    assert counts(warehouse) == expected | {"console_logs": 3 * 25}
    assert load(box, warehouse, opt_in=OPT_IN).generation is None


def deny(monkeypatch: pytest.MonkeyPatch, holder: str, field: str, refuse: Callable[[Any], bool]) -> None:
    """Let the sandbox fail at a field of some objects."""
    from wandb_warehouse.sandbox import graphql_api  # noqa: PLC0415 - the sandbox's inside, to break it

    monkeypatch.setattr(
        graphql_api, "run", lambda *_: None
    )  # plans made before know nothing of what is broken
    kind: Any = graphql_api._schema().get_type(holder)
    before = kind.fields[field].resolve

    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        if refuse(source):
            what = f"cannot give {field}"
            raise ValueError(what)
        return before(source, info, **arguments)

    monkeypatch.setattr(kind.fields[field], "resolve", resolve)


def test_one_run_that_fails_costs_itself_alone(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named with the table, the others land; it is tried again though nothing moved, and then there is peace."""
    with monkeypatch.context() as broken:
        deny(broken, "Run", "files", lambda run: run.name == "r1")
        report = load(box, warehouse)
    assert list(report.quarantined) == ["e/p/r1"]
    assert report.quarantined["e/p/r1"].startswith("files: ")
    assert counts(warehouse) == EXPECTED | {"files": 24}
    box.clear_requests()
    assert load(box, warehouse).quarantined == {}
    assert (
        Counter(request.operation for request in box.requests)["RunFiles"] == 2
    )  # twelve files in pages of ten
    assert counts(warehouse) == EXPECTED
    assert load(box, warehouse).generation is None


def test_one_table_that_fails_costs_itself_alone(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held of it stays; it is named in the report and tried again."""
    load(box, warehouse)
    with monkeypatch.context() as broken:
        deny(broken, "Project", "allViews", lambda _: True)
        deny(broken, "Run", "eventsLineCount", lambda _: True)
        box.edit("e", "p", "r2", tags=["moved"])
        report = load(box, warehouse)
    assert {place: reason.partition(":")[0] for place, reason in report.quarantined.items()} == {
        "e/p": "reports",
        "e/p/r2": "system_metrics",
    }
    assert counts(warehouse) == EXPECTED
    box.store.projects["e", "p"].reports.clear()
    assert load(box, warehouse).quarantined == {}
    assert counts(warehouse) == {name: n for name, n in EXPECTED.items() if name != "reports"}
    assert load(box, warehouse).generation is None


def test_an_answer_of_another_shape_costs_itself_alone(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a table's answer cannot be understood, that table is left out and named, and the history lands."""

    async def odd(*_: Any) -> Any:
        await asyncio.sleep(0)
        return len(None)  # type: ignore[arg-type] # the failure is the point

    monkeypatch.setitem(readers.PROJECT_READERS, "sweeps", odd)
    report = load(box, warehouse)
    assert report.quarantined["e/p"].startswith(
        "sweeps: the server's answer is of an unexpected shape (TypeError"
    )
    assert rows(warehouse, "SELECT count(*) FROM history WHERE key = 'loss'") == [(3,)]


def test_metadata_from_files(box: Sandbox, warehouse: Path) -> None:
    """Asked for, the file counts; a run without one, or with one that is none, falls back to its config."""
    home = box.store.projects["e", "p"]
    box.store.save(home.runs["r0"], "wandb-metadata.json", b'{"os": "Plan 9", "gpu_count": 2}')
    box.store.save(home.runs["r1"], "wandb-metadata.json", b"{cut")
    assert load(box, warehouse, metadata_files=True).quarantined == {}
    assert rows(warehouse, "SELECT run_id, source, os, gpu_count FROM run_metadata ORDER BY run_id") == [
        ("r0", "file", "Plan 9", 2),
        ("r1", "config", "Linux", None),
        ("r2", "config", "Linux", None),
    ]


def test_a_sweep_reads_the_project_again(box: Sandbox, warehouse: Path) -> None:
    """What changes in a project without a run moving is seen by a sweep that is asked for."""
    load(box, warehouse)
    box.add_report("e", "p", "later", {})
    assert load(box, warehouse).generation is None
    load(box, warehouse, sweep=True)
    assert counts(warehouse) == EXPECTED | {"reports": 2}


def test_samples_that_come_short_are_told(box: Sandbox, warehouse: Path) -> None:
    """A server that gives fewer samples than it counts is named; what came is kept; the rest comes when it can."""
    box.switches = Switches(samples_cap=300)
    report = load(box, warehouse)
    assert report.quarantined == {"e/p/r2": "system_metrics: 300 of 460 samples could be read"}
    assert counts(warehouse)["system_metrics"] == 3 * (SAMPLES + 300)
    box.switches = Switches()
    assert load(box, warehouse).quarantined == {}
    assert counts(warehouse) == EXPECTED


def without(monkeypatch: pytest.MonkeyPatch, *lacking: tuple[str, str]) -> None:
    """Take fields out of the sandbox's schema, as an older server has it."""
    from wandb_warehouse.sandbox import graphql_api  # noqa: PLC0415 - the sandbox's inside, to make it older

    monkeypatch.setattr(graphql_api, "_prepared", type(graphql_api._prepared)())
    for holder, field in lacking:
        kind: Any = graphql_api._schema().get_type(holder)
        monkeypatch.delitem(kind.fields, field)


def test_an_old_server_gives_what_it_has(
    box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields an older server lacks are null, lists it lacks empty; nothing is reported, nothing owed."""
    sweep = ("displayName", "method", "description", "createdAt", "updatedAt", "runCount", "runCountExpected")
    without(
        monkeypatch,
        *(("Sweep", field) for field in sweep),
        ("FileConnection", "totalCount"),
        ("File", "md5"),
        ("Project", "allViews"),
        ("Entity", "members"),
        ("Run", "inputArtifacts"),
        ("Run", "eventsLineCount"),
    )
    assert load(box, warehouse).quarantined == {}
    assert counts(warehouse) == {name: n for name, n in EXPECTED.items() if name != "reports"} | {"users": 2}
    assert rows(warehouse, "SELECT sweep_id, name, method, best_loss, run_count FROM sweeps") == [
        ("s1", "tuning", "grid", 0.5, None)
    ]
    assert rows(warehouse, "SELECT DISTINCT md5 FROM files") == [(None,)]
    assert load(box, warehouse).generation is None


def test_tables_of_an_old_server(box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where artifacts cannot be found by their writer's id, the runs' own files of their tables are read."""
    log_table(box, "e/p/r1", "t", ["a"], [[1], ["x"]])
    without(monkeypatch, ("Query", "clientIDMapping"))
    assert load(box, warehouse, opt_in=OPT_IN).quarantined == {}
    assert rows(warehouse, "SELECT key, source, row_count FROM logged_tables") == [("t", "file", 2)]


def test_sweeps_keep_their_text(box: Sandbox, warehouse: Path) -> None:
    """The configuration is JSON where JSON can hold it, read as the official client reads it (1e-5 is text)."""
    endless = "k0: &k0 [x, x]\n" + "".join(f"k{n + 1}: &k{n + 1} [*k{n}, *k{n}]\n" for n in range(20))
    odd = {"dates": "when: 2020-01-01", "keys": "1: one", "broken": "a: [", "endless": endless}
    home = box.store.projects["e", "p"]
    home.sweeps |= {name: Sweep(name, text, 0.0, "FINISHED") for name, text in odd.items()}
    load(box, warehouse)
    found = {row[0]: row[1:] for row in rows(warehouse, "SELECT sweep_id, config, config_text FROM sweeps")}
    assert json.loads(found.pop("s1")[0])["parameters"] == {"lr": {"values": [0.1, "1e-5"]}}
    assert found == {name: (None, text) for name, text in odd.items()}


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

    def load(self, box: Sandbox, *resources: str, **more: Any) -> list[str]:
        """Run the source once; gives the requests it sent."""
        box.clear_requests()
        source = wandb_source("e/p", api_key=box.key, base_url=box.base_url, **more)
        self.pipeline.run(source.with_resources(*resources) if resources else source)
        return [request.operation or request.path for request in box.requests]

    def counts(self) -> dict[str, int]:
        """Rows of each table that has any."""
        return counts(self.database, "wandb")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty destination."""
    return Lake(tmp_path)


REQUESTS = {
    "system_metrics": {"EventCounts", "Events"},
    "artifacts": {"ArtifactTypes"},
    "artifact_aliases": {"ArtifactTypes"},
    "run_artifacts": {"OutputArtifacts", "InputArtifacts"},
    "files": {"RunFiles"},
    "run_metadata": {"WriterConfigs"},
    "sweeps": {"Sweeps"},
    "users": {"Members"},
    "reports": {"Reports"},
    "console_logs": {"ConsoleLines"},
    "logged_tables": {"LoggedTables"},
    "logged_table_cells": {"LoggedTables"},
}


@pytest.mark.parametrize("name", COVERAGE)
def test_a_resource_alone(box: Sandbox, lake: Lake, name: str) -> None:
    """A resource chosen alone sends its own requests only; loaded twice it asks for nothing again and adds no row."""
    count = (EXPECTED | {"console_logs": 75}).get(name)
    wanted = {name: count} if count else {}
    assert set(lake.load(box, name)) == {"ListRuns", "RunDetails"} | REQUESTS[name]
    assert lake.counts() == wanted
    # The runs' history was never asked for, so their details are looked at again.
    assert lake.load(box, name) == ["ListRuns", "RunDetails"]
    box.edit("e", "p", "r1", tags=["moved"])
    assert set(lake.load(box, name)) == {"ListRuns", "RunDetails"} | REQUESTS[name]
    assert lake.counts() == wanted


def test_a_resource_chosen_later_catches_up(box: Sandbox, lake: Lake) -> None:
    """What moved while a resource was not chosen is read when it is; console lines come only when named."""
    lake.load(box, "runs")
    assert "RunFiles" in lake.load(box, "files")
    box.store.save(box.store.projects["e", "p"].runs["r0"], "late.txt", b"late")
    box.edit("e", "p", "r0", tags=["moved"])
    lake.load(box, "runs")
    lake.load(box, "files")
    assert lake.counts() == {"files": EXPECTED["files"] + 1}
    assert "ConsoleLines" not in lake.load(box)
    assert lake.counts() == EXPECTED | {"files": EXPECTED["files"] + 1}


def table_rows(lake: Lake) -> list[tuple[Any, ...]]:
    """Logged tables and their cells, counted by run and key."""
    return rows(
        lake.database,
        "SELECT run_id, key, count(DISTINCT path), count(*) FROM wandb.logged_tables "
        "JOIN wandb.logged_table_cells USING (entity, project, run_id, key, path) GROUP BY ALL ORDER BY ALL",
    )


def test_logged_tables_in_a_pipeline(box: Sandbox, lake: Lake) -> None:
    """Loaded twice they are there once; a run that moves keeps the tables it has, and only new ones are downloaded."""
    log_table(box, "e/p/r1", "t", ["a", "b"], [[1, "x"], [2, "y"]])
    both = ("logged_tables", "logged_table_cells")
    assert lake.load(box, *both).count("ArtifactFiles") == 1
    assert table_rows(lake) == [("r1", "t", 1, 4)]
    assert set(lake.load(box, *both)) == {"ListRuns", "RunDetails"}
    log_table(box, "e/p/r1", "t", ["a", "b"], [[3, "z"]])
    log_table(box, "e/p/r2", "u", ["a"], [[1]])
    assert len([name for name in lake.load(box, *both) if name.startswith("/storage/")]) == 2
    assert table_rows(lake) == [("r1", "t", 2, 6), ("r2", "u", 1, 1)]


def test_cells_chosen_later_catch_up(box: Sandbox, lake: Lake) -> None:
    """A pipeline of tables without cells asks no more often than one with both; the cells come once they are chosen."""
    log_table(box, "e/p/r1", "t", ["a"], [[1], [2]])
    lake.load(box, "logged_tables")
    log_table(box, "e/p/r2", "u", ["a"], [[3]])
    assert len([name for name in lake.load(box, "logged_tables") if name.startswith("/storage/")]) == 1
    lake.load(box, "logged_table_cells")
    assert table_rows(lake) == [("r1", "t", 1, 2), ("r2", "u", 1, 1)]
    assert set(lake.load(box, "logged_tables", "logged_table_cells")) == {"ListRuns", "RunDetails"}


def test_metadata_only_asks_for_no_samples(box: Sandbox, lake: Lake) -> None:
    """`history="none"` leaves out the samples of system metrics too; a later load brings them."""
    assert not REQUESTS["system_metrics"] & set(lake.load(box, history="none"))
    lake.load(box)
    assert lake.counts() == EXPECTED


def test_every_table_is_a_resource() -> None:
    """Each table beside details and history is declared, and is a resource with its key."""
    source = wandb_source("e/p", api_key="0" * 40, base_url="http://127.0.0.1:9")
    assert {name for name in COVERAGE if not source.resources[name].selected} == OPT_IN
    for name in COVERAGE:
        columns = source.resources[name].compute_table_schema()["columns"]
        keys = {column for column, hints in columns.items() if hints.get("primary_key")}
        assert keys == set(TABLES[name].primary_key)
