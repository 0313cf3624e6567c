"""Which keys are stored: globs over dotted keys, for the history and for the documents of a run.

A glob (`*`, `?`, `[...]`, upper and lower case apart) is compared with a dotted key and with each of its beginnings
that end before a dot: what hides `opt` hides `opt.lr`. `*` goes over dots and slashes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow.history import HistoryBatch
from wandb_warehouse.arrow.text import loads

__all__ = ["Selection"]

ALWAYS = frozenset({"_timestamp", "_runtime"})
"""Keys that choosing keys never leaves out: they tell when a row was logged."""

_DOCUMENTS = ("config", "summaryMetrics", "systemMetrics")
_KEYS_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Keys to store (`keys`; all where there are none) and keys to drop before anything is written (`exclude`).

    >>> chosen = Selection(keys=("train/*",), exclude=("*/secret",))
    >>> [key for key in ("train/loss", "train/secret", "val/loss", "_runtime") if chosen.keeps(key)]
    ['train/loss', '_runtime']
    """

    keys: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def excludes(self, key: str) -> bool:
        """Tell whether a dotted key must not be stored anywhere."""
        return bool(self.exclude) and _matches(self.exclude, key)

    def keeps(self, key: str) -> bool:
        """Tell whether a metric is stored in the history."""
        if self.excludes(key):
            return False
        return not self.keys or key in ALWAYS or _matches(self.keys, key)

    def of_history(self, batch: HistoryBatch) -> HistoryBatch:
        """Leave out the values of keys that are not stored; the rows stay, and count."""
        if not (self.keys or self.exclude):
            return batch
        return HistoryBatch(
            batch.run, [chunk for chunk in batch.chunks if self.keeps(chunk.key)], batch.steps
        )

    def of_keyed(self, table: pa.Table) -> pa.Table:
        """Leave out the rows whose `key` is excluded."""
        if not self.exclude:
            return table
        keys = table.column("key")
        dropped = [key for key in keys.unique().to_pylist() if self.excludes(key)]
        return table.filter(pc.invert(pc.is_in(keys, pa.array(dropped, keys.type)))) if dropped else table

    def of_node(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take excluded keys out of a run's documents: config, summary, system metrics, index of the history.

        Objects are looked into at any depth, typed ones and those in lists too (an element has its list's key). A
        `FatalRemoteError` where a document is no JSON.
        """
        if not self.exclude:
            return node
        clean = dict(node)
        for name in _DOCUMENTS:
            value = clean.get(name)
            document = loads(value) if isinstance(value, str | bytes) and value else value
            if isinstance(document, dict):
                clean[name] = self._config(document) if name == "config" else self._inside(document, "")
        index = clean.get("historyKeys")
        index = loads(index) if isinstance(index, str | bytes) and index else index
        if isinstance(index, dict):
            clean["historyKeys"] = self._index(index)
        return clean

    def _config(self, document: dict[str, Any]) -> dict[str, Any]:
        """Entries stand in a wrapping of W&B's, which is no part of their key."""
        kept = {}
        for key, entry in document.items():
            if self.excludes(key):
                continue
            if isinstance(entry, dict) and "value" in entry:
                kept[key] = {**entry, "value": self._inside(entry["value"], f"{key}.")}
            else:
                kept[key] = self._inside(entry, f"{key}.")
        return kept

    def _inside(self, value: Any, prefix: str) -> Any:
        if isinstance(value, list):
            return [self._inside(item, prefix) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._inside(item, f"{prefix}{key}.")
            for key, item in value.items()
            if not self.excludes(prefix + key)
        }

    def _index(self, index: dict[str, Any]) -> dict[str, Any]:
        """Take keys out of `keys`, and every other part that names one (`sets`)."""
        keys = index.get("keys")
        if not isinstance(keys, dict):
            return {"lastStep": index.get("lastStep", -1)}
        kept = {key: self._inside(entry, f"{key}.") for key, entry in keys.items() if not self.excludes(key)}
        rest = {name: part for name, part in index.items() if name != "keys"}
        return {"keys": kept, **(rest if len(kept) == len(keys) else {"lastStep": index.get("lastStep", -1)})}


@lru_cache(maxsize=_KEYS_REMEMBERED)
def _matches(globs: tuple[str, ...], key: str) -> bool:
    pattern = _compiled(globs)
    ends = [place for place, letter in enumerate(key) if letter == "." and place]
    return any(pattern.match(key[:end]) for end in [*ends, len(key)])


@lru_cache(maxsize=16)
def _compiled(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, globs)))
