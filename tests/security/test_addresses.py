"""A process speaks to the server it was told and to its signed storage, and to nobody else, whatever is configured."""

import subprocess
import sys
from pathlib import Path

import pytest

from security.wire import CANARY, listening, run
from wandb_warehouse.sandbox import Sandbox

GUARD = """
import os, sys
allowed = {int(port) for port in os.environ['ALLOWED_PORTS'].split(',')}

def guard(event, words):
    if event in ('socket.connect', 'socket.sendto'):
        address = words[1]
        if address[0] != '127.0.0.1' or int(address[1]) not in allowed:
            os.write(2, f'FORBIDDEN {event} {address}'.encode()); os._exit(99)
    elif event in ('socket.getaddrinfo', 'socket.gethostbyname') and words[0] not in ('127.0.0.1', None):
        os.write(2, f'FORBIDDEN {event} {words}'.encode()); os._exit(99)
    elif event in ('os.exec', 'os.posix_spawn', 'os.system') or (
        event == 'subprocess.Popen' and words[0] not in ('file', 'uname')  # Python's own `platform` asks these
    ):
        os.write(2, f'FORBIDDEN {event} {words[0]}'.encode()); os._exit(99)

sys.addaudithook(guard)
"""
"""Ends the process at the first address, name or program that is none of ours."""

COMMANDS = """
import contextlib
from wandb_warehouse.cli import main as one
for words in (
    ['plan', 'sandbox/p'], ['sync', 'sandbox/p', '--tables'], ['sync', 'sandbox/p'],
    ['sync', 'sandbox/p', '--destination', 'filesystem', '-w', 'lake'],
    ['query', 'from runs', '-w', 'lake'], ['status'], ['views', '--list'],
    ['query', "from read_parquet('https://127.0.0.2/x.parquet')"], ['query', "from 'x.sqlite'"],
):
    try:
        one(words)
    except SystemExit as ended:
        print('ended', words[0], ended.code)
"""

PIPELINE = """
import dlt
from wandb_warehouse import wandb_source
pipeline = dlt.pipeline('mine', destination='duckdb', pipelines_dir='dlt')
pipeline.run(wandb_source('sandbox/p').with_resources('runs', 'history'))
print('loaded', pipeline.last_trace.last_normalize_info.row_counts['runs'])
"""


def _ports(*urls: str) -> str:
    return ",".join(url.rpartition(":")[2] for url in urls)


@pytest.mark.slow
def test_commands_speak_to_nobody_else(tmp_path: Path) -> None:
    """Plan, sync into both kinds, query, status: with proxies and reporting configured, no other address is tried."""
    with listening(b"200 OK\n\n{}") as elsewhere, Sandbox(keys=[CANARY]) as box:
        box.add_run("sandbox", "p", "r", rows=[{"loss": 1.0}])
        box.export("sandbox", "p", "r")
        (tmp_path / ".dlt").mkdir()
        (tmp_path / ".dlt" / "config.toml").write_text(
            f'[runtime]\ndlthub_telemetry = true\nsentry_dsn = "{elsewhere.url}/1"\n'
            f'slack_incoming_hook = "{elsewhere.url}/2"\ndlthub_dsn = "{elsewhere.url}/3"\n'
        )
        (tmp_path / "x.sqlite").write_bytes(b"SQLite format 3\0" + bytes(8000))
        variables = {
            "ALLOWED_PORTS": _ports(box.base_url, box.storage_url),
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), elsewhere.url),
            "RUNTIME__DLTHUB_TELEMETRY": "true",
            "RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": f"{elsewhere.url}/4",
            "RUNTIME__SENTRY_DSN": f"{elsewhere.url}/5",
            "NO_PROXY": "",
        }
        ran = run(tmp_path, box.base_url, "status", before=GUARD + COMMANDS, variables=variables)
        assert elsewhere.connections == 0
    assert ran.code == 0, ran.err
    ended = [line.split()[1:] for line in ran.out.splitlines() if line.startswith("ended")]
    assert [code for _word, code in ended] == ["0"] * 7 + ["2", "2"], ran.err


@pytest.mark.slow
def test_the_source_alone_reports_to_nobody(tmp_path: Path) -> None:
    """In somebody's pipeline, dlt imported first: dlt's telemetry is off unless they ask for it."""
    with Sandbox(keys=[CANARY]) as box:
        box.add_run("sandbox", "p", "r", rows=[{"loss": 1.0}])
        variables = {"ALLOWED_PORTS": _ports(box.base_url, box.storage_url)}
        ran = run(tmp_path, box.base_url, "views", "--list", before=GUARD + PIPELINE, variables=variables)
    assert ran.code == 0, ran.err
    assert "loaded 1" in ran.out


@pytest.mark.slow
def test_the_demo_speaks_to_its_own_sandbox_only(tmp_path: Path) -> None:
    """The demo, which no configuration reaches, opens no connection off this machine and needs no name resolved."""
    guard = GUARD.replace("or int(address[1]) not in allowed", "")
    ran = run(tmp_path, "https://api.wandb.ai", "demo", before=guard, variables={"ALLOWED_PORTS": "0"})
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    "event", ["socket.connect(('127.0.0.1', 9))", "socket.getaddrinfo('example.com', 80)"]
)
def test_the_guard_guards(event: str) -> None:
    """The hook itself ends a process that tries another port or looks a name up."""
    target = event.replace("socket.connect", "socket.socket().connect")
    script = (
        f"{GUARD}\nimport socket\ntry:\n    socket.{target.removeprefix('socket.')}\nexcept OSError: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"ALLOWED_PORTS": "1"}, capture_output=True, check=False
    )
    assert done.returncode == 99
