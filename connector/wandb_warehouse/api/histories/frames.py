"""Histories as frames: of pandas and polars where they are installed, of Arrow always.

A frame's columns stand in the order of their names, as the public API orders them. Where a row lacks a metric, pandas
has NaN, and polars and Arrow have null.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.api.histories.columns import Column
from wandb_warehouse.api.histories.rows import Histories
from wandb_warehouse.arrow import dumps

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["arrow_table", "arrow_values", "pandas_frame", "polars_frame"]

Names = Sequence[str] | None


def pandas_frame(histories: Histories, run_ids: Names = None) -> "pd.DataFrame":
    """Give rows as pandas makes them of dicts: integers where every row has one, else floats; objects as they are."""
    import pandas as pd

    count, columns = len(histories), dict[str, Any]()
    for column in histories.columns:
        if column.is_number:
            whole = len(column) == count and column.is_whole
            values = column.value.cast(pa.int64()) if whole else column.spread(column.value, count)
            columns[column.name] = values.to_numpy(zero_copy_only=False)
        else:
            columns[column.name] = column.spread_values(count, float("nan"))
    if run_ids is not None and count:
        columns["run_id"] = histories.run_ids(run_ids).to_pylist()
    return pd.DataFrame({name: columns[name] for name in sorted(columns)}, index=pd.RangeIndex(count))


def polars_frame(histories: Histories, run_ids: Names = None) -> "pl.DataFrame":
    """Give rows as a polars frame: integers where all are whole, else floats; several kinds as objects."""
    import polars as pl

    count, columns = len(histories), list[pl.Series]()
    for column in histories.columns:
        if column.is_number:
            values = column.value.cast(pa.int64()) if column.is_whole else column.value
            series = pl.Series(column.name, column.spread(values, count))
        else:
            series = _polars_series(column, count)
        columns.append(series)
    if run_ids is not None and count:
        columns = [series for series in columns if series.name != "run_id"]
        columns.append(pl.Series("run_id", histories.run_ids(run_ids)))
    return pl.DataFrame(sorted(columns, key=lambda series: series.name))


def _polars_series(column: Column, count: int) -> "pl.Series":
    import polars as pl

    values = column.spread_values(count, None)
    try:
        return pl.Series(column.name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(column.name, values, dtype=pl.Object)


def arrow_table(histories: Histories, run_ids: Names = None) -> pa.Table:
    """Give rows as an Arrow table.

    Columns: `_step` int64; a metric of numbers double; of bools bool; of texts string; of anything else, or of several
    kinds, string with the JSON of each value. `run_id` string where `run_ids` are given.
    """
    count, columns = len(histories), dict[str, pa.Array]()
    for column in histories.columns:
        columns[column.name] = column.spread(arrow_values(column), count)
    if run_ids is not None:
        columns["run_id"] = histories.run_ids(run_ids)
    names = sorted(columns)
    return pa.table({name: columns[name] for name in names}) if names else pa.table({})


def arrow_values(column: Column, kinds: Collection[str] | None = None) -> pa.Array:
    """Give the values of a metric as `arrow_table` does; `kinds` are those it has elsewhere, too, None for its own."""
    types = column.types if kinds is None else frozenset(kinds)
    if column.name == "_step":
        return column.value.cast(pa.int64())
    if types == {"number"}:
        return column.value
    if types == {"bool"}:
        return pc.equal(column.value, 1.0)
    if types == {"string"}:
        return pa.array([_storable(value) for value in column.values()], pa.string())
    return pa.array([dumps(value) for value in column.values()], pa.string())


def _storable(text: str) -> str:
    """A text as Arrow can hold it: lone surrogates, which UTF-8 has none of, become the sign of what is unknown."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
