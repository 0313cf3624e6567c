"""One measured task in a process of its own, as a user would run it; prints one line of JSON.

    python -m benchmarks.worker TASK '{"base": ..., "key": ..., ...}'

The seconds are those of the task, without interpreter start and imports of the libraries it names at its top;
`memory` is the most resident memory of the whole process, in bytes.
"""

# ruff: noqa: PLC0415 - a task imports what it measures, and nothing of the others

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

Task = Callable[[dict[str, Any]], dict[str, Any]]


def sync(asked: dict[str, Any]) -> dict[str, Any]:
    """Our sync into a published DuckDB file; with `steps`, also the seconds of every step of its build."""
    from wandb_warehouse.arrow import Selection
    from wandb_warehouse.client import Connection, Secret
    from wandb_warehouse.resources import ProjectPath
    from wandb_warehouse.sync import SyncOptions
    from wandb_warehouse.sync import sync as run_sync

    if not asked.get("nothing_new"):
        import_module("wandb_warehouse.sync.load")  # imports dlt, as a sync does that finds something

    options = SyncOptions(
        (ProjectPath.parse(asked["project"]),),
        Connection(asked["base"], Secret(asked["key"]), "environment"),
        Path(asked["warehouse"]),
        history=asked.get("history", "full"),
        samples=asked.get("samples", 500),
        selection=Selection(keys=tuple(asked.get("keys", ()))),
        resources=tuple(asked.get("resources", ())),
    )
    steps: dict[str, float] = {}
    with _timed_build(steps) if asked.get("steps") else nullcontext():
        started = time.perf_counter()
        report = run_sync(options)
        seconds = time.perf_counter() - started
    assert not report.quarantined, report.quarantined
    return {
        "seconds": seconds,
        "values": report.values,
        "requests": report.requests,
        "phases": report.seconds,
        "published": report.published,
        "steps": steps,
    }


@contextmanager
def _timed_build(steps: dict[str, float]) -> Iterator[None]:
    """Add up in `steps` the seconds in each public method of `Build`, and in `fsync`, by name."""
    from wandb_warehouse.warehouse import Build

    def timed(owner: Any, name: str) -> Any:
        function = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                steps[name] = steps.get(name, 0.0) + time.perf_counter() - started

        # `create` is bound to its class already and must not be bound again.
        return staticmethod(call) if hasattr(function, "__self__") else call

    methods = [name for name in vars(Build) if not name.startswith("_")]
    with ExitStack() as stack:
        for owner, name in [(os, "fsync"), *((Build, name) for name in methods)]:
            stack.enter_context(mock.patch.object(owner, name, timed(owner, name)))
        yield


def copy(asked: dict[str, Any]) -> dict[str, Any]:
    """A copy of the warehouse's bytes, brought to the disk: what no sync that publishes by rename can do without."""
    import shutil

    started = time.perf_counter()
    copied = Path(shutil.copyfile(asked["warehouse"], Path(asked["folder"]) / "copy"))
    with copied.open("rb") as file:
        os.fsync(file.fileno())
    return {"seconds": time.perf_counter() - started, "bytes": copied.stat().st_size}


def scan_history(asked: dict[str, Any]) -> dict[str, Any]:
    """The official client: `scan_history` of one run after another, into one pandas frame."""
    import pandas as pd

    api = _official(asked)
    started = time.perf_counter()
    frames = []
    for run in api.runs(asked["project"])[: asked["runs"]]:
        frame = pd.DataFrame(list(run.scan_history()))
        frame["run_id"] = run.id
        frames.append(frame)
    history = pd.concat(frames, ignore_index=True)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "rows": len(history), "runs": len(frames)}


def histories(asked: dict[str, Any]) -> dict[str, Any]:
    """The official client: sampled histories of the first runs, into one pandas frame."""
    api = _official(asked)
    runs = api.runs(asked["project"])
    chosen = {"name": {"$in": [run.id for run in runs[: asked["runs"]]]}}
    started = time.perf_counter()
    frame = api.runs(asked["project"], filters=chosen).histories(
        samples=asked["samples"], keys=asked["keys"], format="pandas"
    )
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "values": int(frame[asked["keys"]].count().sum())}


def list_runs(asked: dict[str, Any]) -> dict[str, Any]:
    """The official client: every run with config and summary, into one pandas frame."""
    import pandas as pd

    api = _official(asked)
    started = time.perf_counter()
    runs = api.runs(asked["project"], lazy=False)
    frame = pd.DataFrame(
        [{"id": run.id, "config": dict(run.config), "summary": dict(run.summary)} for run in runs]
    )
    return {"seconds": time.perf_counter() - started, "runs": len(frame)}


def scripts(asked: dict[str, Any]) -> dict[str, Any]:
    """Our scripts of docs/: over a warehouse with our client, else from a server by the official one."""
    from benchmarks.script_runner import OFFICIAL, run_scripts

    if asked["client"] == OFFICIAL:
        _official(asked)
    return run_scripts(asked)


def _official(asked: dict[str, Any]) -> Any:
    os.environ |= {
        "WANDB_BASE_URL": asked["base"],
        "WANDB_API_KEY": asked["key"],
        "WANDB_CACHE_DIR": str(Path(asked["folder"]) / "cache"),
        "WANDB_DIR": asked["folder"],
        "WANDB_SILENT": "true",
    }
    import wandb

    api = wandb.Api()
    api.viewer  # noqa: B018 - asks the server: the client's own service is up before the clock starts
    return api


def floor(asked: dict[str, Any]) -> dict[str, Any]:
    """The least work: the same files, 16 downloads at a time, and one statement into the same long table."""
    import http.client
    from concurrent.futures import ThreadPoolExecutor
    from threading import local
    from urllib.parse import urlsplit

    import duckdb

    place = urlsplit(asked["storage"])
    paths = json.loads(Path(asked["exports"]).read_text())
    folder = Path(asked["folder"]) / "files"
    folder.mkdir()
    mine, connections = local(), []

    def download(item: tuple[str, str]) -> None:
        run, path = item
        if not hasattr(mine, "connection"):
            mine.connection = http.client.HTTPConnection(str(place.hostname), place.port)
            connections.append(mine.connection)
        mine.connection.request("GET", path)
        (folder / f"{run}.parquet").write_bytes(mine.connection.getresponse().read())

    started = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(download, [(run, path) for run, urls in paths.items() for path in urls]))
    for connection in connections:
        connection.close()
    downloaded = time.perf_counter() - started
    with duckdb.connect(str(Path(asked["folder"]) / "floor.duckdb")) as database:
        database.execute(f"""
            CREATE TABLE history AS
            SELECT 'bench' AS entity, 'runs' AS project, parse_filename(filename, true) AS run_id, key, _step AS step,
                   0::BIGINT AS seq, 'number' AS type, value, NULL::JSON AS value_json
            FROM (UNPIVOT read_parquet('{folder}/*.parquet', filename = true)
                  ON COLUMNS(* EXCLUDE (filename, _step)) INTO NAME key VALUE value)
        """)
        database.execute("CHECKPOINT")
        values = database.execute("SELECT count(*) FROM history").fetchall()[0][0]
    return {"seconds": time.perf_counter() - started, "download": downloaded, "values": values}


def queries(asked: dict[str, Any]) -> dict[str, Any]:
    """The same questions to a warehouse and to a native wide table, in turn, each answered by an Arrow table."""
    import duckdb

    from wandb_warehouse.warehouse import open_readonly

    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in asked["questions"]}
    with open_readonly(asked["warehouse"]) as ours, duckdb.connect(asked["wide"], read_only=True) as wide:
        for name, (long_sql, wide_sql) in asked["questions"].items():
            same = sorted(ours.execute(long_sql).fetchall()) == sorted(wide.execute(wide_sql).fetchall())
            assert same, f"{name}: the two tables answer differently"
            for _ in range(asked["repeats"]):
                pair = []
                for connection, sql in ((ours, long_sql), (wide, wide_sql)):
                    started = time.perf_counter()
                    connection.sql(sql).to_arrow_table()
                    pair.append(time.perf_counter() - started)
                seconds[name].append((pair[0], pair[1]))
    return {"pairs": seconds}


def wide_table(asked: dict[str, Any]) -> dict[str, Any]:
    """A native wide table from the same files: a row a step, a column a metric, ordered by run and step."""
    import duckdb

    with duckdb.connect(asked["wide"]) as connection:
        connection.execute(f"""
            CREATE TABLE history AS
            SELECT parse_filename(filename, true) AS run_id, * EXCLUDE (filename)
            FROM read_parquet('{asked["files"]}/*.parquet', filename = true) ORDER BY run_id, _step
        """)
        connection.execute(f"ATTACH '{asked['warehouse']}' AS warehouse (READ_ONLY)")
        connection.execute("CREATE TABLE run_config AS FROM warehouse.run_config")
    return {"bytes": Path(asked["wide"]).stat().st_size}


TASKS: dict[str, Task] = {
    task.__name__: task
    for task in (sync, copy, scan_history, histories, list_runs, floor, queries, wide_table, scripts)
}


def _peak_memory() -> int:
    """Most resident bytes of this process since it was started (not of what started it, as getrusage has it)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell a process's peak memory")


def measured(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What a task tells, with the peak memory of the process it ran in."""
    return TASKS[name](asked) | {"memory": _peak_memory()}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], json.loads(sys.argv[2]))))
