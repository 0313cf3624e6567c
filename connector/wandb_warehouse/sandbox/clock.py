"""The server's clock, which tests may push forward, and its times on the wire."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from wandb_warehouse.sandbox.switches import Switches

__all__ = ["Clock", "parse_time", "served_moment", "served_order", "time_text"]


class Clock:
    """Server time in seconds since the epoch: real time plus what it was advanced by."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        """Server time."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Push the clock forward."""
        self._ahead += seconds

    def http_date(self) -> str:
        """Server time as the `Date` header has it."""
        return format_datetime(datetime.fromtimestamp(int(self()), UTC), usegmt=True)


def parse_time(value: datetime | str | float) -> float:
    """Seconds since the epoch of a time; text and datetimes without a zone mean UTC."""
    if isinstance(value, int | float):
        return float(value)
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def served_moment(seconds: float, switches: Switches) -> datetime:
    """A time as precise as the API writes it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment if switches.fractional_timestamps else moment.replace(microsecond=0)


def served_order(switches: Switches) -> Callable[[float], float]:
    """Function giving a number of a time, by which times sort as the API writes them."""
    return (lambda seconds: seconds) if switches.fractional_timestamps else math.floor


def time_text(seconds: float, switches: Switches) -> str:
    """A time as the API writes it: `2024-05-20T12:34:56Z`, or with microseconds or without `Z` by the switches."""
    moment = served_moment(seconds, switches)
    text = moment.isoformat(timespec="microseconds" if switches.fractional_timestamps else "seconds")
    return text.replace("+00:00", "Z" if switches.zulu else "")
