"""`Runs`: the runs of a project that pass a filter, in an order, and their histories in one piece."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from wandb_warehouse.api.histories.ahead import Ahead
from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.frames import arrow_table, pandas_frame, polars_frame
from wandb_warehouse.api.histories.reading import read_histories
from wandb_warehouse.api.histories.rows import Histories
from wandb_warehouse.api.pieces.pages import Pages
from wandb_warehouse.api.runs.history import fit
from wandb_warehouse.api.runs.rows import StoredRuns, read_runs
from wandb_warehouse.api.runs.run import Run
from wandb_warehouse.api.session import Session
from wandb_warehouse.api.stored import require_project
from wandb_warehouse.arrow import unescape
from wandb_warehouse.operations import VIEWS, compile_runs

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from wandb_warehouse.api.sweeps import Sweep

__all__ = ["Runs"]

_AHEAD = 500
"""Runs whose attributes are read at a time."""

Format = Literal["default", "pandas", "polars", "arrow"]


class Runs(Pages[Run]):
    """Runs of a project, made when they are reached; `len`, indices and slices work as on a list.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        filters: a MongoDB-style filter; docs/filters.md describes it.
        order: fields with + (ascending) or - (descending), separated by commas; the first decides.
        per_page: runs made at a time.
        include_sweeps: give each run its sweep at once.
        lazy: read configs, summaries and the like when they are first asked for, a page at a time.

    Raises:
        OperationError: the filter or the order is not understood.
        NotStoredError: the warehouse has no such project.

    Source: `wandb.apis.public.Runs`.
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        filters: dict[str, Any] | None = None,
        order: str | None = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> None:
        super().__init__(per_page)
        self.entity = entity
        self.project = project
        self.filters = filters or {}
        self.order = order or "+created_at"
        self.variables = {"project": project, "entity": entity, "order": self.order, "filters": self.filters}
        self._session = session
        self._include_sweeps = include_sweeps
        self._lazy = lazy
        self._stored: StoredRuns | None = None
        self._ahead: Ahead | None = None
        self._sweeps: dict[str, Sweep] = {}

    def _find(self) -> Sequence[str]:
        require_project(self._session, self.entity, self.project)
        operation = compile_runs(
            self.filters, self.order, project=(self.entity, self.project), columns=["run_id"]
        )
        (statement,) = operation.statements
        found = self._session.reader.select(statement.sql, views=VIEWS)
        return [unescape(run) for run in found.column("run_id").to_pylist()]

    def convert_objects(self) -> list[Run]:
        """Make the runs of the last page."""
        made = super().convert_objects()
        if self._ahead is None:
            self._ahead = Ahead(self._session, self.entity, self.project, self._found())
        for run in made:
            run._beside, run._ahead = made, self._ahead
        if not self._lazy and made:
            made[0].load_full_data()
        return made

    def _convert(self, row: str) -> Run | None:
        if self._stored is None or row not in self._stored:
            start = self._found().index(row, max(self._read - self.per_page, 0))
            ahead = self._found()[start : start + max(_AHEAD, self.per_page)]
            self._stored = read_runs(self._session, self.entity, self.project, ahead)
        run = Run(self._session, self.entity, self.project, row, self._stored.light(row))
        if not self._lazy:
            run._lazy = False
        if self._include_sweeps and run.sweep_name:
            if run.sweep_name not in self._sweeps and run.sweep is not None:
                self._sweeps[run.sweep_name] = run.sweep
            run._sweep = self._sweeps.get(run.sweep_name)
        return run

    def histories(
        self,
        samples: int | None = 500,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        format: Format = "default",  # noqa: A002 -- W&B's name
        stream: Literal["default", "system"] = "default",
    ) -> "list[dict[str, Any]] | pd.DataFrame | pl.DataFrame | pa.Table":
        """Give rows of the histories of all these runs, with the `run_id` of each.

        Args:
            samples: rows of each run at most, at equal distances; None for all.
            keys: metrics that a row must have, and that alone are given; None for every row with all it has.
            x_axis: a metric that comes with `keys`.
            format: `default` for a list of dicts; `pandas`, `polars` or `arrow` for a frame.
            stream: `default` for what was logged, `system` for the machine's metrics.

        Returns:
            Rows by run, in the order of the runs, and by step. Columns in the order of their names.

        Raises:
            ValueError: the format is none of these.

        Warns:
            IncompleteHistoryWarning: rows of a run are not in the warehouse.

        Source: `Runs.histories`; `format="arrow"` and `samples=None` are ours.

        Example:
            >>> runs = Api().runs("my-team/my-project", {"group": "seeds"})  # doctest: +SKIP
            >>> runs.histories(samples=None, keys=["loss"], format="pandas")  # doctest: +SKIP
        """
        if format not in _FORMATS:
            raise ValueError(f"Invalid format: {format}. Must be one of {', '.join(map(repr, _FORMATS))}")
        ids = list(self._found())
        if not fit(keys, stream):
            ids = []
        ask = Ask(samples, tuple(keys or ()), x_axis, stream)
        return _FORMATS[format](read_histories(self._session, self.entity, self.project, ids, ask), ids)

    def upgrade_to_full(self) -> None:
        """Read configs, summaries and the like of all runs made so far, and at once of those to come."""
        self._lazy = False
        for run in self.objects:
            run.load_full_data()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.entity}/{self.project}>"


def _dicts(histories: Histories, run_ids: Sequence[str]) -> list[dict[str, Any]]:
    rows = histories.dicts()
    for row, run in zip(rows, histories.run_ids(run_ids).to_pylist(), strict=True):
        row["run_id"] = run
    return rows


_FORMATS: Mapping[str, Callable[[Histories, Sequence[str]], Any]] = {
    "default": _dicts,
    "pandas": pandas_frame,
    "polars": polars_frame,
    "arrow": arrow_table,
}
"""What gives histories in each form."""
