"""MongoDB-style filters and orders select what the sandbox's server selects, and what MongoDB's rules say."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import duckdb
import mongomock
import pytest
import sqlglot
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from operations.filter_generator import filters, orders
from operations.world import World, make_world
from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import compile_runs
from wandb_warehouse.sandbox.filters import compile_filter, sort_runs

Judged = tuple[World, duckdb.DuckDBPyConnection, list[dict[str, Any]]]

TIMES = {"created_at", "heartbeat_at"}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """Generated runs, in a warehouse and as a server's filters see them, in the order of creation."""
    world = make_world(11)
    seen = [_seen(node) for nodes in world.nodes.values() for node in nodes]
    place = {run["run_id"]: number for number, run in enumerate(world.runs)}
    seen.sort(key=lambda run: place[run["name"]])
    with duckdb.connect(world.write(tmp_path_factory.mktemp("filters")), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield world, connection, seen


def _seen(node: Mapping[str, Any]) -> dict[str, Any]:
    """A run as filters see it."""
    return {
        "name": node["name"],
        "display_name": node["displayName"],
        "state": node["state"],
        "tags": node["tags"],
        "created_at": node["createdAt"],
        "heartbeat_at": node["heartbeatAt"],
        "group": node["group"],
        "job_type": node["jobType"],
        "username": node["user"]["username"],
        "host": None,
        "sweep": None,
        "duration": node["computeSeconds"],
        "config": {key: entry["value"] for key, entry in json.loads(node["config"]).items()},
        "summary_metrics": json.loads(node["summaryMetrics"]),
    }


def selected(
    warehouse: duckdb.DuckDBPyConnection, given: Mapping[str, Any] | None, order: str | None = "+created_at"
) -> list[str]:
    """Ids of the runs that our SQL selects."""
    rows = warehouse.execute(compile_runs(given, order).statements[0].sql)
    place = [column[0] for column in rows.description or ()].index("run_id")
    return [row[place] for row in rows.fetchall()]


def test_filters_agree_with_the_server(judged: Judged) -> None:
    """320 generated filters over 220 generated runs let the runs pass that the sandbox's server lets pass."""
    _, warehouse, seen = judged
    written = filters(1, 320)
    passed = 0
    for each in written:
        theirs = [run["name"] for run in seen if compile_filter(each)(run)]
        assert selected(warehouse, each) == theirs, json.dumps(each)
        passed += 0 < len(theirs) < len(seen)
    # Many of them tell runs apart.
    assert passed > 80


def _snake(given: Any) -> Any:
    """A filter as MongoDB knows it: names in one spelling, without the config's `value`, times as such."""
    names = {"displayName": "display_name", "createdAt": "created_at", "jobType": "job_type"}
    names["summaryMetrics.loss"] = "summary_metrics.loss"
    found = {}
    for key, condition in given.items():
        if key in ("$and", "$or", "$nor"):
            found[key] = [_snake(part) for part in condition]
            continue
        name = names.get(key, key)
        name = name.replace(".value", "") if name.startswith("config.") else name
        found[name] = _with_times(condition) if name in TIMES else condition
    return found


def _with_times(condition: Any) -> Any:
    if isinstance(condition, dict):
        return {key: _with_times(value) for key, value in condition.items()}
    if isinstance(condition, list):
        return [_with_times(value) for value in condition]
    if not isinstance(condition, str):
        return condition
    moment = datetime.fromisoformat(condition)
    return moment.replace(tzinfo=None) - (
        moment.utcoffset() or moment.replace(tzinfo=None) - moment.replace(tzinfo=None)
    )


def _stored(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run as a document: a column that is null, and an empty list of tags, are fields that are not there."""
    document = {key: value for key, value in run.items() if value is not None and value != []}
    for name in TIMES & document.keys():
        document[name] = datetime.fromisoformat(document[name]).replace(tzinfo=None)
    return document


def test_filters_agree_with_another_evaluator(judged: Judged) -> None:
    """Filters agree with an implementation of MongoDB's rules that is neither ours nor the sandbox's."""
    _, warehouse, seen = judged
    collection = mongomock.MongoClient().db.runs
    collection.insert_many([_stored(run) for run in seen])
    compared = apart = 0
    for each in filters(2, 340):
        text = json.dumps(each)
        if ".value." in text:
            continue  # W&B's wrapping in the middle of a path, of which MongoDB knows nothing
        compared += 1
        ours = set(selected(warehouse, each))
        theirs = {found["name"] for found in collection.find(_snake(each))}
        if ours != theirs:
            # It takes false for 0 and true for 1, as Python does and MongoDB does not; the server's rules decide.
            assert "false" in text or "true" in text, text
            assert ours == {run["name"] for run in seen if compile_filter(each)(run)}, text
            apart += 1
    assert compared >= 300
    assert apart <= 5


def test_orders_agree_with_the_server(judged: Judged) -> None:
    """63 orders give the sequence of the sandbox's server, ties in the order of creation."""
    _, warehouse, seen = judged
    for order in ["+created_at", "-created_at", "-heartbeat_at", *orders(3, 60)]:
        theirs = [run["name"] for run in sort_runs(seen, order, unsigned_descending=True, null_last=True)]
        assert selected(warehouse, None, order) == theirs, order


REFUSED = [
    ({"tags": {"$all": ["a"]}}, 'unknown operator "$all"'),
    ({"tags": {"$size": 1}}, 'unknown operator "$size"'),
    ({"$where": "1"}, 'unknown operator "$where"'),
    ({"stat": "x"}, '"stat" names no field'),
    ({"config": {"lr": 1}}, '"config" names no field'),
    ({"state.x": 1}, '"state.x" names no field'),
    ({"config.lr": {"$in": "a"}}, "$in needs a list"),
    ({"config.lr": {"$exists": 1}}, "$exists needs true or false"),
    ({"config.lr": {"$gt": None}}, "cannot order against null"),
    ({"config.lr": [1, 2]}, "a field is not compared with [1, 2]"),
    ({"name": {"$regex": "(?=a)"}}, "is no pattern of RE2"),
    ({"name": {"$regex": "("}}, "is no pattern"),
    ({"name": {"$regex": "a{2000}"}}, "is no pattern of RE2"),
    ({"name": {"$regex": "a++"}}, "is no pattern of RE2"),
    ({"config.lr": 10**400}, "is too large a number"),
    ({"created_at": {"$gt": "0001-01-01T00:00:00+14:00"}}, "is no ISO 8601 time"),
    ({1: 2}, "keys are texts"),
    ({"created_at": "soon"}, '"soon" is no ISO 8601 time'),
    ({"created_at": {"$regex": "a"}}, "$regex does not apply to times"),
    ({"$or": {}}, "$or needs a list"),
    ({"state": {"$not": "x"}}, "$not needs operators"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_is_not_understood_is_refused(given: dict[str, Any], message: str) -> None:
    """An operator, an operand, a pattern or a field that is not understood is named."""
    with pytest.raises(OperationError) as caught:
        compile_runs(given)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "1", '{"a": }', "[" * 3000])
def test_what_is_no_filter_is_refused(text: str) -> None:
    """What is no JSON object ends in one line."""
    with pytest.raises(OperationError):
        compile_runs(text)


def test_hundreds_of_names_at_once(judged: Judged) -> None:
    """`$in` takes as many names as callers ask for, and `$or` as many filters."""
    world, warehouse, _ = judged
    names = [run["run_id"] for run in world.runs[:150]] + [f"none-{number}" for number in range(900)]
    assert len(selected(warehouse, {"name": {"$in": names}})) == 150
    assert len(selected(warehouse, {"$or": [{"name": name} for name in names[:200]]})) == 150


@pytest.mark.parametrize("pattern", [r"\++", "[*+?]+", "[(?=]", r"\\1", "[[:alpha:]]", "a{1000}"])
def test_patterns_of_re2_are_taken(judged: Judged, pattern: str) -> None:
    """Signs that are escaped or in a class are no look-around or possessive repetition; DuckDB's RE2 agrees."""
    world, warehouse, _ = judged
    names = {run["run_id"] for run in world.runs}
    found = set(selected(warehouse, {"name": {"$regex": pattern}}))
    held = warehouse.execute("SELECT run_id FROM runs WHERE regexp_matches(run_id, ?)", [pattern]).fetchall()
    assert found == {name for (name,) in held} <= names


def _shape(sql: str) -> list[str]:
    """The kinds of a statement's parts."""
    return [type(node).__name__ for node in sqlglot.parse_one(sql, read="duckdb").walk()]


@settings(max_examples=25)
@examples(
    key=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
        lambda key: "value" not in key.split(".")
    ),
    operand=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
def test_names_and_operands_are_data(key: str, operand: str) -> None:
    """Whatever a key and an operand are made of, the statement keeps its shape."""
    harmless = compile_runs({"config.a": {"$in": ["b"]}, "summary_metrics.a": {"$ne": "b"}}).statements[0].sql
    hostile = compile_runs({f"config.{key}": {"$in": [operand]}, f"summary_metrics.{key}": {"$ne": operand}})
    assert _shape(hostile.statements[0].sql) == _shape(harmless)
