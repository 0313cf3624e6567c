"""Sweeps, reports and members: what a project holds beside its runs, reading and writing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wandb_warehouse.sandbox.clock import time_text
from wandb_warehouse.sandbox.context import Context, Forbidden
from wandb_warehouse.sandbox.queries import Resolver, connection, user_node
from wandb_warehouse.sandbox.store import Project, Report, Run, Sweep, opaque

__all__ = ["BOARDS"]

_METHOD = re.compile(r"""^["']?method["']?:\s*["']?(\w+)""", re.MULTILINE)
_CAP = re.compile(r"^run_cap:\s*(\d+)", re.MULTILINE)


@dataclass
class _Shown:
    """A sweep as the API shows it: what was configured, and the runs that name it."""

    project: Project
    sweep: Sweep
    members: list[Run] = field(default_factory=list)


def _time(context: Context, seconds: float | None) -> str | None:
    return None if seconds is None else time_text(seconds, context.store.switches)


def _sweep(project: Project, _: Context, sweepName: str) -> _Shown | None:  # noqa: N803 -- the schema's argument
    """A sweep by its id; runs may name one that nobody configured here."""
    members = [run for run in project.live_runs if run.sweep == sweepName]
    sweep = project.sweeps.get(sweepName)
    if sweep is None and members:
        sweep = Sweep(sweepName, '{"method": "random"}', min(run.created_at for run in members), "FINISHED")
    return _Shown(project, sweep, members) if sweep else None


def _sweeps(project: Project, context: Context, **arguments: Any) -> dict[str, Any]:
    arguments.pop("filters", None)
    names = dict.fromkeys([*project.sweeps, *sorted({run.sweep for run in project.live_runs if run.sweep})])
    return connection(context, [_sweep(project, context, name) for name in names], **arguments)


def _method(shown: _Shown, _: Context) -> str | None:
    found = _METHOD.search(shown.sweep.config.lstrip("{ "))
    return found.group(1) if found else None


def _expected(shown: _Shown, _: Context) -> int | None:
    found = _CAP.search(shown.sweep.config)
    return int(found.group(1)) if found else None


def _updated(shown: _Shown, context: Context) -> str | None:
    return _time(context, max([shown.sweep.created_at, *(run.updated_at for run in shown.members)]))


def _upsert_sweep(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- the schema's argument
    entity = input.get("entityName") or str(context.viewer)
    project = context.store.ensure_project(entity, input.get("projectName") or "uncategorized")
    known = [sweep for sweep in project.sweeps.values() if _sweep_id(project, sweep) == input.get("id")]
    if input.get("id") and not known:
        raise Forbidden(f"sweep {input['id']} not found", 404)
    name = f"sweep{context.store.number():03}"
    sweep = known[0] if known else Sweep(name, "", context.store.now(), "PENDING")
    for given, name in (
        ("config", "config"),
        ("state", "state"),
        ("description", "description"),
        ("displayName", "display_name"),
    ):
        if input.get(given) is not None:
            setattr(sweep, name, input[given])
    project.sweeps[sweep.name] = sweep
    return {"sweep": _Shown(project, sweep), "configValidationWarnings": []}


def _sweep_id(project: Project, sweep: Sweep) -> str:
    return opaque("Sweep", sweep.name, project.name, project.entity)


def _views(
    project: Project,
    context: Context,
    *,
    viewType: str | None = None,  # noqa: N803 -- the schema's argument
    viewName: str | None = None,  # noqa: N803 -- as above
    **arguments: Any,
) -> dict[str, Any]:
    chosen = [
        report
        for report in project.reports
        if report.kind == (viewType or "runs") and viewName in {None, report.name}
    ]
    return connection(context, chosen, **arguments)


def _members(entity: Mapping[str, Any], context: Context) -> list[dict[str, Any]]:
    names = context.store.members.get(entity["name"], [])
    return [{**(user_node(name) or {}), "pending": False} for name in names]


def _report_user(report: Report, _: Context) -> dict[str, Any] | None:
    return user_node(report.username)


BOARDS: Mapping[str, Mapping[str, Resolver]] = {
    "Entity": {"members": _members},
    "Mutation": {"upsertSweep": _upsert_sweep},
    "Project": {
        "sweep": _sweep,
        "sweeps": _sweeps,
        "totalSweeps": lambda project, context: _sweeps(project, context)["totalCount"],
        "allViews": _views,
    },
    "Sweep": {
        "id": lambda shown, _: _sweep_id(shown.project, shown.sweep),
        "name": lambda shown, _: shown.sweep.name,
        "displayName": lambda shown, _: shown.sweep.display_name,
        "project": lambda shown, _: shown.project,
        "method": _method,
        "state": lambda shown, _: shown.sweep.state,
        "description": lambda shown, _: shown.sweep.description,
        "bestLoss": lambda shown, _: shown.sweep.best_loss,
        "config": lambda shown, _: shown.sweep.config,
        "createdAt": lambda shown, context: _time(context, shown.sweep.created_at),
        "updatedAt": _updated,
        "runCount": lambda shown, _: len(shown.members),
        "runCountExpected": _expected,
        "runs": lambda shown, context, **arguments: connection(context, shown.members, **arguments),
    },
    "View": {
        "id": lambda report, _: opaque("View", report.number),
        "displayName": lambda report, _: report.display_name,
        "user": _report_user,
        "createdAt": lambda report, context: _time(context, report.created_at),
        "updatedAt": lambda report, context: _time(context, report.created_at),
    },
}
