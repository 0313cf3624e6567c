"""What a run or a project holds beside details and history, as the API gives it, to tables in the schema's shape."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from typing import Any

import pyarrow as pa

from wandb_warehouse.arrow.history import RunRef, column
from wandb_warehouse.arrow.runs import parse_config, stored_row, stored_table
from wandb_warehouse.arrow.text import escape, loads, loads_rows
from wandb_warehouse.arrow.values import flatten
from wandb_warehouse.arrow.yaml_text import read_yaml
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

__all__ = [
    "artifact_tables",
    "console_table",
    "files_table",
    "metadata_table",
    "reports_table",
    "run_artifacts_table",
    "sweeps_table",
    "system_metrics",
    "users_table",
    "writer_document",
]

Node = Mapping[str, Any]
Row = dict[str, Any]

_LINES_PER_TABLE = 2000
_VERSION = re.compile(r"v([0-9]+)")
_NONFINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    if not rows:  # as of most runs
        return _empty(name)
    return stored_table(name, rows)


@cache
def _empty(name: str) -> pa.Table:
    return TABLES[name].arrow.empty_table()


def _of(run: RunRef) -> Row:
    return {"entity": run.entity, "project": run.project, "run_id": run.run_id}


def system_metrics(run: RunRef, lines: Sequence[str]) -> Iterator[pa.Table]:
    """Give the samples of a run's system metrics, some thousand lines a table; a FatalRemoteError before the first.

    Numbers in quotes ("NaN") are numbers under a key that has numbers and no other text.
    """
    numeric: set[str] = set()
    worded: set[str] = set()
    quotes = any('"NaN"' in line or 'Infinity"' in line for line in lines)
    for records in _chunks(lines):
        for record in records if quotes else ():
            for key, value in flatten(record):
                if type(value) in {int, float}:
                    numeric.add(key)
                elif type(value) is str and value not in _NONFINITE:
                    worded.add(key)
    unquoted = numeric - worded
    seen: Counter[str] = Counter()
    for records in _chunks(lines):
        columns: dict[str, _Samples] = {}
        for record in records:
            time = _moment(record.pop("_timestamp", None))
            runtime = record.pop("_runtime", None)
            record.pop("_wandb", None)
            for key, value in flatten(record):
                samples = columns.setdefault(key, _Samples([], [], []))
                samples.times.append(time)
                samples.runtimes.append(float(runtime) if type(runtime) in {int, float} else None)
                quoted = type(value) is str and key in unquoted
                samples.values.append(_NONFINITE[value] if quoted else value)
        if columns:
            yield _samples_table(run, columns, seen)
        seen.update({key: len(samples.values) for key, samples in columns.items()})


@dataclass(frozen=True, slots=True)
class _Samples:
    """The values of one metric in some samples, each with its time in microseconds."""

    times: list[int | None]
    runtimes: list[float | None]
    values: list[Any]


def _samples_table(run: RunRef, columns: Mapping[str, _Samples], seen: Mapping[str, int]) -> pa.Table:
    """Rows metric by metric, numbered from what was seen of each."""
    schema = TABLES["system_metrics"].arrow
    value, kind, text = column([each for samples in columns.values() for each in samples.values])
    count = len(value)
    sizes = {key: len(samples.values) for key, samples in columns.items()}
    found = {
        **{name: pa.repeat(each, count) for name, each in _of(run).items()},
        "key": pa.array(chain.from_iterable(repeat(escape(key), n) for key, n in sizes.items()), pa.string()),
        "seq": pa.array(
            chain.from_iterable(range(seen[key], seen[key] + n) for key, n in sizes.items()), pa.int64()
        ),
        "time": pa.array(chain.from_iterable(samples.times for samples in columns.values()), pa.int64()).cast(
            schema.field("time").type
        ),
        "runtime": pa.array(
            chain.from_iterable(samples.runtimes for samples in columns.values()), pa.float64()
        ),
        "type": pa.repeat(kind, count) if isinstance(kind, str) else kind.cast(pa.string()),
        "value": value,
        "value_json": pa.nulls(count, pa.string()) if text is None else text,
    }
    return pa.Table.from_arrays([found[name] for name in schema.names], schema=schema)


def _chunks(lines: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(lines), _LINES_PER_TABLE):
        records = loads_rows(lines[start : start + _LINES_PER_TABLE])
        if set(map(type, records)) - {dict}:
            raise FatalRemoteError(
                "a sample of system metrics is no JSON object", mend="report the run to W&B"
            )
        yield records


def _moment(stamp: Any) -> int | None:
    """Seconds since the epoch as microseconds; None where they are none."""
    if type(stamp) not in {int, float} or not 0 <= stamp < 2**37:
        return None
    moment: int = round(stamp * 1e6)
    return moment


def files_table(run: RunRef, nodes: Sequence[Node]) -> pa.Table:
    """Give the files of a run."""
    rows = [
        {
            **_of(run),
            "name": node["name"],
            "size": node.get("sizeBytes"),
            "md5": node.get("md5"),
            "mimetype": node.get("mimetype"),
            "updated_at": node.get("updatedAt"),
        }
        for node in nodes
    ]
    return _table("files", rows)


def console_table(run: RunRef, nodes: Sequence[Node]) -> pa.Table:
    """Give the console lines of a run."""
    rows = [
        {
            **_of(run),
            "line": node["number"],
            "time": node.get("timestamp"),
            "level": node.get("level") or None,
            "label": node.get("label") or None,
            "text": node.get("line") or "",
        }
        for node in nodes
    ]
    return _table("console_logs", rows)


def run_artifacts_table(run: RunRef, edges: Mapping[str, Sequence[Node]]) -> pa.Table:
    """Give the artifact versions of a run by direction, logged or used."""
    rows = []
    for direction, nodes in edges.items():
        for node in nodes:
            source = node.get("artifactSequence") or {}
            index = node.get("versionIndex")
            rows.append(
                {
                    **_of(run),
                    "direction": direction,
                    "artifact_id": node["id"],
                    **_place(source, "artifact_"),
                    "collection": source.get("name"),
                    "type": (node.get("artifactType") or {}).get("name"),
                    "version": None if index is None else f"v{index}",
                    "version_index": index,
                }
            )
    return _table("run_artifacts", rows)


def _place(node: Node | None, prefix: str) -> Row:
    """Entity and project of something that has a project."""
    project = (node or {}).get("project") or {}
    entity = (project.get("entity") or {}).get("name")
    return {f"{prefix}entity": entity, f"{prefix}project": project.get("name")}


_METADATA = {
    "writer_id": ("writerId",),
    "started_at": ("startedAt",),
    "os": ("os",),
    "python": ("python",),
    "host": ("host",),
    "program": ("program",),
    "code_path": ("codePath",),
    "executable": ("executable",),
    "args": ("args",),
    "git_remote": ("git", "remote"),
    "git_commit": ("git", "commit"),
    "gpu": ("gpu",),
    "gpu_count": ("gpu_count",),
    "cpu_count": ("cpu_count",),
    "cpu_count_logical": ("cpu_count_logical",),
    "memory_total": ("memory", "total"),
}
"""Where each column stands in the document."""


def writer_document(config: str | None) -> dict[str, Any] | None:
    """Give what a run's config says of its writer, of several the one started last; None where it says nothing."""
    own = parse_config(config)[1].get("_wandb")
    writers = own.get("e") if isinstance(own, dict) else None
    found = [each for each in writers.values() if isinstance(each, dict)] if isinstance(writers, dict) else []
    return max(found, key=lambda each: str(each.get("startedAt") or ""), default=None)


def metadata_table(run: RunRef, document: Mapping[str, Any], source: str) -> pa.Table:
    """Give the row of a run's metadata; a fact that is not of its kind is left to the document."""
    row: Row = {**_of(run), "source": source, "document": dict(document)}
    for name, path in _METADATA.items():
        value: Any = document
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        try:
            stored_row("run_metadata", {name: value})
        except FatalRemoteError:
            continue
        if not isinstance(value, dict):
            row[name] = value
    return _table("run_metadata", [row])


def artifact_tables(
    entity: str, project: str, collections: Sequence[tuple[str, str, Sequence[Node]]]
) -> dict[str, pa.Table]:
    """Give `artifacts` and `artifact_aliases` of collections, each being type, name and the nodes of its versions."""
    versions: list[Row] = []
    aliases: dict[tuple[str, str], Row] = {}
    for kind, name, nodes in collections:
        home = {"entity": entity, "project": project, "collection": name, "type": kind}
        for node in nodes:
            version = _version(home, node)
            versions.append(version)
            for each in node.get("aliases") or ():
                owner = each.get("artifactCollection")
                if _is_elsewhere(owner, home):
                    continue  # an alias in a collection this version is linked into
                place = {"artifact_id": node["id"], "version_index": version["version_index"]}
                aliases[name, each["alias"]] = {**home, "alias": each["alias"], **place}
    return {
        "artifacts": _table("artifacts", versions),
        "artifact_aliases": _table("artifact_aliases", list(aliases.values())),
    }


def _version(home: Row, node: Node) -> Row:
    source = node.get("artifactSequence") or {}
    creator = node.get("createdBy") or {}
    index = node.get("versionIndex")
    label = (node.get("edge") or {}).get("version")
    in_collection = _VERSION.fullmatch(label) if isinstance(label, str) else None
    if in_collection:
        index = int(in_collection.group(1))  # in a collection it was linked into, versions count anew
    metadata, seconds = node.get("metadata"), node.get("ttlDurationSeconds")
    return {
        **home,
        "artifact_id": node["id"],
        "version": None if index is None else f"v{index}",
        "version_index": index,
        "is_linked": _is_elsewhere(source, home),
        "digest": node.get("digest"),
        "size": node.get("size"),
        "file_count": node.get("fileCount"),
        "state": node.get("state"),
        "description": node.get("description"),
        "metadata": loads(metadata) if isinstance(metadata, str) and metadata else metadata or None,
        "tags": [tag["name"] for tag in node.get("tags") or ()],
        "history_step": node.get("historyStep"),
        "commit_hash": node.get("commitHash"),
        "ttl_seconds": seconds if seconds and int(seconds) > 0 else None,
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        **(_place(creator, "created_by_") if creator.get("name") else {}),
        "created_by_run_id": creator.get("name"),
        "created_by_username": creator.get("username"),
    }


def _is_elsewhere(collection: Node | None, home: Row) -> bool:
    """Tell whether a collection is another one than `home`, as far as the server says."""
    own = {**_place(collection, ""), "collection": (collection or {}).get("name")}
    return any(value is not None and value != home[name] for name, value in own.items())


def sweeps_table(entity: str, project: str, nodes: Sequence[Node]) -> pa.Table:
    """Give the sweeps of a project."""
    rows = []
    for node in nodes:
        text = node.get("config")
        config = read_yaml(text)
        name = config.get("name") if isinstance(config, dict) else None
        method = config.get("method") if isinstance(config, dict) else None
        rows.append(
            {
                "entity": entity,
                "project": project,
                "sweep_id": node["name"],
                "storage_id": node.get("id"),
                "name": name,
                "display_name": node.get("displayName"),
                "method": node.get("method") or method,
                "state": node.get("state"),
                "description": node.get("description"),
                "config": config,
                "config_text": text,
                "best_loss": node.get("bestLoss"),
                "created_at": node.get("createdAt"),
                "updated_at": node.get("updatedAt"),
                "run_count": node.get("runCount"),
                "expected_run_count": node.get("runCountExpected"),
            }
        )
    return _table("sweeps", rows)


def users_table(
    entity: str, project: str, names: Mapping[str, str | None], members: Sequence[Node] | None
) -> pa.Table:
    """Give users by login with their full names, and who of them is a member of the team."""
    listed = {str(each["username"]): each.get("name") for each in members or () if each.get("username")}
    rows = [
        {
            "entity": entity,
            "project": project,
            "username": username,
            "name": listed.get(username) or names.get(username),
            "is_member": None if members is None else username in listed,
        }
        for username in dict.fromkeys([*names, *listed])
    ]
    return _table("users", rows)


def reports_table(entity: str, project: str, nodes: Sequence[Node]) -> pa.Table:
    """Give the reports of a project."""
    rows = [
        {
            "entity": entity,
            "project": project,
            "report_id": node["id"],
            "name": node.get("name"),
            "display_name": node.get("displayName"),
            "description": node.get("description"),
            "username": (node.get("user") or {}).get("username"),
            "created_at": node.get("createdAt"),
            "updated_at": node.get("updatedAt"),
            "spec": loads(node["spec"]) if isinstance(node.get("spec"), str) and node["spec"] else None,
        }
        for node in nodes
    ]
    return _table("reports", rows)
