"""What the objects of one `Api` share: the warehouse they read, and who they are for W&B."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from wandb_warehouse.arrow import undump, unescape
from wandb_warehouse.settings import app_address
from wandb_warehouse.warehouse import Reader

__all__ = ["Session", "document", "plain", "time_text"]

Found = TypeVar("Found")


@dataclass(eq=False)
class Session:
    """One reader of a warehouse, and the W&B server that the warehouse was filled from."""

    reader: Reader
    base_url: str
    """Address of the server's API."""
    api_key: str | None = field(default=None, repr=False)
    """Key that was given; None where environment and configuration are to say."""
    timeout: float | None = None
    """Seconds for a request to the server; None for the client's own."""

    generation: int = 0
    """Number of the state that is read: one up with every `renew`."""
    _client: Any = field(default=None, init=False, repr=False)
    _background: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)
    _last: "Future[Any] | None" = field(default=None, init=False, repr=False)
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def once(self, what: Hashable, find: Callable[[], Any]) -> Any:
        """Give what `find` found of the state that is read now, when it was first asked for."""
        known = self._known
        if what not in known:
            known[what] = find()
        return known[what]

    def later(self, work: Callable[[], Found]) -> "Future[Found]":
        """Do something that reads in the background, one thing after the other."""
        if self._background is None:
            self._background = ThreadPoolExecutor(1, thread_name_prefix="wandb-warehouse-ahead")
        self._last = future = self._background.submit(work)
        return future

    def renew(self) -> None:
        """Read the state of the warehouse that is published now."""
        if self._last is not None:  # what it learns of the old state must not be taken for the new one's
            wait([self._last])
            self._last = None
        self._known = {}  # another one: what is being found still stays with the old
        self.generation += 1
        self.reader.renew()

    def official(self) -> Any:
        """Give the official client (`wandb.Api`) for this server and key; errors as `writing.official`."""
        from wandb_warehouse.api.changes.writing import official

        return official(self)

    @property
    def app_url(self) -> str:
        """Address of the server's pages, with a slash at the end."""
        return app_address(self.base_url) + "/"


def time_text(moment: datetime | None) -> str | None:
    """Give a time as W&B's API writes it: UTC, to the second where it is whole.

    >>> from datetime import UTC, datetime
    >>> time_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    if moment is None:
        return None
    digits = "microseconds" if moment.microsecond else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


def plain(text: str | None) -> str | None:
    """Give a stored text as it was written."""
    return None if text is None else unescape(text)


def document(text: str | None) -> Any:
    """Give a stored JSON document as the value it stands for; None where there is none."""
    return None if text is None else undump(text)
