"""Sampled rows, as the API gives them, to column chunks."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow.history import (
    NO_STEP,
    Chunk,
    HistoryBatch,
    RunRef,
    Sequencer,
    column,
    repeats,
    unquoted,
)
from wandb_warehouse.arrow.text import escape
from wandb_warehouse.errors import FatalRemoteError

__all__ = ["sampled_batch"]


def sampled_batch(
    run: RunRef, keys: Sequence[str], rows: Sequence[Mapping[str, Any]], types: Mapping[str, set[str]]
) -> HistoryBatch:
    """Turn rows holding `_step` and some of `keys` into chunks, one a key, in step order.

    `types` (see `key_types`) tells numbers in quotes from strings. Steps may be doubles. A `FatalRemoteError`
    where a step is no whole number.

    >>> rows = [{"_step": 1.0, "loss": 0.5}, {"_step": 0, "loss": "NaN"}]
    >>> batch = sampled_batch(RunRef("e", "p", "r"), ["loss"], rows, {"loss": {"number"}})
    >>> [(chunk.key, chunk.step.to_pylist(), chunk.value.to_pylist()) for chunk in batch.chunks]
    [('loss', [0, 1], [nan, 0.5])]
    """
    places = [_step(row.get("_step")) for row in rows]
    if any(later < earlier for earlier, later in pairwise(places)):
        order = sorted(range(len(rows)), key=places.__getitem__)
        rows, places = [rows[place] for place in order], [places[place] for place in order]
    steps = pa.array(places, pa.int64())
    chunks = []
    for key in keys:
        values = [row[key] for row in rows if key in row]
        if not values:
            continue
        at = steps
        if len(values) < len(rows):
            at = pa.array([place for place, row in zip(places, rows, strict=True) if key in row], pa.int64())
        name = escape(key)
        seq = Sequencer(repeats(at)).number(name, at)
        chunks.append(Chunk(run, name, at, seq, *column(unquoted(key, values, types))))
    return HistoryBatch(run, chunks, steps)


def _step(step: Any) -> int:
    if step is None:
        return NO_STEP
    if type(step) in {int, float} and step == step // 1 and -(2**63) <= step < 2**63:
        return int(step)
    raise FatalRemoteError("the step of a sampled row is no 64-bit integer", mend="report the run to W&B")
