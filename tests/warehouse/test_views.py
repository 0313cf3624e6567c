"""SQL files: their headers, their order, what is refused, and other dialects."""

from pathlib import Path

import duckdb
import pytest
import sqlglot

from wandb_warehouse.errors import ConfigError, StoreError
from wandb_warehouse.schema import NUMBER_TABLES, TABLES
from wandb_warehouse.warehouse import Build, load_sql_files, render
from wandb_warehouse.warehouse.views import create_views, dialects, order, parse_sql_file

HEADER = "-- {kind}: {name}\n-- mirrors: m\n-- grain: g\n-- units: u\n"


def _text(name: str, sql: str, kind: str = "view") -> str:
    return HEADER.format(kind=kind, name=name) + sql


def test_header_becomes_the_comment(build: Build) -> None:
    """Every part of the header is kept with the view in the database, quotes and all."""
    header = ["view: some", "mirrors: the runs' table", "grain: one row", "units: s", "", "More", "words."]
    file = parse_sql_file("\n".join(f"-- {line}" for line in header) + "\nSELECT 1 AS a;", "some.sql")
    with duckdb.connect(str(build.path)) as connection:
        assert create_views(connection, [file]) == ["some"]
        comment = connection.execute("SELECT comment FROM duckdb_views() WHERE view_name = 'some'").fetchall()
    assert comment == [("one row; mirrors the runs' table; units: s. More words.",)]


def test_order_follows_references() -> None:
    """A file comes after every file it reads, through joins, subqueries, CTEs and macros, whatever its name."""
    files = [
        parse_sql_file(_text(name, sql, kind), name)
        for name, kind, sql in [
            (
                "a",
                "view",
                "WITH runs2 AS (SELECT * FROM c) SELECT * FROM runs2 WHERE run_id IN (SELECT run_id FROM b)",
            ),
            (
                "b",
                "view",
                "SELECT runs.run_id FROM runs JOIN d('x') AS curves ON curves.run_id = runs.run_id",
            ),
            ("c", "view", "SELECT run_id FROM b"),
            ("d(metric)", "macro", "SELECT run_id FROM history WHERE key = metric"),
        ]
    ]
    assert [file.name for file in order(files)] == ["d", "b", "c", "a"]


def test_a_scalar_macro_takes_a_row(build: Build) -> None:
    """A macro with a result is called with a row of `runs`, under any alias, also beside a table of its own name."""
    text = _text("run_config(run) -> json", "run.config", "macro")
    with duckdb.connect(str(build.path)) as connection:
        create_views(connection, [parse_sql_file(text, "a.sql")])
        for alias in ("r", "run", "runs"):
            asked = f"SELECT run_config({alias}) FROM runs AS {alias} WHERE {alias}.run_id = 'r1'"
            assert connection.execute(asked).fetchall() == [('{"lr":0.1}',)]
        assert connection.execute("SELECT key FROM run_config").fetchall() == [("lr",)]


def test_a_column_of_the_run_is_a_view_too() -> None:
    """The view of such a macro names the run and leaves deleted ones out; other scalar macros have none."""
    column = parse_sql_file(_text("run_sweep(run) -> text", "run.sweep_id", "macro"), "a.sql").over_runs
    assert column is not None
    assert (column.kind, column.name, column.engines) == ("view", "run_sweep", ())
    assert column.tree.named_selects == ["entity", "project", "run_id", "sweep_id"]
    assert "deleted_at IS NULL" in column.sql
    for sql in ("upper(run.name)", "(SELECT max(name) FROM runs)"):
        assert parse_sql_file(_text("a(run) -> text", sql, "macro"), "a.sql").over_runs is None


def test_engines_are_listed() -> None:
    """A file says which engines can run it: a scalar macro is DuckDB's by itself, others are everybody's."""
    engines = {
        "": ("a", "view", "SELECT 1 AS b"),
        "duckdb": ("a(run) -> text", "macro", "run.name"),
    }
    for expected, (name, kind, sql) in engines.items():
        assert ",".join(parse_sql_file(_text(name, sql, kind), "a.sql").engines) == expected
    text = _text("a", "-- engines: duckdb, snowflake\nSELECT 1 AS b")
    assert parse_sql_file(text, "a.sql").engines == ("duckdb", "snowflake")


_REFUSED = {
    "no header": ("SELECT 1 AS a", "lacks mirrors, grain, units"),
    "no units": ("-- view: a\n-- mirrors: m\n-- grain: g\nSELECT 1 AS a", "lacks units"),
    "no name": ("-- mirrors: m\n-- grain: g\n-- units: u\nSELECT 1 AS a", "lacks a name"),
    "odd name": (_text('a"; DROP', "SELECT 1 AS a"), "lacks a name"),
    "two statements": (_text("a", "SELECT 1 AS a; SELECT 2 AS b"), "not one SELECT"),
    "no statement": (_text("a", ""), "not one SELECT"),
    "no reading": (_text("a", "DROP TABLE runs"), "not one SELECT"),
    "syntax": (_text("a", "SELECT FROM WHERE"), "a.sql"),
    "unknown function": (_text("a", "SELECT ARG_MAXIMUM(1, 2) AS a"), "unknown function ARG_MAXIMUM"),
    "unknown table": (_text("a", "SELECT 1 AS a FROM histroy"), "reads histroy"),
    "circle": (_text("a", "SELECT * FROM a"), "circle"),
    "name of a table": (_text("runs", "SELECT 1 AS a"), "declared twice"),
    "result of a view": (_text("a(run) -> text", "SELECT 1 AS a"), "a view has no result"),
    "two expressions": (_text("a(run) -> text", "run.name, run.state", "macro"), "not one expression"),
    "expression and table": (_text("a(run) -> text", "run.name FROM runs", "macro"), "not one expression"),
    "expression of a table": (_text("a(run) -> text", "(SELECT 1 FROM histroy)", "macro"), "reads histroy"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_wrong_files_are_refused(case: str) -> None:
    """A file that breaks a rule is refused with what is wrong in it."""
    text, message = _REFUSED[case]
    with pytest.raises(StoreError, match=message):
        order([parse_sql_file(text, "a.sql")])


def test_file_is_named_as_its_view(tmp_path: Path) -> None:
    """A file whose name is not that of its view is refused."""
    (tmp_path / "views").mkdir()
    (tmp_path / "macros").mkdir()
    (tmp_path / "views" / "b.sql").write_text(_text("a", "SELECT 1 AS a"))
    with pytest.raises(StoreError, match="declares view a"):
        load_sql_files(tmp_path)


def test_shipped_files_create_on_empty_tables(build: Build) -> None:
    """Every shipped view and macro is created twice in a row and readable, with its comment."""
    assert build.create_views() == build.create_views() == [file.name for file in load_sql_files()]
    with duckdb.connect(str(build.path)) as connection:
        comments = dict(connection.execute("SELECT view_name, comment FROM duckdb_views()").fetchall())
        for file in load_sql_files():
            if file.kind == "view":
                assert comments[file.name] == file.comment
                connection.execute(f"SELECT * FROM {file.name}").fetchall()


def test_column_that_does_not_exist_is_named(build: Build) -> None:
    """A view over a column that its table lacks is refused when it is created."""
    file = parse_sql_file(_text("a", "SELECT runs.colour FROM runs"), "a.sql")
    with duckdb.connect(str(build.path)) as connection, pytest.raises(StoreError, match="colour"):
        create_views(connection, [file])


@pytest.mark.parametrize("dialect", ["postgres", "spark", "snowflake", "bigquery", "clickhouse", "sqlite"])
def test_shipped_files_print_in_other_dialects(dialect: str) -> None:
    """What is printed for a dialect reads the same tables and gives the same columns, parsed by that dialect."""
    said = [file for file in load_sql_files() if not file.engines]
    for file in said:
        printed = sqlglot.parse(render(file, dialect), read=dialect)
        assert len([tree for tree in printed if tree is not None]) == 1
        select = printed[0].find(sqlglot.exp.Select) if printed[0] is not None else None
        assert select is not None
        assert select.named_selects == file.tree.named_selects
        assert {t.name for t in select.find_all(sqlglot.exp.Table)} == file.references
        assert file.references <= {
            *TABLES,
            *NUMBER_TABLES,
            *(t.stored.name for t in TABLES.values()),
            *(view.name for view in said if view.kind == "view"),
        }


def test_macro_prints_with_a_placeholder() -> None:
    """A table macro becomes a SELECT with a placeholder where other dialects have no table macros."""
    curves = next(file for file in load_sql_files() if file.name == "run_curves")
    assert "history.key = :metric" in render(curves, "postgres").replace("%(metric)s", ":metric")
    assert render(curves).startswith('CREATE OR REPLACE MACRO "run_curves"(metric) AS TABLE')


def test_unknown_dialect_is_refused() -> None:
    """A dialect sqlglot does not know is a configuration error that lists the known ones."""
    with pytest.raises(ConfigError, match="snowflake"):
        render(load_sql_files()[0], "dialectic")
    assert "duckdb" in dialects()


def test_what_a_dialect_cannot_say_is_refused() -> None:
    """SQL that a dialect has no words for is refused instead of printed wrong."""
    file = parse_sql_file(_text("a", "SELECT run_id FROM runs SEMI JOIN metrics USING (run_id)"), "a.sql")
    pivot = parse_sql_file(_text("b", "SELECT * FROM runs PIVOT (count(*) FOR state IN ('ok'))"), "b.sql")
    assert "SEMI JOIN" in render(file, "spark")
    with pytest.raises(ConfigError, match="b cannot be said in postgres"):
        render(pivot, "postgres")
