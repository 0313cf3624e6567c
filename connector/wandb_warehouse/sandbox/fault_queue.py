"""Faults as they are asked for, and the queue in which they wait for the request they strike."""

import threading
from dataclasses import dataclass, replace

__all__ = ["Fault", "FaultQueue"]


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, what it strikes and how often.

    `match` is a substring of the path or of the request body (operation names and fields are found there);
    the empty one strikes everything. `times` counts down, -1 is for ever. `skip` matching requests pass
    before. `retry_after` is sent along with `status`.
    """

    kind: str
    match: str = ""
    times: int = 1
    value: float | str | None = None
    retry_after: float | str | None = None
    skip: int = 0
    change: Callable[[bytes], bytes] | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(sorted(_KINDS))}")
        if self.times == 0 or self.times < -1:
            raise ValueError("times is a count, or -1 for ever")
        if (self.change is None) == (self.kind == "changed"):
            raise ValueError("`change` goes with the fault `changed`, and only with it")

    def number(self, default: float) -> float:
        """`value` as a number, or the kind's default."""
        return default if self.value is None else float(self.value)


class FaultQueue:
    """Faults waiting to strike, in the order they were injected; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._struck: list[Fault] = []

    def inject(self, fault: Fault) -> None:
        """Add a fault behind those that wait."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget the faults that wait and those that struck."""
        with self._lock:
            self._waiting.clear()
            self._struck.clear()

    @property
    def struck(self) -> list[Fault]:
        """Faults carried out so far, one entry for each time."""
        with self._lock:
            return list(self._struck)

    @property
    def waiting(self) -> list[Fault]:
        """Faults still to strike."""
        with self._lock:
            return list(self._waiting)

    def take(self, path: str, text: str) -> Fault | None:
        """First fault that matches a request's path or text, counted down by one."""
        with self._lock:
            for place, fault in enumerate(self._waiting):
                if fault.match in path or fault.match in text:
                    if fault.skip:
                        self._waiting[place] = replace(fault, skip=fault.skip - 1)
                        continue
                    if fault.times == 1:
                        del self._waiting[place]
                    elif fault.times > 1:
                        self._waiting[place] = replace(fault, times=fault.times - 1)
                    self._struck.append(fault)
                    return fault
        return None
