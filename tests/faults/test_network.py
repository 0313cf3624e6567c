"""Network and protocol: what the server or the way to it does wrong costs what it must and nothing else."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from faults.catalogue import CATALOGUE, Row, of_group
from faults.world import BOUNDS, World, run_cli


def assert_said(row: Row, line: str) -> None:
    """The line is an error, and says what the catalogue says it does, and how to mend it."""
    assert line.startswith("error: ")
    for words in row.says:
        assert words in line
    assert "; " in line


@pytest.mark.parametrize("row", of_group("network", "protocol"))
def test_a_fault_of_the_server_costs_what_it_must(
    row: Row, world: World, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault has its exit code and one line; the old file stays, or all but what was struck is published."""
    if row.hasty:
        short = replace(BOUNDS["client"], timeout=0.4, blob_timeout=0.4)
        monkeypatch.setitem(BOUNDS, "client", short)
    before = world.put(place)
    for fault in row.strikes:
        world.box.inject(fault)
    ended = run_cli("sync", "e/p", "-w", place)
    assert ended.code == row.code, ended.err
    assert world.box.faults.struck
    if row.code:
        assert_said(row, ended.line)
    if row.holds == "untouched":
        world.assert_untouched(place, before)
        assert run_cli("status", "-w", place).code == 0
    else:
        assert world.sha256(place) != before
        world.assert_heals(place)


@pytest.mark.slow
def test_the_sync_after_all_that_failed(world: World, place: Path) -> None:
    """A warehouse that met one fault after another, all of them in vain, is mended by one sync."""
    before = world.put(place)
    for row in CATALOGUE:
        if row.group == "protocol" and row.strikes and row.holds == "untouched":
            world.box.faults.clear()
            for fault in row.strikes:
                world.box.inject(fault)
            assert run_cli("sync", "e/p", "-w", place).code == row.code
    world.assert_untouched(place, before)
    world.assert_heals(place)


@contextmanager
def _tls_server(folder: Path) -> Iterator[int]:
    """A TLS server whose certificate nobody vouches for."""
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    )
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        context.wrap_socket(connection, server_side=True).close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@contextmanager
def _nobody() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    yield port


@pytest.mark.parametrize("name", ["refused connection", "tls to a plain server", "unverifiable certificate"])
def test_no_server_at_all(name: str, world: World, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no connection comes about, the address is named, with what to look at."""
    (row,) = (row for row in CATALOGUE if row.name == name)
    before = world.put(place)
    plain = int(world.box.base_url.rpartition(":")[2])
    if name == "tls to a plain server":
        port, server = plain, None
    else:
        server = _nobody() if name == "refused connection" else _tls_server(place.parent)
        port = server.__enter__()
    monkeypatch.setenv(
        "WANDB_BASE_URL", f"{'http' if name == 'refused connection' else 'https'}://127.0.0.1:{port}"
    )
    try:
        ended = run_cli("sync", "e/p", "-w", place)
    finally:
        if server is not None:
            server.__exit__(None, None, None)
    assert ended.code == row.code
    assert_said(row, ended.line)
    assert f"127.0.0.1:{port}" in ended.line
    world.assert_untouched(place, before)
