"""What the server holds: projects, runs and their files, in memory."""

import base64
import hashlib
import itertools
import json
import mimetypes
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wandb_warehouse.sandbox.clock import Clock, served_moment
from wandb_warehouse.sandbox.rows import Rows, history_keys, loads, quote_constants
from wandb_warehouse.sandbox.storage import BlobStore
from wandb_warehouse.sandbox.switches import Switches

__all__ = [
    "CRASH_AFTER",
    "File",
    "Project",
    "Report",
    "Run",
    "RunView",
    "Store",
    "Sweep",
    "opaque",
    "unwrap_config",
]

CRASH_AFTER = 300.0
"""Seconds without a sign of life after which a running run counts as crashed."""

_ADJECTIVES = ("eager", "quiet", "bright", "vital", "mellow", "brisk", "amber", "northern")
_ANIMALS = ("fox", "heron", "otter", "lynx", "wren", "badger", "marten", "curlew")


def opaque(kind: str, *parts: object) -> str:
    """An opaque id as the API hands them out: base64 of `Kind:v1:<parts>`."""
    return base64.b64encode(":".join([kind, "v1", *map(str, parts)]).encode()).decode()


def unwrap_config(text: str) -> dict[str, Any]:
    """Plain values of a config on the wire, W&B's own entries included."""
    return {
        key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for key, entry in loads(text).items()
    }


@dataclass
class File:
    """One file of a run or of an artifact; `updated_at` stays None until its content arrived."""

    name: str
    body: bytes = b""
    updated_at: float | None = None
    path: str = ""
    """Signed path of the content in the object store."""

    @property
    def md5(self) -> str:
        """Base64 MD5 of the content."""
        return base64.b64encode(hashlib.md5(self.body, usedforsecurity=False).digest()).decode()

    @property
    def mimetype(self) -> str:
        """Type guessed by the name."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


@dataclass(eq=False)
class Run:
    """One run. Config and summary stay the JSON text that was written, so they come back unchanged."""

    entity: str
    project: "Project"
    name: str
    display_name: str
    created_at: float
    heartbeat_at: float
    updated_at: float
    username: str | None
    state: str = "running"
    config: str = "{}"
    summary: str = "{}"
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    description: str | None = None
    group: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    commit: str | None = None
    host: str | None = None
    read_only: bool = False
    deleted: bool = False
    stopped: bool = False
    history: Rows = field(default_factory=Rows)
    events: Rows = field(default_factory=Rows)
    log: list[str] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    exported: int = 0
    """Rows that are in the exports; the rest is the live tail."""
    exports: list[str] = field(default_factory=list)
    """Signed paths of the parquet files."""

    @property
    def storage_id(self) -> str:
        """The opaque id mutations take."""
        return opaque("Run", self.name, self.project.name, self.entity)

    def file_id(self, name: str) -> str:
        """The opaque id of a file of this run."""
        return opaque("File", self.storage_id, name)

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last sample of the system metrics, without W&B's own entries."""
        last = loads(self.events.lines[-1]) if len(self.events) else {}
        return {key: value for key, value in last.items() if not key.startswith("_")}

    @property
    def seconds(self) -> float:
        """Whole seconds the run computed, by its summary."""
        summary = loads(self.summary)
        own = summary.get("_wandb")
        value = own.get("runtime") if isinstance(own, dict) else None
        value = summary.get("_runtime", 0) if value is None else value
        return value if isinstance(value, int | float) else 0

    def write_config(self, entries: Mapping[str, Any]) -> None:
        """Set entries of the config, leaving the others."""
        wrapped = loads(self.config) | {key: {"value": value, "desc": None} for key, value in entries.items()}
        self.config = json.dumps(wrapped)

    def write_summary(self, entries: Mapping[str, Any]) -> None:
        """Set entries of the summary, leaving the others."""
        self.summary = json.dumps(loads(self.summary) | dict(entries))


class RunView(Mapping[str, Any]):
    """A run as filters and orders see it; what a filter does not touch is never computed."""

    _FIELDS: Mapping[str, Callable[[Run, Switches], Any]] = {
        "name": lambda run, _: run.name,
        "display_name": lambda run, _: run.display_name,
        "state": lambda run, _: run.state,
        "tags": lambda run, _: run.tags,
        "created_at": lambda run, switches: served_moment(run.created_at, switches),
        "heartbeat_at": lambda run, switches: served_moment(run.heartbeat_at, switches),
        "updated_at": lambda run, switches: served_moment(run.updated_at, switches),
        "group": lambda run, _: run.group,
        "job_type": lambda run, _: run.job_type,
        "username": lambda run, _: run.username,
        "host": lambda run, _: run.host,
        "sweep": lambda run, _: run.sweep,
        "notes": lambda run, _: run.notes,
        "config": lambda run, _: unwrap_config(run.config),
        "summary_metrics": lambda run, _: loads(run.summary),
        "duration": lambda run, _: run.seconds,
        "keys_info": lambda run, _: history_keys(run.history) or {},
    }

    def __init__(self, run: Run, switches: Switches) -> None:
        self.run = run
        self._switches = switches
        self._known: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._known:
            self._known[key] = self._FIELDS[key](self.run, self._switches)
        return self._known[key]

    def __contains__(self, key: object) -> bool:
        return key in self._FIELDS

    def __iter__(self) -> Iterator[str]:
        return iter(self._FIELDS)

    def __len__(self) -> int:
        return len(self._FIELDS)


@dataclass
class Sweep:
    """One sweep; its configuration stays the text that was written."""

    name: str
    config: str
    created_at: float
    state: str
    display_name: str | None = None
    description: str | None = None
    best_loss: float | None = None


@dataclass
class Report:
    """One report (or, by its `kind`, a draft of one)."""

    number: int
    name: str
    display_name: str
    username: str | None
    created_at: float
    spec: str
    description: str | None = None
    kind: str = "runs"


@dataclass(eq=False)
class Project:
    """One project and its runs by id, deleted ones included."""

    entity: str
    name: str
    internal_id: int
    created_at: float
    username: str | None
    read_only: bool = False
    readers: frozenset[str] | None = None
    """Users that may read the project; None for everybody."""
    description: str | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)

    @property
    def storage_id(self) -> str:
        """The opaque id of the project."""
        return opaque("Project", self.name, self.entity)

    @property
    def live_runs(self) -> list[Run]:
        """Runs that are not deleted, in the order they were created here."""
        return [run for run in self.runs.values() if not run.deleted]


class Store:
    """Everything the server holds; `lock` guards it, as tests and the server's thread both change it."""

    def __init__(self, keys: Mapping[str, str], switches: Switches) -> None:
        self.keys = dict(keys)
        self.switches = switches
        self.clock = Clock()
        self.lock = threading.RLock()
        self.blobs = BlobStore(self.clock)
        self.projects: dict[tuple[str, str], Project] = {}
        self.members: dict[str, list[str]] = {}
        """Logins of the members of each team."""
        self._numbers = itertools.count(1)

    def now(self) -> float:
        """Server time, in the precision records are kept in."""
        return self.keep(self.clock())

    def keep(self, seconds: float) -> float:
        """A time in the precision records are kept in."""
        return round(seconds, 6) if self.switches.fractional_timestamps else float(int(seconds))

    def number(self) -> int:
        """A number never given before."""
        return next(self._numbers)

    def ensure_project(self, entity: str, name: str, *, username: str | None = None) -> Project:
        """The project, created when it is new."""
        if (entity, name) not in self.projects:
            self.projects[entity, name] = Project(entity, name, 1000 + self.number(), self.now(), username)
        return self.projects[entity, name]

    def find_run(self, entity: str, project: str, name: str) -> Run | None:
        """The run, unless it is unknown or deleted."""
        home = self.projects.get((entity, project))
        run = home.runs.get(name) if home else None
        return run if run and not run.deleted else None

    def run_by_id(self, storage_id: str) -> Run | None:
        """The run with that opaque id, unless it is deleted."""
        try:
            _, _, name, project, entity = base64.b64decode(storage_id).decode().split(":")
        except ValueError:
            return None
        return self.find_run(entity, project, name)

    def new_run(self, project: Project, name: str | None, username: str | None) -> Run:
        """Create a run, replacing a deleted one of that id."""
        name = name or secrets.token_hex(4)
        now, number = self.now(), self.number()
        shown = f"{_ADJECTIVES[number % 8]}-{_ANIMALS[number // 8 % 8]}-{len(project.runs) + 1}"
        run = project.runs[name] = Run(project.entity, project, name, shown, now, now, now, username)
        return run

    def heard(self, run: Run) -> None:
        """The writer gave a sign of life."""
        run.heartbeat_at = run.updated_at = self.now()

    def edited(self, run: Run) -> None:
        """Metadata of the run was edited."""
        run.updated_at = self.now()
        if self.switches.edits_move_heartbeat:
            run.heartbeat_at = run.updated_at

    def sweep_crashed(self) -> None:
        """Mark running runs not heard of for five minutes as crashed; their heartbeat stays."""
        limit = self.now() - CRASH_AFTER
        for project in self.projects.values():
            for run in project.live_runs:
                if run.state == "running" and run.heartbeat_at < limit:
                    run.state, run.updated_at = "crashed", self.now()

    def rewind(self, run: Run, step: int) -> None:
        """Drop the rows after a step; exports are gone with them."""
        kept = next((n for n, at in enumerate(run.history.steps) if at > step), len(run.history))
        run.history.truncate(kept)
        run.exports, run.exported = [], 0
        self.edited(run)

    def save(self, run: Run, name: str, body: bytes) -> None:
        """Store a file of a run, replacing an older one."""
        run.files[name] = File(name, body, self.now(), self.blobs.put(name, body))

    def upload_path(self, name: str, receive: Callable[[bytes], None]) -> str:
        """A signed path that takes content by PUT and hands it over."""

        def locked(body: bytes) -> None:
            with self.lock:
                receive(body)

        return self.blobs.upload(name, locked)

    def await_file(self, run: Run, name: str) -> str:
        """Announce a file of a run; the answer is the path to upload it to."""
        run.files.setdefault(name, File(name))
        return self.upload_path(name, lambda body: self.save(run, name, body))

    def add_exports(self, run: Run, bodies: Iterable[bytes], rows: int, *, replace: bool) -> None:
        """Take parquet files over as exports of a run's first `rows` rows."""
        if replace:
            for path in run.exports:
                self.blobs.remove(path)
            run.exports = []
        for body in bodies:
            run.exports.append(self.blobs.put(f"{run.name}-{len(run.exports)}.parquet", body))
        run.exported = rows

    def export_paths(self, run: Run) -> list[str]:
        """Paths of a run's exports, signed anew."""
        return [self.blobs.sign(path, lifetime=self.switches.url_lifetime) for path in run.exports]

    def served(self, text: str) -> str:
        """JSON text as the API hands it out, by the switch for non-finite numbers."""
        if self.switches.nan == "bare" or ("NaN" not in text and "Infinity" not in text):
            return text
        return quote_constants(text.encode()).decode()
