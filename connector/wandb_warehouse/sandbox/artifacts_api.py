"""Resolvers of artifacts: reading them, and making versions."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from wandb_warehouse.sandbox.artifacts import Artifact, Collection, Link
from wandb_warehouse.sandbox.clock import time_text
from wandb_warehouse.sandbox.context import Context, Forbidden
from wandb_warehouse.sandbox.filters import compile_filter
from wandb_warehouse.sandbox.queries import Resolver, connection, file_node
from wandb_warehouse.sandbox.store import File, Project, Run, opaque

__all__ = ["ARTIFACTS", "membership_node", "tag_nodes"]


def _time(source: Artifact | Collection | Link, context: Context) -> str:
    return time_text(source.created_at, context.store.switches)


def _updated(artifact: Artifact, context: Context) -> str:
    seconds = artifact.created_at if artifact.updated_at is None else artifact.updated_at
    return time_text(seconds, context.store.switches)


def _create(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- the schema's argument
    project = context.store.ensure_project(input["entityName"], input["projectName"], username=context.viewer)
    run = context.store.find_run(project.entity, project.name, input.get("runName") or "")
    return {"artifact": context.shelf.create(project, run, input)}


def _create_manifest(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = context.artifact(input["artifactID"])
    artifact.manifest.name = input["name"]
    return {"artifactManifest": _manifest(artifact, context, upload=True)}


def _update_manifest(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    number = input["artifactManifestID"]
    artifact = next(
        (a for a in context.shelf.artifacts.values() if opaque("ArtifactManifest", a.number) == number), None
    )
    if artifact is None:
        raise Forbidden(f"artifact manifest {number} not found", 404)
    return {"artifactManifest": _manifest(artifact, context, upload=True)}


def _manifest(artifact: Artifact, context: Context, *, upload: bool = False) -> dict[str, Any]:
    file = artifact.manifest
    node = file_node(context, file, owner=artifact.id, url=context.storage(file.path))
    if upload:
        node |= {"uploadUrl": context.storage(context.shelf.await_manifest(artifact)), "uploadHeaders": []}
    return {"id": opaque("ArtifactManifest", artifact.number), "digest": artifact.digest, "file": node}


def _create_files(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    nodes = []
    for wanted in input["artifactFiles"]:
        artifact = context.artifact(wanted["artifactID"])
        path = context.shelf.await_content(artifact, wanted["name"], wanted["md5"])
        nodes.append(
            {
                "id": opaque("File", artifact.id, wanted["name"]),
                "name": wanted["name"],
                "displayName": wanted["name"],
                "storagePath": wanted["name"],
                "uploadUrl": context.storage(path) if path else None,
                "uploadHeaders": [],
                "artifact": artifact,
            }
        )
    edges = [{"node": node, "cursor": node["id"]} for node in nodes]
    return {"files": {"edges": edges, "pageInfo": {"hasNextPage": False}, "totalCount": len(nodes)}}


def _commit(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = context.artifact(input["artifactID"])
    context.shelf.commit(artifact)
    return {"artifact": artifact}


def _files(
    artifact: Artifact, context: Context, *, names: list[str] | None = None, **arguments: Any
) -> dict[str, Any]:
    """Files of a version by its manifest."""
    nodes = []
    for name, entry in artifact.entries.items():
        content = context.shelf.content(artifact, entry["digest"])
        if content and (not names or name in names):
            shown = File(name, content.body, content.updated_at, content.path)
            nodes.append(file_node(context, shown, owner=artifact.id, url=context.storage(content.path)))
    return connection(context, nodes, **arguments)


def _files_by_entries(
    artifact: Artifact, context: Context, *, entries: list[dict[str, Any]] | None = None, **_: Any
) -> dict[str, Any]:
    names = [entry["name"] for entry in entries or [] if entry.get("name")]
    return _files(artifact, context, names=names, first=context.store.switches.page_cap)


def membership_node(collection: Collection, member: Artifact | Link) -> dict[str, Any]:
    """A version in a collection."""
    return {
        "id": opaque("ArtifactCollectionMembership", collection.number, member.artifact.number),
        "versionIndex": member.version,
        "aliases": _aliases_in(collection, member),
        "artifactCollection": collection,
        "artifact": member.artifact,
        "member": member,
    }


def _aliases_in(collection: Collection, member: Artifact | Link) -> list[dict[str, Any]]:
    return [
        {
            "id": opaque("ArtifactAlias", collection.number, alias),
            "alias": alias,
            "artifactCollection": collection,
        }
        for alias in member.aliases
    ]


def _memberships(artifact: Artifact) -> list[tuple[Collection, Artifact | Link]]:
    """A version in every collection that has it, first the one it was made in."""
    return [(artifact.collection, artifact), *artifact.links]


def _aliases(artifact: Artifact, *_: Any) -> list[dict[str, Any]]:
    """Aliases of a version, also those of its links."""
    return [alias for each in _memberships(artifact) for alias in _aliases_in(*each)]


def _collection_aliases(collection: Collection, context: Context, **arguments: Any) -> dict[str, Any]:
    found = [alias for member in collection.members for alias in _aliases_in(collection, member)]
    return connection(context, sorted(found, key=lambda each: str(each["alias"])), **arguments)


def _membership(collection: Collection, _: Context, *, aliasName: str) -> dict[str, Any] | None:  # noqa: N803 -- as above
    member = collection.find(aliasName)
    return membership_node(collection, member) if member else None


def _by_name(project: Project, context: Context, name: str) -> dict[str, Any] | None:
    """A version by `collection:alias`."""
    title, _, alias = name.partition(":")
    collection = context.shelf.collection(project, title)
    return _membership(collection, context, aliasName=alias or "latest") if collection else None


def _project_artifact(project: Project, context: Context, name: str) -> Artifact | None:
    found = _by_name(project, context, name)
    return found["artifact"] if found else None


def _type(project: Project, context: Context, name: str) -> dict[str, Any] | None:
    members = [c for c in context.shelf.of_project(project) if c.type == name]
    if not members:
        return None
    return {
        "id": opaque("ArtifactType", project.entity, project.name, name),
        "name": name,
        "createdAt": _time(members[0], context),
        "members": members,
    }


def _types(project: Project, context: Context, **arguments: Any) -> dict[str, Any]:
    names = sorted({c.type for c in context.shelf.of_project(project)})
    return connection(context, [_type(project, context, name) for name in names], **arguments)


def _collections(
    collections: list[Collection],
    context: Context,
    *,
    filters: str | None = None,  # noqa: ARG001 -- the schema's argument; nobody asks with one
    order: str | None = None,  # noqa: ARG001 -- as above
    **arguments: Any,
) -> dict[str, Any]:
    return connection(context, collections, **arguments)


def _versions(
    collection: Collection,
    context: Context,
    *,
    filters: str | None = None,
    order: str | None = None,  # noqa: ARG001 -- as above
    **arguments: Any,
) -> dict[str, Any]:
    """Versions, newest first; in every state where none is asked for: the official client asks for committed ones."""
    passes = compile_filter(json.loads(filters)) if filters else None
    newest_first = [
        member
        for member in reversed(collection.members)
        if passes is None or passes({"state": member.artifact.state})
    ]
    shown = connection(context, newest_first, **arguments)
    for edge in shown["edges"]:
        member = edge["node"]
        edge["version"] = None if member.version is None else f"v{member.version}"
        edge["node"] = member.artifact
    return shown


def _output(run: Run, context: Context, **arguments: Any) -> dict[str, Any]:
    return connection(context, [a for a in _committed(context) if run in a.logged_by], **arguments)


def _input(run: Run, context: Context, **arguments: Any) -> dict[str, Any]:
    return connection(context, [a for a in _committed(context) if run in a.used_by], **arguments)


def _committed(context: Context) -> list[Artifact]:
    return [a for a in context.shelf.artifacts.values() if a.state == "COMMITTED"]


def tag_nodes(tags: Iterable[str]) -> list[dict[str, Any]]:
    """Tags as the API shows them."""
    return [{"id": opaque("Tag", tag), "name": tag} for tag in tags]


def _client_id(_: Any, context: Context, clientID: str) -> dict[str, Any] | None:  # noqa: N803 -- as above
    server_id = context.shelf.by_client_id(clientID)
    return {"serverID": server_id} if server_id else None


def _collection_type(collection: Collection, context: Context) -> dict[str, Any] | None:
    return _type(collection.project, context, collection.type)


_COLLECTION: Mapping[str, Resolver] = {
    "createdAt": _time,
    "updatedAt": _time,
    "defaultArtifactType": _collection_type,
    "artifacts": _versions,
    "artifactMembership": _membership,
    "aliases": _collection_aliases,
    "tags": lambda collection, _, **__: {"edges": [{"node": node} for node in tag_nodes(collection.tags)]},
}

ARTIFACTS: Mapping[str, Mapping[str, Resolver]] = {
    "Query": {
        "artifact": lambda _, context, id: context.shelf.artifacts.get(id),  # noqa: A006 -- the schema's argument
        "artifactCollection": lambda _, context, id: next(  # noqa: A006 -- as above
            (c for c in context.shelf.collections.values() if c.id == id), None
        ),
        "clientIDMapping": _client_id,
    },
    "Mutation": {
        "createArtifact": _create,
        "createArtifactManifest": _create_manifest,
        "updateArtifactManifest": _update_manifest,
        "createArtifactFiles": _create_files,
        "commitArtifact": _commit,
    },
    "Project": {
        "artifactTypes": _types,
        "artifactType": _type,
        "artifactCollection": lambda project, context, name: context.shelf.collection(project, name),
        "artifactCollections": lambda project, context, **arguments: _collections(
            context.shelf.of_project(project), context, **arguments
        ),
        "artifactCollectionMembership": _by_name,
        "artifact": _project_artifact,
    },
    "Run": {"outputArtifacts": _output, "inputArtifacts": _input},
    "ArtifactType": {
        "artifactCollections": lambda kind, context, **arguments: _collections(
            kind["members"], context, **arguments
        ),
        "artifactCollection": lambda kind, _, name: next(
            (c for c in kind["members"] if c.name == name), None
        ),
    },
    "ArtifactSequence": {
        **_COLLECTION,
        "digestAlgorithm": lambda *_: "MANIFEST_MD5",
        "latestArtifact": lambda collection, _: collection.find("latest"),
    },
    "ArtifactPortfolio": _COLLECTION,
    "ArtifactCollectionMembership": {
        "files": lambda membership, context, **arguments: _files(
            membership["artifact"], context, **arguments
        ),
        "createdAt": lambda membership, context: _time(membership["member"], context),
    },
    "Artifact": {
        "artifactSequence": lambda artifact, _: artifact.collection,
        "artifactType": lambda artifact, context: _collection_type(artifact.collection, context),
        "versionIndex": lambda artifact, _: artifact.version,
        "ttlDurationSeconds": lambda artifact, _: artifact.ttl or -2,
        "ttlIsInherited": lambda artifact, _: artifact.ttl is None,
        "tags": lambda artifact, _: tag_nodes(artifact.tags),
        "historyStep": lambda artifact, _: artifact.history_step,
        "digestAlgorithm": lambda artifact, _: artifact.algorithm,
        "fileCount": lambda artifact, _: len(artifact.entries),
        "createdAt": _time,
        "updatedAt": _updated,
        "aliases": _aliases,
        "artifactMemberships": lambda artifact, context, **arguments: connection(
            context, [membership_node(*each) for each in _memberships(artifact)], **arguments
        ),
        "currentManifest": lambda artifact, context: (
            _manifest(artifact, context) if artifact.manifest.body else None
        ),
        "files": _files,
        "filesByManifestEntries": _files_by_entries,
        "createdBy": lambda artifact, _: artifact.creator,
        "usedBy": lambda artifact, context, first=None: connection(context, artifact.used_by, first=first),
    },
}
