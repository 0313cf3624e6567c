"""`Sweeps` of a project."""

from collections.abc import Mapping, Sequence
from typing import Any

from wandb_warehouse.api.pieces.matching import matches
from wandb_warehouse.api.pieces.pages import Pages
from wandb_warehouse.api.session import Session
from wandb_warehouse.api.stored import SWEEP_FIELDS, require_project, sweep_attributes
from wandb_warehouse.api.sweep import Sweep, find_sweep

__all__ = ["Sweep", "Sweeps", "find_sweep"]


class Sweeps(Pages[Sweep]):
    """Sweeps of a project, oldest first.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        per_page: sweeps made at a time.
        filters: a filter in MongoDB's form over what a sweep has: `name` (its id), `displayName`, `state`, `method`,
            `description`, `config` (its text), `createdAt`, `updatedAt`, `bestLoss`, `runCount`,
            `runCountExpected`, `id`.

    Raises:
        OperationError: a filter that is none, when the first sweep is asked for.

    Source: `wandb.apis.public.Sweeps`.
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        per_page: int = 50,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(per_page)
        self._session = session
        self._filters = filters
        self.entity = entity
        self.project = project

    def _find(self) -> Sequence[dict[str, Any]]:
        require_project(self._session, self.entity, self.project)
        found = sweep_attributes(self._session, self.entity, self.project)
        return [
            attrs for attrs in found if matches(self._filters, {name: attrs[name] for name in SWEEP_FIELDS})
        ]

    def _convert(self, row: dict[str, Any]) -> Sweep:
        return Sweep(self._session, self.entity, self.project, row["name"], row)

    def __repr__(self) -> str:
        return f"<Sweeps {self.entity}/{self.project}>"
