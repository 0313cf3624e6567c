"""Syncs against a sandbox, and what a warehouse must hold by the lines the sandbox was given."""

import json
import math
import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from wandb_warehouse.client import Connection, Secret
from wandb_warehouse.resources import ProjectPath
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync import SyncOptions
from wandb_warehouse.warehouse import content_digest

__all__ = [
    "History",
    "canonical",
    "connection",
    "contents",
    "expected",
    "leaves",
    "options",
    "plain_reader",
    "query",
    "records",
    "stored",
    "training",
    "wrong_histories",
]

Place = tuple[str, int, int]
"""Key, step, seq."""
History = dict[Place, tuple[str, str]]
"""What stands at each place: kind and canonical text."""


def connection(box: Sandbox) -> Connection:
    """How to reach a sandbox."""
    return Connection(box.base_url, Secret(box.key), "argument")


def options(box: Sandbox, warehouse: Path, *projects: str, **more: Any) -> SyncOptions:
    """Options of a sync of some projects of a sandbox; `e/p` when none is named; a lake where the name says so."""
    paths = tuple(ProjectPath.parse(text) for text in projects or ("e/p",))
    if warehouse.suffix != ".duckdb":
        more = {"destination": "filesystem", **more}
    return SyncOptions(paths, connection(box), warehouse, **more)


def plain_reader(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB itself over a DuckDB file, or over the views of a lake."""
    if not warehouse.is_dir():
        return duckdb.connect(str(warehouse), read_only=True)
    reader = duckdb.connect(str(warehouse / "views.duckdb"), read_only=True)
    reader.execute("SET file_search_path = ?", [str(warehouse)])
    return reader


def query(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query, asked by DuckDB itself."""
    with plain_reader(warehouse) as reader:
        return reader.execute(sql).fetchall()


def records(database: Path, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows of a query as records, asked by DuckDB itself."""
    with plain_reader(database) as reader:
        found = reader.execute(sql, list(parameters))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def training(
    rows: int, *, seed: int = 0, first: int = 0, started: float = 1_700_000_000.0, stride: int = 1
) -> Iterator[dict[str, Any]]:
    """Rows as a training logs them: floats, NaN, whole numbers, text, media, lists, nested and rare keys."""
    rng = random.Random(seed)
    for number in range(first, first + rows):
        row: dict[str, Any] = {
            "_step": number * stride,
            "_timestamp": started + number * 0.5,
            "_runtime": number * 0.5,
            "loss": rng.random() / (number + 1),
            "epoch": number // 10,
            "opt": {"lr": 10.0 ** -(number % 5), "group": {"decay": 0.1}},
            "phase": "warm" if number % 3 else "cold ü",
        }
        if number % 7 == 0:
            row["val/acc"] = rng.random()
            row["hist"] = {"_type": "histogram", "values": [1.5, 2.5], "bins": [0, 1, number]}
        if number % 11 == 5:
            row["loss"] = rng.choice([math.nan, math.inf, -math.inf])
        if number % 13 == 0:
            row["flag"] = bool(number % 2)
            row["counts"] = [number, 1]
        yield row


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested objects, as W&B names them."""
    for key, item in value.items():
        if isinstance(item, dict) and item and "_type" not in item:
            yield from leaves(item, f"{prefix}{key}.")
        else:
            yield prefix + key, item


def canonical(value: Any) -> tuple[str, str]:
    """Kind and text of a JSON value: equal for equal values, NaN equal to itself, 1 equal to 1.0."""
    if value is None:
        return "null", ""
    if isinstance(value, bool):
        return "bool", repr(value)
    if isinstance(value, str):
        return "string", value
    if isinstance(value, int | float):
        return "number", str(value) if isinstance(value, int) and float(value) != value else repr(
            float(value)
        )
    return "json", json.dumps(_doubles(value), sort_keys=True)


def _doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def expected(lines: Iterable[bytes | str]) -> History:
    """What a history must hold, from the JSON lines of its run."""
    places: History = {}
    times: Counter[tuple[str, int]] = Counter()
    for line in lines:
        row = json.loads(line)
        step = int(row.pop("_step", -1))
        for key, value in leaves(row):
            places[key, step, times[key, step]] = canonical(value)
            times[key, step] += 1
    return places


def stored(rows: Iterable[Mapping[str, Any]]) -> History:
    """What history rows (columns key, step, seq, type, value, value_json) hold; a place may occur only once."""
    places: History = {}
    for row in rows:
        kind, value, text = row["type"], row["value"], row["value_json"]
        place = (row["key"], row["step"], row["seq"])
        assert place not in places, place
        if kind == "null":
            assert value is None
            assert text is None
            found = canonical(None)
        elif kind == "bool":
            found = canonical(bool(value))
        else:
            found = canonical(value if text is None else json.loads(text))
        assert found[0] == kind
        places[place] = found
    return places


def wrong_histories(box: Sandbox, warehouse: Path) -> dict[str, str]:
    """Runs of the sandbox whose history in the warehouse is not what their lines say; empty is right."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in records(warehouse, "FROM history"):
        found.setdefault((row["entity"], row["project"], row["run_id"]), []).append(row)
    wrong = {}
    for (entity, project), home in box.store.projects.items():
        for run in home.live_runs:
            want = expected(run.history.lines)
            have = stored(found.pop((entity, project, run.name), []))
            if want != have:
                odd = sorted(set(want.items()) ^ set(have.items()))
                wrong[run.name] = f"{len(want)} expected, {len(have)} stored, first differences {odd[:3]}"
    gone = {(e, p, run.name) for (e, p), home in box.store.projects.items() for run in home.runs.values()}
    assert found.keys() <= gone, "history of runs that never were"
    return wrong


def contents(warehouse: Path) -> dict[str, str]:
    """Digest of every table, without the rows of runs that are marked as deleted."""
    with plain_reader(warehouse) as reader, duckdb.connect() as copy:
        copy.register("gone", reader.sql("FROM runs WHERE deleted_at IS NOT NULL").to_arrow_table())
        for table in TABLES.values():
            copy.register("rows_there", reader.sql(f'FROM "{table.name}"').to_arrow_table())
            kept = " ANTI JOIN gone USING (entity, project, run_id)" if table.per_run else ""
            copy.execute(f'CREATE TABLE "{table.name}" AS FROM rows_there{kept}')
        return content_digest(copy)


def heed_interrupts() -> None:
    """Undo, in a child process, what a shell does to jobs in the background: they and all they start ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
