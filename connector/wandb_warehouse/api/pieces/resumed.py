"""Lists that begin where an earlier one stopped."""

from abc import ABC
from typing import TypeVar

from wandb_warehouse.api.pieces.pages import Pages

__all__ = ["ResumedPages"]

T = TypeVar("T")


class ResumedPages(Pages[T], ABC):
    """Pages that may begin at the `cursor` of an earlier list; their length counts all objects all the same.

    Args:
        per_page: objects made at a time.
        start: a cursor; None for the beginning.

    Raises:
        ValueError: `start` is no cursor of such a list.

    Source: `wandb.apis.paginator.RelayPaginator`.
    """

    def __init__(self, per_page: int = 50, start: str | None = None) -> None:
        super().__init__(per_page)
        if start is not None and not (start.isascii() and start.isdigit()):
            raise ValueError(f"start={start!r} is no cursor of a list of this warehouse")
        self._start = start
        self._read = int(start or 0)

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, an opaque text: what another list takes as `start`."""
        return self._start if self._page is None else super().cursor
