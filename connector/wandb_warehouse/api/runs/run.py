"""`Run`: one run of the warehouse with everything the public API shows of it."""

import time
from typing import TYPE_CHECKING

from wandb_warehouse.api.pieces import html
from wandb_warehouse.api.runs.history import RunHistory

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.versions import RunArtifacts
    from wandb_warehouse.api.runs.console import ConsoleLogs
    from wandb_warehouse.api.runs.files import File, Files

__all__ = ["Run"]

_CURVES = 12
"""Metrics whose curves are shown in a notebook."""
_ENDED = frozenset({"finished", "crashed", "failed", "killed"})
_POLL = 1.0
"""Seconds between two looks at the published warehouse."""


class Run(RunHistory):
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

    def files(
        self, names: list[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> "Files":
        """Give the run's files, those of some names, or of a pattern as of SQL's LIKE (`%.json`)."""
        from wandb_warehouse.api.runs.files import Files

        return Files(self._session, self, names or [], pattern=pattern, per_page=per_page)

    def file(self, name: str) -> "File":
        """Give the run's file of that name."""
        return self.files([name])[0]

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> "ConsoleLogs":
        """Give the lines the run wrote to its console, or the `last` of them; they are synced with --console-logs."""
        from wandb_warehouse.api.runs.console import ConsoleLogs

        return ConsoleLogs(self._session, self, per_page=per_page, last=last)

    def logged_artifacts(self, per_page: int = 100) -> "RunArtifacts":
        """Give the artifact versions that the run logged."""
        from wandb_warehouse.api.artifacts.versions import RunArtifacts

        return RunArtifacts(self._session, self, mode="logged", per_page=per_page)

    def used_artifacts(self, per_page: int = 100) -> "RunArtifacts":
        """Give the artifact versions that the run used."""
        from wandb_warehouse.api.artifacts.versions import RunArtifacts

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
