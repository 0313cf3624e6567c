"""The sandbox as tests and the demo drive it: start, fill, edit, break, look."""

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from wandb_warehouse.sandbox.changes import RUN_FIELDS, Changes
from wandb_warehouse.sandbox.switches import Switches

if TYPE_CHECKING:
    import socket

    from wandb_warehouse.sandbox.exchange import App
    from wandb_warehouse.sandbox.faults import Fault
    from wandb_warehouse.sandbox.server import Recorded
    from wandb_warehouse.sandbox.store import Project, Run

__all__ = ["DEFAULT_ENTITY", "DEFAULT_KEY", "Sandbox", "run_forever"]

DEFAULT_ENTITY = "sandbox"
"""User of the default key, and the entity of its own."""
DEFAULT_KEY = "5a17db0c" * 5
"""The key every sandbox accepts unless told otherwise: 40 hex digits, worth nothing elsewhere."""

Time = datetime | str | float
_OWN_CONFIG = {"cli_version": "0.31.0", "python_version": "3.11.0", "t": {"1": [1]}}


def _as_written(value: Any) -> Any:
    """A value as the writer of W&B sends it: whole floats become integers (but -0.0 keeps its sign)."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return value if value == 0 and math.copysign(1, value) < 0 else int(value)
    if isinstance(value, Mapping):
        return {key: _as_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_written(item) for item in value]
    return value


def _lines(rows: Iterable[Mapping[str, Any]], first_step: int) -> list[bytes]:
    """Rows as JSON lines; one without `_step` gets the step after the one before."""
    lines, step = [], first_step
    for row in rows:
        step = row.get("_step", step)
        lines.append(json.dumps(_as_written({**row, "_step": step}), separators=(",", ":")).encode())
        step += 1
    return lines


def _wrapped(config: Mapping[str, Any]) -> str:
    entries = {"_wandb": _OWN_CONFIG, **config}
    return json.dumps({key: {"value": value, "desc": None} for key, value in entries.items()})


class Sandbox(Changes):
    """A W&B server in this process, in memory, on a loopback port.

    Example:
        >>> with Sandbox() as box:
        ...     run = box.add_run("sandbox", "demo", "run1", rows=[{"loss": 1.5}, {"loss": 0.5}])
        ...     len(run.history)
        2
    """

    def __init__(
        self,
        *,
        switches: Switches | None = None,
        keys: Mapping[str, str] | Iterable[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
    ) -> None:
        """Prepare a sandbox; it serves between `start` and `stop`, or as a context manager.

        Args:
            switches: How to behave where W&B's behaviour is unknown.
            keys: API keys and the user of each (all of them the default user's when only keys are given).
            host: A loopback address.
            port: 0 for a free one.
            latency: Seconds every request waits before it is served.
        """
        from wandb_warehouse.sandbox.faults import FaultQueue  # noqa: PLC0415 -- as above
        from wandb_warehouse.sandbox.shelf import ArtifactShelf  # noqa: PLC0415 -- the web extra may be missing
        from wandb_warehouse.sandbox.store import Store  # noqa: PLC0415 -- as above

        if keys is None or not isinstance(keys, Mapping):
            keys = dict.fromkeys([DEFAULT_KEY] if keys is None else keys, DEFAULT_ENTITY)
        self.store = Store(keys, switches or Switches())
        self.shelf = ArtifactShelf(self.store)
        self.key = next(iter(keys))
        self.entity = keys[self.key]
        self.faults = FaultQueue()
        self.base_url = ""
        self.storage_url = ""
        self._address = (host, port)
        self._latency = latency
        self._requests: list[Recorded] = []
        self._stop: Callable[[], None] | None = None

    def start(self) -> Self:
        """Start serving in a thread."""
        from wandb_warehouse.sandbox.serving import ServerThread  # noqa: PLC0415 -- the web extra may be missing

        app, listeners = self._listen()
        server = ServerThread(app, listeners)
        server.start()
        self._stop = server.stop
        return self

    def _listen(self) -> "tuple[App, list[socket.socket]]":
        """The application, and two listening sockets: the API's and the object store's."""
        from wandb_warehouse.sandbox.context import Origins  # noqa: PLC0415 -- as above
        from wandb_warehouse.sandbox.server import application, bind, origin  # noqa: PLC0415 -- as above

        host, port = self._address
        listeners = [bind(host, port), bind(host, 0)]
        self.base_url, self.storage_url = map(origin, listeners)
        app = application(
            self.store,
            self.shelf,
            self.faults,
            self._requests,
            origins=Origins(self.base_url, self.storage_url),
            latency=self._latency,
        )
        return app, listeners

    def stop(self) -> None:
        """Stop serving; what the server holds stays."""
        if self._stop:
            self._stop()
            self._stop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def switches(self) -> Switches:
        """How the server behaves; may be replaced while it serves."""
        return self.store.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        with self.store.lock:
            self.store.switches = switches

    @property
    def requests(self) -> "list[Recorded]":
        """Every request seen, in order."""
        return list(self._requests)

    def clear_requests(self) -> None:
        """Forget the requests seen."""
        self._requests.clear()

    def inject(self, fault: "Fault") -> None:
        """Let a fault strike coming requests."""
        self.faults.inject(fault)

    def advance(self, seconds: float) -> None:
        """Push the server's clock forward; running runs not heard of for five minutes crash."""
        with self.store.lock:
            self.store.clock.advance(seconds)
            self.store.sweep_crashed()

    def add_project(
        self, entity: str, project: str, *, read_only: bool = False, readers: Iterable[str] | None = None
    ) -> "Project":
        """Create a project; `readers` are the users that see it, everybody when None."""
        with self.store.lock:
            made = self.store.ensure_project(entity, project, username=self.entity)
            made.read_only = read_only
            made.readers = None if readers is None else frozenset(readers)
            return made

    def add_run(
        self,
        entity: str,
        project: str,
        run_id: str,
        *,
        config: Mapping[str, Any] | str | None = None,
        summary: Mapping[str, Any] | str | None = None,
        rows: Iterable[Mapping[str, Any]] | None = None,
        lines: Iterable[str | bytes] | None = None,
        events: Iterable[Mapping[str, Any]] = (),
        state: str = "finished",
        tags: Sequence[str] = (),
        created_at: Time | None = None,
        heartbeat_at: Time | None = None,
        name: str | None = None,
        user: str | None = None,
        **fields: Any,
    ) -> "Run":
        """Add a whole run, past the writer's protocol.

        Args:
            entity: Owner of the project.
            project: Project, created when it is new.
            run_id: Id of the run, W&B's `Run.name`.
            config: Plain entries, or the JSON text as it goes over the wire.
            summary: Entries, or JSON text; None for the last value of every key.
            rows: History rows; one without `_step` gets the next step.
            lines: History rows as JSON text, served as they are.
            events: Samples of system metrics.
            state: State of the run.
            tags: Tags in order.
            created_at: Creation time, now when None; text is ISO, numbers are seconds since the epoch.
            heartbeat_at: Last sign of life: when None, now for a running run, else the end by `_runtime`.
            name: Name shown, an invented one when None.
            user: Login of the user, the sandbox's own when None.
            **fields: group, job_type, notes, description, sweep, commit, host, read_only.
        """
        from wandb_warehouse.sandbox.clock import parse_time  # noqa: PLC0415 -- the web extra may be missing
        from wandb_warehouse.sandbox.rows import clean_line, loads  # noqa: PLC0415 -- as above

        unknown = fields.keys() - set(RUN_FIELDS)
        if unknown:
            raise TypeError(f"unknown fields of a run: {', '.join(sorted(unknown))}")
        history = _lines(rows or (), 0)
        history += [clean_line(line) if isinstance(line, str) else line for line in lines or ()]
        with self.store.lock:
            home = self.store.ensure_project(entity, project, username=self.entity)
            run = self.store.new_run(home, run_id, user or self.entity)
            run.state, run.tags = state, list(tags)
            for field, value in {"display_name": name or run.display_name, **fields}.items():
                setattr(run, field, value)
            run.history.write(0, history)
            run.events.write(0, [json.dumps(_as_written(event)).encode() for event in events])
            run.config = config if isinstance(config, str) else _wrapped(config or {})
            if summary is None:
                summary = {}
                for line in history:
                    row = loads(line)
                    summary |= row if isinstance(row, dict) else {}
            run.summary = summary if isinstance(summary, str) else json.dumps(_as_written(summary))
            if created_at is not None:
                run.created_at = self.store.keep(parse_time(created_at))
            if heartbeat_at is not None:
                run.heartbeat_at = self.store.keep(parse_time(heartbeat_at))
            elif state != "running":
                run.heartbeat_at = self.store.keep(run.created_at + run.seconds)
            run.updated_at = run.heartbeat_at
            return run

    def append_rows(self, entity: str, project: str, run_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append history rows as a writer would: the heartbeat moves and the run counts as running."""
        with self.store.lock:
            run = self._run(entity, project, run_id)
            steps = run.history.steps
            run.history.write(len(run.history), _lines(rows, steps[-1] + 1 if steps else 0))
            run.state = "running"
            self.store.heard(run)

    def finish(self, entity: str, project: str, run_id: str, *, exit_code: int = 0) -> None:
        """End a run as its writer would."""
        with self.store.lock:
            run = self._run(entity, project, run_id)
            run.state = "failed" if exit_code else "finished"
            self.store.heard(run)

    def add_report(
        self, entity: str, project: str, name: str, spec: Mapping[str, Any], *, kind: str = "runs"
    ) -> None:
        """Add a report, or with the kind `runs/draft` a draft of one."""
        from wandb_warehouse.sandbox.store import Report  # noqa: PLC0415 -- the web extra may be missing

        with self.store.lock:
            home = self.store.ensure_project(entity, project, username=self.entity)
            number, now, text = self.store.number(), self.store.now(), json.dumps(spec)
            home.reports.append(Report(number, name, name.title(), self.entity, now, text, kind=kind))

    def export(
        self, entity: str, project: str, run_id: str, upto_step: int | None = None, *, append: bool = False
    ) -> int:
        """Export history rows to parquet, leaving the later ones live; returns how many are exported.

        Rows are exported in line order up to the first one beyond `upto_step`. With `append`, files exported
        earlier stay and only newer rows are written; otherwise all is written again. A run without rows gets
        a file without columns, as W&B has them.
        """
        from wandb_warehouse.sandbox.exports import empty_export, write_exports  # noqa: PLC0415 -- as above

        with self.store.lock:
            run = self._run(entity, project, run_id)
            steps = run.history.steps
            stop = len(steps)
            if upto_step is not None:
                stop = next((number for number, step in enumerate(steps) if step > upto_step), stop)
            start = run.exported if append else 0
            lines = run.history.lines[start:stop]
            switches = self.store.switches
            files = (
                write_exports(lines, files=switches.export_files_per_run, step_type=switches.export_step_type)
                if lines
                else [empty_export()]
            )
            self.store.add_exports(run, files, stop, replace=not append)
            return stop


def run_forever(
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    switches: Switches | None = None,
    fill: Callable[[Sandbox], None] | None = None,
    ready: Callable[[Sandbox], None] | None = None,
) -> None:
    """Serve until interrupted; `fill` adds content first, `ready` is told once the address is known."""
    from wandb_warehouse.sandbox.serving import build_server  # noqa: PLC0415 -- the web extra may be missing

    box = Sandbox(switches=switches, host=host, port=port)
    app, listeners = box._listen()  # noqa: SLF001 -- the same room
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        if fill:
            fill(box)
        with contextlib.suppress(KeyboardInterrupt):
            if ready:
                ready(box)
            asyncio.run(build_server(app).serve(sockets=listeners))
