"""What commands write to stdout: every format carries every value, and stdout carries nothing else."""

import csv
import io
import json
from pathlib import Path

import pytest

from cli.commands import Cli
from wandb_warehouse.cli import progress, render
from wandb_warehouse.cli.sandbox import DEMO_PROJECT
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.schema import TABLES

PATH = f"sandbox/{DEMO_PROJECT}"

ODD = """
select 'NaN'::double as nan, 'inf'::double as inf, '-inf'::double as ninf, null as nothing, true as yes,
       9007199254740993 as big, 170141183460469231731687303715884105727::hugeint as huge, 1.50::decimal(4,2) as dec,
       timestamp '2024-02-29 12:34:56.789012' as ts, timestamptz '2024-02-29 12:00:00+02' as tz,
       date '2024-02-29' as day, {'a': [1, null], 'b': 'NaN'::double} as nested, map {'k': 1} as mapped,
       'a"b,c' || chr(10) || 'é' as text, '\\x00\\xFF'::blob as bytes
"""
ODD_VALUES = {
    "nan": "NaN",
    "inf": "Infinity",
    "ninf": "-Infinity",
    "nothing": None,
    "yes": True,
    "big": 9007199254740993,
    "huge": "170141183460469231731687303715884105727",
    "dec": "1.50",
    "ts": "2024-02-29T12:34:56.789012",
    "tz": "2024-02-29T10:00:00+00:00",
    "day": "2024-02-29",
    "nested": {"a": [1, None], "b": "NaN"},
    "mapped": [["k", 1]],
    "text": 'a"b,c\né',
    "bytes": "00ff",
}


def test_odd_values_in_json(cli: Cli, warehouse: Path) -> None:
    """JSON holds every value as text that loses nothing: non-finite numbers as W&B writes them, times in ISO form."""
    ended = cli("query", ODD, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    # A strict parser: Python's own would let a bare NaN pass.
    assert json.loads(ended.out, parse_constant=pytest.fail) == [ODD_VALUES]


def test_odd_values_in_ndjson(cli: Cli, warehouse: Path) -> None:
    """NDJSON is one object a line, whatever line breaks the values hold."""
    ended = cli("query", f"{ODD} union all {ODD}", "--format", "ndjson")
    lines = ended.out.splitlines()
    assert [json.loads(line, parse_constant=pytest.fail) for line in lines] == [ODD_VALUES] * 2


def test_odd_values_in_csv(cli: Cli, warehouse: Path) -> None:
    """CSV quotes what it must; null is an empty cell, nested values are JSON."""
    ended = cli("query", ODD, "--format", "csv")
    header, row = csv.reader(io.StringIO(ended.out))
    assert header == list(ODD_VALUES)
    nested = {"nested": '{"a": [1, null], "b": "NaN"}', "mapped": '[["k", 1]]', "nothing": ""}
    assert row == [str(value) for value in ({**ODD_VALUES, **nested}).values()]


def test_odd_values_in_a_table(cli: Cli, warehouse: Path) -> None:
    """A table shows null as a dash and control characters spelled out, so that no value steers the terminal."""
    ended = cli("query", "select null as a, 'NaN'::double as b, chr(27) || '[31mred' as c, true as d")
    assert ended.code == 0
    *_, row = (line for line in ended.out.splitlines() if line.strip())
    assert row.split() == ["-", "NaN", r"\x1b[31mred", "true"]


def test_markup_in_values_is_text(cli: Cli, warehouse: Path) -> None:
    """Names of runs and columns that look like markup are shown as they are."""
    ended = cli("query", """select '[red]x[/red]' as "[bold]c[/bold]" """)
    assert "[red]x[/red]" in ended.out
    assert "[bold]c[/bold]" in ended.out


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_repeated_columns_in_json(cli: Cli, warehouse: Path, form: str) -> None:
    """An object cannot hold two values of one name: said, instead of dropping one."""
    ended = cli("query", "select 1 as a, 2 as b, 3 as a", "--format", form)
    assert (ended.code, ended.out) == (2, "")
    assert "'a'" in ended.line


def test_repeated_columns_in_csv_and_tables(cli: Cli, warehouse: Path) -> None:
    """CSV and tables hold columns of one name side by side."""
    sql = "select 1 as a, 2 as b, 3 as a"
    assert cli("query", sql, "--format", "csv").out == "a,b,a\n1,2,3\n"
    header, _rule, row = (line.split() for line in cli("query", sql).out.splitlines() if line.strip())
    assert (header, row) == (["a", "b", "a"], ["1", "2", "3"])


@pytest.mark.parametrize(
    ("form", "out"), [("json", "[]\n"), ("ndjson", ""), ("csv", "run_id,state\n"), ("table", None)]
)
def test_no_rows(cli: Cli, warehouse: Path, form: str, out: str | None) -> None:
    """An answer without rows is well-formed in every format and keeps its column names where the format has any."""
    ended = cli("query", "select run_id, state from runs where false", "--format", form)
    assert (ended.code, ended.err) == (0, "")
    if out is None:
        assert ended.out.split()[:2] == ["run_id", "state"]
    else:
        assert ended.out == out


def test_limit(cli: Cli, warehouse: Path) -> None:
    """--limit cuts and says so on stderr; a table is cut at 500 rows, formats for machines are not."""
    sql = "select range as n from range(600)"
    ended = cli("query", sql, "--limit", "2", "--format", "csv")
    assert (ended.code, ended.out) == (0, "n\n0\n1\n")
    assert "first 2 rows" in ended.line
    assert "first 500 rows" in cli("query", sql).line
    everything = cli("query", sql, "--format", "csv")
    assert everything.err == ""
    assert everything.out.split() == ["n", *map(str, range(600))]


def test_status(cli: Cli, warehouse: Path) -> None:
    """The status names the project and counts every table; its JSON agrees with counting by query."""
    found = json.loads(cli("status", "--json").out)
    assert list(found["tables"]) == list(TABLES)
    for table, rows in found["tables"].items():
        counted = json.loads(cli("query", f"select count(*) as n from {table}", "--json").out)
        assert counted == [{"n": rows}]
    shown = cli("status")
    assert shown.code == 0
    assert PATH in shown.out
    counts = {}
    for line in shown.out.splitlines():
        first, *rest = line.split() or [""]
        if first in TABLES:
            counts[first] = int(rest[0].replace(",", ""))
    assert counts == found["tables"]


def test_status_digest(cli: Cli, warehouse: Path) -> None:
    """--digest adds one digest a table, the same in every format and at every call."""
    found = json.loads(cli("status", "--json", "--digest").out)["digest"]
    assert list(found) == [name for name in TABLES if name != "sync_log"]  # a log is about syncs, no content
    shown = cli("status", "--digest").out
    for digest in found.values():
        assert digest in shown


def test_views_are_listed_and_printed(cli: Cli, home: Path) -> None:
    """Every SQL file of the checkout is listed and printed, in DuckDB's dialect as it stands in the file."""
    files = {path.stem: path.read_text() for path in (Path(__file__).parents[2] / "sql").glob("*/*.sql")}
    listed = json.loads(cli("views", "--list", "--json").out)
    assert {each["name"] for each in listed} == set(files)
    printed = cli("views").out
    for text in files.values():
        select = "\n".join(line for line in text.split("\n") if not line.startswith("--")).strip()
        assert select.removesuffix(";") in printed


def test_views_for_another_engine(cli: Cli, home: Path) -> None:
    """Another dialect gives other SQL that defines the same names."""
    ended = cli("views", "--dialect", "postgres")
    assert (ended.code, ended.err) == (0, "")
    assert "CREATE VIEW run_overview AS" in ended.out
    assert "CAST('{}' AS TEXT[])" in ended.out  # how the views of values decode JSON there
    assert "history_values" not in ended.out
    assert ended.out != cli("views").out


def test_progress_without_a_terminal(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal progress is plain lines on stderr, and stdout is the JSON report alone."""
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.05)
    with Sandbox(latency=0.1) as box:
        box.add_run("sandbox", "p", "r", rows=[{"loss": 0.5}, {"loss": 0.25}], config={"lr": 1})
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        monkeypatch.setenv("WANDB_API_KEY", box.key)
        ended = cli("sync", "sandbox/p", "--json")
        asked = len(box.requests)
    assert ended.code == 0
    report = json.loads(ended.out)
    assert (report["runs_changed"], report["rows"], report["requests"]) == (1, 2, asked)
    lines = ended.err.splitlines()
    assert len(lines) >= 3
    assert all("1 runs" in line or "0 runs" in line for line in lines)
    assert "\x1b" not in ended.err


def test_sync_report(cli: Cli, connected: Sandbox, warehouse: Path) -> None:
    """A sync that finds nothing new says so in a line; one that fetches again tells runs, rows and time."""
    fresh = cli("sync", PATH, "--full-refresh")
    runs = len(connected.store.projects["sandbox", DEMO_PROJECT].runs)
    rows = sum(len(run.history) for run in connected.store.projects["sandbox", DEMO_PROJECT].runs.values())
    told = [line.split() for line in fresh.out.splitlines()]
    assert ["runs", "fetched", str(runs)] in told
    assert ["history", "rows", f"{rows:,}"] in told
    assert (fresh.code, fresh.err) == (0, "")


def test_projects_from_configuration(cli: Cli, connected: Sandbox, home: Path) -> None:
    """Without arguments the projects of .dlt/config.toml are synced."""
    (home / ".dlt").mkdir()
    (home / ".dlt" / "config.toml").write_text(f'[sources.wandb]\nprojects = ["{PATH}"]\n')
    ended = cli("sync", "--history", "none", "--json")
    assert json.loads(ended.out)["projects"] == [PATH]


def test_project_from_environment(cli: Cli, connected: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments, WANDB_ENTITY and WANDB_PROJECT name the project, whatever the configuration says."""
    Path(".dlt").mkdir()
    Path(".dlt/config.toml").write_text('[sources.wandb]\nprojects = ["sandbox/another"]\n')
    monkeypatch.setenv("WANDB_ENTITY", "sandbox")
    monkeypatch.setenv("WANDB_PROJECT", DEMO_PROJECT)
    monkeypatch.setenv("WANDB_WAREHOUSE", "elsewhere.duckdb")
    ended = cli("sync", "--history", "none", "--filter", '{"state": "failed"}', "--json")
    report = json.loads(ended.out)
    failed = [
        r for r in connected.store.projects["sandbox", DEMO_PROJECT].runs.values() if r.state == "failed"
    ]
    assert (report["projects"], report["warehouse"]) == ([PATH], "elsewhere.duckdb")
    assert report["runs_listed"] == len(failed)
    assert Path("elsewhere.duckdb").is_file()


def test_wide_rows_on_a_narrow_terminal(cli: Cli, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows too wide for the terminal are shown record by record, every value whole and beside its column's name."""
    sql = "select * from runs order by created_at limit 2"
    wide = cli("query", sql)
    monkeypatch.setattr(render, "_PIPED_WIDTH", 80)
    narrow = cli("query", sql)
    assert max(map(len, narrow.out.splitlines())) <= 80 < max(map(len, wide.out.splitlines()))
    names = [
        line.split(maxsplit=1)[0]
        for line in narrow.out.splitlines()
        if line and not line.startswith((" ", "─"))
    ]
    assert names == list(TABLES["runs"].names) * 2
    expected = json.loads(cli("query", sql, "--json").out)
    unfolded = "".join(line[len("history_line_count   ") :].rstrip() for line in narrow.out.splitlines())
    for run in expected:
        assert run["run_id"] in unfolded
        assert run["config"].replace(" ", "") in unfolded.replace(" ", "")
