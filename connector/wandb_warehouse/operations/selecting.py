"""Runs as `Api.runs(filters=..., order=...)` selects them, compiled to SQL by the same tree as expressions."""

from collections.abc import Mapping, Sequence
from typing import Any

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.compiling import Operation, compile_nodes
from wandb_warehouse.operations.filters import field_value, filter_condition, read_filter

__all__ = ["compile_runs"]

_SHOWN = {
    "entity": t.TEXT,
    "project": t.TEXT,
    "run_id": t.TEXT,
    "name": t.TEXT,
    "state": t.TEXT,
    "username": t.TEXT,
    "run_group": t.TEXT,
    "job_type": t.TEXT,
    "sweep_id": t.TEXT,
    "created_at": t.DATE,
    "heartbeat_at": t.DATE,
    "runtime": t.NUMBER,
}


def compile_runs(
    filters: Mapping[str, Any] | str | None = None,
    order: str | None = "+created_at",
    *,
    limit: int | None = None,
    project: tuple[str, str] | None = None,
    columns: Sequence[str] | None = None,
    dialect: str = "duckdb",
) -> Operation:
    """Compile a selection of runs to SQL: one row a run, with what a list of runs shows.

    Args:
        filters: a MongoDB-style filter, or its JSON; docs/filters.md describes it.
        order: fields with a sign, as `-summary_metrics.accuracy,+created_at`; the first decides; without a sign an
            order descends, as at the server. What lacks a field comes last; ties are in the order of creation.
        limit: runs at most.
        project: only runs of this entity and project.
        columns: of what a list of runs shows, only these.
        dialect: the engine that will run the SQL.

    Raises:
        OperationError: a part of the filter or the order is not understood.

    Source: `Api.runs(path, filters, order)`.

    >>> compile_runs({"config.lr": {"$gt": 0.01}}, "-created_at").sql.count("config_values")
    1
    """
    given = read_filter(filters) if isinstance(filters, str) else filters
    runs: t.Node = t.AllRuns(project, type=t.list_of(t.RUN))
    if given:
        variable = t.Variable("run", type=t.RUN)
        runs = t.Filter(runs, variable, filter_condition(given, variable), type=runs.type)
    keys = t.Variable("run", type=t.RUN)
    if order:
        runs = t.Sort(runs, keys, tuple(_keys(order, keys)), type=runs.type)
    if limit is not None:
        runs = t.Slice(runs, 0, limit, type=runs.type)
    shown = t.Variable("run", type=t.RUN)
    entries: list[tuple[str, t.Node]] = [
        (name, t.Attribute(shown, name, type=type_)) for name, type_ in _SHOWN.items()
    ]
    entries.append(("tags", t.Tags(shown, type=t.list_of(t.TEXT))))
    if columns is not None:
        entries = [entry for entry in entries if entry[0] in columns]
    types = tuple((name, node.type) for name, node in entries)
    record = t.Record(tuple(entries), type=t.RecordType("a record", types))
    return compile_nodes([t.Each(runs, shown, record, type=t.list_of(record.type))], dialect)


def _keys(order: str, run: t.Node) -> list[tuple[t.Node, bool]]:
    """The keys of an order: a value by its kind first, as MongoDB orders kinds."""
    keys: list[tuple[t.Node, bool]] = []
    for part in order.split(","):
        field = part.strip()
        descends = not field.startswith("+")
        value = field_value(field.lstrip("+-"), run)
        if value.type == t.VALUE:
            parts = ("rank", t.NUMBER), ("own_number", t.NUMBER), ("text", t.TEXT)
            keys += [(t.Apply(function, (value,), type=type_), descends) for function, type_ in parts]
        elif isinstance(value.type, t.ListType):
            raise OperationError(
                f"runs are not ordered by {field.lstrip('+-')}", mend="order by another field"
            )
        else:
            keys.append((value, descends))
    return keys
