"""Resolvers of artifacts, reading and writing."""

from collections.abc import Mapping
from typing import Any

from wandb_warehouse.sandbox.artifacts import Artifact, Collection
from wandb_warehouse.sandbox.clock import time_text
from wandb_warehouse.sandbox.context import Context, Forbidden
from wandb_warehouse.sandbox.queries import Resolver, connection, file_node
from wandb_warehouse.sandbox.store import File, Project, Run, opaque

__all__ = ["ARTIFACTS"]


def _known(context: Context, artifact_id: str) -> Artifact:
    if artifact_id not in context.shelf.artifacts:
        raise Forbidden(f"artifact {artifact_id} not found", 404)
    return context.shelf.artifacts[artifact_id]


def _time(source: Artifact | Collection, context: Context) -> str:
    return time_text(source.created_at, context.store.switches)


def _create(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- the schema's argument
    project = context.store.ensure_project(input["entityName"], input["projectName"], username=context.viewer)
    run = context.store.find_run(project.entity, project.name, input.get("runName") or "")
    return {"artifact": context.shelf.create(project, run, input)}


def _create_manifest(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = _known(context, input["artifactID"])
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
        artifact = _known(context, wanted["artifactID"])
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
    artifact = _known(context, input["artifactID"])
    context.shelf.commit(artifact)
    return {"artifact": artifact}


def _use(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = _known(context, input["artifactID"])
    run = context.run(input["entityName"], input["projectName"], input["runName"])
    if run not in artifact.used_by:
        artifact.used_by.append(run)
    return {"artifact": artifact}


def _update(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = _known(context, input["artifactID"])
    for name in ("description", "metadata"):
        if input.get(name) is not None:
            setattr(artifact, name, input[name])
    gone = {tag["tagName"] for tag in input.get("tagsToDelete") or []}
    more = [tag["tagName"] for tag in input.get("tagsToAdd") or []]
    artifact.tags = list(dict.fromkeys([*(tag for tag in artifact.tags if tag not in gone), *more]))
    return {"artifact": artifact}


def _add_aliases(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    """An alias points to one version of its collection: it moves here from another one."""
    artifact = _known(context, input["artifactID"])
    moving = {each["alias"] for each in input["aliases"]}
    for other in artifact.collection.artifacts:
        other.aliases = [alias for alias in other.aliases if alias not in moving]
    artifact.aliases = sorted({*artifact.aliases, *moving})
    return {"success": True}


def _delete_aliases(_: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 -- as above
    artifact = _known(context, input["artifactID"])
    gone = {each["alias"] for each in input["aliases"]}
    artifact.aliases = [alias for alias in artifact.aliases if alias not in gone]
    return {"success": True}


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


def _membership(collection: Collection, alias: str) -> dict[str, Any] | None:
    artifact = collection.find(alias)
    if artifact is None:
        return None
    return {
        "id": opaque("ArtifactCollectionMembership", artifact.number),
        "versionIndex": artifact.version,
        "aliases": _aliases(artifact),
        "artifactCollection": collection,
        "artifact": artifact,
    }


def _aliases(artifact: Artifact, *_: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": opaque("ArtifactAlias", artifact.number, alias),
            "alias": alias,
            "artifactCollection": artifact.collection,
        }
        for alias in artifact.aliases
    ]


def _by_name(project: Project, context: Context, name: str) -> dict[str, Any] | None:
    """A version by `collection:alias`."""
    title, _, alias = name.partition(":")
    collection = context.shelf.collection(project, title)
    return _membership(collection, alias or "latest") if collection else None


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


def _type_collections(kind: dict[str, Any], context: Context, **arguments: Any) -> dict[str, Any]:
    return connection(context, kind["members"], after=arguments.get("after"), first=arguments.get("first"))


def _versions(collection: Collection, context: Context, **arguments: Any) -> dict[str, Any]:
    newest_first = list(reversed(collection.committed))
    shown = connection(context, newest_first, after=arguments.get("after"), first=arguments.get("first"))
    for edge in shown["edges"]:
        edge["version"] = f"v{edge['node'].version}"
    return shown


def _output(run: Run, context: Context, **arguments: Any) -> dict[str, Any]:
    made = [a for a in context.shelf.artifacts.values() if a.creator is run and a.state == "COMMITTED"]
    return connection(context, made, **arguments)


def _input(run: Run, context: Context, **arguments: Any) -> dict[str, Any]:
    return connection(context, [a for a in context.shelf.artifacts.values() if run in a.used_by], **arguments)


def _client_id(_: Any, context: Context, clientID: str) -> dict[str, Any] | None:  # noqa: N803 -- as above
    server_id = context.shelf.by_client_id(clientID)
    return {"serverID": server_id} if server_id else None


def _collection_type(collection: Collection, context: Context) -> dict[str, Any] | None:
    return _type(collection.project, context, collection.type)


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
        "useArtifact": _use,
        "updateArtifact": _update,
        "addAliases": _add_aliases,
        "deleteAliases": _delete_aliases,
    },
    "Project": {
        "artifactTypes": _types,
        "artifactType": _type,
        "artifactCollection": lambda project, context, name: context.shelf.collection(project, name),
        "artifactCollectionMembership": _by_name,
        "artifact": _project_artifact,
    },
    "Run": {"outputArtifacts": _output, "inputArtifacts": _input},
    "ArtifactType": {
        "artifactCollections": _type_collections,
        "artifactCollection": lambda kind, _, name: next(
            (c for c in kind["members"] if c.name == name), None
        ),
    },
    "ArtifactSequence": {
        "createdAt": _time,
        "updatedAt": _time,
        "defaultArtifactType": _collection_type,
        "artifacts": _versions,
        "artifactMembership": lambda collection, _, **arguments: _membership(
            collection, arguments["aliasName"]
        ),
        "tags": lambda *_, **__: {"edges": []},
        "digestAlgorithm": lambda *_: "MD5",
        "latestArtifact": lambda collection, _: collection.find("latest"),
    },
    "ArtifactCollectionMembership": {
        "files": lambda membership, context, **arguments: _files(
            membership["artifact"], context, **arguments
        ),
        "createdAt": lambda membership, context: _time(membership["artifact"], context),
    },
    "Artifact": {
        "artifactSequence": lambda artifact, _: artifact.collection,
        "artifactType": lambda artifact, context: _collection_type(artifact.collection, context),
        "versionIndex": lambda artifact, _: artifact.version,
        "ttlDurationSeconds": lambda *_: -2,
        "ttlIsInherited": lambda *_: True,
        "tags": lambda artifact, _: [{"id": opaque("Tag", tag), "name": tag} for tag in artifact.tags],
        "historyStep": lambda artifact, _: artifact.history_step,
        "digestAlgorithm": lambda *_: "MD5",
        "fileCount": lambda artifact, _: len(artifact.entries),
        "createdAt": _time,
        "updatedAt": _time,
        "aliases": _aliases,
        "currentManifest": lambda artifact, context: (
            _manifest(artifact, context) if artifact.manifest.body else None
        ),
        "files": _files,
        "filesByManifestEntries": _files_by_entries,
        "createdBy": lambda artifact, _: artifact.creator,
        "usedBy": lambda artifact, context, first=None: connection(context, artifact.used_by, first=first),
    },
}
