"""Chunks to parquet parts, read back by a second engine."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.strategies import same, wire
from arrow.test_history import RUN, Value, check, expected, rows_strategy
from lengths import examples
from wandb_warehouse.arrow.history import RunRef
from wandb_warehouse.arrow.merge import run_history
from wandb_warehouse.arrow.numbers import Numbers
from wandb_warehouse.arrow.parts import PartWriter, RunCount
from wandb_warehouse.arrow.rows import chunks_from_rows
from wandb_warehouse.arrow.text import unescape
from wandb_warehouse.arrow.values import restore
from wandb_warehouse.schema import TABLES

OTHER = RunRef("team", "project", "r2")


def write(
    directory: Path, batches: list[Any], target_values: int = 4_000_000
) -> tuple[list[Path], PartWriter]:
    """Write batches as parts and give their paths."""
    writer = PartWriter(directory, target_values=target_values)
    paths = [writer.add(batch) for batch in batches] + [writer.finish()]
    return [path for path in paths if path is not None], writer


def read(paths: list[Path], run: RunRef = RUN) -> list[Value]:
    """Give a run's values as DuckDB reads them from part files into the declared table and restores them."""
    con = duckdb.connect()
    con.execute(
        "create table history (entity varchar, project varchar, run_id varchar, key varchar, step bigint, "
        "seq bigint, type varchar, value double, value_json json)"
    )
    for path in paths:
        con.execute("insert into history select * from read_parquet(?)", [str(path)])
    rows = con.execute(
        "select key, step, seq, type, value, value_json::varchar from history where run_id = ?", [run.run_id]
    ).fetchall()
    return [
        (unescape(key), step, seq, restore(kind, value, text)) for key, step, seq, kind, value, text in rows
    ]


def check_pipeline(directory: Path, pages: list[list[dict[str, Any]]], target: int) -> None:
    """Assert that rows come back through chunks, parts and DuckDB as the definition of the table says."""
    batches = []
    for run in (RUN, OTHER):
        for number, page in enumerate(pages):
            shifted = [{**row, "_step": row.get("_step", 0) % 10 + 10 * number} for row in page]
            batches.append(chunks_from_rows(run, [wire(row) for row in shifted], {}))
    log = [
        json.loads(wire({**row, "_step": row.get("_step", 0) % 10 + 10 * number}))
        for number, page in enumerate(pages)
        for row in page
    ]
    paths, writer = write(directory, batches, target_values=target)
    wanted = expected(log)
    for run in (RUN, OTHER):
        check(read(paths, run), wanted)
        last = max((row["_step"] for row in log), default=-1)
        assert writer.count(run) == RunCount(len(log), len(wanted), len({value[0] for value in wanted}), last)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(rows_strategy, max_size=3), st.sampled_from([1, 7, 1000]))
def test_any_rows_come_back_through_a_part_and_duckdb(
    tmp_path_factory: pytest.TempPathFactory, pages: list[list[dict[str, Any]]], target: int
) -> None:
    """Rows -> chunks -> parquet -> DuckDB -> restore gives the rows flattened."""
    check_pipeline(tmp_path_factory.mktemp("parts"), pages, target)


def lines(steps: range, **values: str) -> list[str]:
    """Give rows of equal values."""
    rest = "".join(f',"{key}":{value}' for key, value in values.items())
    return [f'{{"_step":{step}{rest}}}' for step in steps]


def test_parts_have_the_columns_of_the_schema(tmp_path: Path) -> None:
    """A part file holds plain columns in the declared order, types and nullability, for any reader."""
    batch = chunks_from_rows(RUN, lines(range(3), a="1", b='"x"'), {})
    ((path,), _) = write(tmp_path, [batch])
    assert pq.read_schema(path).equals(TABLES["history"].arrow)
    kinds = duckdb.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
    assert [(name, kind) for name, kind, *_ in kinds] == [
        *((name, "VARCHAR") for name in ("entity", "project", "run_id", "key")),
        ("step", "BIGINT"),
        ("seq", "BIGINT"),
        ("type", "VARCHAR"),
        ("value", "DOUBLE"),
        ("value_json", "VARCHAR"),
    ]


def test_parts_are_ordered_by_key_run_and_step(tmp_path: Path) -> None:
    """Batches of several runs, late pages first, overlapping in steps: the file is in order."""
    batches = [
        chunks_from_rows(OTHER, lines(range(5, 9), b="1", a="2"), {}),
        chunks_from_rows(OTHER, lines(range(5), b="1", c="true"), {}),
        chunks_from_rows(RUN, lines(range(0, 9, 2), a="3", b='"x"'), {}),
        chunks_from_rows(RUN, lines(range(1, 9, 2), a="3.5", b="null"), {}),
    ]
    ((path,), _) = write(tmp_path, batches)
    table = pq.read_table(path).to_pylist()
    places = [(row["key"], row["run_id"], row["step"], row["seq"]) for row in table]
    assert places == sorted(places)
    assert len(places) == len(set(places)) == 4 * 2 + 5 * 2 + 5 * 2 + 4 * 2
    interleaved = [row["type"] for row in table if row["key"] == "b" and row["run_id"] == "r1"]
    assert interleaved == ["string", "null"] * 4 + ["string"]


def test_parts_are_cut_by_the_target(tmp_path: Path) -> None:
    """A part is finished as soon as it holds the target, and what is left comes last."""
    writer = PartWriter(tmp_path, target_values=10)
    given_back = [
        writer.add(chunks_from_rows(RUN, lines(range(n * 3, n * 3 + 3), a="1", b="2"), {})) for n in range(3)
    ]
    assert [path is not None for path in given_back] == [False, True, False]
    last = writer.finish()
    assert last is not None
    assert given_back[1] is not None
    assert [pq.read_metadata(path).num_rows for path in (given_back[1], last)] == [12, 6]
    assert writer.finish() is None
    assert sorted(tmp_path.iterdir()) == sorted([given_back[1], last])
    assert writer.counts == {RUN: RunCount(9, 18, 2, 8)}


def test_long_texts_weigh_more_than_one_value(tmp_path: Path) -> None:
    """A few long JSON texts finish a part as many short values do, so that memory stays bounded."""
    text = json.dumps("x" * 10_000)
    batch = chunks_from_rows(RUN, lines(range(10), a=text), {})
    writer = PartWriter(tmp_path, target_values=1_000)
    path = writer.add(batch)
    assert path is not None
    assert pq.read_metadata(path).num_rows == 10
    assert writer.add(chunks_from_rows(RUN, lines(range(10, 20), a="1"), {})) is None


def test_rows_without_values_are_counted_and_write_no_file(tmp_path: Path) -> None:
    """A history of bare steps has rows for the ledger and no part."""
    paths, writer = write(tmp_path, [chunks_from_rows(RUN, lines(range(4)), {})])
    assert paths == []
    assert writer.count(RUN) == RunCount(4, 0, 0, 3)
    assert writer.count(OTHER) == RunCount(0, 0, 0, -1)


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is put together and written in groups, not whole."""
    monkeypatch.setattr("wandb_warehouse.arrow.parts.ROW_GROUP", 10)
    batches = [chunks_from_rows(RUN, lines(range(n * 5, n * 5 + 5), a="1"), {}) for n in range(10)]
    ((path,), _) = write(tmp_path, batches)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [10] * 5


def test_exact_doubles_survive_the_file(tmp_path: Path) -> None:
    """NaN, infinities, the negative zero and the smallest number come back bit by bit."""
    special = [5e-324, -0.0, float("nan"), float("inf"), float("-inf"), 1.7976931348623157e308]
    rows = [f'{{"_step":{step},"a":{json.dumps(value)}}}' for step, value in enumerate(special)]
    (paths, _) = write(tmp_path, [chunks_from_rows(RUN, rows, {})])
    values = [value for *_, value in sorted(read(paths), key=lambda value: value[1])]
    assert same(values, special)
    stored = pq.read_table(paths[0]).column("value").combine_chunks()
    assert stored.view(pa.int64()).equals(pa.array(special).view(pa.int64()))


def test_repeated_steps_of_several_batches_are_in_order(tmp_path: Path) -> None:
    """Chunks that share steps are put together by step and occurrence."""
    pages = [lines(range(4), a="1"), [f'{{"_step":{step},"a":2,"_timestamp":9}}' for step in range(4)]]
    stamped = [line.replace("{", '{"_timestamp":1,') for line in pages[0]]
    ((path,), _) = write(tmp_path, list(run_history(RUN, {}, live=[stamped, pages[1]])))
    table = pq.read_table(path, filters=[("key", "=", "a")]).to_pylist()
    found = [(row["step"], row["seq"], row["value"]) for row in table]
    assert found == [(step, seq, seq + 1.0) for step in range(4) for seq in range(2)]


def test_numbered_parts_hold_the_same_rows(tmp_path: Path) -> None:
    """With numbers for runs and keys a part has the stored table's columns; put back, the names make the same rows."""
    pages = [
        [{"_step": n, "loss": n / 2, "note": "x" * n, "ok": True} for n in range(page, page + 5)]
        for page in (0, 5)
    ]
    batches = [
        chunks_from_rows(run, [wire(row) for row in page], {}) for run in (RUN, OTHER) for page in pages
    ]
    numbers = Numbers({OTHER: 7}, {"loss": 3})
    names, numbered = tmp_path / "names", tmp_path / "numbers"
    names.mkdir()
    numbered.mkdir()
    (plain,), _ = write(names, batches)
    writer = PartWriter(numbered, numbers)
    for batch in batches:
        writer.add(batch)
    part = writer.finish()
    assert part is not None
    assert pq.read_schema(part).equals(TABLES["history"].stored.arrow)
    con = duckdb.connect()
    for name, rows in numbers.new().items():
        con.register(name, rows)
    back = (
        f"SELECT entity, project, run_id, key, n.* EXCLUDE (run_number, key_number) FROM '{part}' n"
        " JOIN (FROM run_numbers UNION ALL SELECT 7, 'team', 'project', 'r2') USING (run_number)"
        " JOIN (FROM key_numbers UNION ALL SELECT 3, 'loss') USING (key_number)"
    )
    for one, other in ((back, f"FROM '{plain}'"), (f"FROM '{plain}'", back)):
        assert con.execute(f"SELECT count(*) FROM (({one}) EXCEPT ALL ({other}))").fetchall() == [(0,)]
    assert con.execute(f"SELECT count(*) FROM ({back})").fetchall() == [(60,)]
