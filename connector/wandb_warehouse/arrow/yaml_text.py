"""YAML text, as sweeps are configured in, to plain values that JSON can hold."""

from typing import Any

import yaml  # type: ignore[import-untyped] # it has no types of its own

__all__ = ["read_yaml"]

_NODES = 100_000
"""Values of one text that are believed: aliases let a short text stand for endless ones."""


def read_yaml(text: Any) -> Any:
    """Read YAML; None where JSON cannot hold what it says."""
    if not isinstance(text, str):
        return None
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    open_, nodes = [value], 0
    while open_:
        each = open_.pop()
        nodes += 1
        if nodes > _NODES:
            return None
        if isinstance(each, dict):
            if set(map(type, each)) - {str}:
                return None
            open_ += each.values()
        elif isinstance(each, list):
            open_ += each
        elif type(each) not in {str, int, float, bool, type(None)}:
            return None
    return value
