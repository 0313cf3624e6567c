"""Data: every bad value in a run of its own, in the middle of good ones, in one sync."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.commands import Ended
from faults.catalogue import CATALOGUE, Row, of_group
from faults.world import enter, run_cli
from support import query, training
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.warehouse import content_digest

ROWS = [row for row in CATALOGUE if row.group == "data" and not row.test]
GOOD = ("a-good-run", "m-good-run", "z-good-run")
OPERATIONS = {"config": "RunDetails", "summary": "RunDetails", "history": "HistoryWindows"}


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _steps(count: int, **columns: object) -> pa.Table:
    return pa.table({"_step": list(range(count)), **columns})


def _damaged() -> bytes:
    content = bytearray(_parquet(_steps(20, s=[f"text {number}" for number in range(20)])))
    for place in range(40, 200, 3):
        content[place] ^= 0xFF
    return bytes(content)


def _many_rows() -> bytes:
    zeros = np.zeros(1_200_000)
    return _parquet(pa.table({"_step": zeros.astype("int64"), "loss": zeros}))


def _many_cells() -> bytes:
    items = pa.array(np.zeros(20_000_000))
    return _parquet(pa.table({"_step": [0], "k": pa.ListArray.from_arrays([0, len(items)], items)}))


EXPORTS: dict[str, Callable[[], bytes]] = {
    "damaged": _damaged,
    "document": lambda: b"<Error/>" * 10,
    "cut": lambda: _parquet(_steps(20, s=["x"] * 20))[:-20] + b"PAR1",
    "steps": lambda: _parquet(pa.table({"_step": ["a"] * 20, "loss": [1.0] * 20})),
    "more": lambda: _parquet(pa.concat_tables([_steps(20, loss=[1.0] * 20)] * 2)),
    "cells": _many_cells,
    "rows": _many_rows,
}


def _id(row: Row) -> str:
    return f"run-{ROWS.index(row):02}-id"


def _fill(box: Sandbox) -> None:
    for number, name in enumerate((GOOD[0], *map(_id, ROWS), *GOOD[1:])):
        row = ROWS[number - 1] if name not in GOOD else None
        mark = f"@{name}@"
        if row is None or row.where == "export":
            box.add_run("e", "p", name, rows=training(20, seed=number))
        elif row.where == "history":
            box.add_run("e", "p", name, rows=[{"k": mark}], summary={})
        elif row.where == "config":
            box.add_run("e", "p", name, rows=[{"k": 1}], config={"k": mark})
        else:
            box.add_run("e", "p", name, rows=[{"k": 1}], summary={"k": mark})
        if row is not None and row.where == "export":
            run = box.store.projects["e", "p"].runs[name]
            run.exports, run.exported = [box.store.blobs.put(f"{name}.parquet", EXPORTS[row.text]())], 20


def _poison(box: Sandbox, rows: Sequence[Row]) -> None:
    """Put the documents of rows into every answer that speaks of them."""
    box.faults.clear()
    for operation in sorted(set(OPERATIONS.values())):
        box.inject(Fault("changed", operation, times=-1, change=_poisoned(operation, rows)))


def _poisoned(operation: str, rows: Sequence[Row]) -> Callable[[bytes], bytes]:
    """Put the bad documents where the marked ones stand: each is a JSON text inside the JSON of the answer."""

    def change(body: bytes) -> bytes:
        answer = json.loads(body)

        def walked(value: object) -> object:
            if isinstance(value, list):
                return [walked(item) for item in value]
            if isinstance(value, dict):
                return {key: walked(item) for key, item in value.items()}
            if isinstance(value, str):
                for row in rows:
                    if OPERATIONS.get(row.where) == operation and f"@{_id(row)}@" in value:
                        return row.text
            return value

        return json.dumps(walked(answer)).encode()

    return change


@dataclass(frozen=True)
class Poisoned:
    """A sync of good and bad runs, and the one after everything was mended."""

    ended: Ended
    quarantined: dict[str, str]
    ledger: dict[str, tuple[str, str | None]]
    values: dict[str, list[tuple[str, str | None, float | None]]]
    healed: Ended
    digests: tuple[dict[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Poisoned]:
    """Sync, mend, sync again, and from nothing."""
    folder = tmp_path_factory.mktemp("poisoned")
    place = folder / "wandb.duckdb"
    with pytest.MonkeyPatch.context() as patch, Sandbox() as box:
        enter(patch, box, folder)
        _fill(box)
        _poison(box, ROWS)
        ended = run_cli("sync", "e/p", "-w", place, "--json")
        ledger = {
            run: (state, error)
            for run, state, error in query(place, "SELECT run_id, state, error FROM run_ledger")
        }
        values: dict[str, list[tuple[str, str | None, float | None]]] = {}
        for run, key, text, value in query(place, "SELECT run_id, key, value_json, value FROM history"):
            values.setdefault(run, []).append((key, text, value))
        _poison(box, [row for row in ROWS if row.code == 0])
        for row in ROWS:
            if row.where == "export":
                box.export("e", "p", _id(row), 10)
        healed = run_cli("sync", "e/p", "-w", place)
        fresh = run_cli("sync", "e/p", "-w", folder / "fresh.duckdb")
        assert fresh.code == 0
        digests = content_digest(place), content_digest(folder / "fresh.duckdb")
        yield Poisoned(ended, json.loads(ended.out)["quarantined"], ledger, values, healed, digests)


@pytest.mark.parametrize("row", of_group("data"))
def test_a_bad_value_costs_its_own_run_at_most(row: Row, poisoned: Poisoned) -> None:
    """What cannot be stored exactly is named in report and ledger; what can is stored; the good runs land."""
    assert poisoned.ended.code == 6
    state, error = poisoned.ledger[_id(row)]
    if row.code == 0:
        assert (state, error) == ("ok", None)
        assert any(key == "k" or key.startswith("k.") for key, _, _ in poisoned.values[_id(row)])
        return
    reason = poisoned.quarantined[f"e/p/{_id(row)}"]
    assert state in {"quarantined", "partial"}
    assert error == reason
    for words in row.says:
        assert words in reason


def test_the_good_runs_land_and_the_bad_ones_heal(poisoned: Poisoned) -> None:
    """Good runs are whole beside bad ones; mended, the next sync makes the warehouse that of a fresh sync."""
    assert {poisoned.ledger[name] for name in GOOD} == {("ok", None)}
    assert len(poisoned.quarantined) == sum(row.code == 6 for row in ROWS)
    assert f"{len(poisoned.quarantined)} of {len(ROWS) + 3} runs are incomplete" in poisoned.ended.line
    healed, fresh = poisoned.digests
    assert poisoned.healed.code == 0
    assert healed == fresh
