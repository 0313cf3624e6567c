"""Until when a sync takes up new work; what it has taken up it finishes."""

import time
from dataclasses import dataclass, field

__all__ = ["DETAILS_SHARE", "Deadline"]

DETAILS_SHARE = 0.5
"""Part of the time after which no more details are asked for: histories without end must not wait for lists."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A span of seconds from now on, by a clock that nobody sets; None never ends."""

    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)

    def passed(self, share: float = 1.0) -> bool:
        """Tell whether this part of the time is over."""
        return self.seconds is not None and time.monotonic() - self.started >= share * self.seconds

    def within(self, seconds: float | None) -> "Deadline":
        """Give a deadline so many seconds from now, or when this one is over; None for no other than this one."""
        if self.seconds is None:
            return Deadline(seconds)
        left = max(0.0, self.started + self.seconds - time.monotonic())
        return Deadline(left if seconds is None else min(left, seconds))
