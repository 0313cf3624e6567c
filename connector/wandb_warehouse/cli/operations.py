"""The command that runs W&B's run operations over the warehouse."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wandb_warehouse.cli.options import format_option, safe_option, warehouse_option
from wandb_warehouse.cli.render import Format, errors, printable, write_json, write_rows
from wandb_warehouse.errors import ConfigError

if TYPE_CHECKING:
    from wandb_warehouse.operations import Given, Operation, Statement

__all__ = ["Bounds", "ops", "project_of", "write_results"]

_TABLE_ROWS = 500


@click.command(
    short_help="Run an operation of W&B's query panels over all runs.",
    epilog="Example: wandb-warehouse ops 'runs.map(r => run-summary(r).accuracy).avg()'",
)
@click.argument("expression")
@warehouse_option
@click.option("--project", metavar="ENTITY/PROJECT", help="What `runs` means.  [default: every run there is]")
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="[NAME=]ID",
    help="The run that a name stands for. Without a name: `run` is the first one given, `run1`, `run2`, ... each. The "
    "id may be ENTITY/PROJECT/ID.",
)
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it.")
@click.option("--dialect", default="duckdb", show_default=True, help="With --sql: for which engine.")
@format_option
@safe_option
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows of each result.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3600,
    show_default=True,
    help="Stop a statement after so many seconds.",
)
def ops(
    expression: str,
    warehouse: Path | str,
    project: str | None,
    runs: tuple[str, ...],
    *,
    as_sql: bool,
    dialect: str,
    form: Format,
    safe: bool,
    limit: int | None,
    timeout: float,
) -> None:
    """Run an operation in the notation of W&B's query panels over every synced run, read-only.

    docs/operations.md describes the notation; - as EXPRESSION reads a program from stdin.
    """
    from wandb_warehouse.operations import compile_operation

    if dialect != "duckdb" and not as_sql:
        raise click.UsageError("--dialect is of use together with --sql only")
    text = sys.stdin.read() if expression == "-" else expression
    operation = compile_operation(text, dialect, given=_given(warehouse, project, runs, look=not as_sql))
    if as_sql:
        click.echo(operation.sql)
        return
    most = _TABLE_ROWS if form == "table" and limit is None else limit
    write_results(operation, Bounds(warehouse, form, safe, most, timeout))


def _given(warehouse: Path | str, project: str | None, runs: tuple[str, ...], *, look: bool) -> "Given":
    """What the options give a program; with `look`, ids are looked up, so that a wrong one is told."""
    from wandb_warehouse.operations import Given

    named: dict[str, str] = {}
    for place, each in enumerate(runs, 1):
        key, equals, run = each.rpartition("=")
        if equals and not key.isidentifier():
            raise ConfigError(f"--run {each} has no name before =", mend="give --run ID or --run run1=ID")
        wanted = _found(warehouse, run, project) if look else run
        named |= (
            {key: wanted} if equals else {f"run{place}": wanted, **({"run": wanted} if place == 1 else {})}
        )
    return Given(project_of(project), named)


def project_of(given: str | None) -> tuple[str, str] | None:
    """Entity and project that `ENTITY/PROJECT` names; None where nothing is given."""
    if given is None:
        return None
    entity, _, name = given.partition("/")
    if not entity or not name or "/" in name:
        raise ConfigError(f"{given} names no project", mend="give it as ENTITY/PROJECT")
    return entity, name


def _found(warehouse: Path | str, run: str, project: str | None) -> str:
    from wandb_warehouse.warehouse import find_runs

    path, _, run_id = run.rpartition("/")
    wanted = path or project
    found = ["/".join(each) for each in find_runs(warehouse, run_id)]
    kept = [each for each in found if wanted is None or each == f"{wanted}/{run_id}"]
    if not kept:
        where = f" of {wanted}" if wanted else ""
        raise ConfigError(
            f"there is no run {run_id}{where} in {warehouse}", mend="`query` the ids in table runs"
        )
    if len(kept) > 1:
        mend = f"give --project, or the id as {kept[0]}"
        raise ConfigError(f"run {run_id} is in {len(kept)} projects", mend=mend)
    return kept[0]


@dataclass(frozen=True)
class Bounds:
    """How results are read and written."""

    warehouse: Path | str
    form: Format
    safe: bool
    limit: int | None
    timeout: float = 3600


def write_results(operation: "Operation", bounds: Bounds) -> None:
    """Run a compiled operation and write what it gives."""
    many = len(operation.statements) > 1
    if many and bounds.form in ("csv", "ndjson"):
        mend = "end the program with one expression, or take --format json"
        raise ConfigError(f"the program shows {len(operation.statements)} results", mend=mend)
    shown: list[Any] = []
    for statement in operation.statements:
        with _rows(statement, bounds) as (columns, rows):
            if statement.is_text and bounds.form == "table":
                for (line,) in rows:
                    for part in str(line).split("\n") if line is not None else ():
                        click.echo(printable(part))
            elif many and bounds.form == "json":
                shown.append([dict(zip(columns, row, strict=True)) for row in rows])
            else:
                write_rows(columns, rows, bounds.form, safe=bounds.safe)
    if shown:
        write_json(shown)


@contextmanager
def _rows(statement: "Statement", bounds: Bounds) -> Iterator[tuple[list[str], Iterator[list[Any]]]]:
    from wandb_warehouse.operations import VIEWS
    from wandb_warehouse.warehouse import stream_query

    limits: dict[str, Any] = {"timeout": bounds.timeout, "limit": bounds.limit}
    with stream_query(bounds.warehouse, statement.sql, **limits, confine=True, views=VIEWS) as answer:
        yield answer.schema.names, _plain_rows(answer.batches, statement.json, bounds.form)
        truncated = answer.truncated
    if truncated:
        errors().print(
            f"only the first {bounds.limit} rows are shown; use --limit, or --format csv for all of them"
        )


def _plain_rows(batches: Iterator[Any], is_json: tuple[bool, ...], form: Format) -> Iterator[list[Any]]:
    whole = form in ("json", "ndjson")
    for batch in batches:
        columns = [
            [_plain(value, of_json=of_json, whole=whole) for value in column.to_pylist()]
            for column, of_json in zip(batch.columns, is_json, strict=True)
        ]
        yield from (list(row) for row in zip(*columns, strict=True))


def _plain(value: Any, *, of_json: bool, whole: bool) -> Any:
    """A cell as JavaScript shows it: JSON as what it holds, a whole number without a point."""
    found = json.loads(value) if of_json and isinstance(value, str) else value
    if isinstance(found, list | dict) and not whole:
        return value
    return int(found) if isinstance(found, float) and found.is_integer() and abs(found) < _WHOLE else found


_WHOLE = 2**53
