"""One key, searched for everywhere: in what is written, said, kept and sent, whatever goes wrong."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pytest

from security.wire import CANARY, SPELLINGS, Listener, Ran, listening, run
from support import plain_reader
from wandb_warehouse.sandbox import Fault, Sandbox, context
from wandb_warehouse.sandbox.tables import log_table

pytestmark = pytest.mark.slow

DEBUG_LOGS = "import logging\nlogging.basicConfig(level=logging.DEBUG)"
PROOF = (
    "from wandb_warehouse.warehouse import Build, Difference\n"
    "Build.prove = lambda *_: [Difference('rows', 'runs', 'e', 'p', 'r', 'one too many')]"
)
LOAD = "import dlt\nfrom dlt.pipeline.pipeline import Pipeline\ndef fail(*_, **__):\n    {act}\nPipeline.{step} = fail"
LEAK = (
    "import os\n    raise ValueError('no way to https://s.example/x?X-Amz-Signature=5ec4e7 as ' "
    "+ os.environ['WANDB_API_KEY'])"
)
CLIENT = (
    f"from dlt.destinations.impl.duckdb.duck import DuckDbClient\ndef fail(*_, **__):\n    {LEAK}\n"
    "DuckDbClient.create_load_job = fail"
)
FAULTS: dict[str, tuple[list[Fault], str, int]] = {
    "whole": ([], DEBUG_LOGS, 0),
    "whole lake": ([], DEBUG_LOGS, 0),
    "401": ([Fault("status", value=401, times=-1)], DEBUG_LOGS, 3),
    "500": ([Fault("status", value=500, times=-1, retry_after=0)], DEBUG_LOGS, 4),
    "expired": ([Fault("expired_url", match="/storage", times=-1)], DEBUG_LOGS, 6),
    "proof": ([], PROOF, 5),
    "killed": ([], LOAD.format(step="load", act="import os; os.kill(os.getpid(), 9)"), -9),
    "aborted": ([], LOAD.format(step="load", act="import os; os.abort()"), -6),
    "dlt extract": ([], LOAD.format(step="extract", act=LEAK), 1),
    "dlt load": ([], CLIENT, 5),
}
"""What is injected, Python to run before, and the exit code."""


_STARTING = Lock()


@contextmanager
def _box(relay: Listener) -> Iterator[Sandbox]:
    """A sandbox that takes the canary for a key, whose storage is reached through a relay."""
    with _STARTING, pytest.MonkeyPatch.context() as patch:
        origins = context.Origins
        patch.setattr(context, "Origins", lambda api, storage: origins(api, relay.pass_on(storage)))
        running = Sandbox(keys=[CANARY]).start()
    try:
        rows = [{"loss": 1.0 / step, "note": "x" * step} for step in range(1, 40)]
        for name in ("r1", "r2"):
            running.add_run("sandbox", "p", name, rows=rows, config={"lr": 0.1})
            running.export("sandbox", "p", name)
        log_table(running, "sandbox/p/r2", "table", ["a", "b"], [[1, "x"], [2, "y"]])
        yield running
    finally:
        running.stop()


@dataclass(frozen=True)
class Scene:
    """A case, how its command ended, and what the storage was sent."""

    case: str
    ran: Ran
    sent: bytes


def _play(case: str, home: Path) -> Scene:
    faults, before, _code = FAULTS[case]
    with listening() as relay, _box(relay) as box:
        for fault in faults:
            box.inject(fault)
        lake = ["--destination", "filesystem"] if case == "whole lake" else []
        options = ["--tables", "--console-logs", "--metadata-files", *lake] if "whole" in case else []
        ran = run(home, box.base_url, "--debug", "sync", "sandbox/p", *options, before=before)
        return Scene(case, ran, bytes(relay.got))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    """Every case, some at a time."""
    homes = {case: tmp_path_factory.mktemp("canary") for case in FAULTS}
    with ThreadPoolExecutor(4) as pool:
        return {scene.case: scene for scene in pool.map(_play, homes, homes.values())}


def _found(ran: Ran, words: list[str]) -> list[tuple[str, str]]:
    """Where any of the words stands: on stdout, on stderr, in a file or in a file's name."""
    texts = {"stdout": ran.out.encode(), "stderr": ran.err.encode()}
    for path in ran.home.rglob("*"):
        texts[str(path)] = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
    return [(place, word) for place, text in texts.items() for word in words if word.encode() in text]


@pytest.mark.parametrize("case", FAULTS)
def test_neither_key_nor_signature_is_anywhere(scenes: dict[str, Scene], case: str) -> None:
    """However a sync ends, no file, name, log at DEBUG or traceback holds the key or a signature."""
    scene = scenes[case]
    assert scene.ran.code == FAULTS[case][2], scene.ran.err
    signatures = {each.decode() for each in re.findall(rb"Signature=([^&\s]+)", scene.sent)}
    assert signatures or scene.case not in {"whole", "whole lake", "expired", "proof", "killed"}
    assert _found(scene.ran, [*SPELLINGS, *signatures, "5ec4e7"]) == []
    assert not [path for path in scene.ran.home.rglob("*") if path.name.startswith("core")]
    if scene.ran.code > 0:
        assert "Traceback" in scene.ran.err


@pytest.mark.parametrize("case", ["whole", "expired"])
def test_storage_is_asked_without_the_key(scenes: dict[str, Scene], case: str) -> None:
    """What the storage is sent holds neither the key nor any authorization or cookie."""
    sent = scenes[case].sent
    assert sent.count(b"GET /storage") >= 2
    assert not [word for word in SPELLINGS if word.encode() in sent]
    assert not re.search(rb"^(authorization|cookie|x-wandb[a-z-]*):", sent, re.IGNORECASE | re.MULTILINE)


@pytest.mark.parametrize("case", ["whole", "whole lake"])
def test_no_row_of_a_warehouse_holds_the_key(scenes: dict[str, Scene], case: str) -> None:
    """Compressed or not: every row of every table, sync_log included, read as text."""
    home = scenes[case].ran.home
    signatures = [each.decode() for each in re.findall(rb"Signature=([^&\s]+)", scenes[case].sent)]
    with plain_reader(home / ("wandb.duckdb" if case == "whole" else "wandb-lake")) as reader:
        tables = [
            name for (name,) in reader.execute("SELECT table_name FROM information_schema.tables").fetchall()
        ]
        assert {"runs", "sync_log", "history", "files"} <= set(tables)
        for table in tables:
            for word in (*SPELLINGS, *signatures):
                sql = f'SELECT count(*) FROM "{table}" AS t WHERE contains(t::VARCHAR, ?)'
                assert reader.execute(sql, [word]).fetchall() == [(0,)], table


def test_a_killed_sync_leaves_what_may_be_left(scenes: dict[str, Scene]) -> None:
    """What a kill leaves, dlt's state among it, lies in one directory that only its owner enters."""
    home = scenes["killed"].ran.home
    (left,) = home.glob("*.work-*")
    assert left.stat().st_mode & 0o777 == 0o700
    assert list(left.glob("dlt/**/*.json"))
    assert [path for path in (home / "tmp").rglob("*") if path.is_file()] == []


REDIRECT = b"307 Temporary Redirect\nContent-Type: application/json\nLocation: %s/graphql\n\n"
ECHO = b'400 Bad Request\nContent-Type: application/json\n\n{"errors":[{"message":"sent {sent}"}]}'


def test_a_redirect_to_another_server_is_not_followed(tmp_path: Path) -> None:
    """The server that the API redirects to is sent nothing at all."""
    with listening(b"200 OK\n\n{}") as other, listening(REDIRECT % other.url.encode()) as api:
        ran = run(tmp_path, api.url, "--debug", "sync", "sandbox/p")
        assert SPELLINGS[2].encode() in api.got
    assert (ran.code, other.connections) == (4, 0)
    assert _found(ran, SPELLINGS) == []


def test_a_server_that_repeats_the_key_is_not_quoted(tmp_path: Path) -> None:
    """An answer with the authorization in its words is told without it."""
    with listening(ECHO) as api:
        ran = run(tmp_path, api.url, "--debug", "sync", "sandbox/p")
    assert "sent Authorization: Basic ***" in ran.err
    assert _found(ran, SPELLINGS) == []


def test_reading_commands_say_nothing_of_the_key(scenes: dict[str, Scene]) -> None:
    """Neither do plan, status, query and views, also where the statement asks for it."""
    home = scenes["whole"].ran.home
    script = (
        "import contextlib\nfrom wandb_warehouse.cli import main as one\n"
        "for words in (['status'], ['status', '--json', '--digest'], ['views'], ['query', 'from sync_log', '--json'],\n"
        "    ['--debug', 'query', \"select getenv('WANDB_API_KEY')\"], ['--debug', 'plan', 'sandbox/p'],\n"
        "    ['--debug', 'query', \"from read_text('/proc/self/environ')\"]):\n"
        "    with contextlib.suppress(SystemExit):\n        one(words)\n"
    )
    with listening() as relay, _box(relay) as box:
        ran = run(home, box.base_url, "status", before=script)
    assert ran.code == 0
    assert ran.out.count("sandbox/p") >= 2
    assert _found(ran, SPELLINGS) == []
