"""Chosen keys, excluded keys and chosen tables; every table loaded twice."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from support import expected, options, query, records, stored, training, wrong_histories
from wandb_warehouse.arrow import Selection
from wandb_warehouse.resources import RESOURCES
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sync import SyncReport, sync
from wandb_warehouse.warehouse import content_digest

CANARY = "kanarienvogel"
SECRET = ("token", "net.password", "login", "opt.lr")
"""Globs of what must not be stored; `login` and `opt.lr` are metrics, `login` with keys below it."""


def chosen(
    box: Sandbox, warehouse: Path, *keys: str, exclude: tuple[str, ...] = (), **more: Any
) -> SyncReport:
    """Sync with keys chosen and excluded."""
    return sync(options(box, warehouse, selection=Selection(keys, exclude), **more))


def fill(box: Sandbox) -> None:
    """Three runs: live, exported, exported in part."""
    for number in range(3):
        box.add_run("e", "p", f"r{number}", rows=training(30, seed=number), config={"n": number}, tags=["t"])
    box.export("e", "p", "r1")
    box.export("e", "p", "r2", upto_step=12)


def kept(box: Sandbox, selection: Selection) -> dict[str, Any]:
    """What must be held of each run, from its lines."""
    return {
        run.name: {p: v for p, v in expected(run.history.lines).items() if selection.keeps(p[0])}
        for run in box.store.projects["e", "p"].live_runs
    }


def held(warehouse: Path) -> dict[str, Any]:
    """What is held of each run with a history."""
    runs = [run_id for (run_id,) in query(warehouse, "SELECT DISTINCT run_id FROM history")]
    return {run: stored(records(warehouse, "FROM history WHERE run_id = ?", [run])) for run in runs}


@pytest.mark.parametrize(
    ("globs", "keys"),
    [
        (("loss",), {"loss"}),
        (("l*", "val/*"), {"loss", "val/acc"}),
        (("opt",), {"opt.lr", "opt.group.decay"}),
        (("opt.*",), {"opt.lr", "opt.group.decay"}),
        (("LOSS", "none"), set()),
    ],
    ids=str,
)
def test_only_metrics_that_match_are_stored(
    box: Sandbox, warehouse: Path, globs: tuple[str, ...], keys: set[str]
) -> None:
    """Of every row, exported or live, the chosen keys and the two times are there; the rows count as complete."""
    fill(box)
    report = chosen(box, warehouse, *globs)
    assert (report.rows, report.runs_quarantined) == (90, 0)
    present = {key for (key,) in query(warehouse, "SELECT DISTINCT key FROM history")}
    assert present == keys | {"_timestamp", "_runtime"}
    want = {
        run.name: {p: v for p, v in expected(run.history.lines).items() if p[0] in present}
        for run in box.store.projects["e", "p"].live_runs
    }
    assert held(warehouse) == want
    assert query(warehouse, "SELECT DISTINCT state, stored_rows, history_as->'keys' FROM run_ledger") == [
        ("ok", 30, '["' + '","'.join(sorted(globs)) + '"]')
    ]  # fmt: skip
    assert not chosen(box, warehouse, *reversed(globs)).published


def test_a_tail_has_the_chosen_keys(box: Sandbox, warehouse: Path) -> None:
    """A run that goes on is gone on from; the rows that come have the same keys."""
    fill(box)
    chosen(box, warehouse, "loss")
    box.append_rows("e", "p", "r0", training(5, seed=8, first=30))
    assert chosen(box, warehouse, "loss").rows == 5
    assert held(warehouse) == kept(box, Selection(("loss",)))


def test_other_keys_fetch_the_history_again(box: Sandbox, warehouse: Path) -> None:
    """A later sync with other keys, or with all, notices and replaces what is there."""
    fill(box)
    for globs in (("loss",), ("val/*", "epoch"), (), ("loss",)):
        assert chosen(box, warehouse, *globs).runs_changed == 3
        assert held(warehouse) == kept(box, Selection(globs))
        assert not chosen(box, warehouse, *globs).published
    sync(options(box, warehouse, history="none"))
    assert held(warehouse) == kept(box, Selection(("loss",)))
    assert sync(options(box, warehouse)).runs_changed == 3
    assert not wrong_histories(box, warehouse)


def fill_with_secrets(box: Sandbox) -> None:
    """Runs with the canary at every depth of history, config and summary, exported in part."""
    for number in range(3):
        rows = [
            {
                **row,
                "token": f"{CANARY}-t{number}",
                "login": {"name": CANARY, "deep": {"er": [CANARY]}},
                "opt": {"lr": 0.1, "why": "fine"},
                "net": {"password": CANARY, "depth": 3},
            }
            for row in training(20, seed=number)
        ]
        box.add_run(
            "e", "p", f"r{number}", rows=rows,
            config={"token": CANARY, "lr": 0.1, "net": {"password": CANARY, "depth": 3, "hosts": [{"name": "h"}]}},
            summary={"best": 1, "login": {"name": CANARY}, "net": {"password": {"old": CANARY}, "depth": 4}},
        )  # fmt: skip
        box.export("e", "p", f"r{number}", upto_step=9 * number)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Files that hold the canary: every working directory is searched, all of it, before it is removed."""
    holding: list[str] = []
    searched: list[str] = []
    remove = shutil.rmtree

    def search_first(path: Any, *arguments: Any, **more: Any) -> None:
        for file in Path(path).rglob("*"):
            if file.is_file():
                searched.append(file.suffix)
                text = file.read_bytes()
                if file.suffix == ".parquet":
                    text += str(pq.read_table(file).to_pydict()).encode()
                if CANARY.encode() in text:
                    holding.append(str(file))
        remove(path, *arguments, **more)

    monkeypatch.setattr(shutil, "rmtree", search_first)
    yield holding
    assert ".parquet" in searched


def tables_with_canary(warehouse: Path) -> list[str]:
    """Tables of which a row holds the canary, as DuckDB reads them."""
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        names = [name for (name,) in reader.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return [
            name
            for name in names
            if reader.execute(
                f'SELECT count(*) FROM "{name}" t WHERE contains(t::VARCHAR, ?)', [CANARY]
            ).fetchall()
            != [(0,)]
        ]


def test_the_search_finds_what_is_there(box: Sandbox, warehouse: Path, found: list[str]) -> None:
    """Without exclusion the canary is in exports, parts and tables: the search below can fail."""
    fill_with_secrets(box)
    sync(options(box, warehouse))
    assert {Path(path).suffix for path in found} >= {".parquet"}
    assert {"history_values", "runs", "run_config", "run_summary"} <= set(tables_with_canary(warehouse))


@pytest.mark.parametrize("history", ["full", "sampled", "none"])
def test_excluded_keys_are_in_no_file(box: Sandbox, warehouse: Path, found: list[str], history: str) -> None:
    """No file a sync writes, at any time, holds an excluded value: nor an export, nor a part, nor a table."""
    fill_with_secrets(box)
    for _ in range(2):
        chosen(box, warehouse, exclude=SECRET, history=history)
        box.append_rows("e", "p", "r0", [{"token": CANARY, "loss": 0.5, "login": CANARY, "_step": 40}])
    assert not found
    assert not tables_with_canary(warehouse)
    assert CANARY.encode() not in warehouse.read_bytes()
    assert query(warehouse, "SELECT DISTINCT config::VARCHAR, summary::VARCHAR FROM runs") == [
        ('{"lr":0.1,"net":{"depth":3,"hosts":[{"name":"h"}]}}', '{"best":1,"net":{"depth":4}}')
    ]  # fmt: skip
    for place in ("raw_config->'token'", "history_keys->'keys'->'opt.lr'", "history_keys->'keys'->'token'"):
        assert query(warehouse, f"SELECT count({place}) FROM runs") == [(0,)]
    assert query(warehouse, "SELECT count(history_keys->'keys'->'opt.why') FROM runs") == [(3,)]
    assert not {key for (key,) in query(warehouse, "SELECT key FROM metrics")} & {"token", "login", "opt.lr"}
    if history == "full":
        assert query(warehouse, "SELECT DISTINCT state FROM run_ledger") == [("ok",)]
        want = {
            run.name: {
                place: value
                for place, value in expected(run.history.lines).items()
                if place[0] not in {"token", "net.password", "opt.lr"} and not place[0].startswith("login")
            }
            for run in box.store.projects["e", "p"].live_runs
        }
        chosen(box, warehouse, exclude=SECRET)
        assert held(warehouse) == want


def test_excluding_later_takes_out_what_was_stored(box: Sandbox, warehouse: Path) -> None:
    """A later sync that excludes notices and writes the runs anew, without; and one that does not, with."""
    fill_with_secrets(box)
    sync(options(box, warehouse))
    digest = content_digest(warehouse)
    assert chosen(box, warehouse, exclude=SECRET).runs_changed == 3
    assert not tables_with_canary(warehouse)
    assert not chosen(box, warehouse, exclude=SECRET).published
    assert sync(options(box, warehouse)).runs_changed == 3
    assert content_digest(warehouse) == digest
    assert not wrong_histories(box, warehouse)


def counts(warehouse: Path) -> dict[str, int]:
    """Rows of every resource's table."""
    return {name: query(warehouse, f'SELECT count(*) FROM "{name}"')[0][0] for name in RESOURCES}


def test_only_named_tables_are_loaded_and_the_others_catch_up(box: Sandbox, warehouse: Path) -> None:
    """Tables that were left out come with a later sync that does not leave them out; nothing is there twice."""
    fill(box)
    whole = warehouse.with_name("whole.duckdb")
    sync(options(box, whole))
    everything = counts(whole)
    assert everything["run_tags"]
    assert everything["metrics"]
    sync(options(box, warehouse, resources=("run_config",)))
    assert counts(warehouse) == dict.fromkeys(RESOURCES, 0) | {"runs": 3, "run_config": 3}
    assert not sync(options(box, warehouse, resources=("run_config", "runs"))).published
    sync(options(box, warehouse, resources=("run_tags", "history", "projects")))
    assert counts(warehouse)["history"] == everything["history"]
    assert counts(warehouse)["run_tags"] == 3
    sync(options(box, warehouse))
    assert counts(warehouse) == everything
    assert not sync(options(box, warehouse)).published
    assert not sync(options(box, warehouse, resources=("runs",))).published
    box.edit("e", "p", "r0", config={"n": 7}, tags=["u", "v"])
    sync(options(box, warehouse, resources=("runs",)))
    assert query(warehouse, "SELECT value FROM run_config WHERE run_id = 'r0'") == [(0,)]
    sync(options(box, warehouse))
    assert query(warehouse, "SELECT value FROM run_config WHERE run_id = 'r0'") == [(7,)]
    assert counts(warehouse)["run_tags"] == 4
