"""Queries executed from a plan, against graphql-core executing the same documents."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from wandb_warehouse.sandbox import Sandbox, Switches, execution
from wandb_warehouse.sandbox import graphql_api as api
from wandb_warehouse.sandbox.context import Context, Origins
from wandb_warehouse.sandbox.filters import compile_filter, sort_runs
from wandb_warehouse.sandbox.store import RunView

LEAVES = """id name displayName projectId state config summaryMetrics systemMetrics wandbConfig historyKeys tags group
    jobType sweepName commit host description notes createdAt heartbeatAt updatedAt computeSeconds stopped readOnly
    fileCount historyLineCount eventsLineCount logLineCount historyTail eventsTail __typename""".split()  # noqa: SIM905 - a list of 31 texts takes 31 lines
BRANCHES = (
    "user{username name}",
    "user{teams{edges{node{name}}}}",
    "project{name entity{name}}",
    'lr:config(keys:["lr"])',
    "history(samples:$all)",
    'sampledHistory(specs:["{\\"keys\\":[\\"x\\"]}"])',
    'parquetHistory(liveKeys:["x"]){parquetUrls liveData}',
    "files(first:1){edges{node{name sizeBytes updatedAt}} totalCount}",
    "logLines{edges{node{number line timestamp}}}",
    "...{name} ...Few",
    "user{username} user{id}",
)
FILTERS = (
    None,
    "{}",
    '{"state": "finished"}',
    '{"name": {"$in": ["r1", "r3", "none"]}}',
    '{"$and": [{"name": "r2"}, {"config.n": {"$gt": 1}}]}',
    '{"$or": [{"created_at": {"$gte": "2026-01-02"}}, {"state": {"$nin": ["finished"]}}]}',
)
ORDERS = (None, "+created_at", "-created_at", "created_at", "-heartbeat_at", "+config.n", "-name")
SWITCHES = (
    Switches(),
    Switches(nan="bare", fractional_timestamps=True, unsigned_order_descending=False),
    Switches(zulu=False, page_cap=2, history_includes_exported=False),
)


def filled() -> Sandbox:
    """A store with runs that differ, two of them created in one second."""
    box = Sandbox(switches=Switches(fractional_timestamps=True))
    for number in range(5):
        run = box.add_run(
            "e",
            "p",
            f"r{number}",
            config={"lr": 0.5, "n": number},
            summary='{"a":NaN,"_runtime":3}' if number == 1 else {"a": number},
            rows=[{"x": float(step), "text": "\ud800" if number == 2 else "t"} for step in range(number)],
            state="running" if number == 4 else "finished",
            tags=["t"] * number,
            created_at=f"2026-01-0{3 - number // 2}T00:00:00.{9 - number}Z",
            user="ada" if number % 2 else None,
            notes=None if number else "n",
        )
        run.log = ['{"content":"line"}', "plain"][:number]
        box.store.save(run, "a.json", b"{}")
    box.export("e", "p", "r3", upto_step=1)
    return box


BOX = filled()


def context(viewer: str | None = "sandbox") -> Context:
    """What a request of that user knows."""
    return Context(BOX.store, BOX.shelf, viewer, Origins("http://api", "http://storage"))


def by_graphql_core(text: str, variables: dict[str, Any], viewer: str | None = "sandbox") -> api.Answer:
    """The answer without a plan."""
    prepared = api._prepare(text)
    assert isinstance(prepared, api._Prepared)
    return api._executed(prepared, context(viewer), variables, None)


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_a_plan_answers_as_graphql_core_does(data: st.DataObject) -> None:
    """Any selection of a run's fields, listed, aliased or in a fragment, gives the same bytes either way."""
    fields = data.draw(st.lists(st.sampled_from([*LEAVES, *BRANCHES]), min_size=1, max_size=8))
    selected = " ".join(fields)
    node = data.draw(st.sampled_from([selected, "...Run", f"name ...Run ...on Run{{{selected}}}"]))
    text = f"""query List($f: JSONString, $o: String, $c: String, $n: Int = 3, $all: Int = 100) {{
      project(name: "p", entityName: "e") {{ id internalId createdAt runCount(filters: $f)
        runs(filters: $f, order: $o, after: $c, first: $n) {{
          edges {{ node {{ {node} }} cursor }} pageInfo {{ endCursor hasNextPage }} totalCount }}
        one: run(name: "r1") {{ {selected} }} none: run(name: "nobody") {{ {selected} }} }}
      viewer {{ username }} }}
      fragment Few on Run {{ name state }} fragment Run on Run {{ {selected} historyLineCount }}"""
    variables: dict[str, Any] = {
        "f": data.draw(st.sampled_from(FILTERS)),
        "o": data.draw(st.sampled_from(ORDERS)),
        "c": data.draw(st.sampled_from([None, "YXJyYXljb25uZWN0aW9uOjE="])),
    }
    if data.draw(st.booleans()):
        variables["n"] = data.draw(st.sampled_from([None, 0, 1, 100]))
    BOX.switches = data.draw(st.sampled_from(SWITCHES))
    text = text if "...Run" in node else text.partition("fragment Run on")[0]
    text = text if "...Few" in selected else text.replace("fragment Few on Run { name state }", "")
    text = text if "$all)" in selected else text.replace(", $all: Int = 100", "")
    prepared = api._prepare(text)
    assert isinstance(prepared, api._Prepared)
    assert prepared.selection is not None, prepared.errors
    found = execution.run(api._schema(), prepared.selection, context(), variables)
    assert found is not None
    assert api.answer({"query": text, "variables": variables}, context()) == by_graphql_core(text, variables)


@pytest.mark.parametrize(
    ("query", "planned"),
    [
        ('{ project(name: "p", entityName: "e") { runs(first: 1) { edges @skip(if: true) { cursor } } } }', False),
        ("{ __schema { queryType { name } } }", False),
        ('{ project(name: "p", entityName: "e") { artifactCollection(name: "c") { name } } }', False),
        ('{ project(name: "p", entityName: "e") { name runCount(filters: "{\\"$no\\": 1}") } }', True),
        ('{ project(name: "p", entityName: "e") { runs(after: "?") { totalCount } } }', True),
        ("query($f: JSONString!) { project { runCount(filters: $f) } }", True),
        ("{ project { id } viewer { id } }", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("viewer", ["sandbox", None])
def test_what_no_plan_can_answer(query: str, planned: bool, viewer: str | None) -> None:
    """Directives, interfaces, introspection and failures are left to graphql-core, its words and status included."""
    prepared = api._prepare(query)
    assert isinstance(prepared, api._Prepared)
    assert (prepared.selection is not None) == planned
    assert api.answer({"query": query}, context(viewer)) == by_graphql_core(query, {}, viewer)


@given(st.sampled_from(FILTERS[1:]), st.sampled_from(ORDERS), st.sampled_from(SWITCHES))
def test_filters_and_orders_need_no_shortcut(filters: str, order: str | None, switches: Switches) -> None:
    """A list is what filtering and sorting every run as a filter sees it gives."""
    BOX.switches = switches
    passes = compile_filter(json.loads(filters))
    views = [RunView(run, switches) for run in BOX.store.projects["e", "p"].live_runs]
    chosen = sort_runs(
        filter(passes, views),
        order,
        unsigned_descending=switches.unsigned_order_descending,
        null_last=switches.null_placement == "last",
    )
    text = """query($f: JSONString, $o: String) { project(name: "p", entityName: "e") {
      runs(filters: $f, order: $o) { edges { node { name } } totalCount } } }"""
    shown = json.loads(api.answer({"query": text, "variables": {"f": filters, "o": order}}, context()).body)
    edges = shown["data"]["project"]["runs"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == [view["name"] for view in chosen][: switches.page_cap]
