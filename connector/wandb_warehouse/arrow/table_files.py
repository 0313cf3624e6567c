"""The file of a logged table, row by row: a few rows in memory at a time, however large it is.

It is JSON, `{"columns": [...], "data": [[...], ...], ...}`, and read as exactly as everything else (`arrow.text`).
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from wandb_warehouse.arrow.text import DECODER, dumps, escape
from wandb_warehouse.errors import FatalRemoteError

__all__ = ["TableFile", "column_names"]

_CELLS_AT_ONCE = 65_536
_CHARACTERS_AT_ONCE = 8 * 2**20
_CHUNK = 2**20
_LONGEST = 64 * 2**20
"""Characters of one row that are believed."""
_SCALAR_MARGIN = 64
"""Characters after a number from which it is known to have ended."""
_SPACE = re.compile(r"[ \t\n\r]*")
_REPORT = "open the run in W&B and report it there"


def column_names(columns: Any) -> list[str]:
    """Give the names of a file's columns as stored; a number as its JSON text.

    Raises:
        FatalRemoteError: they are no list of texts and numbers.
    """
    if not isinstance(columns, list) or {type(name) for name in columns} - {str, int, float}:
        raise FatalRemoteError("its columns are no list of names", mend=_REPORT)
    return [escape(name) if isinstance(name, str) else dumps(name) for name in columns]


@dataclass(slots=True)
class TableFile:
    """One file of a table: its rows in batches, and whatever else it holds in `members` once they were read."""

    path: Path
    members: dict[str, Any] = field(default_factory=dict)
    row_count: int = 0

    @property
    def columns(self) -> list[str]:
        """Names of the columns; an error where the file has not told them."""
        return column_names(self.members.get("columns"))

    def batches(self) -> Iterator[list[list[Any]]]:
        """Yield the rows, some at a time, each as long as there are columns.

        Raises:
            FatalRemoteError: the file is no JSON, or not the JSON of a table.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._read(_Text(file))
        except RecursionError as error:
            raise FatalRemoteError("it is nested too deep to be read", mend=_REPORT) from error
        except ValueError as error:
            raise FatalRemoteError("it is no JSON, or was cut", mend=_REPORT) from error

    def _read(self, text: "_Text") -> Iterator[list[list[Any]]]:
        text.take("{")
        more = text.peek() != "}"
        while more:
            name = text.value()
            text.take(":")
            if not isinstance(name, str) or name in self.members:
                raise FatalRemoteError("it has a member twice", mend=_REPORT)
            if name == "data":
                self.members[name] = None
                yield from self._rows(text)
            else:
                self.members[name] = text.value()
            more = text.take(",}") == ","
        self.members.pop("data", None)
        text.end()

    def _rows(self, text: "_Text") -> Iterator[list[list[Any]]]:
        width = len(self.columns)
        most = max(1, _CELLS_AT_ONCE // max(1, width))
        text.take("[")
        more = text.peek() != "]"
        if not more:
            text.take("]")
        rows: list[list[Any]] = []
        while more:
            row = text.value()
            if not isinstance(row, list) or len(row) != width:
                has = f"{len(row)} cells" if isinstance(row, list) else "no list of cells"
                raise FatalRemoteError(f"row {self.row_count} has {has} for {width} columns", mend=_REPORT)
            rows.append(row)
            self.row_count += 1
            if len(rows) >= most or text.consumed >= _CHARACTERS_AT_ONCE:
                yield rows
                rows, text.consumed = [], 0
            more = text.take(",]") == ","
        if rows:
            yield rows


class _Text:
    """JSON text of a file, read value by value; errors are ValueErrors."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        self._buffer = ""
        self._at = 0
        self._ended = False
        self.consumed = 0
        """Characters of the values read, which the caller may set back."""

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> str:
        """The next character, which must be one of those wanted."""
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(f"{found!r} in place of {wanted!r}")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except ValueError:
                if not self._more():
                    raise
                continue
            whole = isinstance(value, list | dict) or len(self._buffer) - end >= _SCALAR_MARGIN
            if whole or not self._more():
                self.consumed += end - self._at
                self._at = end
                return value

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            raise ValueError("more after the end")

    def _more(self) -> bool:
        """Read on: as much again as is left, so that a long value is not tried too often."""
        if self._ended:
            return False
        left = len(self._buffer) - self._at
        if left > _LONGEST:
            raise FatalRemoteError(f"a row of it exceeds {_LONGEST} characters", mend=_REPORT)
        chunk = self._file.read(max(_CHUNK, left))
        self._ended = not chunk
        self._buffer = self._buffer[self._at :] + self._decoder.decode(chunk, final=self._ended)
        self._at = 0
        return True
