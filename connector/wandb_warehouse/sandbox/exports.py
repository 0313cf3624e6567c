"""History exports: parquet files of the shape W&B writes, built from the JSON lines a run logged.

One row per line, one column per dotted key. `_timestamp` and `_runtime` are doubles. A key nothing was logged
for in a file's rows has no column there, an absent or null value is null. NaN and infinities are real floats.
Objects with a `_type` are struct columns, lists are list columns, and where a key carries values of several
kinds its column is a struct with one field `_type_<kind>` per kind, exactly one of them set in each row.

A column of integers is int64 when every value fits; otherwise numbers are doubles, so an integer beyond 2^53
that shares its column with a float is rounded, as it is in any column of doubles. A lone surrogate becomes
U+FFFD, as Go's JSON decoder makes it. An object without entries has no parquet type and is left out.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from json import JSONDecoder
from operator import methodcaller
from typing import Final, Literal, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["empty_export", "write_exports"]

Row = dict[str, object]
Kind = str

_METADATA = {"wandb-compacted": "true"}
_DOUBLES: Final = frozenset({"_timestamp", "_runtime"})
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN: dict[type, Kind] = {int: "number", float: "number", bool: "bool", str: "string", list: "list"}


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


# Takes what the writer sends and strict parsers refuse: NaN, 1e400, control characters, endless integers.
_LENIENT = JSONDecoder(strict=False, parse_int=_integer)


def _parse(lines: Sequence[bytes]) -> list[Row]:
    """Rows of the lines; the quick parser takes them unless one holds what strict JSON does not allow."""
    text = b"[" + b",".join(lines) + b"]"
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError:
        rows = _LENIENT.decode(text.decode("utf-8", "surrogatepass"))
    if len(rows) != len(lines) or not all(type(row) is dict for row in rows):
        raise ValueError("every line must hold one JSON object")
    return cast("list[Row]", rows)


def _nested(value: object) -> bool:
    return type(value) is dict and "_type" not in value


def _flatten(row: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    """Dotted entries of a row; objects with a `_type` stay whole, a later entry of the same name wins."""
    for key, value in row.items():
        if _nested(value):
            yield from _flatten(cast("Row", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _columns(rows: Sequence[Row]) -> dict[str, list[object]]:
    """Values by dotted key, in order of first appearance; rows are flattened only where one is nested."""
    keys = dict.fromkeys(chain.from_iterable(rows))
    columns = {key: list(map(methodcaller("get", key), rows)) for key in keys}
    if any(dict in set(map(type, values)) and any(map(_nested, values)) for values in columns.values()):
        return _columns([dict(_flatten(row)) for row in rows])
    return columns


def _kind(value: object) -> Kind:
    """Kind of a value as W&B's type counts name it: number, bool, string, list, map or its own `_type`."""
    if type(value) is not dict:
        return _PLAIN[type(value)]
    own = value.get("_type")
    return own if isinstance(own, str) and own not in _PLAIN.values() else "map"


@dataclass(frozen=True)
class _Plan:
    """How values of one kind are written: their Arrow type, and what puts each value into that type."""

    arrow: pa.DataType
    convert: Callable[[object], object]


def _numbers(values: Iterable[object]) -> _Plan:
    if all(type(v) is int and _INT64_MIN <= v <= _INT64_MAX for v in values):
        return _Plan(pa.int64(), lambda v: v)
    return _Plan(pa.float64(), lambda v: float(cast("float", v)))


def _text(value: object) -> str:
    return _SURROGATE.sub("\ufffd", cast("str", value))


def _list(values: Sequence[object]) -> _Plan:
    item = _plan(list(chain.from_iterable(cast("Sequence[list[object]]", values))))
    if item is None:
        return _Plan(pa.list_(pa.null()), lambda v: [None] * len(cast("list[object]", v)))
    convert = item.convert
    return _Plan(
        pa.list_(item.arrow), lambda v: [None if x is None else convert(x) for x in cast("list[object]", v)]
    )


def _struct(values: Sequence[object]) -> _Plan | None:
    rows = cast("Sequence[Row]", values)
    names = dict.fromkeys(chain.from_iterable(rows))
    plans = {name: plan for name in names if (plan := _plan([row.get(name) for row in rows])) is not None}
    if not plans:
        return None

    def convert(value: object) -> Row:
        row = cast("Row", value)
        return {
            _text(name): None if (field := row.get(name)) is None else plan.convert(field)
            for name, plan in plans.items()
        }

    return _Plan(pa.struct([(_text(name), plan.arrow) for name, plan in plans.items()]), convert)


_PLANNERS: dict[Kind, Callable[[Sequence[object]], _Plan | None]] = {
    "number": _numbers,
    "bool": lambda _: _Plan(pa.bool_(), lambda v: v),
    "string": lambda _: _Plan(pa.string(), _text),
    "list": _list,
}


def _plan(values: Sequence[object]) -> _Plan | None:
    """Plan for values of any kinds; None where nothing can be written (no value, objects without entries)."""
    grouped: dict[Kind, list[object]] = {}
    for value in values:
        if value is not None:
            grouped.setdefault(_kind(value), []).append(value)
    plans = {
        kind: plan
        for kind, group in grouped.items()
        if (plan := _PLANNERS.get(kind, _struct)(group)) is not None
    }
    if not plans:
        return None
    if len(plans) == 1:
        ((only, single),) = plans.items()
        return _Plan(single.arrow, lambda v: single.convert(v) if _kind(v) == only else None)

    def convert(value: object) -> Row | None:
        own = _kind(value)
        return {f"_type_{own}": plans[own].convert(value)} if own in plans else None

    return _Plan(pa.struct([(f"_type_{kind}", plan.arrow) for kind, plan in sorted(plans.items())]), convert)


def _doubles(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values, pa.float64(), from_pandas=False)
    except pa.ArrowInvalid:  # an integer that no double holds exactly
        return pa.array([None if v is None else float(cast("float", v)) for v in values], pa.float64())


def _integers(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values, pa.int64())
    except (OverflowError, pa.ArrowInvalid):  # an integer of more than 64 bits
        return _doubles(values)


def _array(values: Sequence[object], *, double: bool) -> pa.Array | None:
    """Column of one key, or None where there is nothing to write; numbers are not looked at one by one."""
    types = frozenset(map(type, values)) - {type(None)}
    if types and types <= {int, float}:
        return _doubles(values) if double or float in types else _integers(values)
    plan = _plan(values)
    if plan is None:
        return None
    return pa.array([None if v is None else plan.convert(v) for v in values], plan.arrow)


def _step(row: Row) -> float:
    step = row.get("_step")
    return step if type(step) is int or type(step) is float else -1


def _file(rows: Sequence[Row], doubles: frozenset[str]) -> bytes:
    """Body of one file; rows stand by step, and rows of the same step in the order they were logged."""
    rows = sorted(rows, key=_step)
    arrays = {}
    for key, values in _columns(rows).items():
        array = _array(values, double=key in doubles)
        if array is not None:
            arrays[_text(key)] = array
    if not arrays:
        return empty_export()
    return _body(pa.table(arrays))


def _body(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    text = [field.name for field in table.schema if pa.types.is_string(field.type)]
    with pq.ParquetWriter(sink, table.schema, use_dictionary=text, store_schema=False) as writer:
        if table.num_columns:
            writer.write_table(table)
        writer.add_key_value_metadata(_METADATA)
    return sink.getvalue()


def empty_export() -> bytes:
    """Export without columns and rows: a valid file that W&B does serve."""
    return _body(pa.table({}))


def write_exports(
    lines: Sequence[bytes], *, files: int = 1, step_type: Literal["int64", "double"] = "int64"
) -> list[bytes]:
    """Parquet bodies holding the rows of the given JSON lines, split into `files` runs of consecutive lines.

    Each file has the columns its own rows need, so a metric that starts late is missing from the earlier
    ones. A file that gets no rows is `empty_export()`.

    Raises:
        ValueError: a line is no JSON object, or `files` is below 1.
    """
    if files < 1:
        raise ValueError("an export has at least one file")
    rows = _parse(lines)
    doubles = _DOUBLES | {"_step"} if step_type == "double" else _DOUBLES
    cuts = [len(rows) * part // files for part in range(files + 1)]
    return [_file(rows[start:stop], doubles) for start, stop in pairwise(cuts)]
