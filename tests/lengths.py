"""How long the tests are that can be of any length: short in `make test`, long in `make soak` (soak/lengths.py)."""

import os
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["TIMES", "VARIABLE", "examples", "short_or_all"]

VARIABLE = "WAREHOUSE_TESTS_TIMES"
TIMES = int(os.environ.get(VARIABLE, "1"))
"""How many times as many examples are taken as in `make test`."""

T = TypeVar("T")


def examples(count: int) -> int:
    """Give how many examples to take of what `make test` takes `count` of."""
    return count * TIMES


def short_or_all(short: Sequence[T], whole: Sequence[T]) -> Sequence[T]:
    """Give a part of all cases that has every setting in it; all of them where more than usual is asked for."""
    return short if TIMES == 1 else whole
