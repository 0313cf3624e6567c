"""How long the tests are that can be of any length: short in `make test`, long in `make soak` (soak/lengths.py)."""

import os
from collections.abc import Callable
from typing import TypeVar

__all__ = ["TIMES", "VARIABLE", "examples", "of_a_lake_at_length", "short_or_all", "takes_its_turn"]

VARIABLE = "WAREHOUSE_TESTS_TIMES"
TIMES = int(os.environ.get(VARIABLE, "1"))
"""How many times as many examples are taken as in `make test`."""

T = TypeVar("T")


def examples(count: int) -> int:
    """Give how many examples to take of what `make test` takes `count` of."""
    return count * TIMES


def short_or_all(short: T, whole: T) -> T:
    """Give a part of all cases that has every setting in it; all of them where more than usual is asked for."""
    return short if TIMES == 1 else whole


_AT_LENGTH: set[Callable[..., object]] = set()


def of_a_lake_at_length(test: T) -> T:
    """Let a test have its turn over a lake in the long form only: it looks at what is made before it goes anywhere."""
    assert callable(test)
    _AT_LENGTH.add(test)
    return test


def takes_its_turn(test: Callable[..., object]) -> bool:
    """Tell whether a test that may run over a lake does so now."""
    return TIMES > 1 or test not in _AT_LENGTH
