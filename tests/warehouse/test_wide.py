"""Wide views: their columns, their rows against a pivot in Python, names that are data, and that syncs keep them."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from wandb_warehouse.errors import BusyError, ConfigError, CorruptStoreError, StoreError
from wandb_warehouse.warehouse import Build, create_wide, drop_wide, open_readonly, open_store, run_query
from wandb_warehouse.warehouse.wide import (
    MOST_COLUMNS,
    WideColumn,
    WideView,
    chosen_keys,
    column_names,
    create_wide_view,
    from_json,
    to_json,
)

Rows = dict[str, list[dict[str, Any]]]

AWKWARD = [
    "loss",
    "Loss",
    "LOSS",
    "step",
    "run_name",
    'a"b',
    "it's",
    "x; DROP TABLE runs; --",
    "a.b",
    "ä",
    "Ä",
    "",
]
"""Keys that a column's name has trouble with."""


@pytest.fixture
def rows() -> Rows:
    """Awkward keys in the histories, configs and summaries of three runs, the last of them deleted."""
    base = {"entity": "acme", "project": "vision"}
    values: Rows = {
        "runs": [base | {"run_id": f"r{n}", "name": f"run {n}"} for n in range(3)],
        "history": [],
        "run_config": [],
        "run_summary": [],
        "metrics": [base | {"run_id": "r0", "key": key, "stored_count": 1} for key in AWKWARD],
    }
    values["runs"][2]["deleted_at"] = 0
    for run in range(3):
        for number, key in enumerate(AWKWARD):
            one = base | {
                "run_id": f"r{run}",
                "key": key,
                "seq": 0,
                "type": "number",
                "value": number + run / 4,
            }
            if (run + number) % 3:
                values["run_config"].append(one)
                values["run_summary"].append(one)
            values["history"] += [one | {"step": step} for step in range(4) if (step + number) % 2]
    text = {"entity": "acme", "project": "vision", "run_id": "r0", "seq": 0, "value": None}
    values["run_config"] += [
        text | {"key": "opt", "type": "string", "value_json": '"adam"'},
        text | {"run_id": "r1", "key": "opt", "type": "number", "value": 2.0},
        text | {"key": "layers", "type": "json", "value_json": "[1,2]"},
        text | {"run_id": "r1", "key": "layers", "type": "null"},
        text | {"key": "flag", "type": "bool", "value": 1.0},
    ]
    return values


@pytest.fixture(params=["file", "lake"])
def warehouse(
    request: pytest.FixtureRequest,
    rows: Rows,
    insert: Callable[[Path, Rows], None],
    log_sync: Callable[[Build], int],
) -> Path:
    """The rows as a DuckDB file, and as a lake."""
    folder = request.getfixturevalue("tmp_path")
    (folder / "work").mkdir()
    place = Path(folder / {"file": "wandb.duckdb", "lake": "lake"}[request.param])
    store = open_store(place, "filesystem" if request.param == "lake" else "duckdb")
    with store.lock():
        build = store.begin(folder / "work", [("acme", "vision", f"r{n}") for n in range(3)], {})
        build.close()  # what follows opens the file itself
        insert(build.path, rows)
        log_sync(build)
        store.publish(build)
    return place


def _sync_again(warehouse: Path, log_sync: Callable[[Build], int]) -> None:
    """Publish once more, as a sync does that found something."""
    store = open_store(warehouse)
    work = warehouse.parent / "again"
    work.mkdir()
    with store.lock():
        build = store.begin(work, [("acme", "vision", "r0")], {})
        log_sync(build)
        store.publish(build)


def _pivot(rows: Rows, table: str, place: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Rows of the wide view over every awkward key, by hand."""
    names = {run["run_id"]: run["name"] for run in rows["runs"] if "deleted_at" not in run}
    cells: dict[tuple[Any, ...], dict[str, float]] = {} if place else {(run,): {} for run in names}
    for row in rows[table]:
        if row["run_id"] in names and row["key"] in AWKWARD:
            at = (row["run_id"], *(row[name] for name in place))
            cells.setdefault(at, {})[row["key"]] = row["value"]
    return [
        ("acme", "vision", at[0], names[at[0]], *at[1:], *(found.get(key) for key in AWKWARD))
        for at, found in sorted(cells.items())
    ]


def test_a_wide_view_is_a_pivot_and_stays(
    warehouse: Path, rows: Rows, log_sync: Callable[[Build], int]
) -> None:
    """A column a key under its exact name, every row and no other; syncs keep it until it is dropped."""
    parts: list[tuple[Any, str, tuple[str, ...]]] = [
        ("history", "history", ("step", "seq")),
        ("config", "run_config", ()),
        ("summary", "run_summary", ()),
    ]
    for of, _, place in parts:
        made = create_wide(warehouse, AWKWARD, of=of)
        assert made.name == f"{of}_wide"
        assert [column.key for column in made.columns] == AWKWARD
        names = [column.name for column in made.columns]
        taken = ["step (2)" if place else "step", "run_name (2)"]
        assert names == ["loss", "Loss (2)", "LOSS (3)", *taken, *AWKWARD[5:10], "Ä (2)", "(empty)"]
    for again in (False, True):
        if again:
            _sync_again(warehouse, log_sync)
        with open_readonly(warehouse) as connection:
            for of, table, place in parts:
                order = ", ".join(("run_id", *place))
                found = connection.execute(f"SELECT * FROM {of}_wide ORDER BY {order}")
                assert [column[0] for column in found.description or ()][4 + len(place) :][:3] == names[:3]
                assert found.fetchall() == _pivot(rows, table, place)
    for of, *_ in parts:
        drop_wide(warehouse, f"{of}_WIDE")
    _sync_again_name = run_query(
        warehouse, "select count(*) as n from duckdb_views() where view_name like '%wide'"
    )
    assert _sync_again_name.to_pylist() == [{"n": 0}]
    assert run_query(warehouse, "select count(*) as n from runs").to_pylist() == [{"n": 3}]


def test_kinds_of_columns(warehouse: Path) -> None:
    """Numbers and booleans are DOUBLE; a key with any text, list or object is text: strings bare, others as JSON."""
    made = create_wide(warehouse, ["opt", "layers", "flag", "l*"], of="config", name="mine")
    assert [(c.key, c.kind) for c in made.columns] == [
        ("opt", "text"), ("layers", "text"), ("flag", "double"), ("loss", "double")
    ]  # fmt: skip
    found = run_query(warehouse, "select opt, layers, flag from mine order by run_id").to_pylist()
    assert found == [
        {"opt": "adam", "layers": "[1,2]", "flag": 1.0},
        {"opt": "2", "layers": None, "flag": None},
    ]
    with open_readonly(warehouse) as connection:
        comments = connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'mine' AND comment IS NOT NULL"
        ).fetchall()
    assert ("opt", "config key opt") in comments


def test_what_cannot_be_made_is_refused(warehouse: Path) -> None:
    """Unknown keys, names that are taken or none, and views that are not there; nothing is changed or left behind."""

    def there() -> list[str]:
        return sorted(path.name for path in warehouse.parent.iterdir() if path.suffix != ".lock")

    before = there()
    for keys, name, says in [
        (["loss", "nope/*"], None, "no key of the history matches 'nope/\\*'"),
        ([], None, "no key is named"),
        (["loss"], "runs", "a name of every warehouse's own"),
        (["loss"], "Run_Curves", "a name of every warehouse's own"),
        (["loss"], "history_values", "a name of every warehouse's own"),
        (["loss"], 'a"; DROP TABLE runs', "cannot be the name of a view"),
    ]:
        with pytest.raises(ConfigError, match=says):
            create_wide(warehouse, keys, name=name)
    with pytest.raises(ConfigError, match="there is no wide view 'runs'"):
        drop_wide(warehouse, "runs")
    with pytest.raises(StoreError, match="no warehouse"):
        create_wide(warehouse.parent / "nowhere.duckdb", ["loss"])
    assert there() == before


def test_it_waits_for_no_sync_and_keeps_permissions(warehouse: Path) -> None:
    """A warehouse that a sync holds is busy at once; who might read the published files still may."""
    with open_store(warehouse).lock(), pytest.raises(BusyError):
        create_wide(warehouse, ["loss"])
    shared = warehouse / "manifest.json" if warehouse.is_dir() else warehouse
    shared.chmod(0o644)
    create_wide(warehouse, ["loss"])
    published = warehouse / "views.duckdb" if warehouse.is_dir() else warehouse
    assert stat.S_IMODE(published.stat().st_mode) == 0o644


def test_a_view_of_somebody_else_is_left_alone(published: Path) -> None:
    """A view that was made by hand in the file is neither replaced nor dropped."""
    with duckdb.connect(str(published)) as connection:
        connection.execute("CREATE VIEW mine AS SELECT 1 AS a")
        with pytest.raises(ConfigError, match="ine is there and is no wide view"):
            create_wide_view(connection, WideView("Mine", "config", (WideColumn("lr", "lr", "double"),)))
    with pytest.raises(ConfigError, match="ine is there and is no wide view"):
        create_wide(published, ["lr"], of="config", name="mine")
    with pytest.raises(ConfigError, match="there is no wide view 'mine'"):
        drop_wide(published, "mine")


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": 1}', '{"format": 2, "views": []}', '{"format": 1, "views": [{"name": "a\\"b"}]}',
     json.dumps({"format": 1, "views": [{"name": "a", "of": "runs", "columns": []}]})],
)  # fmt: skip
def test_a_damaged_list_of_wide_views_is_told(text: str) -> None:
    """A lake's list that is no such list is an error that names it, whoever wrote it."""
    with pytest.raises(CorruptStoreError, match=r"lake/wide_views\.json"):
        from_json(text.encode(), "lake/wide_views.json")


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.text(), unique=True, max_size=12))
def test_any_keys_make_one_valid_view(keys: list[str]) -> None:
    """Whatever keys are made of, the statement is one view with a column a key, and the list of a lake keeps it."""
    keys = [key for key in keys if "\0" not in key and key.isprintable()] or ["x"]
    named = zip(keys, column_names(keys, ("entity",)), strict=True)
    view = WideView("w", "config", tuple(WideColumn(key, name, "double") for key, name in named))
    assert from_json(to_json([view]).encode(), "here") == [view]
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE runs AS SELECT 'e' AS entity, 'p' AS project, 'r' AS run_id, 'n' AS name, NULL AS deleted_at"
        )
        connection.execute(
            "CREATE TABLE config_values (entity TEXT, project TEXT, run_id TEXT, key TEXT, kind TEXT, number DOUBLE)"
        )
        connection.executemany(
            "INSERT INTO config_values VALUES ('e', 'p', 'r', ?, 'number', ?)",
            [[key, float(number)] for number, key in enumerate(keys)],
        )
        create_wide_view(connection, view)
        assert connection.execute("SHOW TABLES").fetchall() == [("config_values",), ("runs",), ("w",)]
        assert connection.execute(
            "SELECT * EXCLUDE (entity, project, run_id, run_name) FROM w"
        ).fetchall() == [tuple(float(number) for number in range(len(keys)))]


def test_choosing_keys() -> None:
    """A key is chosen by its name, whatever glob that looks like; of globs each key comes once, and not too many."""
    present = ["a[1]", "a0", "val/x", "val/y", "b\0", "*"]
    assert chosen_keys(["a[1]", "val/*", "*"], present, "history") == ["a[1]", "val/x", "val/y", "*", "a0"]
    with pytest.raises(ConfigError, match="takes at most"):
        chosen_keys(["*"], map(str, range(MOST_COLUMNS + 1)), "summary")


def test_a_lake_elsewhere(
    tmp_path: Path, rows: Rows, insert: Callable[[Path, Rows], None], log_sync: Callable[[Build], int]
) -> None:
    """In an object store a wide view is made, kept by the next sync and dropped, as on the local disk."""
    import fsspec  # noqa: PLC0415 - only here

    address = "memory://bucket/wide"
    store = open_store(address)
    try:
        for number in range(2):
            (tmp_path / str(number)).mkdir()
            build = store.begin(tmp_path / str(number), [("acme", "vision", f"r{n}") for n in range(3)], {})
            if number == 0:
                insert(build.path, rows)
            log_sync(build)
            store.publish(build)
            if number == 0:
                create_wide(address, ["l*"], of="config", name="chosen")
            assert run_query(address, "from chosen").column_names[4:] == ["layers", "loss"]
            assert run_query(address, "from chosen").num_rows == 2
        drop_wide(address, "chosen")
        with pytest.raises(ConfigError, match="there is no wide view"):
            drop_wide(address, "chosen")
    finally:
        fsspec.filesystem("memory").store.clear()
