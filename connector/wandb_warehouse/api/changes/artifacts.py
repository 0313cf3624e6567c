"""Changes of artifacts by the official client, and where the warehouse is to show them afterwards."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.artifacts.lineage import edges_of_run, runs_of_versions, stored_versions
from wandb_warehouse.api.changes.refreshing import refresh_artifacts
from wandb_warehouse.api.changes.writing import at_wandb
from wandb_warehouse.api.pieces.paths import ArtifactPath
from wandb_warehouse.api.session import Session
from wandb_warehouse.api.stored import project_attributes
from wandb_warehouse.warehouse import RunKey

if TYPE_CHECKING:
    from wandb_warehouse.api.artifacts.version import Artifact
    from wandb_warehouse.api.runs.run import Run

__all__ = ["Shown", "change_artifact", "link_artifact"]


@dataclass(frozen=True)
class Shown:
    """Where the warehouse shows some versions."""

    projects: frozenset[tuple[str, str]]
    """Those in which they were made, and those they were linked into."""
    runs: frozenset[RunKey] = frozenset()
    """Those that logged or used them."""

    @classmethod
    def of(cls, session: Session, ids: Sequence[str]) -> "Shown":
        """Look versions up."""
        rows, found = stored_versions(session, ids=ids), runs_of_versions(session, ids)
        runs = {place for version in ids for way in ("logged", "used") for place in found[version, way]}
        return cls(frozenset((row["entity"], row["project"]) for row in rows), frozenset(runs))

    @classmethod
    def beside(cls, session: Session, run: "Run") -> "Shown":
        """Look up what a run logged, apart from the run itself."""
        key = (run.entity, run.project, run.id)
        found = cls.of(session, [row["artifact_id"] for row in edges_of_run(session, *key, "logged")])
        return cls(found.projects, found.runs - {key})

    def refresh(self, session: Session) -> None:
        """Bring projects of the warehouse up to date: their artifacts, and what the runs logged and used."""
        found: dict[tuple[str, str], set[str]] = {place: set() for place in self.projects}
        for entity, project, run_id in self.runs:
            found.setdefault((entity, project), set()).add(run_id)
        here = {place: ids for place, ids in found.items() if project_attributes(session, *place)}
        for (entity, project), ids in sorted(here.items()):
            refresh_artifacts(session, entity, project, *sorted(ids))


def change_artifact(
    session: Session, artifact: "Artifact", name: str, work: Callable[[Any], None], *, lineage: bool = False
) -> None:
    """Change a version by the official client's form of it; then what shows it is brought up to date.

    Errors as `Changing`.

    Args:
        session: what the objects of an `Api` share.
        artifact: a version of ours.
        name: what is done, for messages.
        work: what is done.
        lineage: also what runs logged and used is another thing then.
    """
    api = session.official()
    shown = Shown.of(session, [artifact._row["artifact_id"]])
    with at_wandb(f"Artifact.{name} of {artifact.qualified_name}"):
        work(api.artifact(artifact._exact_name))
    (shown if lineage else Shown(shown.projects)).refresh(session)


def link_artifact(
    session: Session, artifact: "Artifact", target_path: str, aliases: Iterable[str] | None
) -> tuple[Any, ArtifactPath | None]:
    """Link a version into a collection, and bring that one's project up to date where it is in the warehouse.

    Gives the link as the official client has it, and where it is if the warehouse has it. Errors as `Changing`.
    """
    api = session.official()
    with at_wandb(f"Artifact.link of {artifact.qualified_name}"):
        made = api.artifact(artifact._exact_name).link(target_path, aliases)
        path = ArtifactPath(str(made.entity), str(made.project), str(made.name))
    if not project_attributes(session, str(path.entity), path.project):
        return made, None
    refresh_artifacts(session, str(path.entity), path.project)
    return made, path
