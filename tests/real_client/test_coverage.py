"""What the official client gives of artifacts, files, sweeps, metadata, console output and system metrics is stored."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from real_client.official import isolated
from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import SyncOptions, SyncReport, sync
from wandb_warehouse.warehouse import content_digest

HERE = Path(__file__).parent
MANY = 120
"""More than one page of anything."""

PER_RUN = ("logged", "used", "files", "metadata", "console", "system", "user")

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def client(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Runs a script under the official client; what it puts into `out` comes back."""
    home = tmp_path_factory.mktemp("official")

    def run(script: str, *arguments: str) -> Any:
        answer = home / "answer.json"
        done = subprocess.run(
            [sys.executable, str(HERE / script), *arguments, str(answer)],
            env=isolated(home, box),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(answer.read_text())

    return run


@pytest.fixture(scope="module")
def official(box: Sandbox, client: Client) -> Any:
    """A project the official client wrote, and what it reads of it."""
    client("coverage_writer.py", str(MANY))
    box.add_report(
        "sandbox", "p", "findings", {"version": 5, "blocks": [{"type": "paragraph", "x": [None, 1.5]}]}
    )
    box.add_report("sandbox", "p", "draft", {"version": 5}, kind="runs/draft")
    found = client("coverage_reader.py")
    columns = {name: {run_id: run[name] for run_id, run in found["runs"].items()} for name in PER_RUN}
    return found | columns


def load(box: Sandbox, warehouse: Path, **more: Any) -> SyncReport:
    """Sync the project with everything there is."""
    options = SyncOptions(
        (ProjectPath("sandbox", "p"),),
        Connection(box.base_url, Secret(box.key), "argument"),
        warehouse,
        opt_in=frozenset({"console_logs"}),
        **more,
    )
    return sync(options)


@pytest.fixture(scope="module")
def warehouse(box: Sandbox, official: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, synced."""
    path = tmp_path_factory.mktemp("synced") / "wandb.duckdb"
    report = load(box, path, metadata_files=True)
    assert report.quarantined == {}
    return path


def rows(warehouse: Path, sql: str) -> list[list[Any]]:
    """Rows of a query, asked by DuckDB itself."""
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        return [list(row) for row in reader.execute(sql).fetchall()]


def moment(text: str | None) -> datetime | None:
    """A time of the official client."""
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@pytest.mark.parametrize("direction", ["logged", "used"])
def test_run_artifacts(official: Any, warehouse: Path, direction: str) -> None:
    """Every version a run logged or used is an edge, past the first hundred."""
    found: dict[str, list[Any]] = {run_id: [] for run_id in official[direction]}
    for run_id, *edge in rows(
        warehouse,
        "SELECT run_id, artifact_id, artifact_entity, artifact_project, collection, type, version FROM run_artifacts "
        f"WHERE direction = '{direction}'",
    ):
        found[run_id].append(edge)
    assert {run_id: sorted(edges) for run_id, edges in found.items()} == official[direction]
    assert max(map(len, found.values())) >= MANY


def test_files(official: Any, warehouse: Path) -> None:
    """Every file of every run has its name, size, digest, type and time; no address is kept."""
    found: dict[str, list[Any]] = {run_id: [] for run_id in official["files"]}
    for run_id, *file in rows(warehouse, "SELECT run_id, name, size, md5, mimetype, updated_at FROM files"):
        found[run_id].append(file)
    expected = {
        run_id: [[*file, moment(time)] for *file, time in files]
        for run_id, files in official["files"].items()
    }
    assert {run_id: sorted(files) for run_id, files in found.items()} == expected
    assert len(found["maker"]) > MANY


def test_artifacts(official: Any, warehouse: Path) -> None:
    """Every version of every collection is there with all the official client says of it."""
    aliases: dict[tuple[str, str], list[str]] = {}
    for collection, artifact, alias in rows(
        warehouse, "SELECT collection, artifact_id, alias FROM artifact_aliases"
    ):
        aliases.setdefault((collection, artifact), []).append(alias)
    found = [
        [
            *row[:9],
            json.loads(row[9]),
            json.loads(row[10]),
            sorted(aliases.get((row[2], row[0]), [])),
            *row[11:],
        ]
        for row in rows(
            warehouse,
            "SELECT artifact_id, type, collection, version, digest, size, file_count, state, description, metadata,"
            " tags, created_at, created_by_run_id FROM artifacts WHERE NOT is_linked",
        )
    ]
    expected = [[*row[:12], moment(row[12]), row[13]] for row in official["artifacts"]]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert len(found) >= MANY
    assert ["set1", "best"] in rows(warehouse, "SELECT collection, alias FROM artifact_aliases")
    assert rows(warehouse, "SELECT count(*) FROM artifact_aliases WHERE alias = 'a1'") == [[0]]


def test_system_metrics(official: Any, warehouse: Path) -> None:
    """Every sample is there, number by number, at its time."""
    total = 0
    for run_id, samples in official["system"].items():
        expected: dict[str, list[Any]] = {}
        for sample in samples:
            time, runtime = sample.pop("_timestamp"), sample.pop("_runtime")
            sample.pop("_wandb", None)
            for key, value in sample.items():
                expected.setdefault(key, []).append([time, runtime, value])
        found: dict[str, list[Any]] = {}
        for key, time, runtime, value in rows(
            warehouse,
            "SELECT key, epoch_us(time) / 1e6, runtime, value FROM system_metrics "
            f"WHERE run_id = '{run_id}' ORDER BY key, seq",
        ):
            found.setdefault(key, []).append([pytest.approx(time, abs=1e-6), runtime, value])
        assert found == expected
        total += len(samples)
    assert total > len(official["system"])


def test_run_metadata(box: Sandbox, official: Any, warehouse: Path, tmp_path: Path) -> None:
    """The document is the official client's; without a download, what the config says of the writer is the same."""
    assert {
        run_id: json.loads(document)
        for run_id, document in rows(warehouse, "SELECT run_id, document FROM run_metadata")
    } == official["metadata"]
    other = tmp_path / "wandb.duckdb"
    box.clear_requests()
    load(box, other)
    assert not any(request.path.endswith("wandb-metadata.json") for request in box.requests)
    columns = "SELECT * EXCLUDE (source) FROM run_metadata ORDER BY run_id"
    assert rows(other, columns) == rows(warehouse, columns)
    assert rows(other, "SELECT DISTINCT source FROM run_metadata") == [["config"]]
    assert rows(warehouse, "SELECT DISTINCT source FROM run_metadata") == [["file"]]
    (maker,) = rows(
        other, "SELECT started_at, os, host, cpu_count, python FROM run_metadata WHERE run_id = 'maker'"
    )
    document = official["metadata"]["maker"]
    assert maker == [
        moment(document["startedAt"]),
        *(document[key] for key in ("os", "host", "cpu_count", "python")),
    ]


def test_console_logs(official: Any, warehouse: Path) -> None:
    """Every line of the console has its number, time, level and text."""
    found: dict[str, list[Any]] = {run_id: [] for run_id in official["console"]}
    for run_id, *line in rows(
        warehouse, "SELECT run_id, line, time, level, label, text FROM console_logs ORDER BY run_id, line"
    ):
        found[run_id].append(line)
    assert found == {
        run_id: [
            [n, moment(time), level or None, label or None, text] for n, time, level, label, text in lines
        ]
        for run_id, lines in official["console"].items()
    }
    assert "to stdout ü" in [line[-1] for line in found["maker"]]


def test_sweeps(official: Any, warehouse: Path) -> None:
    """A sweep is there with its configuration as the official client parses it, and its runs name it."""
    found = rows(
        warehouse,
        "SELECT sweep_id, coalesce(display_name, name, sweep_id), state, config, expected_run_count, method, run_count"
        " FROM sweeps",
    )
    assert [[*row[:3], json.loads(row[3]), *row[4:]] for row in found] == official["sweeps"]
    assert rows(warehouse, "SELECT run_id FROM runs JOIN sweeps USING (entity, project, sweep_id)") == [
        ["swept"]
    ]


def test_reports_and_users(official: Any, warehouse: Path) -> None:
    """Published reports are there with their contents, and who started the runs."""
    found = rows(warehouse, "SELECT report_id, name, display_name, spec, created_at FROM reports")
    assert [[*row[:3], json.loads(row[3]), row[4]] for row in found] == [
        [*row[:4], moment(row[4])] for row in official["reports"]
    ]
    assert [row[0] for row in rows(warehouse, "SELECT username FROM users")] == sorted(
        set(official["user"].values())
    )


def test_nothing_signed_is_stored(box: Sandbox, warehouse: Path) -> None:
    """No address of the storage, and not the key, is anywhere in the file."""
    content = warehouse.read_bytes()
    assert box.storage_url.encode() not in content
    assert box.key.encode() not in content


def test_a_second_sync_and_a_full_refresh_add_no_row(box: Sandbox, warehouse: Path) -> None:
    """Synced twice, nothing is asked beyond the list; read again from nothing, every table has the same content."""
    digest = content_digest(warehouse)
    box.clear_requests()
    assert load(box, warehouse, metadata_files=True).generation is None
    assert len(box.requests) == 1
    assert load(box, warehouse, metadata_files=True, full_refresh=True).generation is not None
    assert content_digest(warehouse) == digest
