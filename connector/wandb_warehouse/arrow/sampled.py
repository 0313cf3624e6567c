"""Sampled rows of one metric, as the API gives them, to rows of `history_sampled`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow.history import NO_STEP, RunRef, Sequencer, column, repeats, unquoted
from wandb_warehouse.arrow.numbers import Numbers
from wandb_warehouse.arrow.text import escape
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

__all__ = ["sampled_table"]

_TABLE = TABLES["history_sampled"]


def sampled_table(
    run: RunRef,
    key: str,
    rows: Sequence[Mapping[str, Any]],
    types: Mapping[str, set[str]],
    samples: int,
    *,
    numbers: Numbers | None = None,
) -> pa.Table:
    """Turn rows holding `_step` and `key` into table rows, in step order; `samples` is what was asked for.

    With `numbers` they have the columns of the stored table, else those of `history_sampled` as it is declared.

    `types` (see `key_types`) tells numbers in quotes from strings. Steps may be doubles. A `FatalRemoteError`
    where a step is no whole number.

    >>> rows = [{"_step": 1.0, "loss": 0.5}, {"_step": 0, "loss": "NaN"}]
    >>> table = sampled_table(RunRef("e", "p", "r"), "loss", rows, {"loss": {"number"}}, 500)
    >>> table.select(["step", "value"]).to_pylist()
    [{'step': 0, 'value': nan}, {'step': 1, 'value': 0.5}]
    """
    pairs = sorted(
        ((_step(row.get("_step")), row[key]) for row in rows if key in row), key=lambda pair: pair[0]
    )
    steps = pa.array([step for step, _ in pairs], pa.int64())
    name = escape(key)
    seq = Sequencer(repeats(steps)).number(name, steps)
    value, kind, value_json = column(unquoted(key, [value for _, value in pairs], types))
    count = len(pairs)
    if numbers is None:
        identity = [pa.scalar(text, pa.string()) for text in (run.entity, run.project, run.run_id, name)]
    else:
        identity = [pa.scalar(number, pa.int32()) for number in (numbers.run(run), numbers.key(name))]
    return pa.Table.from_arrays(
        [
            *(pa.repeat(constant, count) for constant in identity),
            steps,
            pa.repeat(pa.scalar(0, pa.int64()), count) if seq is None else seq,
            pa.repeat(pa.scalar(kind, pa.string()), count)
            if isinstance(kind, str)
            else kind.cast(pa.string()),
            value,
            pa.nulls(count, pa.string()) if value_json is None else value_json,
            pa.repeat(pa.scalar(samples, pa.int64()), count),
        ],
        schema=_TABLE.arrow if numbers is None else _TABLE.stored.arrow,
    )


def _step(step: Any) -> int:
    if step is None:
        return NO_STEP
    if type(step) in {int, float} and step == step // 1 and -(2**63) <= step < 2**63:
        return int(step)
    raise FatalRemoteError("the step of a sampled row is no 64-bit integer", mend="report the run to W&B")
