"""Tables that runs logged (`wandb.Table`): where a run refers to them, their rows in `logged_tables`, their cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow.history import RunRef, column
from wandb_warehouse.arrow.runs import stored_table
from wandb_warehouse.arrow.text import escape, loads
from wandb_warehouse.arrow.values import flatten
from wandb_warehouse.schema import TABLES

__all__ = [
    "TableFacts",
    "TablePlace",
    "TableRef",
    "table_cells",
    "table_facts",
    "table_keys",
    "table_refs",
    "table_row",
]

TABLE_TYPES = frozenset({"table-file", "incremental-table-file", "partitioned-table", "joined-table"})
"""`_type` of the objects that stand for a table in history and summary."""

INCREMENTAL = "incremental-table-file"


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table as a run refers to it, under one key; several steps may refer to the same file."""

    key: str
    path: str
    """What names the file: its path in the run, else its place in an artifact."""
    type: str
    file_path: str | None = None
    artifact_path: str | None = None
    sha256: str | None = None
    size: int | None = None
    row_count: int | None = None
    """Rows the writer logged, of all increments so far where it is one."""
    increment: int | None = None
    step: int | None = None
    last_step: int | None = None


@dataclass(frozen=True, slots=True)
class TablePlace:
    """What the cells of one table have in common."""

    run: RunRef
    key: str
    path: str


def table_keys(index: Any) -> dict[str, int]:
    """Give the keys of a run's history index that hold tables, alone or in lists, with the rows that have the key.

    >>> table_keys({"keys": {"t": {"typeCounts": [{"type": "table-file", "count": 2}]}, "loss": {}}})
    {'t': 2}
    """
    index = loads(index) if isinstance(index, str | bytes) and index else index
    keys = index.get("keys") if isinstance(index, dict) else None
    found = {}
    for key, entry in (keys if isinstance(keys, dict) else {}).items():
        counts = (entry if isinstance(entry, dict) else {}).get("typeCounts") or ()
        if any(_names_table(count) for count in counts):
            found[key] = sum(count.get("count") or 0 for count in counts if isinstance(count, dict))
    return found


def _names_table(count: Any) -> bool:
    """Tell whether a type count is of tables, or of lists of them."""
    if not isinstance(count, dict):
        return False
    return count.get("type") in TABLE_TYPES or any(map(_names_table, count.get("items") or ()))


def table_refs(summary: Any, sampled: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[TableRef]:
    """Give the tables that a run's summary (JSON text or object) and rows of its history refer to, each once.

    `sampled` has the rows of each key, holding `_step` and the key.
    """
    found: dict[tuple[str, str], TableRef] = {}
    for key, rows in sampled.items():
        for row in rows:
            for value in _tables(row.get(key)):
                _note(found, _ref(key, value, _step(row.get("_step"))))
    document = loads(summary) if isinstance(summary, str | bytes) and summary else summary
    for key, leaf in flatten(document) if isinstance(document, dict) else ():
        for value in _tables(leaf):
            _note(found, _ref(key, value, None))
    return sorted(found.values(), key=lambda ref: (ref.key, ref.path))


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    """Objects that stand for a table: the value itself, or elements of lists."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict) and each.get("_type") in TABLE_TYPES:
            yield each


def _ref(key: str, value: Mapping[str, Any], step: int | None) -> TableRef:
    def text(name: str) -> str | None:
        found = value.get(name)
        return found if isinstance(found, str) and found else None

    def number(name: str) -> int | None:
        found = value.get(name)
        return found if type(found) is int and 0 <= found < 2**63 else None

    file_path, artifact_path = text("path"), text("artifact_path")
    return TableRef(
        key,
        file_path or artifact_path or "",
        str(value["_type"]),
        file_path,
        artifact_path,
        text("sha256"),
        number("size"),
        number("nrows"),
        number("increment_num") if value["_type"] == INCREMENTAL else None,
        step,
        step,
    )


def _note(found: dict[tuple[str, str], TableRef], ref: TableRef) -> None:
    """Keep a reference; a later one to the same file tells the newer facts, and the steps span both."""
    known = found.get((ref.key, ref.path))
    if known is not None:
        steps = [s for s in (known.step, known.last_step, ref.step) if s is not None]
        ref = replace(ref, step=min(steps, default=None), last_step=max(steps, default=None))
    found[ref.key, ref.path] = ref


def _step(step: Any) -> int | None:
    return int(step) if type(step) in {int, float} and step == step // 1 and abs(step) < 2**63 else None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a file says of its table beside the cells."""

    columns: list[str]
    types: Any = None
    """W&B's types as the file has them; None where it has none."""
    definition: dict[str, Any] | None = None
    row_count: int | None = None
    """Rows the file says it has; None where it does not."""
    elsewhere: tuple[str, ...] = ()
    """Columns whose arrays stand in a file of their own, so that their cells are empty here."""

    def described(self) -> list[dict[str, Any]]:
        """Name and W&B's type names of each column; no types where the file has none."""
        map_ = _type_map(self.types)
        return [
            {"name": name, **({"types": _type_names(map_[name])} if name in map_ else {})}
            for name in self.columns
        ]


_KNOWN = frozenset(
    {"_type", "columns", "column_types", "ncols", "nrows", "log_mode", "increment_num"}
    | {"previous_increments_paths"}
)
"""Members of a file that have columns of their own, or say what the reference says already."""


def table_facts(columns: list[str], members: Mapping[str, Any]) -> TableFacts:
    """Read what a file holds beside its rows."""
    types, rows = members.get("column_types"), members.get("nrows")
    more = {name: value for name, value in members.items() if name not in _KNOWN}
    away = tuple(name for name in columns if "serialization_path" in _parameters(_type_map(types).get(name)))
    return TableFacts(columns, types, more or None, rows if type(rows) is int else None, away)


def _type_map(types: Any) -> dict[str, Any]:
    params = types.get("params") if isinstance(types, dict) else None
    found = params.get("type_map") if isinstance(params, dict) else None
    return {escape(name): kind for name, kind in found.items()} if isinstance(found, dict) else {}


def _members_of(kind: Any) -> list[dict[str, Any]]:
    """A type, or the types of a union."""
    if not isinstance(kind, dict):
        return []
    params = kind.get("params")
    allowed = params.get("allowed_types") if isinstance(params, dict) else None
    if kind.get("wb_type") == "union" and isinstance(allowed, list):
        return [each for each in allowed if isinstance(each, dict)]
    return [kind]


def _type_names(kind: Any) -> list[str]:
    return sorted({str(each.get("wb_type")) for each in _members_of(kind)})


def _parameters(kind: Any) -> set[str]:
    """Names of the parameters of a type that are set, of any of a union."""
    found: set[str] = set()
    for each in _members_of(kind):
        params = each.get("params")
        found |= {name for name, value in params.items() if value} if isinstance(params, dict) else set()
    return found


def table_row(
    run: RunRef,
    ref: TableRef,
    state: str,
    *,
    facts: TableFacts | None = None,
    rows: int = 0,
    size: int | None = None,
    source: str | None = None,
    error: str | None = None,
) -> pa.Table:
    """Give the row of one table."""
    row: dict[str, Any] = {
        "entity": run.entity,
        "project": run.project,
        "run_id": run.run_id,
        "key": ref.key,
        "path": ref.path,
        "step": ref.step,
        "last_step": ref.last_step,
        "type": ref.type,
        "increment": ref.increment,
        "sha256": ref.sha256,
        "size": ref.size if size is None else size,
        "source": source,
        "state": state,
        "error": error,
    }
    if facts is not None:
        row |= {
            "row_count": rows,
            "column_count": len(facts.columns),
            "columns": facts.described(),
            "column_types": facts.types,
            "definition": facts.definition,
        }
    return stored_table("logged_tables", [row])


def table_cells(
    place: TablePlace, columns: Sequence[str], rows: Sequence[Sequence[Any]], first_row: int
) -> pa.Table:
    """Give the cells of some rows, column by column, in the declared schema; `columns` as `column_names` gives them."""
    schema = TABLES["logged_table_cells"].arrow
    count = len(rows)
    numbers = pa.array(range(first_row, first_row + count), pa.int64())
    constant = {
        **{name: getattr(place.run, name) for name in ("entity", "project", "run_id")},
        "key": escape(place.key),
        "path": escape(place.path),
    }
    shared = {name: pa.repeat(pa.scalar(text, pa.string()), count) for name, text in constant.items()}
    tables = []
    for place_in_row, (name, values) in enumerate(zip(columns, zip(*rows, strict=True), strict=True)):
        value, kind, text = column(list(values))
        found = {
            **shared,
            "row_index": numbers,
            "column_index": pa.repeat(pa.scalar(place_in_row, pa.int64()), count),
            "column_name": pa.repeat(pa.scalar(name, pa.string()), count),
            "type": pa.repeat(pa.scalar(kind, pa.string()), count)
            if isinstance(kind, str)
            else kind.cast(pa.string()),
            "value": value,
            "value_json": pa.nulls(count, pa.string()) if text is None else text,
        }
        tables.append(pa.Table.from_arrays([found[name] for name in schema.names], schema=schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()
