"""Servers that note every byte they are sent, and commands run in homes of their own."""

import base64
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

__all__ = ["CANARY", "SPELLINGS", "Listener", "Ran", "listening", "run"]

CANARY = "c4n4ry/0123+4567=" * 2 + "c4n4ry"
"""A key whose quoted and plain spellings differ."""
SPELLINGS = [CANARY, quote(CANARY, safe=""), base64.b64encode(f"api:{CANARY}".encode()).decode()]


class Listener:
    """A loopback port: passes on what it gets to another address, or answers it; keeps all that was sent to it."""

    def __init__(self, answer: bytes | None = None) -> None:
        self._to: SplitResult | None = None
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.got = bytearray()
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def pass_on(self, url: str) -> str:
        """Pass what comes on to an address from now on; gives the address to come to."""
        self._to = urlsplit(url)
        return self.url

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self._to is None:
                self._reply(client)
                return
            with socket.create_connection((self._to.hostname, self._to.port)) as behind:
                threading.Thread(target=self._copy, args=(behind, client), daemon=True).start()
                while data := client.recv(65536):
                    self.got += data
                    behind.sendall(data)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def _reply(self, client: socket.socket) -> None:
        """Answer every request, `{sent}` in the answer being the authorization it came with."""
        data = b""
        while chunk := client.recv(65536):
            self.got += chunk
            data += chunk
            head, blank, body = data.partition(b"\r\n\r\n")
            lines = dict(line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:])
            if not blank or len(body) < int(lines.get(b"content-length", 0)):
                continue
            sent = next(
                (line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), b""
            )
            text = (self._answer or b"").replace(b"{sent}", sent)
            status, _, rest = text.partition(b"\n")
            headers, _, content = rest.partition(b"\n\n")
            length = f"Content-Length: {len(content)}\r\n\r\n".encode()
            client.sendall(b"\r\n".join([b"HTTP/1.1 " + status, *headers.split(b"\n"), length]) + content)
            data = b""


@contextmanager
def listening(answer: bytes | None = None) -> Iterator[Listener]:
    """Run a listener."""
    listener = Listener(answer)
    try:
        yield listener
    finally:
        listener.close()


@dataclass(frozen=True)
class Ran:
    """How a command ended, and the home it ran in."""

    home: Path
    code: int
    out: str
    err: str


def run(
    home: Path, base_url: str, *arguments: str, before: str = "", variables: Mapping[str, str] | None = None
) -> Ran:
    """Run the command line in a process of its own, with the canary for a key, after some lines of Python.

    Everything it may write to lies in `home`: the current directory, HOME, TMPDIR.
    """
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "PYTEST"))}
    environment = clean | {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "WANDB_BASE_URL": base_url,
        "WANDB_API_KEY": CANARY,
        **(variables or {}),
    }
    script = f"{before}\nimport sys\nfrom wandb_warehouse.cli import main\nmain(sys.argv[1:])\n"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    return Ran(home, done.returncode, done.stdout, done.stderr)
