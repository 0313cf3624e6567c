"""The JSON lines of a run as the writer sent them, and the encodings they are served in.

Lines stay byte for byte what the writer sent: numbers are never parsed and printed again, so a value survives
in whatever spelling it came. Parsing happens for two purposes only: the step of a line, and its shape.
"""

import json
import random
import re
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

__all__ = [
    "Rows",
    "Shape",
    "clean_line",
    "flatten",
    "history_keys",
    "loads",
    "parse_exact",
    "quote_constants",
]

Shape = tuple[tuple[str, str], ...]
"""Sorted (dotted key, kind) pairs of a row. Kinds: number, string, bool, nil, map, list:<kinds>, <_type>."""

_STRING_OR_CONSTANT = re.compile(rb'"(?:[^"\\]|\\.)*"|-?Infinity|NaN', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS: dict[type, str] = {float: "number", int: "number", str: "string", bool: "bool", type(None): "nil"}
_NO_STEP = -1
_JOINED_KEPT = 8
_VIEWS_KEPT = 8
_ALIKE_KEPT = 1000  # writers order the keys of a row at random


def clean_line(text: str) -> bytes:
    """UTF-8 bytes of a JSON line; a raw lone surrogate, which UTF-8 cannot hold, becomes its JSON escape."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda m: f"\\u{ord(m[0]):04x}", text).encode()


def quote_constants(text: bytes) -> bytes:
    """The JSON text with bare NaN and infinities turned into strings; text inside strings is left alone."""
    if b"NaN" not in text and b"Infinity" not in text:
        return text
    return _STRING_OR_CONSTANT.sub(lambda m: m[0] if m[0][:1] == b'"' else b'"' + m[0] + b'"', text)


def loads(text: bytes | str) -> Any:
    """Parse JSON leniently: bare NaN, control characters and lone surrogates are accepted."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text, strict=False)


class _Token(str):
    """A number or constant in the spelling it came in."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that repeated keys survive."""


_EXACT = json.JSONDecoder(
    strict=False, parse_float=_Token, parse_int=_Token, parse_constant=_Token, object_pairs_hook=_Pairs
)


def parse_exact(text: bytes) -> Any:
    """Parse JSON keeping every number as its token and every object as its pairs; `_dump_exact` undoes it."""
    return _EXACT.decode(text.decode())


def _dump_exact(value: Any) -> str:
    if isinstance(value, _Token):
        return str(value)
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump_exact(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump_exact, value)) + "]"
    return json.dumps(value)


def flatten(pairs: Iterable[tuple[str, Any]], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths and leaves of nested objects; lists, empty objects and objects with `_type` are leaves."""
    for key, value in pairs:
        path = prefix + key
        inner = value.items() if isinstance(value, dict) else value if isinstance(value, _Pairs) else None
        if inner and all(name != "_type" for name, _ in inner):
            yield from flatten(inner, path + ".")
        else:
            yield path, value


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["_type"]) if "_type" in value else "map"
    if isinstance(value, list):
        return "list:" + ",".join(sorted({_kind(item).partition(":")[0] for item in value}))
    return _KINDS[type(value)]


class Rows:
    """Lines of one stream of a run (history or events), indexed when first asked for."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._rng = random.Random(0)
        self._forget()

    def _forget(self) -> None:
        self._steps: list[int] = []
        self._ascending = True
        self._shapes: Counter[Shape] = Counter()
        self._shape_of: list[Shape] = []
        self._known: dict[Shape, Shape] = {}
        self._alike: dict[tuple[object, ...], Shape] = {}
        self._views: OrderedDict[tuple[str, ...], list[bytes | None]] = OrderedDict()
        self._joined: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self.keys: tuple[int, dict[str, Any]] | None = None
        """The index of keys, with the number of lines it was made of."""

    def __len__(self) -> int:
        return len(self.lines)

    def write(self, offset: int, lines: Sequence[bytes]) -> None:
        """Write lines from a line number on; rewriting what is there already changes nothing."""
        kept = min(offset, len(self.lines))
        overlap = min(len(self.lines) - kept, len(lines))
        if list(lines[:overlap]) != self.lines[kept : kept + overlap]:
            self.lines[kept : kept + overlap] = lines[:overlap]
            self._forget()
        self.lines.extend(lines[overlap:])
        self._joined.clear()

    def truncate(self, count: int) -> None:
        """Keep the first `count` lines."""
        del self.lines[count:]
        self._forget()

    def _index(self) -> None:
        steps = self._steps
        for line in self.lines[len(steps) :]:
            row = loads(line)
            step = row.get("_step") if isinstance(row, dict) else None
            number = int(step) if isinstance(step, int | float) else _NO_STEP
            self._ascending = self._ascending and (not steps or steps[-1] <= number)
            steps.append(number)
            shape = self._shape(row if isinstance(row, dict) else {})
            self._shapes[shape] += 1
            self._shape_of.append(shape)

    def _shape(self, row: dict[str, Any]) -> Shape:
        """Shape of a row; rows of scalars alone are recognised by their keys and types, as most of them are alike."""
        sign = (*row, *map(type, row.values()))
        if sign in self._alike:
            return self._alike[sign]
        found = tuple(sorted((key, _kind(value)) for key, value in flatten(row.items())))
        found = self._known.setdefault(found, found)
        if len(self._alike) < _ALIKE_KEPT and not {dict, list}.intersection(map(type, row.values())):
            self._alike[sign] = found
        return found

    @property
    def steps(self) -> list[int]:
        """Step of every line; -1 where a line has none."""
        self._index()
        return self._steps

    @property
    def shapes(self) -> Counter[Shape]:
        """How often each shape of row occurs."""
        self._index()
        return self._shapes

    def window(self, start: int, low: int | None, high: int | None) -> Sequence[int]:
        """Line numbers from `start` on with low <= step < high, in line order."""
        steps = self.steps
        if low is None and high is None:
            return range(start, len(steps))
        if self._ascending:
            first = 0 if low is None else bisect_left(steps, low)
            stop = len(steps) if high is None else bisect_left(steps, high)
            return range(max(first, start), stop)
        return [
            number
            for number in range(start, len(steps))
            if (low is None or steps[number] >= low) and (high is None or steps[number] < high)
        ]

    def having(self, numbers: Sequence[int], keys: Iterable[str]) -> Sequence[int]:
        """Those of the line numbers whose row has all the dotted keys."""
        self._index()
        asked = frozenset(keys)
        fits = {shape: asked <= {key for key, _ in shape} for shape in self._shapes}
        return numbers if all(fits.values()) else [n for n in numbers if fits[self._shape_of[n]]]

    def sample(self, numbers: Sequence[int], samples: int) -> Sequence[int]:
        """At most `samples` of the line numbers: other ones on every call, in line order."""
        if len(numbers) <= samples:
            return numbers
        return sorted(self._rng.sample(numbers, max(samples, 0)))

    def texts(self, numbers: Sequence[int], *, bare: bool) -> bytes:
        """JSON list of strings, one for each line."""
        quote = (lambda line: line) if bare else quote_constants
        view = ("text", "bare" if bare else "quoted")
        return self._join(view, numbers, lambda line: orjson.dumps(quote(line).decode()))

    def objects(self, numbers: Sequence[int], keys: Sequence[str], *, need_all: bool, bare: bool) -> bytes:
        """JSON list of objects: each row projected on the dotted keys it has; rows with none are left out."""
        asked = frozenset(keys)

        def project(line: bytes) -> bytes | None:
            text = line if bare else quote_constants(line)
            row = loads(text)
            if not isinstance(row, dict) or not row:
                return None
            if need_all and not asked <= {key for key, _ in flatten(row.items())}:
                return None
            if row.keys() <= asked and not any(
                isinstance(v, dict) and "_type" not in v for v in row.values()
            ):
                return text
            pairs = parse_exact(text)
            chosen = [(key, value) for key, value in flatten(pairs) if key in asked]
            return _dump_exact(_Pairs(dict(chosen).items())).encode() if chosen else None

        view = ("object", "all" if need_all else "any", "bare" if bare else "quoted", *sorted(asked))
        return self._join(view, numbers, project)

    def _join(
        self, view: tuple[str, ...], numbers: Sequence[int], encode: Callable[[bytes], bytes | None]
    ) -> bytes:
        """Encoded lines joined to a JSON list; encodings and contiguous lists are kept for the next call."""
        whole = (*view, numbers.start, numbers.stop) if isinstance(numbers, range) else None
        if whole is not None and whole in self._joined:
            self._joined.move_to_end(whole)
            return self._joined[whole]
        encoded = self._views.setdefault(view, [])
        self._views.move_to_end(view)
        encoded.extend(encode(line) for line in self.lines[len(encoded) :])
        picked = (
            encoded[numbers.start : numbers.stop]
            if isinstance(numbers, range)
            else [encoded[n] for n in numbers]
        )
        body = b"[" + b",".join(item for item in picked if item is not None) + b"]"
        if len(self._views) > _VIEWS_KEPT:
            self._views.popitem(last=False)
        if whole is not None:
            self._joined[whole] = body
            if len(self._joined) > _JOINED_KEPT:
                self._joined.popitem(last=False)
        return body


def history_keys(rows: Rows) -> dict[str, Any] | None:
    """W&B's index of a history: type counts by dotted key and the last step; None when nothing was logged."""
    if not len(rows):
        return None
    if rows.keys is not None and rows.keys[0] == len(rows):
        return rows.keys[1]
    counts: dict[str, Counter[str]] = {}
    for shape, times in rows.shapes.items():
        for key, kind in shape:
            counts.setdefault(key, Counter())[kind] += times
    keys = {
        key: {"typeCounts": _type_counts(kinds), "monotonic": key == "_step"}
        for key, kinds in sorted(counts.items())
    }
    found = {"keys": keys, "lastStep": max(rows.steps), "sets": []}
    rows.keys = (len(rows), found)
    return found


def _type_counts(kinds: Counter[str]) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for kind, count in sorted(kinds.items()):
        name, _, items = kind.partition(":")
        entry = merged.setdefault(name, {"type": name, "count": 0})
        entry["count"] += count
        if name == "list":
            inner = entry.setdefault("items", [])
            inner += [{"type": t, "count": count} for t in items.split(",") if t]
    return list(merged.values())
