"""The SQL files of `sql/`: read, checked, ordered, created in a build, and printed for other dialects.

A file holds a header of comment lines and one SELECT in DuckDB's dialect:

    -- view: run_overview                  or   -- macro: run_curves(metric)
    -- mirrors: what of W&B it shows
    -- grain: what one row is
    -- units: the units of its columns
    -- engines: duckdb                     only where no other engine can say it
    --
    -- any further lines
    SELECT ...

The header becomes the comment of the view. A macro is a table macro: `SELECT * FROM run_curves('loss')`. One with a
result, `-- macro: run_created_at(run) -> timestamp`, is a scalar macro over a row of `runs`, and its body an expression
over that row: `SELECT run_created_at(r) FROM runs AS r`. Where the expression is a column of the run, a view of that
name shows it of every run.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from wandb_warehouse.errors import ConfigError, StoreError
from wandb_warehouse.schema import NUMBER_TABLES, RUN_KEY, TABLES

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["SqlFile", "create_views", "dialects", "load_sql_files", "order", "parse_sql_file", "render"]

_HEADER_KEYS = ("mirrors", "grain", "units")
_DECLARATION = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)(?:\((?P<parameters>[a-z0-9_, ]*)\)(?: -> (?P<returns>[a-z]+))?)?"
)


@dataclass(frozen=True)
class SqlFile:
    """One view or macro: its header, its SELECT as written and as a syntax tree (a scalar's is `SELECT <body>`)."""

    kind: Literal["view", "macro"]
    name: str
    parameters: tuple[str, ...]
    mirrors: str
    grain: str
    units: str
    notes: str
    sql: str
    tree: "exp.Query"
    returns: str = ""
    """Kind of a scalar macro's result, one of the schema's; empty for what gives rows."""
    engines: tuple[str, ...] = ()
    """Engines that can run it; every one where empty. A row as an argument is DuckDB's alone."""

    @property
    def comment(self) -> str:
        """The header in one paragraph, as it is kept in the database."""
        result = f"gives {self.returns}; " if self.returns else ""
        text = f"{result}{self.grain}; mirrors {self.mirrors}; units: {self.units}"
        return f"{text}. {self.notes}" if self.notes else text

    @property
    def shows_table(self) -> bool:
        """Whether it is the view that shows a numbered table as declared: a lake needs none."""
        return self.kind == "view" and self.name in TABLES

    @cached_property
    def references(self) -> frozenset[str]:
        """Names of the tables, views and table macros the SELECT reads, its own CTEs left out."""
        from sqlglot import exp

        own = {cte.alias for cte in self.tree.find_all(exp.CTE)}
        names = {table.this.name for table in self.tree.find_all(exp.Table)}
        return frozenset(names - own)

    @property
    def definition(self) -> str:
        """DuckDB's statement that creates it."""
        if self.kind == "view":
            return f'CREATE OR REPLACE VIEW "{self.name}" AS\n{self.sql}'
        table = "" if self.returns else " TABLE"
        return f'CREATE OR REPLACE MACRO "{self.name}"({", ".join(self.parameters)}) AS{table}\n{self.sql}'

    @property
    def over_runs(self) -> "SqlFile | None":
        """The view of a scalar macro that gives a column of the run; None of other files."""
        from sqlglot import exp

        column = self.tree.selects[0] if self.returns and self.parameters == ("run",) else None
        if not isinstance(column, exp.Column):
            return None
        columns = ", ".join(f'run."{name}"' for name in dict.fromkeys((*RUN_KEY, column.name)))
        sql = f"SELECT {columns}\nFROM runs AS run\nWHERE run.deleted_at IS NULL"
        grain = "one row per run that is not deleted"
        tree = _one_select(sql, self.name)
        return SqlFile("view", self.name, (), self.mirrors, grain, self.units, self.notes, sql, tree)


def parse_sql_file(text: str, origin: str) -> SqlFile:
    """Read one file.

    Args:
        text: the file's text.
        origin: its name, for messages.

    Raises:
        StoreError: the header lacks a line, the body is not one SELECT, or a function is unknown to sqlglot.
    """
    lines = text.strip().split("\n")  # no other ends: a literal may hold the white space of Unicode
    start = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header: dict[str, str] = {}
    notes: list[str] = []
    for line in lines[:start]:
        content = line.removeprefix("--").strip()
        key, colon, value = content.partition(": ")
        if colon and key in ("view", "macro", "engines", *_HEADER_KEYS) and key not in header:
            header[key] = value
        elif content:
            notes.append(content)
    missing = [key for key in _HEADER_KEYS if not header.get(key)]
    declared = _DECLARATION.fullmatch(header.get("view") or header.get("macro") or "")
    if missing or declared is None or ("view" in header) == ("macro" in header):
        raise StoreError(
            f"{origin}: the header lacks {', '.join(missing) or 'a name'}",
            mend="begin the file with -- view: (or -- macro:), -- mirrors:, -- grain:, -- units:",
        )
    sql = "\n".join(lines[start:]).strip().removesuffix(";")
    returns = declared["returns"] or ""
    if returns and "view" in header:
        raise StoreError(f"{origin}: a view has no result", mend="leave the -> out")
    return SqlFile(
        kind="view" if "view" in header else "macro",
        name=declared["name"],
        parameters=_listed(declared["parameters"] or ""),
        mirrors=header["mirrors"],
        grain=header["grain"],
        units=header["units"],
        notes=" ".join(notes),
        sql=sql,
        tree=_one_expression(sql, origin) if returns else _one_select(sql, origin),
        returns=returns,
        engines=_listed(header.get("engines", "duckdb" if returns else "")),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _one_expression(sql: str, origin: str) -> "exp.Query":
    tree = _one_select(f"SELECT {sql}", origin)
    if len(tree.selects) != 1 or any(value for part, value in tree.args.items() if part != "expressions"):
        raise StoreError(f"{origin}: the body is not one expression", mend="keep one expression a file")
    return tree


def _one_select(sql: str, origin: str) -> "exp.Query":
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        trees = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as error:
        raise StoreError(f"{origin}: {error}", mend="mend the SELECT") from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query):
        raise StoreError(f"{origin}: the body is not one SELECT", mend="keep one SELECT a file")
    # A call that sqlglot has no name for would pass into every other dialect as it stands, right or wrong.
    unknown = sorted(
        {call.name for call in tree.find_all(exp.Anonymous) if not isinstance(call.parent, exp.Table)}
    )
    if unknown:
        raise StoreError(
            f"{origin}: unknown function {', '.join(unknown)}", mend="use functions sqlglot can translate"
        )
    return tree


def load_sql_files(folder: Traversable | None = None) -> list[SqlFile]:
    """Read `views/*.sql` and `macros/*.sql` and give them in an order in which they can be created.

    Args:
        folder: where to look; by default `sql/` inside the installed package, else `sql/` of the checkout.
    """
    return list(_shipped()) if folder is None else _load(folder)


@cache
def _shipped() -> tuple[SqlFile, ...]:
    return tuple(_load(_sql_folder()))


def _load(root: Traversable) -> list[SqlFile]:
    files = []
    for part in ("views", "macros"):
        for entry in sorted(root.joinpath(part).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".sql"):
                file = parse_sql_file(entry.read_text(encoding="utf-8"), f"{part}/{entry.name}")
                if f"{file.name}.sql" != entry.name or f"{file.kind}s" != part:
                    raise StoreError(
                        f"{part}/{entry.name} declares {file.kind} {file.name}", mend="name it so"
                    )
                files.append(file)
                shown = file.over_runs
                if shown is not None and shown.name not in TABLES:
                    files.append(shown)
    return order(files)


def _sql_folder() -> Traversable:
    shipped = resources.files("wandb_warehouse").joinpath("sql")
    if shipped.is_dir():
        return shipped
    checkout = Path(__file__).resolve().parents[3] / "sql"
    if checkout.is_dir():
        return checkout
    raise StoreError("the SQL files of this package are missing", mend="install wandb-warehouse again")


def order(files: Iterable[SqlFile]) -> list[SqlFile]:
    """Order files so that each comes after those it reads.

    Raises:
        StoreError: a file reads what is neither a table nor another file, or files read in a circle.
    """
    by_name: dict[str, SqlFile] = {}
    scalars: dict[str, SqlFile] = {}  # names of their own, beside those of tables; no file reads them
    stored = {table.stored.name for table in TABLES.values()} | NUMBER_TABLES.keys()
    for file in files:
        names = scalars if file.returns else by_name
        if file.name in names or (not file.returns and file.name in stored):
            raise StoreError(f"{file.name} is declared twice", mend="choose another name")
        names[file.name] = file
    graph: dict[str, set[str]] = {}
    for file in (*by_name.values(), *scalars.values()):
        unknown = sorted(file.references - by_name.keys() - TABLES.keys() - stored)
        if unknown:
            raise StoreError(
                f"{file.name} reads {', '.join(unknown)}, which is unknown", mend="mend the name"
            )
        if not file.returns:
            graph[file.name] = set(file.references & by_name.keys())
    try:
        return [*map(by_name.__getitem__, TopologicalSorter(graph).static_order()), *scalars.values()]
    except CycleError as error:
        raise StoreError(
            f"views read in a circle: {' -> '.join(error.args[1])}", mend="cut the circle"
        ) from error


def create_views(
    connection: duckdb.DuckDBPyConnection,
    files: Iterable[SqlFile] | None = None,
    only: Collection[str] | None = None,
) -> list[str]:
    """Create (or replace) views and macros with their comments; gives their names in order of creation.

    Args:
        connection: the database.
        files: what to create; all there are where None.
        only: names of those among them to create; all where None.
    """
    names = []
    for file in load_sql_files() if files is None else order(files):
        if only is not None and file.name not in only:
            continue
        kind = "VIEW" if file.kind == "view" else "MACRO" if file.returns else "MACRO TABLE"
        comment = file.comment.replace("'", "''")
        try:
            connection.execute(file.definition)
            connection.execute(f"COMMENT ON {kind} \"{file.name}\" IS '{comment}'")
            for column in TABLES[file.name].columns if file.shows_table else ():
                meaning = column.meaning.replace("'", "''")
                connection.execute(f'COMMENT ON COLUMN "{file.name}"."{column.name}" IS \'{meaning}\'')
        except duckdb.Error as error:
            raise StoreError(f"{file.kind} {file.name}: {error}", mend="mend its SELECT") from error
        names.append(file.name)
    return names


def dialects() -> list[str]:
    """Names that `render` takes as a dialect."""
    import sqlglot

    return sorted(name for name in sqlglot.Dialect.classes if name)


def render(file: SqlFile, dialect: str = "duckdb") -> str:
    """The statement that creates `file` in another SQL dialect; a macro becomes a SELECT with placeholders.

    Raises:
        ConfigError: the dialect is unknown, or cannot say what the SELECT says.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if dialect not in sqlglot.Dialect.classes:
        raise ConfigError(f"unknown dialect {dialect}", mend=f"choose one of {', '.join(dialects())}")
    if dialect == "duckdb":
        return f"{file.definition};"
    tree = _with_placeholders(file.tree, file.parameters)
    try:
        body = tree.sql(dialect=dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except SqlglotError as error:
        raise ConfigError(
            f"{file.name} cannot be said in {dialect}: {error}", mend="choose another dialect"
        ) from error
    if file.kind == "macro":
        return f"{body};"
    name = exp.to_identifier(file.name).sql(dialect=dialect)
    return f"CREATE VIEW {name} AS\n{body};"


def _with_placeholders(tree: "exp.Query", parameters: Iterable[str]) -> "exp.Expression":
    from sqlglot import exp

    # The kind is written by ClickHouse only; parameters of the macros are names of metrics and the like.
    names: Mapping[str, exp.Placeholder] = {
        name: exp.Placeholder(this=name, kind="String") for name in parameters
    }

    def replace(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column) and not node.table and node.name in names:
            return names[node.name].copy()
        return node

    return tree.transform(replace)
