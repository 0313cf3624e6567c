"""The installed command in a process of its own: exit codes, signals, pipes, start-up."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from cli.commands import COMMAND, Cli
from lengths import short_or_all
from support import heed_interrupts
from wandb_warehouse.cli.sandbox import DEMO_PROJECT, fill_demo_project
from wandb_warehouse.sandbox import Sandbox

_started: list[subprocess.Popen[str]] = []


def _start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    running = subprocess.Popen(
        [str(COMMAND), *arguments],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    _started.append(running)
    return running


@pytest.fixture(autouse=True)
def _no_survivors() -> Iterator[None]:
    """What a failing test leaves running is killed."""
    yield
    while _started:
        with _started.pop() as running:
            running.kill()


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def slow_box(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox with the demo project that takes its time, and the environment pointing at it."""
    with Sandbox(latency=0.2) as box:
        fill_demo_project(box)
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        monkeypatch.setenv("WANDB_API_KEY", box.key)
        yield box


def test_exit_codes_reach_the_shell(process: Cli, warehouse: Path) -> None:
    """Exit codes and the separation of stdout from stderr hold outside of this process."""
    good = process("query", "select 1 as a", "--format", "csv")
    assert (good.code, good.out, good.err) == (0, "a\n1\n", "")
    refused = process("query", "drop table runs")
    assert (refused.code, refused.out) == (2, "")
    assert refused.line.startswith("error: DROP statements are refused")
    assert process("nope").code == 2


@pytest.mark.parametrize(
    ("sent", "moment"),
    short_or_all(
        [(signal.SIGINT, "listing"), (signal.SIGTERM, "history"), (signal.SIGINT, "loading")],
        list(product([signal.SIGINT, signal.SIGTERM], ["listing", "history", "loading"])),
    ),
)
@pytest.mark.slow
def test_signals_end_a_sync_cleanly(home: Path, slow_box: Sandbox, sent: signal.Signals, moment: str) -> None:
    """A signal at any stage ends the sync within seconds, with its own exit code and nothing left behind."""
    code, word = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}[sent]
    running = _start(home, "sync", f"sandbox/{DEMO_PROJECT}")
    begun = {
        "listing": lambda: slow_box.requests,
        "history": lambda: any("istory" in request.operation for request in slow_box.requests),
        "loading": lambda: list(home.glob("wandb.duckdb.work-*/build.duckdb")),
    }[moment]
    _wait_for(begun)
    running.send_signal(sent)
    started = time.monotonic()
    out, err = running.communicate(timeout=30)
    assert running.returncode == code, err
    assert time.monotonic() - started < 10
    assert out == ""
    # On a busy machine it takes so long that its progress is shown.
    said = [
        line for line in err.splitlines() if line and not re.search(r" runs, .* requests, .* \d+ s$", line)
    ]
    assert said == [f"error: {word}; what was published before stands"]
    assert [entry.name for entry in home.iterdir()] == ["wandb.duckdb.lock"]


@pytest.mark.slow
def test_a_sync_after_an_interrupted_one(home: Path, slow_box: Sandbox, process: Cli) -> None:
    """The sync after a killed one clears what that left and publishes everything."""
    running = _start(home, "sync", f"sandbox/{DEMO_PROJECT}")
    _wait_for(lambda: list(home.glob("wandb.duckdb.work-*/build.duckdb")))
    running.kill()
    running.communicate(timeout=30)
    assert list(home.glob("wandb.duckdb.work-*"))
    report = json.loads(process("sync", f"sandbox/{DEMO_PROJECT}", "--json").out)
    runs = slow_box.store.projects["sandbox", DEMO_PROJECT].runs.values()
    assert report["rows"] == sum(len(run.history) for run in runs)
    assert sorted(entry.name for entry in home.iterdir()) == ["wandb.duckdb", "wandb.duckdb.lock"]


def _start_sandbox(home: Path) -> tuple[subprocess.Popen[str], list[str]]:
    """A filled sandbox, and the lines it prints once it serves."""
    running = _start(home, "sandbox", "--fill")
    assert running.stdout is not None
    return running, [running.stdout.readline().rstrip() for _ in range(3)]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_sandbox_ends_on_a_signal(home: Path, sent: signal.Signals, code: int) -> None:
    """Ctrl-C is how the sandbox is meant to end; SIGTERM ends it as it ends every command."""
    running, _lines = _start_sandbox(home)
    running.send_signal(sent)
    running.communicate(timeout=15)
    assert running.returncode == code


@pytest.mark.slow
def test_sandbox_serves_what_it_prints(home: Path) -> None:
    """The sandbox prints the two variables that point a sync at it, and the sync to try."""
    running, lines = _start_sandbox(home)
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines[:2])
    assert list(variables) == ["WANDB_BASE_URL", "WANDB_API_KEY"]
    arguments = lines[2].partition("wandb-warehouse ")[2].split()
    done = subprocess.run(
        [str(COMMAND), *arguments, "--history", "none", "--json"],
        cwd=home,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    running.terminate()
    running.communicate(timeout=15)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs_listed"] > 0


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_reader_that_leaves(warehouse: Path, form: str) -> None:
    """`| head -1` is no failure: exit 0 and nothing on stderr, in every format."""
    rows = 5_000 if form == "table" else 200_000
    sql = f"select range as n, repeat('x', 1000) as filling from range({rows})"
    arguments = [str(COMMAND), "query", sql, "--format", form, "--limit", str(rows)]
    script = '"$@" | head -1 >/dev/null; exit "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *arguments],
        cwd=warehouse.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# A child's peak starts at its parent's size when it was forked: a small parent in between keeps ours out of it.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
sys.stderr.write(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
"""


@pytest.mark.slow
def test_a_million_rows_are_streamed(warehouse: Path) -> None:
    """A million rows go out as CSV complete, in order, and in memory that does not grow with them."""

    def run(rows: int) -> tuple[int, bytes]:
        sql = f"select range as n, range * 0.5 as half, 'row ' || range as name from range({rows})"
        command = [sys.executable, "-c", _PEAK, str(COMMAND), "query", sql, "--format", "csv"]
        done = subprocess.run(command, cwd=warehouse.parent, capture_output=True, check=True, timeout=120)
        return int(done.stderr.split()[-1]), done.stdout

    few, _ = run(100_000)
    many, out = run(1_000_000)
    header, *rows = csv.reader(io.StringIO(out.decode()))
    assert header == ["n", "half", "name"]
    assert len(rows) == 1_000_000
    assert all(
        int(n) == number and float(half) == number / 2 and name == f"row {number}"
        for number, (n, half, name) in enumerate(rows)
    )
    assert few > 10_000
    assert many - few < 60_000  # KiB; the rows as Python objects would take some 250,000 more


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["sync", "--help"], ["query", "--help"], ["nope"]]
)
def test_start_up_imports_no_engine(home: Path, arguments: list[str]) -> None:
    """What needs neither W&B nor a warehouse imports neither dlt nor DuckDB, which take seconds."""
    script = (
        "import sys, contextlib\n"
        "from wandb_warehouse.cli import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(sys.argv[1:])\n"
        "heavy = {'dlt', 'duckdb', 'pyarrow', 'sqlglot', 'starlette', 'graphql'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_querying_imports_no_dlt(warehouse: Path) -> None:
    """Reading commands leave dlt alone."""
    script = (
        "import sys, contextlib\n"
        "from wandb_warehouse.cli import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['query', 'from projects'])\n"
        "assert 'duckdb' in sys.modules and 'dlt' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=warehouse.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_version(process: Cli) -> None:
    """The version is the one of pyproject.toml."""
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    version = next(line.split('"')[1] for line in pyproject.splitlines() if line.startswith("version = "))
    assert process("--version").out == f"wandb-warehouse {version}\n"


@pytest.mark.slow
def test_demo(process: Cli, home: Path) -> None:
    """The demo syncs, syncs what changed, finds nothing new, answers queries, and can be repeated in place."""
    for _ in range(2):
        ended = process("demo")
        assert (ended.code, ended.err) == (0, "")
        assert "Up to date" in ended.out
        assert "error" not in ended.out
    found = process("query", "-w", "wandb-demo.duckdb", "select max(generation) as n from sync_log", "--json")
    assert json.loads(found.out) == [{"n": 2}]


@pytest.mark.slow
def test_demo_spares_a_real_warehouse(process: Cli, warehouse: Path, home: Path) -> None:
    """The demo refuses to replace the warehouse of another project."""
    with Sandbox() as box:
        box.add_run("sandbox", "real", "r1", rows=[{"loss": 1.0}])
        done = subprocess.run(
            [str(COMMAND), "sync", "sandbox/real", "-w", "real.duckdb"],
            cwd=home,
            env={**os.environ, "WANDB_BASE_URL": box.base_url, "WANDB_API_KEY": box.key},
            capture_output=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0
    before = (home / "real.duckdb").read_bytes()
    ended = process("demo", "-w", "real.duckdb")
    assert ended.code == 2
    assert "real.duckdb" in ended.line
    assert (home / "real.duckdb").read_bytes() == before


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_query(warehouse: Path, sent: signal.Signals, code: int) -> None:
    """A signal stops a long statement at once."""
    running = _start(
        warehouse.parent,
        "query",
        "select count(*) from range(10000000) a, range(10000000) b where (a.range + b.range) % 7 = 3",
    )
    _wait_for(lambda: _cpu_seconds(running.pid) > 3)  # far more than the start takes: the statement runs
    running.send_signal(sent)
    started = time.monotonic()
    _out, err = running.communicate(timeout=30)
    assert running.returncode == code, err
    assert time.monotonic() - started < 5
    assert "Traceback" not in err
