"""Questions and answers: listing, details, exports, history windows."""

import asyncio
import base64
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import graphql
import httpx
import pytest

from wandb_warehouse.client import Exports, Limits, RunPage, WandbClient, Window, documents
from wandb_warehouse.errors import (
    AuthError,
    FatalRemoteError,
    ProjectNotFoundError,
    RetriableRemoteError,
)

DATE = "Fri, 20 Nov 2026 16:00:30 GMT"


class Server:
    """Answers the client's questions from a list of runs, with offset cursors as W&B has them."""

    def __init__(self, names: list[str], *, page_cap: int = 1000) -> None:
        self.names = names
        self.page_cap = page_cap
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.most_at_once = 10**9
        self.unknown: set[str] = set()
        self.between_pages: Callable[[], None] = lambda: None
        self.hidden: set[str] = set()
        self.lost_in_lists: set[str] = set()
        self.too_slow = False

    @property
    def operations(self) -> Counter[str]:
        """How often each operation was asked."""
        return Counter(name for name, _variables in self.asked)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        body = json.loads(request.content)
        name, variables = body["operationName"], body["variables"]
        self.asked.append((name, variables))
        for field in sorted(self.unknown):
            if re.search(rf"\b{field}\b", body["query"]):
                message = f'Cannot query field "{field}" on type "Run".'
                return httpx.Response(400, json={"errors": [{"message": message}]})
        answer = getattr(self, name)(variables)
        if answer is None:
            if self.too_slow:
                raise httpx.ReadTimeout("x")
            return httpx.Response(413)
        return httpx.Response(200, json={"data": answer}, headers={"date": DATE})

    def Viewer(self, _variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """The key's owner."""
        return {"viewer": {"id": "u", "entity": "team"}}

    def Projects(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """Three projects of `team`, two a page."""
        if variables["entity"] != "team":
            return {"models": None}
        names = ["mnist", "cifar", "Image-Net"]
        start = int(variables["after"] or 0)
        page = [
            {"node": {"name": n}, "cursor": str(start + i + 1)}
            for i, n in enumerate(names[start : start + 2])
        ]
        info = {"endCursor": str(start + 2), "hasNextPage": start + 2 < len(names)}
        return {"models": {"edges": page, "pageInfo": info}}

    def page(self, variables: dict[str, Any], names: list[str]) -> Any:
        """A page of the list as it is now."""
        start = int(base64.b64decode(variables["after"]).split(b":")[1]) + 1 if variables["after"] else 0
        stop = min(start + min(variables["first"], self.page_cap), len(names))
        edges = [
            {
                "node": None if names[i] in self.hidden else {"name": names[i]},
                "cursor": base64.b64encode(b"arrayconnection:%d" % i).decode(),
            }
            for i in range(start, stop)
        ]
        end = edges[-1]["cursor"] if edges else None
        return {"edges": edges, "pageInfo": {"endCursor": end, "hasNextPage": stop < len(names)}}

    def ListRuns(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """One page of the light listing."""
        if variables["project"] != "mnist":
            return {"project": None}
        if min(variables["first"], len(self.names)) > self.most_at_once:
            return None
        page = self.page(variables, self.names)
        answer = {"project": {"name": "mnist", "runCount": len(self.names), "runs": page}}
        self.between_pages()
        return answer

    def RunDetails(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """Details by filter."""
        wanted = json.loads(variables["filters"])["name"]["$in"]
        if len(wanted) > self.most_at_once:
            return None
        listed = [n for n in self.names if n in wanted and n not in self.lost_in_lists]
        return {"project": {"runs": self.page(variables, listed)}}

    def aliased(self, variables: dict[str, Any], answer: Callable[[str, int], Any]) -> Any:
        """One answer per alias; null for runs that are gone."""
        count = sum(re.fullmatch(r"n\d+", key) is not None for key in variables)
        if count > self.most_at_once:
            return None
        asked = [variables[f"n{i}"] for i in range(count)]
        return {"project": {f"r{i}": answer(n, i) if n in self.names else None for i, n in enumerate(asked)}}

    def LookUpRuns(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """Light fields by name."""
        return self.aliased(variables, lambda name, _i: {"name": name})

    def RunsByName(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """Details by name."""
        return self.aliased(variables, lambda name, _i: {"name": name})

    def ParquetExports(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """One file a run and a live row with the keys asked for."""
        return self.aliased(
            variables,
            lambda name, i: {
                "parquetHistory": {
                    "parquetUrls": [f"https://store.example/{name}"],
                    "liveData": [dict.fromkeys(variables[f"k{i}"], 2**70)],
                }
            },
        )

    def HistoryWindows(self, variables: dict[str, Any]) -> Any:  # noqa: N802  (named as the operation)
        """Rows of every step; a row of step s of run r is `{"run":r,"_step":s}`."""
        windows = [k for k in variables if re.fullmatch(r"n\d+", k)]
        if sum(variables[f"b{n[1:]}"] - variables[f"a{n[1:]}"] for n in windows) > self.most_at_once:
            return None
        return {
            "project": {
                f"r{i}": {
                    "history": [
                        json.dumps({"run": variables[f"n{i}"], "_step": step})
                        for step in range(variables[f"a{i}"], variables[f"b{i}"])
                    ][: variables[f"s{i}"]]
                }
                if variables[f"n{i}"] in self.names
                else None
                for i in range(len(windows))
            }
        }


Make = Callable[..., WandbClient]


def listing(make_client: Make, server: Any, page_size: int = 1000, project: str = "mnist") -> list[RunPage]:
    """All pages of a listing."""

    async def pages() -> list[RunPage]:
        async with make_client(server) as client:
            return [page async for page in client.list_runs("team", project, page_size=page_size)]

    return asyncio.run(pages())


def names_in(pages: list[RunPage]) -> list[str]:
    """Run ids in listed order."""
    return [run["name"] for page in pages for run in page.nodes]


ALL_DOCUMENTS = [
    documents.VIEWER,
    documents.PROJECTS,
    documents.list_runs(),
    documents.list_runs(documents.OPTIONAL_FIELDS),
    documents.list_runs(fields=documents.NAME),
    documents.runs_looked_up(3),
    documents.project_ids(),
    documents.run_details(),
    documents.run_details(documents.OPTIONAL_FIELDS),
    documents.runs_by_name(3),
    documents.parquet_exports(1),
    documents.parquet_exports(20),
    documents.history_windows(2),
]


@pytest.mark.parametrize("document", ALL_DOCUMENTS, ids=lambda d: f"{d.name}-{len(d.text)}")
def test_every_document_is_valid_graphql(document: documents.Document) -> None:
    """A GraphQL library checks each document against the schema that the official client is served by, too."""
    schema = graphql.build_schema((files("wandb_warehouse.sandbox") / "schema.graphql").read_text())
    parsed = graphql.parse(document.text)
    assert not graphql.validate(schema, parsed)
    (operation,) = parsed.definitions
    assert isinstance(operation, graphql.OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value == document.name


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (3500, 4)])
def test_listing_costs_one_request_a_thousand_runs(make_client: Make, count: int, requests: int) -> None:
    """Project, count and first page come together; every run comes once, in order."""
    server = Server([f"r{i}" for i in range(count)])
    pages = listing(make_client, server)
    assert names_in(pages) == server.names
    assert server.operations == {"ListRuns": requests}
    assert all(page.run_count == count and page.project == {"name": "mnist"} for page in pages)
    assert pages[0].server_time == datetime(2026, 11, 20, 16, 0, 30, tzinfo=UTC)
    assert server.asked[0][1]["order"] == "+created_at"


def test_a_server_that_gives_fewer_than_asked_is_paged_to_the_end(make_client: Make) -> None:
    """The end is told by pageInfo alone: a cap of 50 on `first` loses nothing."""
    server = Server([f"r{i}" for i in range(320)], page_cap=50)
    assert names_in(listing(make_client, server)) == server.names
    assert server.operations == {"ListRuns": 7}


def test_hidden_runs_and_empty_pages_are_passed_over(make_client: Make) -> None:
    """Null nodes are counted, and pages of nothing but them do not end the listing."""
    server = Server([f"r{i}" for i in range(40)], page_cap=5)
    server.hidden = set(server.names[5:20])
    pages = listing(make_client, server)
    assert names_in(pages) == [*server.names[:5], *server.names[20:]]
    assert [page.hidden for page in pages] == [0, 5, 5, 5, 0, 0, 0, 0]


def test_a_list_that_moves_while_paged_repeats_no_run(make_client: Make) -> None:
    """Runs inserted before the position come twice from the server, once from us; each page says how many."""
    rng = random.Random(7)
    for _ in range(20):
        server = Server([f"r{i}" for i in range(100)], page_cap=9)
        server.between_pages = lambda server=server: server.names.insert(0, f"new{rng.random()}")  # type: ignore[misc]  # bound per round
        pages = listing(make_client, server)
        found = names_in(pages)
        assert len(found) == len(set(found))
        assert set(found) >= {f"r{i}" for i in range(100)}
        assert sum(page.repeated for page in pages) == len(pages) - 1
        assert pages[-1].run_count > pages[0].run_count, "the caller sees that the list moved"


@pytest.mark.parametrize("edges", [[], [{"node": {"name": "r0"}, "cursor": "same"}]])
@pytest.mark.parametrize(
    "info", [{"endCursor": "same", "hasNextPage": True}, {"endCursor": None, "hasNextPage": True}, None]
)
def test_a_listing_that_does_not_advance_is_an_error(make_client: Make, edges: list[Any], info: Any) -> None:
    """A cursor that stays, or none at all, ends in FatalRemoteError at once and not in a loop."""
    count = 0

    def handler(_request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        assert count <= 2
        project = {"name": "mnist", "runCount": 5, "runs": {"edges": edges, "pageInfo": info}}
        return httpx.Response(200, json={"data": {"project": project}}, headers={"date": DATE})

    with pytest.raises(FatalRemoteError):
        listing(make_client, handler)


def test_endless_empty_pages_are_an_error(make_client: Make) -> None:
    """Cursors that move for ever over empty pages end in FatalRemoteError."""
    count = 0

    def handler(_request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        runs = {"edges": [], "pageInfo": {"endCursor": str(count), "hasNextPage": True}}
        data = {"project": {"name": "mnist", "runCount": 5, "runs": runs}}
        return httpx.Response(200, json={"data": data}, headers={"date": DATE})

    with pytest.raises(FatalRemoteError, match="next page"):
        listing(make_client, handler)
    assert 50 < count < 200


@pytest.mark.parametrize(
    "project",
    [
        {"runCount": 0, "runs": None},
        {"runCount": 0, "runs": {"edges": None, "pageInfo": {"hasNextPage": False}}},
        {"runCount": 1, "runs": {"edges": [1], "pageInfo": {"hasNextPage": False}}},
        {"runCount": 1, "runs": {"edges": [{"node": {}}], "pageInfo": {"hasNextPage": False}}},
        {"runCount": None, "runs": {"edges": [], "pageInfo": {"hasNextPage": False}}},
    ],
)
def test_an_answer_of_the_wrong_shape_is_an_error(make_client: Make, project: Any) -> None:
    """What is no list of runs with its count is never taken for an empty project."""
    answer = {"data": {"project": project}}
    with pytest.raises(FatalRemoteError):
        listing(make_client, lambda _r: httpx.Response(200, json=answer, headers={"date": DATE}))


def test_without_the_servers_clock_there_is_no_listing(make_client: Make) -> None:
    """No Date header: the sync's cursor would hang on the local clock, so the listing fails."""
    runs = {"edges": [], "pageInfo": {"hasNextPage": False}}
    answer = {"data": {"project": {"runCount": 0, "runs": runs}}}
    with pytest.raises(FatalRemoteError, match="Date"):
        listing(make_client, lambda _r: httpx.Response(200, json=answer))


def test_pages_too_heavy_for_the_server_are_asked_smaller(make_client: Make) -> None:
    """A refused page of 1000 is halved until it fits; nothing is lost or doubled."""
    server = Server([f"r{i}" for i in range(300)])
    server.most_at_once = 130
    assert names_in(listing(make_client, server)) == server.names


@pytest.mark.parametrize(
    ("project", "hint"),
    [("mnits", "mnist"), ("imagenet", "Image-Net"), ("zzzz", "check the name")],
)
def test_an_unknown_project_is_answered_with_close_names(make_client: Make, project: str, hint: str) -> None:
    """A typo is exit 2 and names what was likely meant, from all pages of the entity's projects."""
    with pytest.raises(ProjectNotFoundError, match=hint) as caught:
        listing(make_client, Server([]), project=project)
    assert caught.value.exit_code == 2
    assert f"team/{project}" in str(caught.value)


def test_a_refused_key_is_not_taken_for_an_unknown_project(make_client: Make) -> None:
    """W&B answers null for both; the viewer tells them apart."""
    null = {"viewer": None, "project": None, "models": None}

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": null}, headers={"date": DATE})

    with pytest.raises(AuthError):
        listing(make_client, handler)
    with pytest.raises(AuthError):
        ask(make_client, handler, lambda client: client.projects("team"))


def ask(make_client: Make, server: Any, question: Callable[[WandbClient], Any], **options: Any) -> Any:
    """The answer to one question."""

    async def run() -> Any:
        async with make_client(server, **options) as client:
            return await question(client)

    return asyncio.run(run())


def test_an_unknown_entity_is_not_an_empty_one(make_client: Make) -> None:
    """Projects of an entity the key cannot see: ProjectNotFoundError, not an empty list."""
    with pytest.raises(ProjectNotFoundError, match="nobody"):
        ask(make_client, Server([]), lambda client: client.projects("nobody"))
    found = ask(make_client, Server([]), lambda client: client.projects("team"))
    assert [project["name"] for project in found] == ["mnist", "cifar", "Image-Net"]


def test_details_of_many_runs_cost_one_request(make_client: Make) -> None:
    """250 runs, one request; repeated ids are asked once, unknown ones are absent."""
    server = Server([f"r{i}" for i in range(250)])
    found = ask(make_client, server, lambda c: c.run_details("team", "mnist", [*server.names, "r7"]))
    assert found == {name: {"name": name} for name in server.names}
    assert server.operations == {"RunDetails": 1}


def test_runs_left_out_of_a_list_are_asked_by_name(make_client: Make) -> None:
    """A run that the filtered list lacks is asked for directly, once; only one that is gone stays absent."""
    server = Server([f"r{i}" for i in range(30)], page_cap=8)
    server.lost_in_lists = {"r3", "r29"}
    found = ask(make_client, server, lambda c: c.run_details("team", "mnist", [*server.names, "gone"]))
    assert sorted(found) == sorted(server.names)
    assert server.operations["RunsByName"] == 1
    assert {v for k, v in server.asked[-1][1].items() if k.startswith("n")} == {"r3", "r29", "gone"}


def test_runs_are_looked_up_by_name(make_client: Make) -> None:
    """What the server says it lacks is None; an answer without a word of a run, or without the project, is refused."""
    server = Server(["r0", "r2"])
    found = ask(make_client, server, lambda c: c.look_up("team", "mnist", ["r0", "r1", "r2"]))
    assert found == {"r0": {"name": "r0"}, "r1": None, "r2": {"name": "r2"}}
    for answer, error in (
        ({"project": {"r0": None}}, FatalRemoteError),
        ({"project": None}, ProjectNotFoundError),
    ):
        setattr(server, "LookUpRuns", lambda _, answer=answer: answer)  # noqa: B010  (the fault under test)
        with pytest.raises(error):
            ask(make_client, server, lambda c: c.look_up("team", "mnist", ["r0", "r1"]))


def test_a_server_that_ignores_the_filter_is_not_paged_through(make_client: Make) -> None:
    """Runs nobody asked for end the walk; those asked for are fetched by name."""
    server = Server([f"r{i}" for i in range(5000)], page_cap=1)
    setattr(server, "RunDetails", lambda asked: {"project": {"runs": server.page(asked, server.names)}})  # noqa: B010  (the fault under test)
    found = ask(make_client, server, lambda c: c.run_details("team", "mnist", ["r4000", "r4001"]))
    assert sorted(found) == ["r4000", "r4001"]
    assert server.operations == {"RunDetails": 1, "RunsByName": 1}


@pytest.mark.parametrize("too_slow", [False, True])
def test_batches_too_heavy_are_halved_and_grow_again(make_client: Make, too_slow: bool) -> None:
    """Answers too slow or too large: half as many are asked, and the next call starts from what fitted."""
    server = Server([f"r{i}" for i in range(200)])
    server.most_at_once, server.too_slow = 60, too_slow

    async def twice(client: WandbClient) -> tuple[int, int]:
        assert len(await client.run_details("team", "mnist", server.names)) == 200
        first = len(server.asked)
        assert len(await client.run_details("team", "mnist", server.names)) == 200
        return first, len(server.asked) - first

    first, second = ask(make_client, server, twice)
    assert first == 1 + 2 + 4, "200, 2 x 100, 4 x 50"
    assert second == 2 + 4, "2 x 100, 4 x 50"


def test_one_run_alone_too_heavy_is_an_error(make_client: Make) -> None:
    """What cannot be halved any more fails: never a silent gap."""
    server = Server(["r0", "r1"])
    server.most_at_once = 0
    with pytest.raises(FatalRemoteError):
        ask(make_client, server, lambda c: c.run_details("team", "mnist", server.names))
    server.too_slow = True
    with pytest.raises(RetriableRemoteError, match="5 tries"):
        ask(make_client, server, lambda c: c.run_details("team", "mnist", server.names))


def test_fields_an_older_server_lacks_are_left_out(make_client: Make) -> None:
    """Each unknown optional field costs one refused request, once; a needed one is an error."""
    server = Server(["r0"])
    server.unknown = {"computeSeconds", "host", "internalId"}

    async def three(client: WandbClient) -> None:
        for _ in range(3):
            assert await client.run_details("team", "mnist", ["r0"]) == {"r0": {"name": "r0"}}
            assert [page.run_count async for page in client.list_runs("team", "mnist")] == [1]

    ask(make_client, server, three)
    assert len(server.asked) == 3 + 6
    server.unknown = {"displayName"}
    with pytest.raises(FatalRemoteError, match="displayName"):
        ask(make_client, server, lambda c: c.run_details("team", "mnist", ["r0"]))


def test_exports_of_many_runs_come_together(make_client: Make) -> None:
    """120 runs at 50 a request; each gets its own files and keys, integers exact, gone runs are absent."""
    server = Server([f"r{i}" for i in range(120)])
    asks = [(name, ["_step", f"key of {name}"]) for name in [*server.names, "gone"]]
    found = ask(make_client, server, lambda c: c.exports("team", "mnist", asks))
    assert found == {
        name: Exports((f"https://store.example/{name}",), [{"_step": 2**70, f"key of {name}": 2**70}])
        for name in server.names
    }
    assert server.operations == {"ParquetExports": 3}


def test_a_server_without_exports_has_none(make_client: Make) -> None:
    """It is asked once, then no more."""
    server = Server(["r0"])
    server.unknown = {"parquetHistory"}

    async def twice(client: WandbClient) -> None:
        for _ in range(2):
            assert await client.exports("team", "mnist", [("r0", ["_step"])]) == {"r0": Exports((), [])}

    ask(make_client, server, twice)
    assert len(server.asked) == 1


@pytest.mark.parametrize("most_at_once", [10**9, 3000, 70, 1])
def test_history_windows_come_whole_and_in_order(make_client: Make, most_at_once: int) -> None:
    """However little fits into an answer, each window's rows are all there, in order, for the right run."""
    server = Server(["a", "b"])
    server.most_at_once = most_at_once
    windows = [
        Window("a", 0, 100, 100),
        Window("b", 50, 250, 200),
        Window("gone", 0, 9, 9),
        Window("b", 7, 8, 1),
    ]
    rows = ask(
        make_client,
        server,
        lambda c: c.history_rows("team", "mnist", windows),
        limits=Limits(breaker_after=10**6),
    )
    assert [[json.loads(row) for row in window] for window in rows] == [
        [{"run": "a", "_step": step} for step in range(100)],
        [{"run": "b", "_step": step} for step in range(50, 250)],
        [],
        [{"run": "b", "_step": 7}],
    ]


def test_a_project_that_vanishes_midway_is_an_error(make_client: Make) -> None:
    """Access lost between two questions raises; it does not look like runs that are gone."""
    null = {"viewer": {"id": "u"}, "project": None, "models": None}

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": null})

    questions: list[Callable[[WandbClient], Any]] = [
        lambda c: c.run_details("team", "mnist", ["a"]),
        lambda c: c.exports("team", "mnist", [("a", ["_step"])]),
        lambda c: c.history_rows("team", "mnist", [Window("a", 0, 5, 5)]),
    ]
    for question in questions:
        with pytest.raises(ProjectNotFoundError):
            ask(make_client, handler, question)


def test_nothing_asked_sends_nothing(make_client: Make) -> None:
    """Empty questions have empty answers without a request."""

    async def nothing(client: WandbClient) -> Any:
        return (
            await client.run_details("team", "mnist", []),
            await client.exports("team", "mnist", []),
            await client.history_rows("team", "mnist", []),
        )

    assert ask(make_client, None, nothing) == ({}, {}, [])
