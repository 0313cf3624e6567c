"""A run's history as parquet files, written from the warehouse as W&B would export it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from wandb_warehouse.api.histories.ask import STEP
from wandb_warehouse.api.histories.frames import arrow_values
from wandb_warehouse.api.histories.holding import holdings
from wandb_warehouse.api.histories.scanning import windows
from wandb_warehouse.arrow import escape, unescape
from wandb_warehouse.errors import IncompleteRunHistoryError, StoreError

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.attributes import RunAttributes

__all__ = ["DownloadHistoryResult", "download_history"]


@dataclass(frozen=True)
class DownloadHistoryResult:
    """What was written.

    Source: `wandb.apis.public.runhistory.DownloadHistoryResult`.
    """

    paths: list[Path]
    """Files, in the order of their steps."""
    contains_live_data: bool
    """Whether the run was still going on when it was synced last, so that rows may be missing."""
    errors: dict[Path, str] | None = field(default=None)
    """Files that could not be written, and why: none, such an error is raised."""


def download_history(run: "RunAttributes", folder: Path | str, *, whole: bool) -> DownloadHistoryResult:
    """Write a run's history to a parquet file, one row a step, one column a metric.

    The file is `<entity>_<project>_<run id>_0.runhistory.parquet`, as the official client names it.

    Columns: `_step` int64; a metric of numbers double; of bools bool; of texts string; of anything else, or of several
    kinds, string with the JSON of each value. Null where a row lacks the metric.

    Args:
        run: the run.
        folder: where to; it is made where it is missing.
        whole: refuse a history of which rows are missing.

    Raises:
        IncompleteRunHistoryError: rows are missing and `whole` is set.
        StoreError: the file cannot be written.
    """
    held = holdings(run._session, run.entity, run.project).get(escape(run.id))
    alive = run.state in {"running", "pending", "preempting", "preempted"}
    missing = held is None or held.stored_rows < held.expected_rows or held.state not in {"ok", "deleted"}
    if whole and (missing or alive):
        why = "it is still going on" if alive and not missing else "rows of it are not in the warehouse"
        raise IncompleteRunHistoryError(
            f"the history of {'/'.join(run.path)} is not whole: {why}",
            mend="sync it with --history full once it has ended, or give require_complete_history=False",
        )
    name = f"{run.entity}_{run.project}_{run.id}_0.runhistory.parquet".replace("/", "_")
    path = Path(folder) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(run, path)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}", mend="choose another folder"
        ) from error
    return DownloadHistoryResult([path], contains_live_data=alive)


def _write(run: "RunAttributes", path: Path) -> None:
    kinds = _kinds(run)
    schema = pa.schema([pa.field(name, _type(types)) for name, types in sorted(kinds.items())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for histories in windows(run, 0, run.lastHistoryStep + 1, []):
            held, count = {column.name: column for column in histories.columns}, len(histories)
            columns = [
                column.spread(arrow_values(column, kinds[field.name]), count)
                if (column := held.get(field.name))
                else pa.nulls(count, field.type)
                for field in schema
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _kinds(run: "RunAttributes") -> dict[str, list[str]]:
    """Kinds of the values that each metric has in the whole history."""
    asked = {"entity": run.entity, "project": run.project, "run": escape(run.id)}
    rows = run._session.reader.rows("history_kinds", asked)
    return {STEP: ["step"], **{unescape(row["key"]): row["types"] for row in rows}}


def _type(types: list[str]) -> pa.DataType:
    return _TYPES.get(types[0], pa.string()) if len(types) == 1 else pa.string()


_TYPES = {"step": pa.int64(), "number": pa.float64(), "bool": pa.bool_(), "string": pa.string()}
