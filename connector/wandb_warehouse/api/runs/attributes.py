"""The part of `Run` that says what it is: names, state, config, summary, metadata, sweep."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wandb_warehouse.api.changes.changing import Changing
from wandb_warehouse.api.histories.ahead import Ahead
from wandb_warehouse.api.pieces.attributes import Attrs
from wandb_warehouse.api.runs.rows import DOCUMENTS, documents_of, look_up, parsed
from wandb_warehouse.api.runs.summary import Summary
from wandb_warehouse.api.session import Session, document
from wandb_warehouse.api.users import User
from wandb_warehouse.arrow import escape
from wandb_warehouse.errors import RunNotFoundError

if TYPE_CHECKING:
    from wandb_warehouse.api.sweeps import Sweep

__all__ = ["RunAttributes"]


class RunAttributes(Changing, Attrs):
    """A run as W&B's API tells of it; see `Run`."""

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
        self._beside: Sequence[RunAttributes] = (self,)
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
            self._attrs, self._texts = found
            self._summary = None
        user = self._attrs.get("user")
        self.user = User(user) if user else None
        return self._attrs if self._lazy else self.load_full_data()

    def load_full_data(self, force: bool = False) -> dict[str, Any]:
        """Read config, summary, system metrics and history keys, and give all that W&B's API tells of the run."""
        if force:
            self.load(force=True)
        for name in DOCUMENTS:
            self._document(name)
        return self._attrs

    def _document(self, name: str) -> Any:
        """A document by W&B's name; the texts are read with those of the runs listed with it, by one question."""
        if name not in self._attrs:
            if self._texts is None:
                wanting = {run.id: run for run in self._beside if run._texts is None}
                found = documents_of(self._session, self.entity, self.project, list(wanting))
                for run_id, texts in found.items():
                    wanting[run_id]._texts = texts
            self._attrs[name] = parsed(self._texts or {}, name)
        return self._attrs[name]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for known in (self.snake_to_camel(name), name):
                if known in DOCUMENTS:
                    return self._document(known)
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
        return self._document("config")  # type: ignore[no-any-return]

    @property
    def rawconfig(self) -> dict[str, Any]:
        """Config with W&B's own entries (`_wandb`)."""
        return self._document("rawconfig")  # type: ignore[no-any-return]

    @property
    def json_config(self) -> str:
        """Config as JSON text in the form W&B stores: each entry an object of `value` and `desc`."""
        entries = {key: value for key, value in self.rawconfig.items() if key == "_wandb"} | self.config
        return json.dumps({key: {"value": value, "desc": None} for key, value in entries.items()})

    @property
    def summary(self) -> Summary:
        """Summary metrics; entries as attributes, too. What is set reaches W&B by `summary.update`."""
        if self._summary is None:
            self._summary = Summary(self.summary_metrics, self._write_summary)
        return self._summary

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """Summary metrics as a plain dict."""
        return self._document("summaryMetrics")  # type: ignore[no-any-return]

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last sample of the system metrics, by W&B's names as `system.cpu`."""
        return self._document("systemMetrics")  # type: ignore[no-any-return]

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
