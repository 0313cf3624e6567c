"""Run nodes to tables and digests."""

import datetime as dt
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings

from arrow.strategies import objects, same, wire
from lengths import examples
from wandb_warehouse.arrow.runs import detail_digest, listing_digest, parse_config, parse_time, run_tables
from wandb_warehouse.arrow.text import undump, unescape
from wandb_warehouse.arrow.values import flatten, restore
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.schema import TABLES

NODE: dict[str, Any] = {
    "id": "UnVuOnYxOnIxOnA6dA==",
    "name": "r1",
    "displayName": "eager-fox-1",
    "projectId": "42",
    "state": "finished",
    "config": '{"lr":{"value":0.1,"desc":null},"opt":{"value":{"name":"sgd","betas":[0.9,0.99]}},'
    '"_wandb":{"value":{"t":{"1":[1]}}},"bare":3,"wandb_version":1}',
    "summaryMetrics": '{"loss":NaN,"_step":9,"_wandb":{"runtime":3},"best":{"acc":0.5},"t":"NaN"}',
    "systemMetrics": '{"system.cpu":1.5}',
    "historyKeys": {
        "keys": {
            "loss": {"typeCounts": [{"type": "number", "count": 7}, {"type": "string", "count": 2}]},
            "_step": {"typeCounts": [{"type": "number", "count": 10}]},
            "img": {"typeCounts": [{"type": "image-file"}]},
            "odd": {},
        },
        "lastStep": 9,
    },
    "tags": ["b", "a", "b"],
    "group": "g",
    "jobType": "train",
    "sweepName": None,
    "commit": "abc",
    "host": "h",
    "description": None,
    "notes": "n\ud800",
    "createdAt": "2024-05-20T12:34:56",
    "heartbeatAt": "2024-05-20T12:34:57.25Z",
    "computeSeconds": 12,
    "historyLineCount": 10,
    "readOnly": False,
    "user": {"username": "ada", "name": "Ada L."},
}


def tables(*nodes: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of every table of nodes."""
    return {name: table.to_pylist() for name, table in run_tables("team", "project", "42", nodes).items()}


def test_tables_have_the_declared_schemas() -> None:
    """Every table has exactly the declared columns, with nodes and without."""
    for nodes in ([NODE], []):
        found = run_tables("team", "project", "42", nodes)
        assert list(found) == ["runs", "run_config", "run_summary", "run_tags", "metrics"]
        for name, table in found.items():
            assert table.schema.equals(TABLES[name].arrow)
            table.validate(full=True)


def test_a_run_has_all_its_metadata() -> None:
    """Every field of the node stands in its column."""
    (run,) = tables(NODE)["runs"]
    utc = dt.UTC
    assert run == {
        "entity": "team",
        "project": "project",
        "run_id": "r1",
        "project_id": "42",
        "storage_id": "UnVuOnYxOnIxOnA6dA==",
        "name": "eager-fox-1",
        "state": "finished",
        "username": "ada",
        "user_name": "Ada L.",
        "run_group": "g",
        "job_type": "train",
        "sweep_id": None,
        "commit": "abc",
        "host": "h",
        "description": None,
        "notes": "n\\ud800",
        "tags": '["b","a","b"]',
        "created_at": dt.datetime(2024, 5, 20, 12, 34, 56, tzinfo=utc),
        "heartbeat_at": dt.datetime(2024, 5, 20, 12, 34, 57, 250_000, tzinfo=utc),
        "runtime": 12.0,
        "last_step": 9,
        "history_line_count": 10,
        "read_only": False,
        "config": '{"bare":3,"lr":0.1,"opt":{"betas":[0.9,0.99],"name":"sgd"}}',
        "raw_config": '{"_wandb":{"t":{"1":[1]}},"bare":3,"lr":0.1,"opt":{"betas":[0.9,0.99],"name":"sgd"},'
        '"wandb_version":1}',
        "summary": '{"_step":9,"_wandb":{"runtime":3},"best":{"acc":0.5},"loss":NaN,"t":"NaN"}',
        "system_metrics": '{"system.cpu":1.5}',
        "history_keys": '{"keys":{"_step":{"typeCounts":[{"count":10,"type":"number"}]},'
        '"img":{"typeCounts":[{"type":"image-file"}]},"loss":{"typeCounts":[{"count":7,"type":"number"},'
        '{"count":2,"type":"string"}]},"odd":{}},"lastStep":9}',
        "deleted_at": None,
    }


def test_config_and_summary_have_a_row_a_leaf() -> None:
    """Leaves stand under dotted keys, W&B's own config left out; the summary stays as the server sent it."""
    found = tables(NODE)
    config = {
        row["key"]: restore(row["type"], row["value"], row["value_json"]) for row in found["run_config"]
    }
    assert config == {"lr": 0.1, "opt.name": "sgd", "opt.betas": [0.9, 0.99], "bare": 3}
    summary = {
        row["key"]: restore(row["type"], row["value"], row["value_json"]) for row in found["run_summary"]
    }
    wanted = {"loss": float("nan"), "_step": 9, "_wandb.runtime": 3, "best.acc": 0.5, "t": "NaN"}
    assert same(summary, wanted)


def test_tags_keep_their_order_and_repeats() -> None:
    """Tags stand by position."""
    assert [(row["tag"], row["position"]) for row in tables(NODE)["run_tags"]] == [
        ("b", 0),
        ("a", 1),
        ("b", 2),
    ]


def test_metrics_are_the_index_of_the_server() -> None:
    """Each key has its types and count; what only storage tells is null; `_step` is no key."""
    found = {row["key"]: row for row in tables(NODE)["metrics"]}
    assert {key: (row["types"], row["count"]) for key, row in found.items()} == {
        "loss": ('["number","string"]', 9),
        "img": ('["image-file"]', None),
        "odd": ("[]", None),
    }
    for row in found.values():
        assert {row[name] for name in TABLES["metrics"].names[6:]} == {None}


def test_a_bare_node_is_a_run() -> None:
    """A run that logged nothing, of a deleted user, has nulls and last step -1."""
    found = tables({"name": "r2", "user": None, "config": None, "historyKeys": None, "tags": None})
    (run,) = found["runs"]
    assert (run["run_id"], run["last_step"], run["tags"], run["username"]) == ("r2", -1, "[]", None)
    assert (run["config"], run["raw_config"], run["summary"], run["history_keys"]) == (None, None, None, None)
    assert all(not found[name] for name in ("run_config", "run_summary", "run_tags", "metrics"))


@settings(max_examples=examples(80), deadline=None)
@given(objects, objects)
def test_any_config_and_summary_come_back(config: dict[str, Any], summary: dict[str, Any]) -> None:
    """Whatever they hold, documents and leaves give the values back exactly."""
    config = {key: value for key, value in config.items() if key not in {"_wandb", "wandb_version"}}
    node = {
        "name": "r",
        "config": wire({key: {"desc": None, "value": value} for key, value in config.items()}),
        "summaryMetrics": wire(summary),
    }
    found = tables(node)
    (run,) = found["runs"]
    assert same(undump(run["config"]), config)
    assert same(undump(run["summary"]), summary)
    for name, document in (("run_config", config), ("run_summary", summary)):
        rows = [
            (unescape(row["key"]), restore(row["type"], row["value"], row["value_json"]))
            for row in found[name]
        ]
        leaves = flatten(document)
        assert sorted(key for key, _ in rows) == sorted(key for key, _ in leaves)
        assert all(any(same([*row], [*leaf]) for leaf in leaves) for row in rows)
        names = [(row["key"], row["seq"]) for row in found[name]]
        assert len(set(names)) == len(names)


def test_config_entries_without_a_wrapper_are_taken_as_they_are() -> None:
    """Only a dict with `value` is a wrapper; control characters in the text are read."""
    user, raw = parse_config('{"a":{"value":null},"b":{"desc":1},"c":[1],"d":"x\ty","_wandb":{"value":{}}}')
    assert user == {"a": None, "b": {"desc": 1}, "c": [1], "d": "x\ty"}
    assert raw == {**user, "_wandb": {}}
    assert parse_config(None) == parse_config("{}") == parse_config("") == ({}, {})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-20T12:34:56Z", "2024-05-20T12:34:56+00:00"),
        ("2024-05-20T12:34:56", "2024-05-20T12:34:56+00:00"),
        ("2024-05-20T12:34:56.5", "2024-05-20T12:34:56.500000+00:00"),
        ("2024-05-20T12:34:56.123456789Z", "2024-05-20T12:34:56.123456+00:00"),
        ("2024-05-20T14:34:56+02:00", "2024-05-20T12:34:56+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_times_are_utc(text: str, moment: str) -> None:
    """With or without zone and fractions, a time is UTC to the microsecond."""
    parsed = parse_time(text)
    assert parsed is not None
    assert parsed.isoformat() == moment


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": "[1]"},
        {"config": "{"},
        {"summaryMetrics": "3"},
        {"createdAt": "yesterday"},
        {"computeSeconds": "long"},
        {"historyLineCount": [1]},
    ],
)
def test_a_node_that_cannot_be_read_names_its_run(wrong: dict[str, Any]) -> None:
    """The error says which run it is, so that the others can land."""
    with pytest.raises(FatalRemoteError, match="run team/project/r1"):
        tables({**NODE, **wrong})


def shuffled(value: Any, dice: random.Random) -> Any:
    """Give the same JSON value with the keys of every object in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        dice.shuffle(items)
        return {key: shuffled(item, dice) for key, item in items}
    return [shuffled(item, dice) for item in value] if isinstance(value, list) else value


def test_neither_digests_nor_tables_depend_on_the_order_of_keys() -> None:
    """The server sends objects in random order: digests and rows are the same."""
    dice = random.Random(7)
    for _ in range(20):
        node = shuffled(NODE, dice)
        for name in ("config", "summaryMetrics", "systemMetrics"):
            node[name] = json.dumps(shuffled(json.loads(NODE[name]), dice), indent=1)
        assert listing_digest(node) == listing_digest(NODE)
        assert detail_digest(node) == detail_digest(NODE)
        assert tables(node)["runs"] == tables(NODE)["runs"]


CHANGES: dict[str, Any] = {
    "displayName": "x",
    "state": "running",
    "heartbeatAt": "2024-05-20T12:34:58Z",
    "historyLineCount": 11,
    "tags": ["a", "b", "b"],
    "group": None,
    "jobType": "eval",
    "notes": "",
    "sweepName": "s",
    "user": {"username": "eve", "name": "Eve"},
    "createdAt": "2024-05-21T12:34:56",
}
DETAILS: dict[str, Any] = {
    "config": '{"lr":{"value":0.2}}',
    "summaryMetrics": "{}",
    "systemMetrics": None,
    "historyKeys": {"keys": {}, "lastStep": 10},
    "computeSeconds": 13,
    "commit": None,
    "host": "other",
    "description": "d",
    "readOnly": True,
}


@pytest.mark.parametrize("field", [*CHANGES, *DETAILS])
def test_every_change_shows_in_its_digest(field: str) -> None:
    """The listing's digest sees the light fields only, the detailed one all of them."""
    changed = {**NODE, field: {**CHANGES, **DETAILS}[field]}
    assert (listing_digest(changed) != listing_digest(NODE)) is (field in CHANGES)
    assert detail_digest(changed) != detail_digest(NODE)


def test_a_light_node_and_a_detailed_one_have_one_listing_digest() -> None:
    """The listing's digest can be taken from either node; a missing field is a null one."""
    light = {name: NODE[name] for name in CHANGES} | {"id": NODE["id"], "name": "r1", "cursor": "x"}
    assert listing_digest(light) == listing_digest(NODE)
    del light["sweepName"]
    assert listing_digest(light) == listing_digest(NODE)
    assert len(listing_digest(light)) == 64
