"""`Run`: one run of the warehouse with everything the public API shows of it."""

import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from wandb_warehouse.api import exporting, html, scanning
from wandb_warehouse.api.ahead import Ahead
from wandb_warehouse.api.attributes import Attrs
from wandb_warehouse.api.changing import Changing
from wandb_warehouse.api.frames import pandas_frame
from wandb_warehouse.api.histories import Ask
from wandb_warehouse.api.session import Session, document, plain, time_text
from wandb_warehouse.api.summary import Summary
from wandb_warehouse.api.users import User
from wandb_warehouse.arrow import escape, unescape
from wandb_warehouse.errors import RunNotFoundError

if TYPE_CHECKING:
    import pandas as pd

    from wandb_warehouse.api.artifacts import RunArtifacts
    from wandb_warehouse.api.console import ConsoleLogs
    from wandb_warehouse.api.files import File, Files
    from wandb_warehouse.api.sweeps import Sweep

__all__ = ["Run", "fit", "light_rows"]

_DOCUMENTS = ("config", "rawconfig", "summaryMetrics", "systemMetrics", "historyKeys")
_ENDED = frozenset({"finished", "crashed", "failed", "killed"})
_FEW = 1_000
"""Runs of a project that are read at once."""
_POLL = 1.0
"""Seconds between two looks at the published warehouse."""


def light_rows(session: Session, entity: str, project: str, runs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give what the API tells of runs without their documents, by id."""
    asked = {"entity": entity, "project": project, "runs": [escape(run) for run in runs]}
    return {plain(row["run_id"]) or "": _light(row) for row in session.reader.rows("runs", asked)}


_Looked = tuple[dict[str, Any], Mapping[str, Any]]
"""What the API tells of a run, and the texts of its documents."""


def look_up(session: Session, entity: str, project: str, run: str) -> _Looked | None:
    """Give a run that is asked for by itself; with the second one of a small project come all of them."""
    known: dict[str, _Looked] = session.once(("runs", entity, project), dict)
    if run in known:
        return known[run]
    count = session.once("sizes", lambda: session.reader.rows("sizes")[0])["runs"]
    wanted = None if known and count <= _FEW else [escape(run)]
    for row in session.reader.rows("runs_whole", {"entity": entity, "project": project, "runs": wanted}):
        known[plain(row["run_id"]) or ""] = _light(row), row
    return known.get(run)


def _light(row: Mapping[str, Any]) -> dict[str, Any]:
    username = plain(row["username"])
    return {
        "id": row["storage_id"],
        "tags": document(row["tags"]) or [],
        "name": plain(row["run_id"]),
        "displayName": plain(row["name"]),
        "sweepName": plain(row["sweep_id"]),
        "state": row["state"],
        "group": plain(row["run_group"]),
        "jobType": plain(row["job_type"]),
        "commit": plain(row["commit"]),
        "readOnly": row["read_only"],
        "createdAt": time_text(row["created_at"]),
        "heartbeatAt": time_text(row["heartbeat_at"]),
        "description": plain(row["description"]),
        "notes": plain(row["notes"]),
        "historyLineCount": row["history_line_count"],
        "user": None if username is None else {"name": plain(row["user_name"]), "username": username},
        "projectId": row["project_id"],
        "lastStep": row["last_step"],
    }


class Run(Changing, Attrs):
    """A run of the warehouse.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        run_id: id of the run.
        attrs: what is known of it already, by W&B's names.
        include_sweeps: load its sweep at once.
        lazy: read config, summary and the like when they are asked for.

    Attributes, beside the properties: `tags` (list of str), `group`, `job_type`, `commit`, `description`, `notes`
    (str or None), `created_at`, `heartbeat_at` (str, ISO 8601 in UTC), `history_line_count` (rows), `read_only` (bool),
    `display_name`, `sweep_name`, `user` (`User`, None where W&B has none any more), `history_keys` (dict).

    Raises:
        RunNotFoundError: the warehouse has no such run.

    Source: `wandb.apis.public.Run`.

    Example:
        >>> run = Api().run("my-team/my-project/ab12cd34")  # doctest: +SKIP
        >>> run.config["lr"], run.summary["loss"], run.history(keys=["loss"])  # doctest: +SKIP
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        run_id: str,
        attrs: Mapping[str, Any] | None = None,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> None:
        super().__init__(attrs or {})
        self._session = session
        self._entity = entity
        self.project = project
        self._attrs["name"] = run_id
        self._beside: Sequence[Run] = (self,)
        self._texts: Mapping[str, Any] | None = None
        self._ahead = Ahead(session, entity, project, [run_id])
        self._summary: Summary | None = None
        self._sweep: Sweep | None = None
        self._lazy = lazy
        self.user: User | None = None
        self.load()
        if include_sweeps:
            self._sweep = self._find_sweep()

    def load(self, force: bool = False) -> dict[str, Any]:
        """Give what W&B's API tells of the run; with `force` from the newest state of the warehouse.

        Raises:
            RunNotFoundError: the warehouse has no such run.
        """
        if force:
            self._session.renew()
        if force or "id" not in self._attrs:
            found = look_up(self._session, self.entity, self.project, self.id)
            if found is None:
                raise RunNotFoundError(
                    f"Could not find run <Run {'/'.join(self.path)} (not found)>",
                    mend=f"sync {self.entity}/{self.project}, or mend the path",
                )
            self._attrs, self._texts = dict(found[0]), found[1]
            self._summary = None
        user = self._attrs.get("user")
        self.user = User(user) if user else None
        return self._attrs if self._lazy else self.load_full_data()

    def load_full_data(self, force: bool = False) -> dict[str, Any]:
        """Read config, summary, system metrics and history keys, and give all that W&B's API tells of the run."""
        if force:
            self.load(force=True)
        self._load_documents()
        return self._attrs

    def _load_documents(self) -> None:
        """Read the documents of this run, and of those listed with it: one question for a page of runs."""
        if "config" in self._attrs:
            return
        if self._texts is None:
            wanting = {run.id: run for run in self._beside if run._texts is None}
            asked = {"entity": self.entity, "project": self.project}
            rows = self._session.reader.rows(
                "run_documents", asked | {"runs": [escape(run) for run in wanting]}
            )
            for row in rows:
                wanting[unescape(row["run_id"])]._texts = row
        texts = self._texts or {}
        self._attrs |= {
            "config": document(texts.get("config")) or {},
            "rawconfig": document(texts.get("raw_config")) or {},
            "summaryMetrics": document(texts.get("summary")) or {},
            "systemMetrics": document(texts.get("system_metrics")) or {},
            "historyKeys": document(texts.get("history_keys")),
        }

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and {name, self.snake_to_camel(name)} & {*_DOCUMENTS}:
            self._load_documents()
        return super().__getattr__(name)

    @property
    def id(self) -> str:
        """Id of the run, unique in its project (W&B `Run.name`)."""
        return str(self._attrs["name"])

    @property
    def storage_id(self) -> str:
        """Opaque global id of the run (W&B `Run.id`)."""
        return str(self._attrs["id"])

    @property
    def name(self) -> str | None:
        """Name shown in the interface (W&B `displayName`); what is set reaches W&B by `update`."""
        return self._attrs.get("displayName")

    @name.setter
    def name(self, new_name: str) -> None:
        self._attrs["displayName"] = new_name

    @property
    def entity(self) -> str:
        """Team or user that owns the project."""
        return self._entity

    @property
    def username(self) -> str:
        """The entity, under the name it had of old."""
        return self._entity

    @property
    def state(self) -> str:
        """State of the run: running, finished, failed, crashed, killed, pending, preempting or preempted."""
        return str(self._attrs.get("state", "not found"))

    @property
    def project_internal_id(self) -> int | None:
        """Internal id of the project, stable under renames."""
        number = self._attrs.get("projectId")
        return None if number is None else int(number)

    _project_internal_id = project_internal_id

    @property
    def path(self) -> list[str]:
        """Entity, project and id, each quoted for an address."""
        return [quote(part, safe="") for part in (self.entity, self.project, self.id)]

    @property
    def url(self) -> str:
        """Address of the run's page."""
        entity, project, run = self.path
        return f"{self._session.app_url}{entity}/{project}/runs/{run}"

    @property
    def dir(self) -> str:
        """Where the official client would keep the run's files; nothing is made there."""
        return str(Path(tempfile.gettempdir()).joinpath("wandb", *self.path))

    @property
    def config(self) -> dict[str, Any]:
        """Config as the writer set it, nested, without W&B's own entries; changes reach W&B by `update`."""
        self._load_documents()
        return self._attrs["config"]  # type: ignore[no-any-return]

    @property
    def rawconfig(self) -> dict[str, Any]:
        """Config with W&B's own entries (`_wandb`)."""
        self._load_documents()
        return self._attrs["rawconfig"]  # type: ignore[no-any-return]

    @property
    def json_config(self) -> str:
        """Config as JSON text in the form W&B stores: each entry an object of `value` and `desc`."""
        entries = {key: value for key, value in self.rawconfig.items() if key == "_wandb"} | self.config
        return exporting.json_text({key: {"value": value, "desc": None} for key, value in entries.items()})

    @property
    def summary(self) -> Summary:
        """Summary metrics; entries as attributes, too. What is set reaches W&B by `summary.update`."""
        if self._summary is None:
            self._summary = Summary(self.summary_metrics, self._write_summary)
        return self._summary

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """Summary metrics as a plain dict."""
        self._load_documents()
        return self._attrs["summaryMetrics"]  # type: ignore[no-any-return]

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last sample of the system metrics, by W&B's names as `system.cpu`."""
        self._load_documents()
        return self._attrs["systemMetrics"]  # type: ignore[no-any-return]

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Where the run ran, as in its `wandb-metadata.json`; None where its writer did not say."""
        asked = {"entity": self.entity, "project": self.project, "run": escape(self.id)}
        found = self._session.reader.rows("run_metadata", asked)
        return document(found[0]["document"]) if found else None

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 -- W&B's name
        """Last step of the history; -1 where nothing was logged."""
        step = self._attrs.get("lastStep")
        return -1 if step is None else int(step)

    @property
    def sweep(self) -> "Sweep | None":
        """The sweep that the run belongs to."""
        if self._sweep is None:
            self._sweep = self._find_sweep()
        return self._sweep

    def _find_sweep(self) -> "Sweep | None":
        from wandb_warehouse.api.sweeps import find_sweep

        name = self._attrs.get("sweepName")
        return find_sweep(self._session, self.entity, self.project, name) if name else None

    def history(
        self,
        samples: int | None = 500,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Literal["default", "system"] = "default",
    ) -> "list[dict[str, Any]] | pd.DataFrame":
        """Give rows of the history, at equal distances where there are more than `samples`.

        Args:
            samples: rows at most; None for all.
            keys: metrics that a row must have, and that alone are given; None for every row with all it has.
            x_axis: a metric that comes with `keys`.
            pandas: a data frame rather than a list of dicts; a list where pandas is not installed.
            stream: `default` for what was logged, `system` for the machine's metrics.

        Returns:
            Columns or keys in the order of their names; nested metrics under dotted keys.

        Warns:
            IncompleteHistoryWarning: rows are not in the warehouse.

        Source: `Run.history`.
        """
        if not fit(keys, stream):
            return []
        ask = Ask(samples, tuple(keys or ()), x_axis, stream)
        histories = self._ahead.history(self.id, ask)
        if pandas:
            try:
                return pandas_frame(histories)
            except ImportError:
                warnings.warn("Unable to load pandas, call history with pandas=False", stacklevel=2)
        return histories.dicts()

    def scan_history(
        self,
        keys: list[str] | None = None,
        page_size: int = 1_000,
        min_step: int = 0,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002 -- W&B's signature
    ) -> "scanning.HistoryScan":
        """Give an iterator over every row of the history.

        Args:
            keys: metrics that a row must have, and that alone are given; None for every row with all it has.
            page_size: of no consequence here.
            min_step: first step.
            max_step: first step that is not wanted any more; None for no end.
            use_cache: of no consequence here.

        Raises:
            ValueError: `keys` is no list of texts.

        Warns:
            IncompleteHistoryWarning: rows are not in the warehouse.

        Source: `Run.scan_history`.
        """
        if keys is not None and not isinstance(keys, list):
            raise ValueError("keys must be specified in a list")
        if not all(isinstance(key, str) for key in keys or ()):
            raise ValueError("keys argument must be a list of strings")
        end = self.lastHistoryStep + 1
        stop = end if max_step is None else min(max_step, end)
        return scanning.HistoryScan(self, min_step=min_step, max_step=stop, keys=keys, page_size=page_size)

    def beta_scan_history(
        self,
        keys: list[str] | None = None,
        page_size: int = 1_000,
        min_step: int = 0,
        max_step: int | None = None,
        use_cache: bool = True,
    ) -> "scanning.HistoryScan":
        """Give what `scan_history` gives, under the name it had for a while."""
        return self.scan_history(keys, page_size, min_step, max_step, use_cache)

    def download_history_exports(
        self,
        download_dir: Path | str,
        require_complete_history: bool = True,
    ) -> "exporting.DownloadHistoryResult":
        """Write the history to a parquet file, from the warehouse; shape and errors as `exporting.download_history`.

        Source: `Run.download_history_exports`.
        """
        return exporting.download_history(self, download_dir, whole=require_complete_history)

    def files(
        self, names: list[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> "Files":
        """Give the run's files, those of some names, or of a pattern as of SQL's LIKE (`%.json`)."""
        from wandb_warehouse.api.files import Files

        return Files(self._session, self, names or [], pattern=pattern, per_page=per_page)

    def file(self, name: str) -> "File":
        """Give the run's file of that name."""
        return self.files([name])[0]

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> "ConsoleLogs":
        """Give the lines the run wrote to its console, or the `last` of them; they are synced with --console-logs."""
        from wandb_warehouse.api.console import ConsoleLogs

        return ConsoleLogs(self._session, self, per_page=per_page, last=last)

    def logged_artifacts(self, per_page: int = 100) -> "RunArtifacts":
        """Give the artifact versions that the run logged."""
        from wandb_warehouse.api.artifacts import RunArtifacts

        return RunArtifacts(self._session, self, mode="logged", per_page=per_page)

    def used_artifacts(self, per_page: int = 100) -> "RunArtifacts":
        """Give the artifact versions that the run used."""
        from wandb_warehouse.api.artifacts import RunArtifacts

        return RunArtifacts(self._session, self, mode="used", per_page=per_page)

    def wait_until_finished(self, timeout: float | None = None) -> None:
        """Wait until the warehouse says that the run has ended, as another process syncs it.

        Args:
            timeout: seconds after which to give up; None for never.

        Raises:
            TimeoutError: the run was still going on then.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self.load(force=True)
            if self.state in _ENDED:
                return
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"{'/'.join(self.path)} is {self.state} after {timeout:g} s")
            time.sleep(_POLL if end is None else max(min(_POLL, end - time.monotonic()), 0))

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Give the run as HTML that needs no server: what it is, and curves of its first metrics."""
        keys = [key for key in (self.history_keys or {}).get("keys", {}) if not key.startswith("_")]
        curves = [(key, self._curve(key)) for key in sorted(keys)[:_CURVES]]
        facts = {
            "state": self.state,
            "created": self.created_at,
            "user": self.user.username if self.user else None,
            "group": self.group,
            "job type": self.job_type,
            "tags": self.tags,
            "notes": self.notes,
            "last step": self.lastHistoryStep,
        }
        return html.page(self.name or self.id, self.url, facts, curves, height=height, hidden=hidden)

    def _curve(self, key: str) -> list[float]:
        rows = self.history(samples=100, keys=[key], pandas=False)
        values = (row[key] for row in rows if isinstance(row, dict))
        return [float(value) for value in values if isinstance(value, int | float)]

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'/'.join(self.path)} ({self.state})>"


_CURVES = 12


def fit(keys: Any, stream: str) -> bool:
    """Whether keys and stream go together; a warning says why not, as the official client does."""
    wrong = None
    if keys is not None and not isinstance(keys, list):
        wrong = "keys must be specified in a list"
    elif keys and not isinstance(keys[0], str):
        wrong = "keys argument must be a list of strings"
    elif keys and stream != "default":
        wrong = "stream must be default when specifying keys"
    if wrong:
        warnings.warn(wrong, stacklevel=3)
    return not wrong
