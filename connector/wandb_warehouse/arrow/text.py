r"""JSON text to Python values and back, exactly.

`loads` takes what W&B sends: bare NaN and infinities, integers of any length, 1e400, lone surrogates, control
characters in strings, any depth. `dumps` writes text that UTF-8, Parquet and DuckDB's JSON can hold, and
`undump` gives the value back.

UTF-8 has no lone surrogates, so `escape` writes one as the six characters `\udxxx`; text that looks like such
an escape already gets more backslashes, which keeps the mapping reversible:

    n backslashes, a surrogate      ->  2n + 1 backslashes, udxxx
    n >= 1 backslashes, udxxx       ->  2n backslashes, udxxx
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined] # the C scanner, absent from typeshed
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.errors import FatalRemoteError

__all__ = ["DECODER", "ExactNumber", "dumps", "escape", "loads", "loads_rows", "undump", "unescape"]


class ExactNumber(str):
    """Text of a JSON number no Python number gives back: 1e400, or an integer of more than 4,300 digits."""

    __slots__ = ()

    def __float__(self) -> float:
        return float(str(self))


# Backslash runs are entered at their start only, which keeps matching linear in long runs of backslashes.
_ESCAPABLE = re.compile(r"(?<!\\)(\\*)(?:([\ud800-\udfff])|(?<=\\)(u[dD][89a-fA-F][0-9a-fA-F]{2}))")
_ESCAPED = re.compile(r"(?<!\\)(\\+)(u[dD][89a-fA-F][0-9a-fA-F]{2})")
_MARK = "\\u"
_MARK_IN_JSON = "\\\\u"


def escape(text: str) -> str:
    r"""Make `text` storable as UTF-8: lone surrogates become `\udxxx`, reversibly.

    >>> escape("a" + chr(0xD800)), escape(r"\ud800"), escape("plain")
    ('a\\ud800', '\\\\ud800', 'plain')
    """
    if text.isascii() and _MARK not in text:
        return text
    return _ESCAPABLE.sub(_escape_match, text)


def unescape(text: str) -> str:
    r"""Undo `escape`.

    >>> unescape(r"a\ud800") == "a" + chr(0xD800), unescape(r"\\ud800")
    (True, '\\ud800')
    """
    return _ESCAPED.sub(_unescape_match, text) if _MARK in text else text


def _escape_match(match: re.Match[str]) -> str:
    slashes, surrogate, literal = match.groups()
    return f"{slashes}{slashes}\\u{ord(surrogate):04x}" if surrogate else f"{slashes}{slashes}{literal}"


def _unescape_match(match: re.Match[str]) -> str:
    slashes, literal = match.groups()
    half = slashes[: len(slashes) // 2]
    return half + (chr(int(literal[1:], 16)) if len(slashes) % 2 else literal)


_MANY_DIGITS = "(?:^|[^0-9.])[0-9]{19}"
"""Where orjson may turn an integer into a float without a word: beyond -2^63..2^64-1, 19 digits and up.

Digits behind a point are none: small floats have that many of them."""

_MANY_DIGITS_TEXT = re.compile(_MANY_DIGITS)
_MANY_DIGITS_BYTES = re.compile(_MANY_DIGITS.encode())


def loads(text: str | bytes) -> Any:
    """Read JSON text exactly; a `FatalRemoteError` where it is no JSON.

    Numbers come as int, float or `ExactNumber`. A repeated key keeps its last value.

    >>> loads('{"loss": NaN, "n": 18446744073709551616, "big": 1e400}')
    {'loss': nan, 'n': 18446744073709551616, 'big': '1e400'}
    """
    many = _MANY_DIGITS_BYTES.search(text) if isinstance(text, bytes) else _MANY_DIGITS_TEXT.search(text)
    if not many:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # not strict JSON, too deep or no JSON at all: the exact reader tells
    return _loads_exact(text)


def loads_rows(rows: Sequence[str]) -> list[Any]:
    """Read many JSON texts exactly, faster than one by one."""
    try:
        values = list(map(orjson.loads, rows))
        suspects = pc.match_substring_regex(pa.array(rows, pa.string()), _MANY_DIGITS)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return [loads(row) for row in rows]
    for position in pc.indices_nonzero(suspects).to_pylist():
        values[position] = _loads_exact(rows[position])
    return values


def _integer(text: str) -> int | ExactNumber:
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return ExactNumber(text)


def _float(text: str) -> float | ExactNumber:
    number = float(text)
    return ExactNumber(text) if math.isinf(number) else number


DECODER = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_float)


def _loads_exact(text: str | bytes) -> Any:
    try:
        string = text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
        try:
            return DECODER.decode(string)
        except RecursionError:
            return _loads_deep(string)
    except ValueError as error:
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise FatalRemoteError(
            f"the server sent a document that is no JSON{where}",
            mend="run the sync again; if it stays, open the run in W&B and report it there",
        ) from error


_TOKEN = re.compile(
    r"[ \t\n\r]*(?:(?P<mark>[{}\[\],:])|(?P<text>\")|(?P<word>true|false|null|NaN|-?Infinity)"
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)))"
)
_END = re.compile(r"[ \t\n\r]*")
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}


def _loads_deep(text: str) -> Any:  # noqa: PLR0912 - any JSON value; a branch per token of the grammar
    """Read JSON nested deeper than the interpreter's stack, with a stack of our own."""
    root: list[Any] = []
    open_: list[Any] = [root]
    key: list[str | None] = [None]
    closers = {"{": "}", "[": "]"}
    expect, position = "value", 0  # value, first (value or an end), key, first key, colon, comma
    while len(open_) > 1 or not root:
        token = _TOKEN.match(text, position)
        if token is None:
            raise json.JSONDecodeError("Expecting a token", text, position)
        kind, position = token.lastgroup, token.end()
        if kind == "real":
            kind = "number"
        mark, container = token["mark"], open_[-1]
        closer = "}" if isinstance(container, dict) else "]"
        if mark == closer and expect in {"first", "first key", "comma"} and container is not root:
            open_.pop()
            key.pop()
            expect = "comma"
        elif mark == "," and expect == "comma":
            expect = "key" if isinstance(container, dict) else "value"
        elif mark == ":" and expect == "colon":
            expect = "value"
        elif kind == "text" and expect in {"key", "first key"}:
            key[-1], position = scanstring(text, position, False)  # noqa: FBT003 - positional in C
            expect = "colon"
        elif expect in {"value", "first"} and (kind in {"word", "number", "text"} or mark in closers):
            value: Any
            if kind == "text":
                value, position = scanstring(text, position, False)  # noqa: FBT003 - positional in C
            elif kind == "word":
                value = _WORDS[token["word"]]
            elif kind == "number":
                value = _float(token["number"]) if token["real"] else _integer(token["number"])
            else:
                value = {} if mark == "{" else []
            if isinstance(container, dict):
                container[key[-1]] = value
            else:
                container.append(value)
            expect = "comma"
            if mark:
                open_.append(value)
                key.append(None)
                expect = "first key" if mark == "{" else "first"
        else:
            raise json.JSONDecodeError("Unexpected token", text, token.start())
    end = _END.match(text, position)
    if end is None or end.end() != len(text):
        raise json.JSONDecodeError("Extra data", text, position)
    return root[0]


_OPTIONS = orjson.OPT_PASSTHROUGH_SUBCLASS


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Write `value` as exact compact JSON text; keys keep their order unless `sort_keys`.

    NaN and infinities are bare tokens, -0.0 keeps its sign, integers and `ExactNumber` all their digits;
    strings and keys are escaped (`escape`).

    >>> dumps({"b": [1, -0.0, float("nan")], "a": 2**70}, sort_keys=True)
    '{"a":1180591620717411303424,"b":[1,-0.0,NaN]}'
    """
    try:
        text = orjson.dumps(value, option=_OPTIONS | (orjson.OPT_SORT_KEYS if sort_keys else 0)).decode()
    except orjson.JSONEncodeError:
        return _dumps_exact(value, sort_keys=sort_keys)  # wide integers, surrogates, ExactNumber, depth
    # orjson writes NaN as null and knows no escape of ours: both leave a trace in the text. W&B's configs are full of
    # real nulls, which read back as what they were.
    if _MARK_IN_JSON in text or ("null" in text and orjson.loads(text) != value):
        return _dumps_exact(value, sort_keys=sort_keys)
    return text


def _quote(text: str) -> str:
    return orjson.dumps(escape(text)).decode()


def _number(value: float) -> str:
    if math.isfinite(value):
        return orjson.dumps(value).decode()
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quote,
    ExactNumber: str.__str__,
    float: _number,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}


def _dumps_exact(value: Any, *, sort_keys: bool) -> str:
    """Write anything `loads` gives, of any depth, with a stack of iterators."""
    out: list[str] = []
    stack: list[tuple[Iterator[tuple[str, Any]], str]] = [(iter([("", value)]), "")]
    while stack:
        items, closer = stack[-1]
        for lead, item in items:
            out.append(lead)
            if isinstance(item, dict):
                out.append("{")
                stack.append((_members(item, sort_keys=sort_keys), "}"))
                break
            if isinstance(item, list | tuple):
                out.append("[")
                stack.append((_elements(item), "]"))
                break
            out.append(_SCALARS[type(item)](item))
        else:
            stack.pop()
            out.append(closer)
    return "".join(out)


def _members(item: dict[str, Any], *, sort_keys: bool) -> Iterator[tuple[str, Any]]:
    lead = ""
    for key in sorted(item) if sort_keys else item:
        yield f"{lead}{_quote(key)}:", item[key]
        lead = ","


def _elements(item: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    lead = ""
    for element in item:
        yield lead, element
        lead = ","


def undump(text: str) -> Any:
    """Read what `dumps` wrote: `loads`, with every string and key unescaped.

    >>> undump(dumps({"key" + chr(0xDFFF): [float("-inf")]})) == {"key" + chr(0xDFFF): [float("-inf")]}
    True
    """
    value = loads(text)
    return _unescape_all(value) if _MARK_IN_JSON in text else value


def _unescape_all(value: Any) -> Any:
    root = [value]
    containers: list[Any] = [root]
    while containers:
        container = containers.pop()
        if isinstance(container, dict):
            items = list(container.items())
            container.clear()
            container.update((unescape(key), item) for key, item in items)
        for place, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if type(item) is str:
                container[place] = unescape(item)
            elif isinstance(item, dict | list):
                containers.append(item)
    return root[0]
