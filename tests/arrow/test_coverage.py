"""Tables beside details and history, built from nodes as the API gives them."""

import datetime as dt
import json
from typing import Any

import pytest

from wandb_warehouse.arrow import (
    RunRef,
    artifact_tables,
    console_table,
    metadata_table,
    system_metrics,
    users_table,
    writer_document,
)
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

RUN = RunRef("e", "p", "r")


def collection(name: str, project: str = "p", entity: str = "e") -> dict[str, Any]:
    """A collection as the API names it."""
    return {"name": name, "project": {"name": project, "entity": {"name": entity}}}


def version(**fields: Any) -> dict[str, Any]:
    """A version of the collection `model`."""
    return {"id": "a1", "versionIndex": 4, "artifactSequence": collection("model"), "tags": [], **fields}


def test_versions_linked_into_a_collection() -> None:
    """A linked version is a row of that collection, counted as there; each alias stays with its own collection."""
    aliases = [
        {"alias": "latest", "artifactCollection": collection("model")},
        {"alias": "prod", "artifactCollection": collection("linked")},
        {"alias": "prod", "artifactCollection": collection("linked", "registry")},
        {"alias": "bare"},
    ]
    own = version(aliases=aliases, edge={"version": "v4"})
    linked = version(aliases=aliases[:3], edge={"version": "v0"})
    tables = artifact_tables("e", "p", [("m", "model", [own]), ("m", "linked", [linked])])
    assert [
        (row["collection"], row["version"], row["version_index"], row["is_linked"])
        for row in tables["artifacts"].to_pylist()
    ] == [("model", "v4", 4, False), ("linked", "v0", 0, True)]
    assert [
        (row["collection"], row["alias"], row["version_index"])
        for row in tables["artifact_aliases"].to_pylist()
    ] == [("model", "latest", 4), ("model", "bare", 4), ("linked", "prod", 0)]


def test_a_version_not_committed_and_of_an_old_server() -> None:
    """What is missing is null: the version until it is committed, and every field a server does not have."""
    (row,) = artifact_tables("e", "p", [("m", "model", [{"id": "a1"}])])["artifacts"].to_pylist()
    assert {name: value for name, value in row.items() if value is not None} == {
        "entity": "e",
        "project": "p",
        "collection": "model",
        "artifact_id": "a1",
        "type": "m",
        "is_linked": False,
        "tags": "[]",
    }


@pytest.mark.parametrize(("seconds", "stored"), [(-2, None), (0, None), (None, None), (60, 60), ("60", 60)])
def test_time_to_live(seconds: Any, stored: int | None) -> None:
    """None, zero and below mean for ever; Int64 may come as text."""
    node = version(ttlDurationSeconds=seconds, size="9007199254740993")
    (row,) = artifact_tables("e", "p", [("m", "model", [node])])["artifacts"].to_pylist()
    assert (row["ttl_seconds"], row["size"]) == (stored, 2**53 + 1)


def test_the_writer_started_last() -> None:
    """Of several writers the last one counts; a config without any, or of another shape, has none."""
    writers = {"a": {"os": "A", "startedAt": "2026-01-02"}, "b": {"os": "B", "startedAt": "2026-01-01"}}
    assert writer_document(json.dumps({"_wandb": {"value": {"e": writers}}})) == writers["a"]
    for config in (None, "{}", '{"_wandb": {"value": 1}}', '{"_wandb": {"value": {"e": [1]}}}'):
        assert writer_document(config) is None


def test_metadata_of_any_shape() -> None:
    """Numbers in text are numbers; a fact of another kind stays in the document, which is kept whole."""
    document = {
        "os": "Linux",
        "startedAt": "yesterday",
        "gpu_count": "many",
        "cpu_count": "8",
        "memory": {"total": "25276502016"},
        "git": "none",
        "args": ["--x", 1],
        "host": {"odd": True},
    }
    (row,) = metadata_table(RUN, document, "file").to_pylist()
    assert (row["os"], row["cpu_count"], row["memory_total"], row["args"]) == (
        "Linux",
        8,
        25276502016,
        '["--x",1]',
    )
    assert [row[name] for name in ("started_at", "gpu_count", "git_commit", "host")] == [None] * 4
    assert json.loads(row["document"]) == document


def test_samples_over_many_tables() -> None:
    """Places go on from table to table; what has no time, or one that is none, has null."""
    lines = [json.dumps({"_timestamp": n if n % 2 else "soon", "_runtime": n, "a.b": n}) for n in range(4100)]
    tables = list(system_metrics(RUN, lines))
    assert len(tables) > 1
    rows = [row for table in tables for row in table.to_pylist()]
    assert [(row["seq"], row["value"]) for row in rows] == [(n, float(n)) for n in range(4100)]
    assert rows[0]["time"] is None
    assert rows[1]["time"] == dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    assert all(table.schema.equals(TABLES["system_metrics"].arrow) for table in tables)


def test_a_damaged_sample_fails_before_the_first_table() -> None:
    """A line that is no JSON object is an error before anything of the run is given, however late it stands."""
    lines = ['{"a": 1}'] * 5000 + ["[1]"]
    with pytest.raises(FatalRemoteError):
        next(system_metrics(RUN, lines))


def test_console_lines_of_any_text() -> None:
    """Lone surrogates are escaped as everywhere, empty lines are lines, empty levels null."""
    nodes: list[dict[str, Any]] = [
        {"number": 0, "line": "a\ud800", "level": "", "timestamp": ""},
        {"number": 1, "line": None},
    ]
    found = console_table(RUN, nodes).to_pylist()
    assert [(row["line"], row["text"], row["level"], row["time"]) for row in found] == [
        (0, "a\\ud800", None, None),
        (1, "", None, None),
    ]


def test_users_of_runs_and_team() -> None:
    """Each login once; who is no member is told from a server that does not say."""
    names = {"a": "Ada", "b": None}
    members: list[dict[str, Any]] = [{"username": "b", "name": "Bob"}, {"username": "c", "name": None}]
    assert [
        (row["username"], row["name"], row["is_member"])
        for row in users_table("e", "p", names, members).to_pylist()
    ] == [("a", "Ada", False), ("b", "Bob", True), ("c", None, True)]
    assert users_table("e", "p", names, None)["is_member"].to_pylist() == [None, None]
