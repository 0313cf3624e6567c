"""The documents of the catalog: lists in pages, many of them in one request.

User values travel as variables only; an alias `r<i>` a list, with variables of its own number. The first pages of many
runs are asked for without aliases, run by run of a filtered list: the shorter question costs both sides a fraction.
What a server lacks is left out: every field but the one that names an entry.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wandb_warehouse.client.documents import Document

__all__ = [
    "ARTIFACT_COLLECTIONS",
    "ARTIFACT_TYPES",
    "ARTIFACT_VERSIONS",
    "CONSOLE_LINES",
    "FILES",
    "INPUT_ARTIFACTS",
    "OUTPUT_ARTIFACTS",
    "REPORTS",
    "SWEEPS",
    "PagedList",
    "droppable",
    "filtered_run_fields",
    "members",
    "run_fields",
]

_NAMED = {
    "id", "name", "number", "edges", "node", "cursor", "pageInfo", "endCursor", "hasNextPage", "run", "runs"
}  # fmt: skip
"""Fields without which an answer is no use."""


@dataclass(frozen=True)
class PagedList:
    """One list of the API, found under `path`, with the fields wanted of its entries."""

    name: str
    """Of the operation."""
    field: str
    arguments: str = ""
    fields: tuple[str, ...] = ("id",)
    key: str = "id"
    """The field that tells entries apart."""
    path: tuple[tuple[str, str], ...] = ()
    """Fields to go through and their arguments, with `{i}` for the number of the list."""
    variables: tuple[tuple[str, str], ...] = ()
    """Letter and type of each variable of the path."""
    first: int = 100
    counted: bool = True
    """Whether the list tells its `totalCount`."""
    edge: str = ""
    """Fields wanted of an entry's edge."""

    def document(self, count: int, lacking: frozenset[str]) -> Document:
        """A document asking for one page of each of `count` lists."""
        letters = (*self.variables, ("a", "String"), ("f", "Int"))
        declared = ",".join(f"${letter}{i}:{kind}" for i in range(count) for letter, kind in letters)
        asked = " ".join(self._alias(i, lacking) for i in range(count))
        return Document(
            self.name,
            f"query {self.name}($entity:String!,$project:String!,{declared})"
            f"{{project(name:$project,entityName:$entity){{{asked}}}}}",
        )

    @property
    def of_runs(self) -> bool:
        """Whether each run has such a list."""
        return self.path == _RUN

    def first_pages(self, lacking: frozenset[str]) -> Document:
        """A document asking for the first page of each of the runs that a filter names."""
        return _filtered(self.name, f"at:{self._page('first:$f', lacking)}", ",$f:Int")

    def found(self, project: Mapping[str, Any], number: int) -> Any:
        """The list of a number in an answer; None where something on its path is gone."""
        node: Any = project.get(f"r{number}")
        for _ in self.path:
            if node is None:
                return None
            node = node.get("at")
        return node

    def _alias(self, number: int, lacking: frozenset[str]) -> str:
        text = self._page(f"after:$a{number},first:$f{number}", lacking)
        for field, arguments in reversed(self.path):
            text = f"{field}({arguments.replace('{i}', str(number))}){{at:{text}}}"
        return f"r{number}:{text}"

    def _page(self, place: str, lacking: frozenset[str]) -> str:
        total = "totalCount " if self.counted and "totalCount" not in lacking else ""
        fields = _left(self.fields, lacking)
        edge = f"{self.edge} " if self.edge and self.edge not in lacking else ""
        extra = f",{self.arguments}" if self.arguments else ""
        return (
            f"{self.field}({place}{extra})"
            f"{{{total}edges{{cursor {edge}node{{{fields}}}}} pageInfo{{endCursor hasNextPage}}}}"
        )


def run_fields(name: str, fields: Sequence[str], count: int, lacking: frozenset[str]) -> Document:
    """A document asking `count` runs for fields, `{s}` in them being a number of the run; empty if all lack."""
    left = _left(fields, lacking)
    if not left:
        return Document(name, "")
    numbered = "{s}" in left
    kinds = {"n": "String!"} | ({"s": "Int!"} if numbered else {})
    declared = ",".join(f"${letter}{i}:{kind}" for i in range(count) for letter, kind in kinds.items())
    asked = " ".join(f"r{i}:run(name:$n{i}){{{left.replace('{s}', f'$s{i}')}}}" for i in range(count))
    return Document(
        name,
        f"query {name}($entity:String!,$project:String!,{declared})"
        f"{{project(name:$project,entityName:$entity){{{asked}}}}}",
    )


def filtered_run_fields(name: str, fields: Sequence[str], lacking: frozenset[str]) -> Document:
    """A document asking the runs that a filter names for fields; empty if all lack."""
    left = _left(fields, lacking)
    return _filtered(name, left) if left else Document(name, "")


def _filtered(name: str, fields: str, variables: str = "") -> Document:
    return Document(
        name,
        f"query {name}($entity:String!,$project:String!,$filters:JSONString,$first:Int{variables})"
        "{project(name:$project,entityName:$entity){runs(filters:$filters,first:$first)"
        f"{{edges{{node{{name {fields}}}}}}}}}}}",
    )


def members(lacking: frozenset[str]) -> Document:
    """The members of a team; empty where the server does not tell them."""
    if lacking & {"members", "entity", "username"}:
        return Document("Members", "")
    fields = _left(("username", "name"), lacking)
    text = f"query Members($entity:String!){{entity(name:$entity){{members{{{fields}}}}}}}"
    return Document("Members", text)


def droppable(text: str) -> set[str]:
    """Fields of a document that may be left out."""
    return set(re.findall(r"\w+", text)) - _NAMED


def _left(fields: Sequence[str], lacking: frozenset[str]) -> str:
    """Selections that name nothing the server lacks."""
    return " ".join(field for field in fields if not lacking & set(re.findall(r"\w+", field)))


_RUN = (("run", "name:$n{i}"),)
_RUN_ID = (("n", "String!"),)
_SOURCE = "artifactSequence{name project{name entity{name}}}"
_ARTIFACT = ("id", "versionIndex", "artifactType{name}", _SOURCE)

FILES = PagedList(
    "RunFiles",
    "files",
    fields=("name", "sizeBytes", "md5", "mimetype", "updatedAt"),
    key="name",
    first=250,
    path=_RUN,
    variables=_RUN_ID,
)
OUTPUT_ARTIFACTS = PagedList(
    "OutputArtifacts", "outputArtifacts", fields=_ARTIFACT, path=_RUN, variables=_RUN_ID
)
INPUT_ARTIFACTS = PagedList(
    "InputArtifacts", "inputArtifacts", fields=_ARTIFACT, path=_RUN, variables=_RUN_ID
)
CONSOLE_LINES = PagedList(
    "ConsoleLines",
    "logLines",
    arguments="useImprovedPagination:true",
    fields=("number", "timestamp", "level", "label", "line"),
    key="number",
    first=1000,
    counted=False,
    path=_RUN,
    variables=_RUN_ID,
)

ARTIFACT_TYPES = PagedList("ArtifactTypes", "artifactTypes", fields=("name",), key="name", counted=False)
ARTIFACT_COLLECTIONS = PagedList(
    "ArtifactCollections",
    "artifactCollections",
    fields=("__typename", "id", "name"),
    path=(("artifactType", "name:$t{i}"),),
    variables=(("t", "String!"),),
)
ARTIFACT_VERSIONS = PagedList(
    "ArtifactVersions",
    "artifacts",
    fields=(
        *_ARTIFACT,
        "description",
        "metadata",
        "ttlDurationSeconds",
        "tags{name}",
        "historyStep",
        "state",
        "size",
        "digest",
        "commitHash",
        "fileCount",
        "createdAt",
        "updatedAt",
        "aliases{alias artifactCollection{name project{name entity{name}}}}",
        "createdBy{__typename ...on Run{name project{name entity{name}}} ...on User{username}}",
    ),
    path=(("artifactType", "name:$t{i}"), ("artifactCollection", "name:$n{i}")),
    variables=(("t", "String!"), ("n", "String!")),
    edge="version",
)

SWEEPS = PagedList(
    "Sweeps",
    "sweeps",
    fields=(
        "id",
        "name",
        "displayName",
        "method",
        "state",
        "description",
        "bestLoss",
        "config",
        "createdAt",
        "updatedAt",
        "runCount",
        "runCountExpected",
    ),
    key="name",
    counted=False,
)
REPORTS = PagedList(
    "Reports",
    "allViews",
    arguments='viewType:"runs"',
    fields=(
        "id",
        "name",
        "displayName",
        "description",
        "user{username}",
        "spec",
        "createdAt",
        "updatedAt",
    ),
    counted=False,
)
