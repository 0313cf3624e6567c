"""Every GraphQL document the client sends.

User values travel as variables only; documents made here differ by the number of aliases (`r0`, `r1`, ...
with `$n0`, `$n1`, ...) and by the optional fields an older server lacks.
"""

from dataclasses import dataclass

__all__ = [
    "OPTIONAL_FIELDS",
    "PROJECTS",
    "VIEWER",
    "Document",
    "artifact_files",
    "artifact_listing",
    "artifacts_by_client_id",
    "history_windows",
    "list_runs",
    "parquet_exports",
    "project_ids",
    "run_details",
    "runs_by_name",
    "runs_looked_up",
    "sampled_histories",
]

OPTIONAL_FIELDS = frozenset(
    {
        "commit",
        "computeSeconds",
        "description",
        "historyKeys",
        "historyLineCount",
        "host",
        "internalId",
        "parquetHistory",
        "projectId",
        "readOnly",
        "sweepName",
        "systemMetrics",
    }
)
"""Fields that are left out, once a server says it does not have them."""

NAME = "name"
LIGHT_FIELDS = (
    "id name displayName state createdAt heartbeatAt historyLineCount tags group jobType notes sweepName "
    "user{username name}"
)
DETAIL_FIELDS = (
    f"{LIGHT_FIELDS} projectId readOnly commit host description computeSeconds "
    "config summaryMetrics systemMetrics historyKeys"
)
PROJECT_FIELDS = "id name internalId createdAt readOnly"

NONE_LACKING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Document:
    """A named operation and its text."""

    name: str
    text: str


VIEWER = Document("Viewer", "query Viewer{viewer{id entity username teams{edges{node{name}}}}}")

PROJECTS = Document(
    "Projects",
    "query Projects($entity:String,$after:String,$first:Int)"
    "{models(entityName:$entity,after:$after,first:$first)"
    "{edges{node{id name entityName createdAt} cursor} pageInfo{endCursor hasNextPage}}}",
)

_RUNS_VARIABLES = (
    "$entity:String!,$project:String!,$filters:JSONString,$order:String,$after:String,$first:Int"
)
_RUNS_ARGUMENTS = "filters:$filters,order:$order,after:$after,first:$first"


def list_runs(lacking: frozenset[str] = NONE_LACKING, fields: str = LIGHT_FIELDS) -> Document:
    """One page of a project's runs with their light fields, the project itself, the count of those runs and of all."""
    return Document(
        "ListRuns",
        f"query ListRuns({_RUNS_VARIABLES}){{project(name:$project,entityName:$entity){{"
        f"{_fields(PROJECT_FIELDS, lacking)} runCount(filters:$filters) runTotal:runCount "
        f"{_runs_connection(_fields(fields, lacking))}}}}}",
    )


def run_details(lacking: frozenset[str] = NONE_LACKING) -> Document:
    """One page of runs with all their fields."""
    return Document(
        "RunDetails",
        f"query RunDetails({_RUNS_VARIABLES}){{project(name:$project,entityName:$entity){{"
        f"{_runs_connection(_fields(DETAIL_FIELDS, lacking))}}}}}",
    )


def runs_by_name(count: int, lacking: frozenset[str] = NONE_LACKING) -> Document:
    """`count` runs with all their fields, each asked for by its id: `$n0`, `$n1`, ..."""
    fields = _fields(DETAIL_FIELDS, lacking)
    return _aliased("RunsByName", count, {"n": "String!"}, fields)


def runs_looked_up(count: int, lacking: frozenset[str] = NONE_LACKING) -> Document:
    """`count` runs with their light fields, each asked for by its id: `$n0`, `$n1`, ..."""
    return _aliased("LookUpRuns", count, {"n": "String!"}, _fields(LIGHT_FIELDS, lacking))


def project_ids(lacking: frozenset[str] = NONE_LACKING) -> Document:
    """The ids of the project of a name."""
    fields = _fields("id internalId", lacking)
    return Document(
        "ProjectIds",
        "query ProjectIds($entity:String!,$project:String!)"
        f"{{project(name:$project,entityName:$entity){{{fields}}}}}",
    )


def parquet_exports(count: int) -> Document:
    """History exports of `count` runs: `$n0` the run, `$k0` the keys wanted of the live tail, ..."""
    fields = "parquetHistory(liveKeys:$k{i}){parquetUrls liveData}"
    return _aliased("ParquetExports", count, {"n": "String!", "k": "[String!]!"}, fields)


def history_windows(count: int) -> Document:
    """History rows of `count` windows: run `$n0`, steps from `$a0` to below `$b0`, at most `$s0` rows, ..."""
    fields = "history(minStep:$a{i},maxStep:$b{i},samples:$s{i})"
    variables = {"n": "String!", "a": "Int64!", "b": "Int64!", "s": "Int!"}
    return _aliased("HistoryWindows", count, variables, fields)


def sampled_histories(count: int) -> Document:
    """Samples of `count` runs: `$n0` the run, `$s0` one question for each of its metrics, ..."""
    variables = {"n": "String!", "s": "[JSONString!]!"}
    return _aliased("SampledHistories", count, variables, "sampledHistory(specs:$s{i})")


def artifacts_by_client_id(count: int) -> Document:
    """Ids of `count` artifacts known by the ids their writers gave them: `$c0`, `$c1`, ..."""
    declared = ",".join(f"$c{i}:ID!" for i in range(count))
    asked = " ".join(f"r{i}:clientIDMapping(clientID:$c{i}){{serverID}}" for i in range(count))
    return Document("ArtifactIds", f"query ArtifactIds({declared}){{{asked}}}")


_ENTRY_FIELDS = "edges{node{name sizeBytes md5 directUrl} cursor} pageInfo{endCursor hasNextPage}"


def artifact_files(count: int) -> Document:
    """One file of each of `count` artifacts, with its signed address: artifact `$a0`, names `$n0`, ..."""
    declared = ",".join(f"$a{i}:ID!,$n{i}:[String!]" for i in range(count))
    asked = " ".join(
        f"r{i}:artifact(id:$a{i}){{files(names:$n{i},first:1){{{_ENTRY_FIELDS}}}}}" for i in range(count)
    )
    return Document("ArtifactFiles", f"query ArtifactFiles({declared}){{{asked}}}")


def artifact_listing() -> Document:
    """One page of all files of an artifact."""
    return Document(
        "ArtifactListing",
        "query ArtifactListing($artifact:ID!,$after:String,$first:Int){artifact(id:$artifact)"
        f"{{files(after:$after,first:$first){{{_ENTRY_FIELDS}}}}}}}",
    )


def _fields(fields: str, lacking: frozenset[str]) -> str:
    return " ".join(name for name in fields.split() if name not in lacking)


def _runs_connection(fields: str) -> str:
    return f"runs({_RUNS_ARGUMENTS}){{edges{{node{{{fields}}} cursor}} pageInfo{{endCursor hasNextPage}}}}"


def _aliased(name: str, count: int, variables: dict[str, str], fields: str) -> Document:
    """A document asking `count` runs for `fields`, in which `{i}` is the run's number."""
    declared = ",".join(f"${letter}{i}:{kind}" for i in range(count) for letter, kind in variables.items())
    asked = " ".join(f"r{i}:run(name:$n{i}){{{fields.replace('{i}', str(i))}}}" for i in range(count))
    return Document(
        name,
        f"query {name}($entity:String!,$project:String!,{declared})"
        f"{{project(name:$project,entityName:$entity){{{asked}}}}}",
    )
