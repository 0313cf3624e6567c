"""Run nodes, as the API gives them, to the tables of runs; digests that tell whether a run changed.

JSON documents are stored with sorted keys: the server sends objects in random order, and neither stored text
nor digests may depend on it.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow.text import dumps, escape, loads
from wandb_warehouse.arrow.values import classify, flatten
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES, Column

__all__ = [
    "LISTING_FIELDS",
    "detail_digest",
    "listing_digest",
    "parse_config",
    "parse_time",
    "run_tables",
    "stored_row",
    "stored_table",
]

INTERNAL_CONFIG = frozenset({"_wandb", "wandb_version"})
"""Config entries that W&B writes for itself."""

LISTING_FIELDS = (
    "id",
    "name",
    "displayName",
    "state",
    "createdAt",
    "heartbeatAt",
    "historyLineCount",
    "tags",
    "group",
    "jobType",
    "notes",
    "sweepName",
    "user",
)
"""Fields of the light listing, by which a changed run shows."""

_DOCUMENTS = ("config", "summaryMetrics", "systemMetrics", "historyKeys")
"""Fields that hold a JSON document, as text or as an object."""

Node = Mapping[str, Any]
Row = dict[str, Any]


def parse_config(text: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a run's config: the entries its writer set, and all entries; both without W&B's wrapping.

    On the wire an entry is `{"value": v, "desc": ...}`; one without `value` is taken as it is.

    >>> parse_config('{"lr": {"value": 0.1}, "_wandb": {"value": {"t": 1}}}')
    ({'lr': 0.1}, {'lr': 0.1, '_wandb': {'t': 1}})
    """
    return _unwrap(_document(text, "config") or {})


def _unwrap(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    raw = {
        key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for key, entry in document.items()
    }
    return {key: value for key, value in raw.items() if key not in INTERNAL_CONFIG}, raw


def parse_time(text: str | None) -> dt.datetime | None:
    """Read a time of the server: ISO 8601, with or without `Z` and fractions; without a zone it is UTC.

    >>> parse_time("2024-05-20T12:34:56") == parse_time("2024-05-20T12:34:56.000Z")
    True
    """
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise FatalRemoteError("the server sent a time that is not ISO 8601", mend="report it") from error
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def run_tables(
    entity: str, project: str, project_id: str | None, nodes: Sequence[Node]
) -> dict[str, pa.Table]:
    """Give `runs`, `run_config`, `run_summary`, `run_tags` and `metrics` of detailed nodes, by table name.

    Columns are those of `schema.TABLES`; what only the stored history tells (`metrics.stored_count`, ...) is
    null. A `FatalRemoteError` names the run whose node cannot be read.
    """
    rows: dict[str, list[Row]] = {name: [] for name in _BUILDERS}
    try:
        for node in nodes:
            run = {"entity": entity, "project": project, "run_id": node["name"], "project_id": project_id}
            documents = {name: _document(node.get(name), name) for name in _DOCUMENTS}
            for name, build in _BUILDERS.items():
                rows[name] += [{**run, **row} for row in build(node, documents)]
        return {name: stored_table(name, found) for name, found in rows.items()}
    except FatalRemoteError as error:
        if len(nodes) > 1:
            for node in nodes:  # the one that cannot be read raises with its name
                run_tables(entity, project, project_id, [node])
        what = f"run {entity}/{project}/{nodes[0]['name']}: {error.what}"
        raise FatalRemoteError(what, mend=error.mend) from error


def listing_digest(node: Node) -> str:
    """Give the sha256 of what the light listing says of a run; a missing field counts as null."""
    return _digest({name: node.get(name) for name in LISTING_FIELDS})


def detail_digest(node: Node) -> str:
    """Give the sha256 of everything a detailed node says of a run, whatever the order of its keys."""
    return _digest({**node, **{name: _document(node.get(name), name) for name in _DOCUMENTS}})


def _digest(value: Mapping[str, Any]) -> str:
    present = {name: item for name, item in value.items() if item is not None}
    return hashlib.sha256(dumps(present, sort_keys=True).encode()).hexdigest()


def _document(value: Any, name: str) -> dict[str, Any] | None:
    if value is None or value == "":
        return None
    document = loads(value) if isinstance(value, str | bytes) else value
    if document is None or isinstance(document, dict):
        return document
    raise FatalRemoteError(f"its {name} is no JSON object", mend="report the run to W&B")


Documents = Mapping[str, dict[str, Any] | None]


def _run(node: Node, documents: Documents) -> list[Row]:
    config, raw_config = (None, None) if documents["config"] is None else _unwrap(documents["config"])
    history_keys = documents["historyKeys"]
    user = node.get("user") or {}
    return [
        {
            "storage_id": node.get("id"),
            "name": node.get("displayName"),
            "state": node.get("state"),
            "username": user.get("username"),
            "user_name": user.get("name"),
            "run_group": node.get("group"),
            "job_type": node.get("jobType"),
            "sweep_id": node.get("sweepName"),
            "commit": node.get("commit"),
            "host": node.get("host"),
            "description": node.get("description"),
            "notes": node.get("notes"),
            "tags": node.get("tags") or [],
            "created_at": node.get("createdAt"),
            "heartbeat_at": node.get("heartbeatAt"),
            "runtime": node.get("computeSeconds"),
            "last_step": -1 if history_keys is None else history_keys.get("lastStep", -1),
            "history_line_count": node.get("historyLineCount"),
            "read_only": node.get("readOnly"),
            "config": config,
            "raw_config": raw_config,
            "summary": documents["summaryMetrics"],
            "system_metrics": documents["systemMetrics"],
            "history_keys": history_keys,
        }
    ]


def _config(_: Node, documents: Documents) -> list[Row]:
    return _keyed(_unwrap(documents["config"] or {})[0])


def _summary(_: Node, documents: Documents) -> list[Row]:
    return _keyed(documents["summaryMetrics"] or {})


def _keyed(document: Mapping[str, Any]) -> list[Row]:
    """One row a leaf; `seq` numbers the leaves of one dotted key in the order of their paths."""
    times: Counter[str] = Counter()
    rows = []
    for key, leaf in flatten(document):
        kind, value, value_json = classify(leaf)
        rows.append({"key": key, "seq": times[key], "type": kind, "value": value, "value_json": value_json})
        times[key] += 1
    return rows


def _tags(node: Node, _: Documents) -> list[Row]:
    return [{"tag": tag, "position": position} for position, tag in enumerate(node.get("tags") or ())]


def _metrics(_: Node, documents: Documents) -> list[Row]:
    """One row a key of the server's index; `_step` is a column of the history, not a key."""
    keys = (documents["historyKeys"] or {}).get("keys") or {}
    rows = []
    for key, entry in keys.items():
        if key == "_step":
            continue
        types = (entry or {}).get("typeCounts") or []
        counts = [count["count"] for count in types if count.get("count") is not None]
        kinds = sorted({count["type"] for count in types if count.get("type")})
        rows.append({"key": key, "types": kinds, "count": sum(counts) if counts else None})
    return rows


_BUILDERS: dict[str, Callable[[Node, Documents], list[Row]]] = {
    "runs": _run,
    "run_config": _config,
    "run_summary": _summary,
    "run_tags": _tags,
    "metrics": _metrics,
}

_STORE: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: escape(str(value)),
    "json": lambda value: dumps(value, sort_keys=True),
    "bigint": int,
    "double": float,
    "bool": bool,
    "timestamp": parse_time,
}
"""How a value of the API becomes a stored one, by the kind of its column."""


def _storing(column: Column) -> Callable[[Any], Any]:
    return str if column.name == "value_json" else _STORE[column.kind]  # JSON text already


def stored_table(table: str, rows: Sequence[Row]) -> pa.Table:
    """Give rows of a declared table as they are stored, from values as the API gives them, column by column."""
    columns = []
    for column, field in zip(TABLES[table].columns, TABLES[table].arrow, strict=True):
        store = _storing(column)
        try:
            values = [None if (value := row.get(column.name)) is None else store(value) for row in rows]
        except (TypeError, ValueError, OverflowError):
            for row in rows:  # the one that cannot be stored raises in words
                stored_row(table, row)
            raise
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=TABLES[table].arrow)


def stored_row(table: str, row: Row) -> Row:
    """Give a row of a declared table as it is stored, from values as the API gives them."""
    stored: Row = {}
    for column in TABLES[table].columns:
        value = row.get(column.name)
        if value is None:
            stored[column.name] = None
            continue
        try:
            stored[column.name] = _storing(column)(value)
        except (TypeError, ValueError, OverflowError) as error:
            what = f"its {column.name} is no {column.kind}: {type(value).__name__}"
            raise FatalRemoteError(what, mend="report the run to W&B") from error
    return stored
