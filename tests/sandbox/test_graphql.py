"""The GraphQL endpoint: what clients rely on, and what is a switch because nobody knows it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from wandb_warehouse.sandbox import Sandbox, Switches

LIST = """query($c: String, $n: Int, $o: String, $f: JSONString) { project(name: "p", entityName: "e") {
  runCount(filters: $f) runs(after: $c, first: $n, order: $o, filters: $f) {
    totalCount edges { node { name } cursor } pageInfo { endCursor hasNextPage } } } }"""
RUN = 'query { project(name: "p", entityName: "e") { run(name: "r") { %s } } }'

Ask = Callable[..., Any]


def run_field(ask: Ask, field: str) -> Any:
    """One field of the run `r`."""
    run = ask(RUN % field)["project"]["run"]
    return run[field.partition("(")[0]]


def names(answer: Any) -> list[str]:
    """Run ids of a listing."""
    return [edge["node"]["name"] for edge in answer["project"]["runs"]["edges"]]


def add_days(box: Sandbox, count: int) -> None:
    """Runs r0, r1, ... created a day apart."""
    for day in range(count):
        box.add_run("e", "p", f"r{day}", created_at=f"2026-01-{day + 1:02}T00:00:00Z", config={"n": day})


def test_a_bad_key_sees_nothing(box: Sandbox) -> None:
    """Queries with an unknown key answer 200 with nulls, mutations 401 with a GraphQL body."""
    box.add_run("e", "p", "r")
    query = '{ viewer { id } project(name: "p", entityName: "e") { id } }'
    for auth in (None, ("api", "f" * 40)):
        response = httpx.post(f"{box.base_url}/graphql", json={"query": query}, auth=auth, trust_env=False)
        assert (response.status_code, response.json()) == (200, {"data": {"viewer": None, "project": None}})
    mutation = 'mutation { deleteRun(input: {id: "x"}) { clientMutationId } }'
    response = httpx.post(f"{box.base_url}/graphql", json={"query": mutation}, trust_env=False)
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"] == {"code": "PERMISSION_ERROR"}


def test_what_is_unknown_or_deleted_is_null(box: Sandbox, ask: Ask) -> None:
    """Unknown, unreadable and deleted things are null in a successful answer, and come back undeleted."""
    box.add_run("e", "p", "r")
    box.add_project("e", "closed", readers=["somebody-else"])
    query = """{ a: project(name: "none", entityName: "e") { id } b: project(name: "closed", entityName: "e") { id }
      c: project(name: "p", entityName: "e") { run(name: "none") { id } gone: run(name: "r") { name } } }"""
    assert ask(query) == {"a": None, "b": None, "c": {"run": None, "gone": {"name": "r"}}}
    box.delete("e", "p", "r")
    assert ask(query)["c"]["gone"] is None
    box.undelete("e", "p", "r")
    assert ask(query)["c"]["gone"] == {"name": "r"}


@pytest.mark.parametrize(
    "query", ["{ viewer { nonsense } }", "{ viewer { id }", "query($n: Int!) { viewer { id } }"]
)
def test_documents_the_schema_does_not_know(ask: Ask, query: str) -> None:
    """Unknown fields, broken documents and missing variables answer 400 with errors."""
    response = ask(query, raw=True)
    assert response.status_code == 400
    assert response.json()["errors"]
    if "nonsense" in query:
        assert "Cannot query field 'nonsense'" in response.text


def test_a_failing_mutation_mirrors_its_status(ask: Ask) -> None:
    """Mutating a run that is not there answers 404, with a GraphQL body."""
    response = ask('mutation { deleteRun(input: {id: "x"}) { clientMutationId } }', raw=True)
    assert response.status_code == 404
    assert response.json()["errors"][0]["path"] == ["deleteRun"]


def test_a_filter_the_server_refuses(ask: Ask, box: Sandbox) -> None:
    """A bad operator in a filter answers 400, naming the field it failed at."""
    box.add_run("e", "p", "r")
    assert ask(LIST, raw=True, f='{"state": {"$near": 1}}').status_code == 400


def test_cursors_are_offsets(box: Sandbox, ask: Ask) -> None:
    """Cursors count positions, so a run that vanishes between two pages makes the next one miss a run."""
    add_days(box, 6)
    first = ask(LIST, n=3, o="+created_at")
    end = first["project"]["runs"]["pageInfo"]
    assert base64.b64decode(end["endCursor"]) == b"arrayconnection:2"
    assert end["hasNextPage"]
    box.delete("e", "p", "r0")
    second = ask(LIST, n=3, o="+created_at", c=end["endCursor"])
    assert names(first) + names(second) == ["r0", "r1", "r2", "r4", "r5"]
    assert second["project"]["runs"]["totalCount"] == second["project"]["runCount"] == 5
    assert not second["project"]["runs"]["pageInfo"]["hasNextPage"]


def test_pages_filters_and_orders(box: Sandbox, ask: Ask) -> None:
    """Pages are capped, filters select and count, signs order; without a sign a switch decides."""
    add_days(box, 5)
    assert names(ask(LIST, o="-created_at")) == ["r4", "r3", "r2", "r1", "r0"]
    assert names(ask(LIST, o="+config.n.value", f='{"config.n": {"$gte": 3}}')) == ["r3", "r4"]
    assert ask(LIST, f='{"config.n": {"$gte": 3}}')["project"]["runCount"] == 2
    assert names(ask(LIST, o="created_at", n=1)) == ["r4"]
    box.switches = Switches(page_cap=2, unsigned_order_descending=False)
    assert names(ask(LIST, o="created_at", n=1000)) == ["r0", "r1"]


def test_fields_of_a_run(box: Sandbox, ask: Ask) -> None:
    """Plain fields, counts and narrowed JSON come as the API gives them, under aliases as well."""
    box.add_run(
        "e", "p", "r", config={"lr": 0.5, "z": None}, summary={"acc": 1, "_wandb": {"runtime": 7}}, host="h",
        rows=[{"a": 1}, {"a": 2}], events=[{"system.cpu": 1}], tags=["t"], sweep="s1", user="ada", commit="c0",
        created_at="2026-01-02T03:04:05.678Z", heartbeat_at="2026-01-02T04:00:00",
    )  # fmt: skip
    got = ask(
        RUN
        % """projectId state createdAt heartbeatAt computeSeconds host sweepName commit tags stopped readOnly
        historyLineCount eventsLineCount user { username } lr: config(keys: ["lr"]) acc: summaryMetrics(keys: ["acc"])
        wandbConfig(keys: ["t"]) systemMetrics fileCount project { name entity { name } }"""
    )["project"]["run"]
    assert json.loads(got.pop("lr"))["lr"]["value"] == 0.5
    assert json.loads(got.pop("acc")) == {"acc": 1}
    assert list(json.loads(got.pop("wandbConfig"))) == ["t"]
    assert json.loads(got.pop("systemMetrics")) == {"system.cpu": 1}
    assert int(got.pop("projectId")) > 0
    assert got == {
        "state": "finished", "createdAt": "2026-01-02T03:04:05Z", "heartbeatAt": "2026-01-02T04:00:00Z",
        "computeSeconds": 7, "host": "h", "sweepName": "s1", "commit": "c0", "tags": ["t"], "stopped": False,
        "readOnly": False, "historyLineCount": 2, "eventsLineCount": 1, "user": {"username": "ada"}, "fileCount": 0,
        "project": {"name": "p", "entity": {"name": "e"}},
    }  # fmt: skip


def test_config_and_summary_text_come_back_unchanged(box: Sandbox, ask: Ask) -> None:
    """JSON text given for config and summary is served as it is, but for bare non-finite numbers."""
    config = '{"big":{"value":12345678901234567890},"f":{"value":1e400},"plain":1}'
    box.add_run("e", "p", "r", config=config, summary='{"a":NaN,"s":"NaN \\" Infinity"}')
    assert run_field(ask, "config") == config
    assert run_field(ask, "summaryMetrics") == '{"a":"NaN","s":"NaN \\" Infinity"}'
    box.switches = Switches(nan="bare")
    assert run_field(ask, "summaryMetrics") == '{"a":NaN,"s":"NaN \\" Infinity"}'


def test_history_windows(box: Sandbox, ask: Ask) -> None:
    """A window holds minStep but not maxStep; fewer samples than rows give that many rows of the window."""
    box.add_run("e", "p", "r", rows=[{"_step": s, "x": s} for s in range(0, 100, 10)])

    def steps(arguments: str) -> list[int]:
        return [json.loads(row)["_step"] for row in run_field(ask, f"history{arguments}")]

    assert steps("(minStep: 10, maxStep: 40, samples: 100)") == [10, 20, 30]
    assert steps("(samples: 100)") == list(range(0, 100, 10))
    sampled = steps("(minStep: 0, maxStep: 100, samples: 4)")
    assert len(sampled) == 4
    assert sampled == sorted(set(sampled))
    box.switches = Switches(samples_cap=3)
    assert len(steps("(minStep: 0, maxStep: 100, samples: 100)")) == 3


def test_sampled_history_needs_all_keys(box: Sandbox, ask: Ask) -> None:
    """One list a spec: flat rows that have all of its keys, maxStep included."""
    box.add_run("e", "p", "r", rows=[{"a": 0}, {"b": {"c": 1}}, {"a": 2, "b": {"c": 3}}, {"a": 4}])
    specs = [
        {"keys": ["_step", "a"]},
        {"keys": ["a", "b.c"]},
        {"keys": ["_step", "a"], "minStep": 2, "maxStep": 3},
    ]
    got = run_field(ask, f"sampledHistory(specs: {json.dumps([json.dumps(spec) for spec in specs])})")
    assert got == [
        [{"_step": 0, "a": 0}, {"_step": 2, "a": 2}, {"_step": 3, "a": 4}],
        [{"a": 2, "b.c": 3}],
        [{"_step": 2, "a": 2}, {"_step": 3, "a": 4}],
    ]


PARQUET = "parquetHistory(liveKeys: %s) { parquetUrls liveData }"


def test_exports_and_the_live_tail(box: Sandbox, ask: Ask) -> None:
    """Exports serve the rows up to a step, liveData the rest; switches empty it or take rows out of history."""
    box.add_run("e", "p", "r", rows=[{"x": i} | ({"y": i} if i == 8 else {}) for i in range(10)])
    whole = run_field(ask, PARQUET % '["_step"]')
    assert (whole["parquetUrls"], len(whole["liveData"])) == ([], 10)
    assert box.export("e", "p", "r", upto_step=6) == 7
    got = run_field(ask, PARQUET % '["_step", "y"]')
    assert len(got["parquetUrls"]) == 1
    assert got["liveData"] == [{"_step": 7}, {"_step": 8, "y": 8}, {"_step": 9}]
    box.switches = Switches(live_keys_and_semantics=True)
    assert run_field(ask, PARQUET % '["_step", "y"]')["liveData"] == [{"_step": 8, "y": 8}]
    box.switches = Switches(live_data_empty=True)
    assert run_field(ask, PARQUET % '["_step"]')["liveData"] == []
    assert len(run_field(ask, "history(samples: 100)")) == 10
    box.switches = Switches(history_includes_exported=False)
    assert [json.loads(row)["_step"] for row in run_field(ask, "history(samples: 100)")] == [7, 8, 9]


def test_exports_can_be_appended_and_go_with_a_rewind(box: Sandbox, ask: Ask) -> None:
    """A second export replaces or adds files; rewinding drops rows and exports, and counts go down."""
    box.add_run("e", "p", "r", rows=[{"x": i} for i in range(10)])
    box.export("e", "p", "r", upto_step=4)
    box.export("e", "p", "r", append=True)
    assert len(run_field(ask, PARQUET % '["_step"]')["parquetUrls"]) == 2
    box.export("e", "p", "r")
    assert len(run_field(ask, PARQUET % '["_step"]')["parquetUrls"]) == 1
    box.rewind("e", "p", "r", 3)
    got = run_field(ask, PARQUET % '["_step"]')
    assert (got["parquetUrls"], [row["_step"] for row in got["liveData"]]) == ([], [0, 1, 2, 3])
    assert run_field(ask, "historyLineCount") == 4
    assert run_field(ask, "historyKeys")["lastStep"] == 3


def test_bare_constants_in_whole_answers(box: Sandbox, ask: Ask) -> None:
    """Non-finite numbers are strings, or bare tokens where the switch says so."""
    box.add_run("e", "p", "r", lines=['{"_step":0,"x":NaN,"s":"NaN"}'])
    assert run_field(ask, PARQUET % '["x", "s", "_step"]')["liveData"] == [
        {"_step": 0, "x": "NaN", "s": "NaN"}
    ]
    assert run_field(ask, "history(samples: 1)") == ['{"_step":0,"x":"NaN","s":"NaN"}']
    box.switches = Switches(nan="bare")
    assert run_field(ask, "history(samples: 1)") == ['{"_step":0,"x":NaN,"s":"NaN"}']
    answer = ask(RUN % PARQUET % '["x", "s", "_step"]', raw=True)
    assert '"x":NaN' in answer.text


@pytest.mark.parametrize(
    ("switches", "text"),
    [
        (Switches(), "2026-01-02T03:04:05Z"),
        (Switches(zulu=False), "2026-01-02T03:04:05"),
        (Switches(fractional_timestamps=True), "2026-01-02T03:04:05.250000Z"),
    ],
)
def test_times_on_the_wire(switches: Switches, text: str) -> None:
    """Times carry a `Z` and fractions as the switches say."""
    with Sandbox(switches=switches) as box:
        box.add_run("e", "p", "r", created_at="2026-01-02T03:04:05.250Z")
        body = {"query": RUN % "createdAt"}
        response = httpx.post(f"{box.base_url}/graphql", json=body, auth=("api", box.key), trust_env=False)
        assert response.json()["data"]["project"]["run"]["createdAt"] == text


def test_heartbeats_edits_and_crashes(box: Sandbox, ask: Ask) -> None:
    """Rows move the heartbeat, edits do not (or do, by a switch), and silence crashes a run without moving it."""
    box.add_run("e", "p", "r", state="running", rows=[{"x": 1}])
    times = [run_field(ask, "heartbeatAt")]
    box.advance(100)
    box.edit("e", "p", "r", tags=["x"], notes="n", config={"k": 1}, summary={"s": 2}, name="new")
    times.append(run_field(ask, "heartbeatAt"))
    assert times[0] == times[1]
    box.switches = Switches(edits_move_heartbeat=True)
    box.edit("e", "p", "r", notes="m")
    times.append(run_field(ask, "heartbeatAt"))
    assert times[2] > times[1]
    box.append_rows("e", "p", "r", [{"x": 2}])
    box.advance(301)
    assert (run_field(ask, "state"), run_field(ask, "heartbeatAt") >= times[2]) == ("crashed", True)
    assert run_field(ask, "historyLineCount") == 2
    config = json.loads(run_field(ask, "config"))
    assert (config["k"]["value"], run_field(ask, "displayName"), run_field(ask, "tags")) == (1, "new", ["x"])


def test_files_by_name_and_pattern(box: Sandbox, ask: Ask) -> None:
    """Files come by SQL pattern or by name, with a placeholder for a name that is not there."""
    run = box.add_run("e", "p", "r")
    box.store.save(run, "media/a.json", b"{}")
    box.store.save(run, "b.txt", b"text")
    field = "files(%s) { edges { node { name sizeBytes updatedAt md5 directUrl url } } }"
    by_pattern = [edge["node"] for edge in run_field(ask, field % 'pattern: "%.json"')["edges"]]
    assert [node["name"] for node in by_pattern] == ["media/a.json"]
    by_name = [edge["node"] for edge in run_field(ask, field % 'names: ["b.txt", "none"]')["edges"]]
    assert [(n["name"], n["sizeBytes"], n["updatedAt"] is None) for n in by_name] == [
        ("b.txt", 4, False), ("none", 0, True),
    ]  # fmt: skip
    assert httpx.get(by_name[0]["directUrl"], trust_env=False).content == b"text"
    assert httpx.get(by_name[0]["url"], auth=("api", box.key), trust_env=False).content == b"text"
    assert httpx.get(by_name[0]["url"], trust_env=False).status_code == 401
    assert base64.b64decode(by_name[0]["md5"]).hex() == "1cb251ec0d568de6a929b520c4aed8d1"  # md5sum of "text"


def test_a_project_that_may_only_be_read(box: Sandbox, ask: Ask) -> None:
    """Writing to a read-only project answers 403 with a GraphQL body; reading it says so."""
    box.add_project("e", "p", read_only=True)
    mutation = 'mutation { upsertBucket(input: {entityName: "e", modelName: "p", name: "x"}) { inserted } }'
    refused = ask(mutation, raw=True)
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (403, "permission denied")
    assert ask('{ project(name: "p", entityName: "e") { readOnly runCount } }') == {
        "project": {"readOnly": True, "runCount": 0}
    }


def test_keys_that_are_no_unicode_are_served_as_escapes(box: Sandbox, ask: Ask) -> None:
    """A lone surrogate in a metric's name does not break the answer that lists it."""
    box.add_run("e", "p", "odd", lines=[r'{"_step":0,"\ud800key":1}'])
    answer = ask('{ project(name: "p", entityName: "e") { run(name: "odd") { historyKeys } } }')
    assert "\ud800key" in answer["project"]["run"]["historyKeys"]["keys"]
