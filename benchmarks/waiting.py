"""How long a script waits for a client: everything it asks of one goes through here and is timed."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["Clock", "Watched"]


class Clock:
    """Adds up seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, work: Callable[[], Any]) -> Any:
        """Do something and add the time that it took."""
        started = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - started


class Watched:
    """An object of a client, or a method of one: what is asked of it is timed, and what it gives is watched, too.

    Lists are taken to their end at once, as the scripts take them: what turns on a row costs no more than without.

    Args:
        real: the object.
        clock: where the time is added.
    """

    def __init__(self, real: Any, clock: Clock) -> None:
        self._real = real
        self._clock = clock

    def _ask(self, work: Callable[[], Any]) -> Any:
        return _watched(self._clock.time(work), self._clock)

    def __getattr__(self, name: str) -> Any:
        return self._ask(lambda: getattr(self._real, name))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call a method."""
        return self._ask(lambda: self._real(*arguments, **named))

    def __getitem__(self, key: Any) -> Any:
        return self._ask(lambda: self._real[key])

    def __contains__(self, key: Any) -> bool:
        return bool(self._clock.time(lambda: key in self._real))

    def __len__(self) -> int:
        return int(self._clock.time(lambda: len(self._real)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ask(lambda: list(self._real)))


def _watched(value: Any, clock: Clock) -> Any:
    """A value as it is; an object of a client, alone or in a list, so that it is watched."""
    if isinstance(value, list):
        return [_watched(each, clock) for each in value] if value and _of_a_client(value[0]) else value
    if isinstance(value, Iterator) and not isinstance(value, Mapping) and not _of_a_client(value):
        return _watched(clock.time(lambda: list(value)), clock)
    return Watched(value, clock) if _of_a_client(value) else value


def _of_a_client(value: Any) -> bool:
    owner = getattr(value, "__self__", value)
    kind = owner if isinstance(owner, type) else type(owner)
    return kind.__module__.partition(".")[0] in {"wandb", "wandb_warehouse"}
