"""Resolvers of the writing half of the schema: runs and their files."""

from collections.abc import Mapping
from typing import Any

from wandb_warehouse.sandbox.context import Context, Forbidden
from wandb_warehouse.sandbox.queries import Resolver
from wandb_warehouse.sandbox.store import Run

__all__ = ["MUTATIONS"]

_RUN_FIELDS = {
    "displayName": "display_name",
    "description": "description",
    "notes": "notes",
    "groupName": "group",
    "jobType": "job_type",
    "commit": "commit",
    "host": "host",
    "sweep": "sweep",
    "tags": "tags",
    "config": "config",
    "summaryMetrics": "summary",
    "state": "state",
}
"""Inputs of `upsertBucket` and the fields of a run they set; a null input leaves the field."""

_DONE = {"success": True}


def _upsert_bucket(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- the schema's argument
    run, inserted = _bucket(context, input)
    given = {field: input[name] for name, field in _RUN_FIELDS.items() if input.get(name) is not None}
    for field, value in given.items():
        setattr(run, field, value)
    if inserted:
        run.state = given.get("state", "running")
    else:
        context.store.edited(run)
    return {"bucket": run, "inserted": inserted}


def _bucket(context: Context, wanted: Mapping[str, Any]) -> tuple[Run, bool]:
    """The run an upsert names, and whether it is new."""
    if wanted.get("id"):
        return context.run_by_id(wanted["id"]), False
    entity = wanted.get("entityName") or str(context.viewer)
    project = context.store.ensure_project(
        entity, wanted.get("modelName") or "uncategorized", username=context.viewer
    )
    if context.readable(entity, project.name) is None or project.read_only:
        raise Forbidden("permission denied", 403)
    name = wanted.get("name")
    run = context.store.find_run(entity, project.name, name) if name else None
    return (run, False) if run else (context.store.new_run(project, name, context.viewer), True)


def _upsert_model(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    """A project by its id, or by its name: made where it is new.

    Source: `CREATE_PROJECT_GQL` of `wandb.apis._generated`.
    """
    entity = input.get("entityName") or str(context.viewer)
    projects = context.store.projects
    known = next((p for p in projects.values() if input.get("id") and p.storage_id == input["id"]), None)
    if known is None and not input.get("name"):
        raise Forbidden("a project without a name", 400)
    name = known.name if known else input["name"]
    inserted = known is None and (entity, name) not in projects
    project = known or context.store.ensure_project(entity, name, username=context.viewer)
    project.description = input.get("description") or project.description
    return {"project": project, "model": project, "inserted": inserted}


def _delete_run(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    run = context.run_by_id(input["id"])
    run.deleted = True
    if input.get("deleteArtifacts"):
        for artifact in context.shelf.made_by(run):
            context.shelf.delete(artifact)
    return {"clientMutationId": input.get("clientMutationId")}


def _update_run_state(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    run = context.run_by_id(input["id"])
    run.state = input["state"]
    context.store.edited(run)
    return _DONE


def _stop_run(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    context.run_by_id(input["id"]).stopped = True
    return _DONE


def _rewind_run(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    run = context.run(input.get("entityName"), input.get("projectName"), input["runName"])
    context.store.rewind(run, int(input["metricValue"]))
    return {"rewoundRun": run}


def _create_run_files(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    run = context.run(input["entityName"], input["projectName"], input["runName"])
    files = [
        {"name": name, "uploadUrl": context.storage(context.store.await_file(run, name))}
        for name in input["files"]
    ]
    return {"runID": run.storage_id, "uploadHeaders": [], "files": files}


def _mark_uploaded(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    run = context.run(input["entityName"], input["projectName"], input["runName"])
    return {"success": all(name in run.files for name in input["files"])}


def _delete_files(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    wanted = set(input["files"])
    for project in context.store.projects.values():
        for run in project.live_runs:
            for name in [name for name in run.files if run.file_id(name) in wanted]:
                del run.files[name]
    return _DONE


MUTATIONS: Mapping[str, Mapping[str, Resolver]] = {
    "Mutation": {
        "upsertBucket": _upsert_bucket,
        "upsertModel": _upsert_model,
        "deleteRun": _delete_run,
        "updateRunState": _update_run_state,
        "stopRun": _stop_run,
        "rewindRun": _rewind_run,
        "createRunFiles": _create_run_files,
        "markRunFilesUploaded": _mark_uploaded,
        "deleteFiles": _delete_files,
    },
}
