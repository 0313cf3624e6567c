"""`Changing`: what a run has for changing W&B, after which the warehouse shows it."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from wandb_warehouse.api.changes.artifacts import Shown
from wandb_warehouse.api.changes.differing import apply_changes, same
from wandb_warehouse.api.changes.refreshing import refresh, refresh_artifacts
from wandb_warehouse.api.changes.writing import (
    at_wandb,
    create_run,
    official,
    run_name,
    their_artifact,
    their_run,
)
from wandb_warehouse.errors import RunNotFoundError

if TYPE_CHECKING:
    from wandb_warehouse.api.api import Api
    from wandb_warehouse.api.runs.files import File
    from wandb_warehouse.api.runs.run import Run
    from wandb_warehouse.api.session import Session

__all__ = ["Changing"]

_FIELDS = ("display_name", "tags", "notes", "description", "group", "job_type")
"""What `update` writes beside config and summary."""


class Changing:
    """Methods of `Run` that change W&B, by the official client, and then bring the run in the warehouse up to date.

    What is written is what the run has otherwise than the warehouse. The rest stays as W&B has it: a key that a sync
    left out is not taken from the server, and neither is one that was added there meanwhile.

    Each method raises:
        MissingExtraError: the official client is not installed.
        AuthError: there is no key, or W&B does not accept it.
        FatalRemoteError: W&B refuses the change, or cannot be reached.
        BusyError, StoreError, PartialError, RemoteError: the change is at W&B, and the warehouse does not show it; the
            message says so.

    Source: `wandb.apis.public.Run`.
    """

    display_name: str | None
    tags: list[str]
    notes: str | None
    description: str | None
    group: str | None
    job_type: str | None
    _session: "Session"

    @classmethod
    def create(
        cls,
        api: "Api",
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        state: Literal["running", "pending"] = "running",
    ) -> "Run":
        """Create a run at W&B, and give it as the warehouse has it then.

        Args:
            api: the API that it is to belong to.
            run_id: id of the run; one is made up where there is none.
            project: the project, as set in `api` by default, else `uncategorized`.
            entity: team or user, as set in `api` by default, else the key's own.
            state: `pending` for a run to be resumed later.
        """
        from wandb_warehouse.api.runs.run import Run

        key = create_run(
            api._session,
            run_id=run_id,
            project=project or api.settings["project"],
            entity=entity or api.default_entity,
            state=state,
        )
        return Run(api._session, *key, lazy=False)

    def update(self) -> None:
        """Write to W&B what was changed of name, tags, notes, description, group, job type, config and summary."""
        api, run = official(self._session), self._run
        stored = self._stored()
        with at_wandb(f"updating {run_name(run)}"):
            theirs = their_run(api, run)
            for field in _FIELDS:
                if not same(getattr(run, field), getattr(stored, field)):
                    setattr(theirs, field, getattr(run, field))
            apply_changes(stored.config, run.config, theirs.config)
            apply_changes(stored.summary_metrics, run.summary_metrics, theirs.summary)
            theirs.update()
        self._refresh()

    def save(self) -> None:
        """Do what `update` does."""
        self.update()

    def _write_summary(self) -> None:
        api, run = official(self._session), self._run
        stored = self._stored()
        with at_wandb(f"writing the summary of {run_name(run)}"):
            theirs = their_run(api, run).summary
            apply_changes(stored.summary_metrics, run.summary_metrics, theirs)
            theirs.update()
        self._refresh()

    def delete(self, delete_artifacts: bool = False) -> None:
        """Delete the run at W&B; the warehouse marks it as deleted, and this surface shows it no more.

        Args:
            delete_artifacts: delete the artifacts that it logged, too.
        """
        api, run = official(self._session), self._run
        shown = Shown.beside(self._session, run) if delete_artifacts else None
        with at_wandb(f"deleting {run_name(run)}"):
            their_run(api, run).delete(delete_artifacts=delete_artifacts)
        self._refresh(gone=True)
        if shown is not None:
            shown.refresh(self._session)

    def update_state(self, state: str) -> bool:
        """Set the state at W&B, to `pending` or `failed`, and tell whether W&B did."""
        api, run = official(self._session), self._run
        with at_wandb(f"setting the state of {run_name(run)}"):
            done = bool(their_run(api, run).update_state(state))
        if done:
            run._attrs["state"] = state
            self._refresh()
        return done

    def stop(self) -> None:
        """Ask the process of the run to stop; it does when it is heard of next."""
        api, run = official(self._session), self._run
        with at_wandb(f"stopping {run_name(run)}"):
            their_run(api, run).stop()
        self._refresh()

    def upload_file(self, path: str, root: str = ".") -> "File":
        """Upload a local file to the run, and give it as the warehouse has it then.

        Args:
            path: the file.
            root: directory that its name in the run is relative to.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(path)
        api, run = official(self._session), self._run
        with at_wandb(f"uploading {path} to {run_name(run)}"):
            name = str(their_run(api, run).upload_file(str(path), root=str(root)).name)
        self._refresh()
        return run.file(name)

    def log_artifact(
        self, artifact: Any, aliases: Collection[str] | None = None, tags: Collection[str] | None = None
    ) -> Any:
        """Declare an artifact version as an output of the run, and give it.

        Args:
            artifact: a version that `Api.artifact` gave, ours or the official client's.
            aliases: aliases that it gets.
            tags: tags that it gets.

        Raises:
            TypeError: it is no artifact.
            ValueError: it was never logged, or belongs to another project.
        """
        api, run = official(self._session), self._run
        with at_wandb(f"logging an artifact of {run_name(run)}"):
            their_run(api, run).log_artifact(their_artifact(api, artifact), aliases=aliases, tags=tags)
        refresh_artifacts(self._session, run.entity, run.project, run.id)
        return artifact

    def use_artifact(self, artifact: Any, use_as: str | None = None) -> Any:
        """Declare an artifact version as an input of the run, and give it.

        Args:
            artifact: a version that `Api.artifact` gave, ours or the official client's.
            use_as: how it is used.

        Raises:
            ValueError: it is no artifact, or was never logged.
        """
        api, run = official(self._session), self._run
        with at_wandb(f"using an artifact in {run_name(run)}"):
            try:
                theirs = their_artifact(api, artifact)
            except TypeError as error:
                raise ValueError(str(error)) from error
            their_run(api, run).use_artifact(theirs, use_as=use_as)
        refresh_artifacts(self._session, run.entity, run.project, run.id)
        return artifact

    @property
    def _run(self) -> "Run":
        return cast("Run", self)

    def _stored(self) -> "Run":
        """The run as the warehouse has it, in the state that is read now."""
        from wandb_warehouse.api.runs.rows import read_runs
        from wandb_warehouse.api.runs.run import Run

        run = self._run
        stored = read_runs(self._session, run.entity, run.project, [run.id])
        if run.id not in stored:
            raise RunNotFoundError(
                f"the warehouse has no run {run_name(run)} any more",
                mend="sync its project, or mend the path",
            )
        return Run(self._session, run.entity, run.project, run.id, stored.light(run.id), lazy=False)

    def _refresh(self, *, gone: bool = False) -> None:
        run = self._run
        refresh(self._session, run.entity, run.project, run.id, gone=gone)
