"""What a history export may claim, and unpack to, before it is taken for a file made to fill the memory."""

import pyarrow as pa
import pyarrow.parquet as pq

from wandb_warehouse.errors import FatalRemoteError

__all__ = ["MOST_ROWS", "check_unpacked", "is_narrow", "most_rows", "refuse_bomb"]

UNPACKED_BYTES = 128 * 1024 * 1024
UNPACKED_TIMES = 1000
"""A file may unpack to so many bytes, or to so many times its own size. Steps and times alone take a byte or more a
row, so no history comes near it; a file made to fill the memory does."""

MOST_ROWS = 2**28
"""Rows of one file where the server does not count them."""

_MEND = "report the run to W&B"


def most_rows(expected: int | None) -> int:
    """Rows that a file of a run may have, by the rows the server counts.

    What the run grew by since it was listed may be among them, and much that was logged twice.
    """
    return MOST_ROWS if expected is None else 2 * expected + 1_000_000


def refuse_bomb(file: pq.ParquetFile, size: int, most: int) -> None:
    """Raise FatalRemoteError where the footer claims what no history is; what it conceals shows when it is read."""
    metadata = file.metadata
    if metadata.num_rows > most:
        what = f"a history export claims {metadata.num_rows} rows, far more than the server counts"
        raise FatalRemoteError(what, mend=_MEND)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    claimed = sum(group.total_byte_size for group in groups)
    if metadata.num_columns and not is_narrow(file.schema_arrow):
        # Items of lists: each is unpacked to eight bytes or so, however few the file has for them.
        items = sum(
            group.column(number).num_values for group in groups for number in range(group.num_columns)
        )
        claimed = max(claimed, 8 * items)
    check_unpacked(claimed, size)


def check_unpacked(unpacked: int, size: int) -> None:
    """Raise FatalRemoteError where so many bytes are too many for the size of the file."""
    if unpacked > max(UNPACKED_BYTES, UNPACKED_TIMES * size):
        raise FatalRemoteError(f"a history export of {size} bytes unpacks to {unpacked} or more", mend=_MEND)


def is_narrow(schema: pa.Schema) -> bool:
    """Whether every cell has a fixed width: a few cells of other kinds may unpack to gigabytes."""
    return all(pa.types.is_primitive(field.type) for field in schema)
