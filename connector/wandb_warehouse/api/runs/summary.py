"""A run's summary as the public API shows it: a dict that knows its keys as attributes, too."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["MissingEntryError", "Summary", "SummarySubDict"]


class MissingEntryError(AttributeError, KeyError):
    """A summary has no entry that was asked for as an attribute: a KeyError as W&B's, and what `hasattr` expects."""


class SummarySubDict:
    """An object within a summary: entries by `[...]` and as attributes; what is set stays here until `update`.

    Spaces around a key are not part of it.

    Source: `wandb.apis.public.summary.SummarySubDict`.
    """

    def __init__(self, entries: dict[str, Any], commit: Callable[[], None]) -> None:
        object.__setattr__(self, "_json_dict", entries)
        object.__setattr__(self, "_commit", commit)

    def __getitem__(self, k: str) -> Any:
        value = self._json_dict[_key(k)]
        return SummarySubDict(value, self._commit) if isinstance(value, dict) else value

    def __setitem__(self, k: str, v: Any) -> None:
        self._json_dict[_key(k)] = _entries(v)

    def __delitem__(self, k: str) -> None:
        del self._json_dict[_key(k)]

    def __getattr__(self, k: str) -> Any:
        if k.startswith("_"):
            raise AttributeError(k)
        try:
            return self[k]
        except KeyError:
            raise MissingEntryError(k) from None

    def __setattr__(self, k: str, v: Any) -> None:
        self[k] = v

    def __contains__(self, k: object) -> bool:
        return _key(k) in self._json_dict

    def __iter__(self) -> Iterator[str]:
        return iter(self._json_dict)

    def __len__(self) -> int:
        return len(self._json_dict)

    def keys(self) -> Any:
        """Names of the entries."""
        return self._json_dict.keys()

    def items(self) -> Iterator[tuple[str, Any]]:
        """Give names and values of the entries."""
        return ((key, self[key]) for key in self._json_dict)

    def get(self, k: str, default: Any = None) -> Any:
        """Give the value of an entry, `default` where there is none."""
        try:
            return self[k]
        except KeyError:
            return default

    def update(self, key_vals: Mapping[str, Any] | None = None, overwrite: bool = True) -> None:
        """Set entries, and write the whole summary to W&B.

        Args:
            key_vals: what to set; nothing writes what was set before.
            overwrite: False keeps entries that are there.

        Raises:
            MissingExtraError: the official client, which writes, is not installed.
            AuthError: there is no key.
        """
        for key, value in (key_vals or {}).items():
            if overwrite or key not in self:
                self[key] = value
        self._commit()

    def __repr__(self) -> str:
        return repr(self._json_dict)


class Summary(SummarySubDict):
    """The summary of a run, from the warehouse.

    Args:
        entries: the summary as W&B stores it, nested.
        commit: writes it to W&B.

    Source: `Run.summary`, `wandb.apis.public.summary.HTTPSummary`.
    """

    def load(self) -> None:
        """Do nothing: the summary is there."""


def _key(key: Any) -> Any:
    return key.strip() if isinstance(key, str) else key


def _entries(value: Any) -> Any:
    """A value as JSON holds it: a summary's own objects as plain ones."""
    if isinstance(value, SummarySubDict):
        return value._json_dict
    if isinstance(value, Mapping):
        return {_key(key): _entries(inner) for key, inner in value.items()}
    return value
