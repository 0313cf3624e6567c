"""What a verification found: run by run, expected against stored, and every difference by its name."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from wandb_warehouse.errors import PartialError
from wandb_warehouse.warehouse import Difference, RunKey

__all__ = ["ProjectVerdict", "RunVerdict", "VerifyReport"]

RunState = Literal["equal", "different", "moved", "deleted"]

_SHOWN = 5


@dataclass(slots=True)
class RunVerdict:
    """One run: what the server says of it, and what is stored. A figure is None where it cannot be told."""

    entity: str
    project: str
    run_id: str
    state: RunState = "equal"
    source: str | None = None
    """Where its history came from: exports, live, mixed or none."""
    expected_rows: int | None = None
    stored_rows: int | None = None
    expected_last_step: int | None = None
    stored_last_step: int | None = None
    values: int | None = None
    """History values, counted anew."""
    expected_keys: int | None = None
    stored_keys: int | None = None
    expected_digest: str | None = None
    """Of config, summary, tags, metadata and the index of the history, as the server answers now."""
    stored_digest: str | None = None
    """The same of the rows that are stored."""

    @property
    def key(self) -> RunKey:
        """Entity, project, run id."""
        return self.entity, self.project, self.run_id


@dataclass(slots=True)
class ProjectVerdict:
    """One project: its runs, counted."""

    project: str
    runs_at_server: int = 0
    runs_stored: int = 0
    runs_equal: int = 0
    runs_different: int = 0
    runs_moved: int = 0
    """Moved since the last sync: what that sync could not bring is no difference."""
    runs_deleted: int = 0
    """Gone from the server, and marked so here."""
    rows: int = 0
    values: int = 0
    """History values of its runs, counted anew."""


@dataclass(slots=True)
class VerifyReport:
    """Whether a warehouse equals the server; printed as a table, as JSON with `--json`."""

    warehouse: str
    generation: int
    deep: bool = False
    projects: list[ProjectVerdict] = field(default_factory=list)
    runs: list[RunVerdict] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Why a project could not be verified, by its name."""
    repaired: list[str] = field(default_factory=list)
    """Runs and projects that were fetched anew, by their paths."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs and every project could be verified."""
        return not self.differences and not self.failed

    def add(self, differences: Iterable[Difference]) -> None:
        """Note differences, each once."""
        known = set(self.differences)
        self.differences += [each for each in dict.fromkeys(differences) if each not in known]

    def count(self) -> None:
        """Tell by the differences which runs differ, and count the runs of every project."""
        differing = self.differing()
        for run in self.runs:
            if run.key in differing:
                run.state = "different"
        for verdict in self.projects:
            mine = [run for run in self.runs if f"{run.entity}/{run.project}" == verdict.project]
            for state in ("equal", "different", "moved", "deleted"):
                setattr(verdict, f"runs_{state}", sum(run.state == state for run in mine))
            verdict.rows = sum(run.stored_rows or 0 for run in mine)
            verdict.values = sum(run.values or 0 for run in mine)

    def differing(self) -> set[RunKey]:
        """Runs and (with an empty run id) projects that differ."""
        return {(each.entity, each.project, each.run_id) for each in self.differences}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types, with the shape that docs/reliability.md describes."""
        told = asdict(self)
        for verdict in told["runs"]:
            for name in ("rows", "last_step", "keys", "digest"):
                verdict[name] = {side: verdict.pop(f"{side}_{name}") for side in ("expected", "stored")}
        return {"equal": self.equal, **told}

    def raise_if_different(self) -> None:
        """Raise where the warehouse is not what the server has.

        Raises:
            PartialError: runs or projects differ, or could not be verified.
        """
        troubles = []
        names = sorted("/".join(part for part in key if part) or "the file" for key in self.differing())
        if names:
            shown = ", ".join(names[:_SHOWN]) + (
                f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            )
            troubles.append(f"{len(names)} differ from the server: {shown}")
        troubles += [f"{name} could not be verified: {why}" for name, why in self.failed.items()]
        if troubles:
            raise PartialError("; ".join(troubles), mend="run `wandb-warehouse verify --repair`")
