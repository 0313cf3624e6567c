"""Wide views: a view with a column for each chosen key of the histories, configs or summaries.

A key is data and a column's name is not: DuckDB takes `Loss` and `loss` for one name. So a column has its key's exact
name unless one before it has that name already, in upper or lower case; then ` (2)` follows it, or ` (3)` and so on.
The comment of each column tells its key.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

import duckdb

from wandb_warehouse.errors import ConfigError, CorruptStoreError
from wandb_warehouse.schema import NUMBER_TABLES, TABLES
from wandb_warehouse.warehouse.views import load_sql_files

__all__ = [
    "MOST_COLUMNS",
    "Subject",
    "WideColumn",
    "WideView",
    "choose_columns",
    "chosen_keys",
    "create_wide_view",
    "drop_wide_view",
    "from_json",
    "refuse_other",
    "to_json",
    "valid_name",
    "wide_view_names",
]

Subject = Literal["history", "summary", "config"]
"""What a wide view is made of."""

MOST_COLUMNS = 1000
"""Keys that one view may have: every row is looked at once for each of them."""

FORMAT = 1
_MARK = "wide view of "
"""How the comment of a wide view begins: that tells it from other views somebody made in the file."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RUN = ("entity", "project", "run_id", "run_name")
_ROWS: dict[Subject, tuple[str, tuple[str, ...]]] = {
    "history": ("history_points", ("step", "seq")),
    "summary": ("summary_values", ()),
    "config": ("config_values", ()),
}
"""The view that has the values, and what beside the run names a row."""

_KEYS: dict[Subject, str] = {
    "history": "SELECT DISTINCT key FROM metrics WHERE stored_count > 0",
    "summary": "SELECT DISTINCT key FROM summary_values",
    "config": "SELECT DISTINCT key FROM config_values",
}
_VALUE = {
    "double": "number",
    "text": "CASE kind WHEN 'string' THEN \"text\" WHEN 'null' THEN NULL ELSE json END",
}


@dataclass(frozen=True, slots=True)
class WideColumn:
    """One column: its key, its name, and its kind (`double` or `text`)."""

    key: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class WideView:
    """One wide view: its name, what it is made of, its columns behind those that name the row."""

    name: str
    of: Subject
    columns: tuple[WideColumn, ...]

    @property
    def comment(self) -> str:
        """What is kept in the database of it."""
        grain = "run and logged step" if self.of == "history" else "run"
        return (
            f"{_MARK}{self.of}: one row per {grain}, deleted runs left out, a column a key; null where it was not "
            "logged, and for NaN; made by wandb-warehouse views create-wide"
        )

    @property
    def definition(self) -> str:
        """DuckDB's statement that creates it."""
        source, place = _ROWS[self.of]
        keys = ", ".join(_literal(column.key) for column in self.columns)
        values = ",\n    ".join(
            f'any_value({_VALUE[column.kind]}) FILTER (WHERE "key" = {_literal(column.key)}) AS c{number}'
            for number, column in enumerate(self.columns)
        )
        named = ",\n  ".join(
            [
                *(f"runs.{name}" for name in _RUN[:3]),
                "runs.name AS run_name",
                *(f"found.{name}" for name in place),
                *(f"found.c{n} AS {_identifier(column.name)}" for n, column in enumerate(self.columns)),
            ]
        )
        by = ", ".join((*_RUN[:3], *place))
        return (
            f"CREATE OR REPLACE VIEW {_identifier(self.name)} AS\nSELECT\n  {named}\nFROM runs\n"
            f"{'JOIN' if place else 'LEFT JOIN'} (\n  SELECT\n    {by},\n    {values}\n  FROM {source}\n"
            f'  WHERE "key" IN ({keys})\n  GROUP BY {by}\n) AS found\n'
            "  ON found.entity = runs.entity AND found.project = runs.project AND found.run_id = runs.run_id\n"
            "WHERE runs.deleted_at IS NULL"
        )


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _identifier(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


def valid_name(name: str) -> str:
    """Give `name` if a wide view may have it.

    Raises:
        ConfigError: it is no plain name, or one of the tables, views or macros of every warehouse.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name[:80]!r} cannot be the name of a view", mend="use letters, digits and _, at most 63"
        )
    taken = {file.name for file in load_sql_files()} | TABLES.keys() | NUMBER_TABLES.keys()
    if name.lower() in taken | {table.stored.name for table in TABLES.values()}:
        raise ConfigError(f"{name} is a name of every warehouse's own", mend="choose another --name")
    return name


def chosen_keys(patterns: Iterable[str], present: Iterable[str], of: Subject) -> list[str]:
    """Keys that patterns choose, in the order of the patterns, and in that of the alphabet for each.

    A pattern is a key as it is, and a glob (`*`, `?`, `[...]`, upper and lower case apart). A key with a NUL is in no
    view: older DuckDBs could not read it.

    Raises:
        ConfigError: a pattern chooses no key, or all of them too many.

    Example:
        >>> chosen_keys(["loss", "val/*"], ["val/b", "loss", "val/a", "x"], "history")
        ['loss', 'val/a', 'val/b']
    """
    known = sorted(key for key in present if "\0" not in key)
    chosen: dict[str, None] = {}
    for pattern in patterns:
        found = [key for key in known if key == pattern or fnmatchcase(key, pattern)]
        if not found:
            raise ConfigError(
                f"no key of the {of} matches {pattern[:200]!r}",
                mend=f'list them: wandb-warehouse query "{_KEYS[of]}"',
            )
        chosen |= dict.fromkeys(found)
    if not chosen:
        raise ConfigError("no key is named", mend="give --keys, as 'train/loss,val/*'")
    if len(chosen) > MOST_COLUMNS:
        raise ConfigError(
            f"{len(chosen):,} keys of the {of} match, and a view takes at most {MOST_COLUMNS:,}",
            mend="narrow --keys",
        )
    return list(chosen)


def choose_columns(
    connection: duckdb.DuckDBPyConnection, patterns: Sequence[str], of: Subject
) -> tuple[WideColumn, ...]:
    """Columns for the keys that `patterns` choose: `double` where every value is a number, a bool or null, else `text`.

    Raises:
        ConfigError: as `chosen_keys`.
    """
    present = (str(key) for (key,) in connection.execute(_KEYS[of]).fetchall())
    keys = chosen_keys(patterns, present, of)
    texts = connection.execute(
        f"SELECT DISTINCT key FROM {_ROWS[of][0]} "  # noqa: S608 - a name of ours
        "WHERE key IN (SELECT unnest(?)) AND kind IN ('string', 'list', 'object')",
        [keys],
    ).fetchall()
    kinds = {str(key): "text" for (key,) in texts}
    names = column_names(keys, (*_RUN, *_ROWS[of][1]))
    return tuple(
        WideColumn(key, name, kinds.get(key, "double")) for key, name in zip(keys, names, strict=True)
    )


def column_names(keys: Iterable[str], taken: Iterable[str]) -> Iterator[str]:
    """Names for the columns of `keys`, no two of which DuckDB takes for one.

    Example:
        >>> list(column_names(["loss", "Loss", "LOSS", "step"], ["step"]))
        ['loss', 'Loss (2)', 'LOSS (3)', 'step (2)']
    """
    used = {name.casefold() for name in taken}
    for key in keys:
        plain = key or "(empty)"  # no identifier is
        name, number = plain, 1
        while name.casefold() in used:
            number += 1
            name = f"{plain} ({number})"
        used.add(name.casefold())
        yield name


def create_wide_view(connection: duckdb.DuckDBPyConnection, view: WideView) -> None:
    """Make the view, or replace the wide view of that name, with its comments.

    Raises:
        ConfigError: something else has that name.
    """
    refuse_other(connection, view.name)
    name = _identifier(view.name)
    connection.execute(view.definition)
    connection.execute(f"COMMENT ON VIEW {name} IS {_literal(view.comment)}")
    for column in view.columns:
        told = _literal(f"{view.of} key {column.key}")
        connection.execute(f"COMMENT ON COLUMN {name}.{_identifier(column.name)} IS {told}")


def refuse_other(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Raise ConfigError where something has that name and is no wide view."""
    if name.lower() in _others(connection):
        raise ConfigError(
            f"{name} is there and is no wide view", mend="choose another --name, or drop it first"
        )


def drop_wide_view(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Drop the wide view `name`, which must be there."""
    connection.execute(f"DROP VIEW {_identifier(name)}")


def wide_view_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the wide views of a warehouse, in the order of the alphabet."""
    return sorted(name for name, comment in _views(connection) if (comment or "").startswith(_MARK))


def _others(connection: duckdb.DuckDBPyConnection) -> set[str]:
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    views = {name for name, comment in _views(connection) if not (comment or "").startswith(_MARK)}
    return {name.lower() for name in views | {str(name) for (name,) in tables}}


def _views(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str | None]]:
    return connection.execute(
        "SELECT view_name, comment FROM duckdb_views() WHERE database_name = current_database() AND NOT internal"
    ).fetchall()


def to_json(views: Iterable[WideView]) -> str:
    """Wide views as a lake keeps them beside its manifest."""
    return json.dumps({"format": FORMAT, "views": [asdict(view) for view in views]}, indent=1)


def from_json(text: bytes, where: str) -> list[WideView]:
    """Undo `to_json`.

    Raises:
        CorruptStoreError: it is something else.
    """
    try:
        found: dict[str, Any] = json.loads(text)
        if found["format"] > FORMAT:
            raise CorruptStoreError(
                f"{where} was written by a newer wandb-warehouse", mend="upgrade wandb-warehouse"
            )
        return [_from_record(view) for view in found["views"]]
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise CorruptStoreError(
            f"{where} is no list of wide views", mend="remove it, and make the wide views again"
        ) from error


def _from_record(record: dict[str, Any]) -> WideView:
    columns = tuple(WideColumn(str(c["key"]), str(c["name"]), c["kind"]) for c in record["columns"])
    if record["of"] not in _ROWS or any(column.kind not in _VALUE for column in columns):
        raise ValueError("an unknown kind")
    if not _NAME.fullmatch(record["name"]):
        raise ValueError("no name of a view")
    return WideView(record["name"], record["of"], columns)
