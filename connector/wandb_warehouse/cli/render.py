"""Results on stdout: tables for people, JSON, NDJSON and CSV for machines. Nothing is decided here."""

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Literal, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wandb_warehouse.errors import ConfigError, QueryError

__all__ = [
    "FORMATS",
    "Format",
    "console",
    "errors",
    "plain",
    "printable",
    "write_json",
    "write_rows",
    "write_table",
]

Format = Literal["table", "json", "ndjson", "csv"]
FORMATS: tuple[Format, ...] = ("table", "json", "ndjson", "csv")

_GAP = "   "
_READABLE = 20  # characters of a long value that a column of a table should show on one line
_PIPED_WIDTH = 1000  # nobody sees the edge of a pipe: rich would cut at 80 columns


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the frame what a closed output pipe means; rich would exit 1."""
        raise BrokenPipeError


def console() -> Console:
    """A console on stdout; as wide as its content where it is no terminal."""
    return _Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def errors() -> Console:
    """A console on stderr: progress, notes and the one line of an error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def plain(value: Any) -> Any:
    """Return a value as JSON types; bytes in hex, non-finite numbers as W&B writes them (`"NaN"`)."""
    match value:
        case float() if not math.isfinite(value):
            found: Any = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | str() | int() | float():
            found = value
        case datetime() | date() | time():
            found = value.isoformat()
        case bytes():
            found = value.hex()
        case Mapping():
            found = {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            found = [plain(inner) for inner in value]
        case _:
            found = str(value)
    return found


def write_json(value: Any) -> None:
    """Write one JSON document."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def write_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], form: Format, *, safe: bool = False
) -> None:
    """Write rows in the form asked for; column names may repeat in tables and CSV.

    Args:
        columns: names.
        rows: values, in the columns' order.
        form: how.
        safe: put `'` before texts of a CSV that a spreadsheet takes for a formula.

    Raises:
        ConfigError: `safe` without CSV.
        QueryError: column names repeat where a row is an object.
    """
    if safe:
        if form != "csv":
            raise ConfigError("--safe is of no use here", mend="give it together with --format csv")
        columns = [_unformulated(name) for name in columns]
        rows = ([_unformulated(value) for value in row] for row in rows)
    _WRITERS[form](columns, rows, sys.stdout)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that spreadsheets run rather than show."""


def _unformulated(value: Any) -> Any:
    """Make a text no formula; numbers stay what they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Write rows as a table for people."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        show_header=any(columns),
    )
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text(str(value).lower())
    if isinstance(value, int):
        return Text(f"{value}", justify="right")
    if isinstance(value, float) and math.isfinite(value):
        return Text(f"{value:.6g}", justify="right")
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%S"))
    return Text(printable(str(plain(value))))


def printable(text: str) -> str:
    """Escape control characters: those of a run's name or a metric would otherwise steer the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]], _out: TextIO) -> None:
    """Write a table, or record by record where a terminal is too narrow to read the columns in."""
    held = list(rows)
    width = console().width
    needed = sum(
        min(max((len(_cell(row[n]).plain) for row in held), default=0), _READABLE) + len(_GAP)
        for n in range(len(columns))
    )
    if needed <= width or not held:
        write_table(columns, held)
    else:
        _write_records(columns, held)


def _write_records(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    out = console()
    for number, row in enumerate(rows, start=1):
        out.print(f"[dim]── {number} ──[/dim]")
        record = Table.grid(padding=(0, len(_GAP)))
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for column, value in zip(columns, row, strict=True):
            cell = _cell(value)
            cell.justify = "left"
            record.add_row(Text(column), cell)
        out.print(record)


def _objects(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    repeated = [column for number, column in enumerate(columns) if column in columns[:number]]
    if repeated:
        # One object cannot hold both, and dropping one silently is no answer.
        raise QueryError(
            f"two columns are named {repeated[0]!r}", mend="name them apart with AS, or use --format csv"
        )
    for row in rows:
        yield json.dumps({c: plain(v) for c, v in zip(columns, row, strict=True)}, ensure_ascii=False)


def _json(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO) -> None:
    separator = "[\n  "
    for text in _objects(columns, rows):
        out.write(separator + text)
        separator = ",\n  "
    out.write("\n]\n" if separator.startswith(",") else "[]\n")


def _ndjson(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO) -> None:
    out.writelines(text + "\n" for text in _objects(columns, rows))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_cell(plain(value)) for value in row])


def _csv_cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


_WRITERS = {"table": _table, "json": _json, "ndjson": _ndjson, "csv": _csv}
