"""Resolvers of the reading half of the schema, as one table by type and field."""

import json
import random
import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import orjson

from wandb_warehouse.sandbox.clock import served_order, time_text
from wandb_warehouse.sandbox.connection import page
from wandb_warehouse.sandbox.context import Context
from wandb_warehouse.sandbox.filters import TIMES, compile_filter, names_asked, sort_runs
from wandb_warehouse.sandbox.rows import Rows, history_keys, loads
from wandb_warehouse.sandbox.store import File, Project, Run, RunView, opaque, unwrap_config
from wandb_warehouse.sandbox.switches import Switches

__all__ = ["QUERIES", "Resolver", "connection", "file_node", "user_node"]

Resolver = Callable[..., Any]
"""`(source, context, **arguments) -> value`."""

_FEATURES = (
    "LARGE_FILENAMES",
    "ARTIFACT_TAGS",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "SWEEPS_QUERY_FILTERING",
    "FILESTREAM_GZIP",
    "STRUCTURED_CONSOLE_LOGS",
    "MARK_RUN_FILES_UPLOADED",
)
_DEFAULT_SAMPLES = 500
_TAIL = 10
_LIKE = {"%": ".*", "_": "."}
_shuffler = random.Random(0)


def connection(
    context: Context, items: list[Any], *, after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    """One page of a list."""
    return page(items, after, first, context.store.switches.page_cap)


def user_node(name: str | None) -> dict[str, Any] | None:
    """A user by login."""
    if name is None:
        return None
    return {
        "id": opaque("User", name),
        "name": name.replace("-", " ").title(),
        "username": name,
        "email": f"{name}@example.com",
        "admin": False,
        "flags": "{}",
        "entity": name,
        "apiKeys": {"edges": []},
    }


def _teams(user: Mapping[str, Any], context: Context) -> dict[str, Any]:
    teams = sorted({entity for entity, _ in context.store.projects} - {user["username"]})
    return {"edges": [{"node": {"name": team}} for team in teams]}


def file_node(context: Context, file: File, *, owner: str, url: str) -> dict[str, Any]:
    """A file as the API shows it; one not uploaded yet has no time and no digest."""
    there = file.updated_at is not None
    return {
        "id": opaque("File", owner, file.name),
        "name": file.name,
        "displayName": file.name,
        "url": url,
        "directUrl": context.storage(file.path) if there else url,
        "sizeBytes": len(file.body),
        "mimetype": file.mimetype,
        "storagePath": file.path,
        "updatedAt": _time(context, file.updated_at),
        "digest": file.md5 if there else None,
        "md5": file.md5 if there else None,
    }


def _time(context: Context, seconds: float | None) -> str | None:
    return None if seconds is None else time_text(seconds, context.store.switches)


def _entity(name: str) -> dict[str, Any]:
    return {"id": opaque("Entity", name), "name": name, "isTeam": False, "xxhashDigestsEnabled": False}


def _projects(_: Any, context: Context, **arguments: Any) -> dict[str, Any]:
    entity = arguments.pop("entityName", None) or context.viewer
    items = [
        p
        for (owner, name), p in context.store.projects.items()
        if owner == entity and context.readable(owner, name)
    ]
    return connection(context, items, **arguments)


def _selected(project: Project, context: Context, filters: str | None) -> list[Run]:
    """Runs that pass a filter; a query that counts them as well looks at them once."""
    known = context.selected.get((project.storage_id, filters))
    if known is not None:
        return known
    chosen = project.live_runs
    wanted = json.loads(filters) if filters else None
    if wanted:
        passes, named, switches = compile_filter(wanted), names_asked(wanted), context.store.switches
        if named is not None:
            chosen = [run for run in chosen if run.name in named]
        chosen = [run for run in chosen if passes(RunView(run, switches))]
    if context.reads_only:
        context.selected[project.storage_id, filters] = chosen
    return chosen


def _ordered(runs: list[Run], order: str | None, switches: Switches) -> list[Run]:
    """Runs in the asked order; by one time, as clients page through them, it takes no texts of times."""
    if not order:
        return runs
    sign, name = (order[0], order[1:]) if order[0] in "+-" else ("", order)
    if name in TIMES:
        read, number = attrgetter(name), served_order(switches)
        descending = sign == "-" if sign else switches.unsigned_order_descending
        return sorted(runs, key=lambda run: number(read(run)), reverse=descending)
    views = sort_runs(
        [RunView(run, switches) for run in runs],
        order,
        unsigned_descending=switches.unsigned_order_descending,
        null_last=switches.null_placement == "last",
    )
    return [view.run for view in views if isinstance(view, RunView)]


def _runs(
    project: Project,
    context: Context,
    *,
    filters: str | None = None,
    order: str | None = None,
    after: str | None = None,
    first: int | None = None,
) -> dict[str, Any]:
    runs = _ordered(_selected(project, context, filters), order, context.store.switches)
    return connection(context, runs, after=after, first=first)


def _run(project: Project, context: Context, *, name: str, missingOk: bool = False) -> Run | None:  # noqa: ARG001, N803 -- the schema's argument
    return context.store.find_run(project.entity, project.name, name)


def _narrow(text: str, keys: list[str] | None) -> str:
    """The JSON object with the asked top-level entries only; unchanged text when all are asked."""
    if keys is None:
        return text
    return json.dumps({key: value for key, value in loads(text).items() if key in keys})


def _config(run: Run, context: Context, keys: list[str] | None = None) -> str:
    return context.store.served(_narrow(run.config, keys))


def _summary(run: Run, context: Context, keys: list[str] | None = None) -> str:
    return context.store.served(_narrow(run.summary, keys))


def _wandb_config(run: Run, _: Context, keys: list[str] | None = None) -> str:
    own = unwrap_config(run.config).get("_wandb", {})
    return _narrow(json.dumps(own), keys)


def _first_live(run: Run, context: Context) -> int:
    return 0 if context.store.switches.history_includes_exported else run.exported


def _samples(context: Context, samples: int | None) -> int:
    cap = context.store.switches.samples_cap
    asked = _DEFAULT_SAMPLES if samples is None else samples
    return asked if cap is None else min(asked, cap)


def _history(
    run: Run,
    context: Context,
    minStep: int | None = None,  # noqa: N803 -- as above
    maxStep: int | None = None,  # noqa: N803 -- as above
    samples: int | None = None,
) -> orjson.Fragment:
    rows = run.history
    numbers = rows.sample(
        rows.window(_first_live(run, context), minStep, maxStep), _samples(context, samples)
    )
    return orjson.Fragment(rows.texts(numbers, bare=context.store.switches.nan == "bare"))


def _events(run: Run, context: Context, samples: int | None = None) -> orjson.Fragment:
    numbers = run.events.sample(range(len(run.events)), _samples(context, samples))
    return orjson.Fragment(run.events.texts(numbers, bare=context.store.switches.nan == "bare"))


def _sampled_history(run: Run, context: Context, specs: list[str]) -> list[orjson.Fragment]:
    """One list a spec: rows having all of its keys, `maxStep` inclusive."""
    bare = context.store.switches.nan == "bare"
    answers = []
    for spec in map(json.loads, specs):
        high = spec.get("maxStep")
        numbers = run.history.window(
            _first_live(run, context), spec.get("minStep"), None if high is None else int(high) + 1
        )
        having = run.history.having(numbers, spec["keys"])
        chosen = run.history.sample(having, _samples(context, spec.get("samples")))
        answers.append(orjson.Fragment(run.history.objects(chosen, spec["keys"], need_all=True, bare=bare)))
    return answers


def _parquet_history(run: Run, context: Context, liveKeys: list[str]) -> dict[str, Any]:  # noqa: N803 -- as above
    switches = context.store.switches
    urls = [context.storage(path) for path in context.store.export_paths(run)]
    if switches.shuffled_urls:
        _shuffler.shuffle(urls)
    rows = run.history
    tail = range(len(rows), len(rows)) if switches.live_data_empty else range(run.exported, len(rows))
    live = rows.objects(
        tail, liveKeys, need_all=switches.live_keys_and_semantics, bare=switches.nan == "bare"
    )
    return {"parquetUrls": urls, "liveData": orjson.Fragment(live)}


def _tail(rows: Rows) -> str:
    return json.dumps([line.decode() for line in rows.lines[-_TAIL:]])


def _log_lines(
    run: Run,
    context: Context,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    useImprovedPagination: bool = False,  # noqa: ARG001, N803 -- as above
) -> dict[str, Any]:
    lines = [{"number": n, "label": "", **_log_line(text)} for n, text in enumerate(run.log)]
    return connection(context, lines[-last:] if last else lines, after=after, first=first)


def _log_line(text: str) -> dict[str, Any]:
    """A console line: an object with time and content, or (from older writers) plain text."""
    try:
        parsed = loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return {
            "line": str(parsed.get("content", "")),
            "timestamp": parsed.get("ts"),
            "level": parsed.get("level", ""),
        }
    return {"line": text, "timestamp": None, "level": ""}


def _files(
    run: Run,
    context: Context,
    *,
    names: list[str] | None = None,
    pattern: str | None = None,
    after: str | None = None,
    first: int | None = None,
) -> dict[str, Any]:
    """Files by name (unknown names get a placeholder) or by a SQL LIKE pattern."""
    if names:
        chosen = [run.files.get(name) or File(name) for name in names]
    else:
        like = "".join(_LIKE.get(c, re.escape(c)) for c in pattern) if pattern else ".*"
        chosen = [f for name, f in run.files.items() if re.fullmatch(like, name, re.DOTALL)]
    nodes = [
        file_node(
            context,
            file,
            owner=run.storage_id,
            url=context.url(f"/files/{run.entity}/{run.project.name}/{run.name}/{file.name}"),
        )
        for file in chosen
    ]
    return connection(context, nodes, after=after, first=first)


def _read(name: str) -> Resolver:
    return lambda source, _: getattr(source, name)


def _moment(name: str) -> Resolver:
    return lambda source, context: _time(context, getattr(source, name))


def _server_info(*_: Any) -> dict[str, Any]:
    return {
        "features": [{"name": name, "isEnabled": True} for name in _FEATURES],
        "cliVersionInfo": {"max_cli_version": "0.31.0"},
        "latestLocalVersionInfo": None,
    }


def _project(_: Any, context: Context, **arguments: Any) -> Project | None:
    return context.readable(arguments.get("entityName"), arguments.get("name"))


QUERIES: Mapping[str, Mapping[str, Resolver]] = {
    "Query": {
        "viewer": lambda _, context: user_node(context.viewer),
        "serverInfo": _server_info,
        "entity": lambda _, context, name: _entity(name) if context.viewer else None,
        "organization": lambda *_, **__: None,
        "project": _project,
        "model": _project,
        "projects": _projects,
        "models": _projects,
    },
    "User": {"teams": _teams},
    "Project": {
        "id": _read("storage_id"),
        "internalId": lambda project, _: str(project.internal_id),
        "entityName": _read("entity"),
        "entity": lambda project, _: _entity(project.entity),
        "createdAt": _moment("created_at"),
        "access": lambda *_: "ENTITY_READ",
        "isBenchmark": lambda *_: False,
        "readOnly": _read("read_only"),
        "user": lambda project, _: user_node(project.username),
        "runCount": lambda project, context, filters=None: len(_selected(project, context, filters)),
        "runs": _runs,
        "run": _run,
        "bucket": _run,
    },
    "Run": {
        "id": _read("storage_id"),
        "displayName": _read("display_name"),
        "projectId": lambda run, _: str(run.project.internal_id),
        "config": _config,
        "summaryMetrics": _summary,
        "systemMetrics": lambda run, _: json.dumps(run.system_metrics),
        "wandbConfig": _wandb_config,
        "historyKeys": lambda run, _: history_keys(run.history),
        "jobType": _read("job_type"),
        "sweepName": _read("sweep"),
        "createdAt": _moment("created_at"),
        "heartbeatAt": _moment("heartbeat_at"),
        "updatedAt": _moment("updated_at"),
        "computeSeconds": _read("seconds"),
        "readOnly": _read("read_only"),
        "user": lambda run, _: user_node(run.username),
        "historyLineCount": lambda run, _: len(run.history),
        "eventsLineCount": lambda run, _: len(run.events),
        "logLineCount": lambda run, _: len(run.log),
        "historyTail": lambda run, _: _tail(run.history),
        "eventsTail": lambda run, _: _tail(run.events),
        "history": _history,
        "sampledHistory": _sampled_history,
        "parquetHistory": _parquet_history,
        "events": _events,
        "logLines": _log_lines,
        "fileCount": lambda run, _: len(run.files),
        "files": _files,
    },
}
