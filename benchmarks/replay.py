"""What a script itself takes: an `Api` that gives everything from memory the second time it is asked."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Replay"]


class Replay:
    """An object of the public API that asks the real one for everything once, and then knows it.

    Args:
        real: the object, or a method of it.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._given: dict[Any, Any] = {}

    def _once(self, key: Any, ask: Any) -> Any:
        if key not in self._given:
            self._given[key] = _known(ask())
        return self._given[key]

    def __getattr__(self, name: str) -> Any:
        return self._once(name, lambda: getattr(self._real, name))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call a method, or give what it gave to the same arguments."""
        return self._once(("call", repr(arguments), repr(named)), lambda: self._real(*arguments, **named))

    def __getitem__(self, key: Any) -> Any:
        return self._once(("item", key), lambda: self._real[key])

    def __contains__(self, key: Any) -> bool:
        return bool(self._once(("in", key), lambda: key in self._real))

    def __len__(self) -> int:
        return int(self._once("len", lambda: len(self._real)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._once("iter", lambda: list(self._real)))


def _known(value: Any) -> Any:
    """A value as it is; an object of the API, alone or in a list, so that it is asked once."""
    if isinstance(value, list):
        return [_known(each) for each in value]
    if isinstance(value, Iterator) and not isinstance(value, Mapping) and not _of_the_api(value):
        return [_known(each) for each in value]
    return Replay(value) if _of_the_api(value) else value


def _of_the_api(value: Any) -> bool:
    return type(getattr(value, "__self__", value)).__module__.startswith("wandb_warehouse.")
