"""What people and W&B do to runs and projects that are there: edit, delete, rewind, fork, move, rename, alias."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_warehouse.sandbox.artifacts import Artifact
    from wandb_warehouse.sandbox.shelf import ArtifactShelf
    from wandb_warehouse.sandbox.store import Project, Run, Store

__all__ = ["RUN_FIELDS", "Changes"]

RUN_FIELDS = (
    "display_name", "state", "notes", "description", "group", "job_type", "sweep", "commit", "host", "read_only"
)  # fmt: skip
"""Fields of a run that are set as they are."""


class Changes:
    """Changes to what a sandbox holds; each takes effect with the next request."""

    store: "Store"
    shelf: "ArtifactShelf"
    entity: str

    def _project(self, entity: str, project: str) -> "Project":
        if (entity, project) not in self.store.projects:
            raise KeyError(f"the sandbox holds no project {entity}/{project}")
        return self.store.projects[entity, project]

    def _run(self, entity: str, project: str, run_id: str) -> "Run":
        home = self.store.projects.get((entity, project))
        if home is None or run_id not in home.runs:
            raise KeyError(f"the sandbox holds no run {entity}/{project}/{run_id}")
        return home.runs[run_id]

    def edit(
        self,
        entity: str,
        project: str,
        run_id: str,
        *,
        config: Mapping[str, Any] | None = None,
        summary: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        name: str | None = None,
        quietly: bool = False,
        **fields: Any,
    ) -> None:
        """Edit a run as the web interface does; entries of config and summary not named stay.

        `quietly` leaves every time of the run as it was, `updatedAt` among them.
        """
        unknown = fields.keys() - set(RUN_FIELDS)
        if unknown:
            raise TypeError(f"unknown fields of a run: {', '.join(sorted(unknown))}")
        with self.store.lock:
            run = self._run(entity, project, run_id)
            run.write_config(config or {})
            run.write_summary(summary or {})
            run.tags = run.tags if tags is None else list(tags)
            run.display_name = name or run.display_name
            for field, value in fields.items():
                setattr(run, field, value)
            if not quietly:
                self.store.edited(run)

    def delete(self, entity: str, project: str, run_id: str) -> None:
        """Delete a run."""
        with self.store.lock:
            self._run(entity, project, run_id).deleted = True

    def undelete(self, entity: str, project: str, run_id: str) -> None:
        """Bring a deleted run back."""
        with self.store.lock:
            self._run(entity, project, run_id).deleted = False

    def rewind(self, entity: str, project: str, run_id: str, step: int) -> None:
        """Drop the rows after a step, as `wandb.init(resume_from=...)` does."""
        with self.store.lock:
            self.store.rewind(self._run(entity, project, run_id), step)

    def fork(self, entity: str, project: str, run_id: str, fork_id: str, step: int) -> "Run":
        """Begin a run at a step of another one, as `wandb.init(fork_from=...)` does; its rows begin after that step."""
        with self.store.lock:
            parent = self._run(entity, project, run_id)
            fork = self.store.new_run(parent.project, fork_id, self.entity)
            fork.config = parent.config
            fork.write_config({"_wandb": {"t": {"1": [1]}, "branch_point": {"run_id": run_id, "step": step}}})
            return fork

    def move_run(self, entity: str, project: str, run_id: str, target: str) -> None:
        """Move a run with all it has into another project of its entity."""
        with self.store.lock:
            run = self._run(entity, project, run_id)
            home = self.store.ensure_project(entity, target, username=self.entity)
            moved = copy.copy(run)
            moved.project = home
            home.runs[run_id] = moved
            del run.project.runs[run_id]

    def rename_project(
        self, entity: str, project: str, name: str, *, owner: str | None = None, redirects: bool = False
    ) -> None:
        """Rename a project, or give it to another entity; its internal id stays, ids of its runs change.

        The old name is unknown from then on, unless it `redirects`.
        """
        with self.store.lock:
            old, new = (entity, project), (owner or entity, name)
            home = self._project(*old)
            if new in self.store.projects:
                raise ValueError(f"the sandbox already holds a project {'/'.join(new)}")
            self.store.projects[new] = home
            if not redirects:
                del self.store.projects[old]
            home.entity, home.name = new
            for run in home.runs.values():
                run.entity = home.entity
            self.shelf.rename(old, new)

    def add_artifact(
        self,
        entity: str,
        project: str,
        collection: str,
        digest: str,
        *,
        kind: str = "model",
        aliases: Iterable[str] = (),
        run_id: str | None = None,
    ) -> "Artifact":
        """Log a version of an artifact without files; `latest` moves to it."""
        with self.store.lock:
            home = self.store.ensure_project(entity, project, username=self.entity)
            wanted = {
                "artifactCollectionName": collection,
                "artifactTypeName": kind,
                "digest": digest,
                "aliases": [{"alias": alias} for alias in aliases],
                "enableDigestDeduplication": True,
            }
            run = self._run(entity, project, run_id) if run_id else None
            artifact = self.shelf.create(home, run, wanted)
            self.shelf.commit(artifact)
            return artifact

    def move_alias(self, entity: str, project: str, collection: str, alias: str, version: int) -> None:
        """Let an alias point to another version of its collection."""
        with self.store.lock:
            found = self.shelf.collection(self._project(entity, project), collection)
            target = found.find(f"v{version}") if found else None
            if found is None or target is None:
                raise KeyError(f"the sandbox holds no artifact {entity}/{project}/{collection}:v{version}")
            self.shelf.alias(found, target, [alias])
