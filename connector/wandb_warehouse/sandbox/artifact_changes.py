"""Resolvers of what changes artifacts that are there: versions, links, aliases, collections.

Source: the mutations of `wandb` 0.31 (`sdk/artifacts/_generated`, `sdk/artifacts/_gqlutils.py`) and what its docstrings
say of them; `artifacts` tells what the server does and what of it is a guess. So is the wording of refusals.
"""

from collections.abc import Mapping
from typing import Any

from wandb_warehouse.sandbox.artifacts import Artifact, Collection, Link, Portfolio
from wandb_warehouse.sandbox.artifacts_api import membership_node, tag_nodes
from wandb_warehouse.sandbox.context import Context, Forbidden
from wandb_warehouse.sandbox.queries import Resolver

__all__ = ["ARTIFACT_CHANGES"]

_DONE = {"success": True}
_INHERITED = -1
"""Seconds to live that stand for what the project has it."""


def _use(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- the schema's argument
    artifact = context.artifact(input["artifactID"])
    run = context.run(input["entityName"], input["projectName"], input["runName"])
    if run not in artifact.used_by:
        artifact.used_by.append(run)
    return {"artifact": artifact}


def _update(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = context.artifact(input["artifactID"])
    for name in ("description", "metadata"):
        if input.get(name) is not None:
            setattr(artifact, name, input[name])
    seconds = input.get("ttlDurationSeconds")
    if seconds is not None:
        artifact.ttl = None if seconds == _INHERITED else seconds
    artifact.tags = _retagged(artifact.tags, input.get("tagsToAdd"), input.get("tagsToDelete"))
    artifact.updated_at = context.store.now()
    return {"artifact": artifact}


def _retagged(
    tags: list[str], more: list[dict[str, Any]] | None, less: list[dict[str, Any]] | None
) -> list[str]:
    gone = {tag["tagName"] for tag in less or []}
    return list(
        dict.fromkeys([*(tag for tag in tags if tag not in gone), *(tag["tagName"] for tag in more or [])])
    )


def _delete(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    """Versions that links lead to can be deleted; of aliases those count that it has where it was made."""
    artifact = context.artifact(input["artifactID"])
    if artifact.aliases and not input.get("deleteAliases"):
        raise Forbidden(f"artifact has aliases: {', '.join(artifact.aliases)}", 409)
    context.shelf.delete(artifact)
    return {"artifact": artifact}


def _link(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = context.artifact(input["artifactID"])
    project = context.readable(input["entityName"], input["projectName"])
    if project is None:
        raise Forbidden(f"project {input['entityName']}/{input['projectName']} not found", 404)
    aliases = [each["alias"] for each in input.get("aliases") or []]
    portfolio, link = context.shelf.link(artifact, project, input["artifactPortfolioName"], aliases)
    return {"versionIndex": link.version, "artifactMembership": membership_node(portfolio, link)}


def _unlink(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    portfolio, link = _linked(context, input["artifactID"], context.collection(input["artifactPortfolioID"]))
    context.shelf.unlink(portfolio, link)
    return _DONE


def _linked(context: Context, artifact_id: str, collection: Collection) -> tuple[Portfolio, Link]:
    found = [each for each in context.artifact(artifact_id).links if each[0] is collection]
    if not found:
        raise Forbidden(f"artifact {artifact_id} is not linked into {collection.name}", 404)
    return found[0]


def _named(context: Context, wanted: Mapping[str, Any]) -> Collection:
    """The collection that an alias or a tag is meant in."""
    project = context.readable(wanted["entityName"], wanted["projectName"])
    found = project and context.shelf.collection(project, wanted["artifactCollectionName"])
    if not found:
        raise Forbidden(f"artifact collection {wanted['artifactCollectionName']} not found", 404)
    return found


def _member(
    context: Context, artifact_id: str, wanted: Mapping[str, Any]
) -> tuple[Collection, Artifact | Link]:
    """A version in the collection that an alias is meant in."""
    artifact, collection = context.artifact(artifact_id), _named(context, wanted)
    return (
        (collection, artifact)
        if collection is artifact.collection
        else _linked(context, artifact_id, collection)
    )


def _add_aliases(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    """An alias points to one version of its collection: it moves here from another one."""
    for each in input["aliases"]:
        context.shelf.alias(*_member(context, input["artifactID"], each), [each["alias"]])
    return _DONE


def _delete_aliases(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    for each in input["aliases"]:
        _, member = _member(context, input["artifactID"], each)
        member.aliases = [alias for alias in member.aliases if alias != each["alias"]]
    return _DONE


def _update_collection(name: str) -> Resolver:
    def update(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
        collection = context.collection(input[name])
        if input.get("description") is not None:
            collection.description = input["description"]
        if input.get("name") is not None:
            context.shelf.call(collection, input["name"])
        return {"artifactCollection": collection}

    return update


def _move(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    collection = context.collection(input["artifactSequenceID"])
    collection.type = input["destinationArtifactTypeName"]
    return {"artifactCollection": collection}


def _delete_collection(name: str) -> Resolver:
    def delete(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
        collection = context.collection(input[name])
        context.shelf.remove(collection)
        return {"artifactCollection": collection}

    return delete


def _add_tags(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    collection = _named(context, input)
    collection.tags = _retagged(collection.tags, input["tags"], None)
    return {"tags": tag_nodes(collection.tags)}


def _delete_tags(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    collection = _named(context, input)
    collection.tags = _retagged(collection.tags, None, input["tags"])
    return _DONE


ARTIFACT_CHANGES: Mapping[str, Mapping[str, Resolver]] = {
    "Mutation": {
        "useArtifact": _use,
        "updateArtifact": _update,
        "deleteArtifact": _delete,
        "linkArtifact": _link,
        "unlinkArtifact": _unlink,
        "addAliases": _add_aliases,
        "deleteAliases": _delete_aliases,
        "updateArtifactSequence": _update_collection("artifactSequenceID"),
        "updateArtifactPortfolio": _update_collection("artifactPortfolioID"),
        "moveArtifactSequence": _move,
        "deleteArtifactSequence": _delete_collection("artifactSequenceID"),
        "deleteArtifactPortfolio": _delete_collection("artifactPortfolioID"),
        "createArtifactCollectionTagAssignments": _add_tags,
        "deleteArtifactCollectionTagAssignments": _delete_tags,
    }
}
