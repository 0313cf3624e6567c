"""A question for rows of histories."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["MOST", "STEP", "Ask"]

MOST = 2**62
"""More than any history's steps and rows."""
STEP = "_step"


@dataclass(frozen=True)
class Ask:
    """Which rows of a history, and what of them."""

    samples: int | None = 500
    """Rows of each run at most; None for all."""
    keys: tuple[str, ...] = ()
    """Metrics that a row must have, and that alone are given; none for every row with all it has."""
    x_axis: str = STEP
    """A metric that comes with `keys`."""
    stream: Literal["default", "system"] = "default"
    low: int = -MOST
    """First step."""
    high: int = MOST
    """First step that is not wanted any more."""

    @property
    def logged(self) -> list[str]:
        """The metrics that a row must have, but for the step, which is no metric."""
        return list(dict.fromkeys(key for key in (self.x_axis, *self.keys) if key != STEP))

    @property
    def with_step(self) -> bool:
        """Whether the step is given."""
        return self.stream == "default" and (not self.keys or STEP in {self.x_axis, *self.keys})

    @property
    def first_step(self) -> int:
        """The first step that is looked at: rows without a step lack the axis, where that is the step."""
        return max(self.low, 0) if self.keys and self.x_axis == STEP else self.low
