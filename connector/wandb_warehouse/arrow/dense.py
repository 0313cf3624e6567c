"""Rows of plain numbers, parsed by Arrow into columns at once: no Python object a value, and threads run side by side.

Most pages of a history are such rows. Arrow reads them as doubles under keys named to it beforehand, and refuses
anything else. What it would read otherwise than our own reader is looked for afterwards, and then nothing is given.
"""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

__all__ = ["number_columns"]

STEP = "_step"
_FEWEST_ROWS = 32
"""A page of fewer is read as fast one by one."""
_LOOKED_AT = 8
"""Rows of a page that tell its keys."""
_MOST_GAPS = 4
"""Cells for each value there, at most: beyond that the empty ones are what takes the time."""
_EXACT = 2**53
"""Whole numbers up to here are doubles."""
_MANY_DIGITS = "(?:^|[^0-9.])[0-9]{16}"
"""How an integer beyond 2^53 is written. Digits behind a point are none."""
_WHOLE_ZERO = r"[:\s]-0[,}\s]"
"""The integer -0, which has no sign: Arrow reads the double, which has."""

_FIRST, _LAST = itemgetter(slice(0, 1)), itemgetter(slice(-1, None))


def number_columns(rows: Sequence[str]) -> pa.RecordBatch | None:
    """Read rows of JSON text that hold numbers only, each of which a double holds exactly; None for any others.

    Columns: a double a key, null where a row has not the key; `_step`, int64, where the rows looked at have it.
    A key that occurs in no row looked at makes the page one for the reader of objects, and so does a page of few
    rows.
    """
    if len(rows) < _FEWEST_ROWS:
        return None
    schema = _schema(rows)
    if schema is None:
        return None
    try:
        text = "\n".join(rows).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    # Arrow takes objects that follow each other, line breaks or not, but no line break within a text: where these
    # are all between rows, and each row begins and ends like an object, each row is one.
    if (
        text.count(b"\n") != len(rows) - 1
        or set(map(_FIRST, rows)) != {"{"}
        or set(map(_LAST, rows)) != {"}"}
    ):
        return None
    columns = _parsed(text, len(rows), schema)
    return columns if columns is not None and _is_exact(columns, text) else None


def _schema(rows: Sequence[str]) -> pa.Schema | None:
    """Keys of some rows from all over the page; None where those hold more than numbers, or too little in common."""
    looked_at = rows[:: max(1, len(rows) // _LOOKED_AT)]
    keys: dict[str, None] = {}
    values = 0
    for row in looked_at:
        try:
            record: Any = orjson.loads(row)
        except orjson.JSONDecodeError:
            return None
        if type(record) is not dict or not set(map(type, record.values())) <= {int, float}:
            return None
        keys |= dict.fromkeys(record)
        values += len(record)
    if len(keys) * len(looked_at) > _MOST_GAPS * values or not keys:
        return None
    return pa.schema([(key, pa.int64() if key == STEP else pa.float64()) for key in keys])


def _parsed(text: bytes, count: int, schema: pa.Schema) -> pa.RecordBatch | None:
    try:
        table = pj.read_json(
            pa.BufferReader(text),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    return table.combine_chunks().to_batches()[0] if table.num_rows == count else None


def _is_exact(columns: pa.RecordBatch, text: bytes) -> bool:
    """Tell whether our reader of objects would find the same."""
    if any(column.null_count for column in columns.columns) and b"null" in text:
        return False  # a null, or a key that is not there?
    # All columns in one, as each call of Arrow from a thread waits for the other threads.
    numbers = pa.chunked_array(
        [column for column in columns.columns if column.type == pa.float64()], pa.float64()
    )
    low, high = (bound.as_py() for bound in pc.min_max(numbers).values())
    if low is None:
        return True
    if not (-math.inf < low and high < math.inf) or pc.any(pc.is_nan(numbers)).as_py():
        return False
    if (low <= -_EXACT or high >= _EXACT) and _matches(text, _MANY_DIGITS):
        return False
    zeros = numbers.filter(pc.equal(numbers, 0.0)) if low <= 0 <= high else ()
    has_negative = len(zeros) > 0 and pc.min(pc.divide(1.0, zeros)).as_py() < 0
    return not (has_negative and _matches(text, _WHOLE_ZERO))


def _matches(text: bytes, pattern: str) -> bool:
    return bool(pc.match_substring_regex(pa.array([text], pa.large_binary()), pattern)[0].as_py())
