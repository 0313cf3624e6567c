"""Pages of a connection, with the offset cursors W&B uses: base64 of `arrayconnection:<index>`.

An offset counts into a list that is evaluated again for every page: what leaves or enters the list between two
pages shifts the rest. That flaw belongs to the server and is kept.
"""

import base64
from collections.abc import Sequence
from typing import Any

__all__ = ["cursor", "offset", "page"]

_DEFAULT_FIRST = 50


def cursor(index: int) -> str:
    """Cursor of the item at an index."""
    return base64.b64encode(f"arrayconnection:{index}".encode()).decode()


def offset(after: str | None) -> int:
    """Index of the first item after a cursor.

    Raises:
        ValueError: The cursor is none of ours.
    """
    if not after:
        return 0
    kind, _, index = base64.b64decode(after, validate=True).decode().partition(":")
    if kind != "arrayconnection":
        raise ValueError(f"invalid cursor {after!r}")
    return int(index) + 1


def page(items: Sequence[Any], after: str | None, first: int | None, cap: int) -> dict[str, Any]:
    """One page of a list, as a connection: edges with cursors, page info and the total."""
    start = offset(after)
    size = min(_DEFAULT_FIRST if first is None else max(first, 0), cap)
    edges = [
        {"node": item, "cursor": cursor(index)}
        for index, item in enumerate(items[start : start + size], start=start)
    ]
    return {
        "edges": edges,
        "pageInfo": {
            "endCursor": edges[-1]["cursor"] if edges else None,
            "hasNextPage": start + size < len(items),
        },
        "totalCount": len(items),
    }
