"""Lists to their last page, several in one request; files by the key to one origin, and without it to the storage."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from wandb_warehouse.client import Limits, WandbClient
from wandb_warehouse.client.lists import FILES, SWEEPS, PagedList
from wandb_warehouse.errors import FatalRemoteError, RetriableRemoteError

MakeClient = Callable[..., WandbClient]


class Pages:
    """Answers for lists of files: `names` of each run, cut as the request asks."""

    def __init__(self, **names: list[str]) -> None:
        self.names = names
        self.asked: list[list[tuple[str, str | None, int]]] = []
        self.heavy = 10**9
        """Entries in one answer from which it takes too long."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        variables = json.loads(request.content)["variables"]
        count = sum(name.startswith("n") for name in variables)
        asks = [(variables[f"n{i}"], variables[f"a{i}"], variables[f"f{i}"]) for i in range(count)]
        self.asked.append(asks)
        if sum(first for _, _, first in asks) >= self.heavy:
            return httpx.Response(504, json={"error": "deadline exceeded"})
        return httpx.Response(
            200, json={"data": {"project": {f"r{i}": self.page(*ask) for i, ask in enumerate(asks)}}}
        )

    def page(self, run_id: str, after: str | None, first: int) -> Any:
        """One page of a run, None for a run that is gone."""
        if run_id not in self.names:
            return None
        names, start = self.names[run_id], int(after or 0)
        shown = names[start : start + first]
        info = {"endCursor": str(start + len(shown)), "hasNextPage": start + len(shown) < len(names)}
        edges = [{"cursor": str(start + n + 1), "node": {"name": name}} for n, name in enumerate(shown)]
        return {"at": {"totalCount": len(names), "edges": edges, "pageInfo": info}}


def read(client: WandbClient, *runs: str, wanted: PagedList = FILES) -> list[Any]:
    """Names found of each run, None for one that is gone."""

    async def ask() -> list[Any]:
        async with client:
            lists = await client.catalog.lists(wanted, "e", "p", [{"n": run_id} for run_id in runs])
            return [found and [node["name"] for node in found.nodes] for found in lists]

    return asyncio.run(ask())


def test_every_list_to_its_last_page(make_client: MakeClient) -> None:
    """Lists of one request go on by themselves; those that are through are asked no more."""
    pages = Pages(long=[str(n) for n in range(600)], short=["x"], none=[])
    assert read(make_client(pages), "long", "gone", "short", "none") == [pages.names["long"], None, ["x"], []]
    assert [[run for run, _, _ in asks] for asks in pages.asked] == [
        ["long", "gone", "short", "none"],
        ["long"],
        ["long"],
    ]


@pytest.mark.parametrize("refusal", [None, 400, 504])
def test_many_runs_are_asked_for_as_a_filtered_list(make_client: MakeClient, refusal: int | None) -> None:
    """First pages come from few short questions; what the list leaves out, refuses or cannot give is asked by name."""
    names = {f"r{n}": [str(entry) for entry in range(n % 3 * 200)] for n in range(150)}
    pages = Pages(**names)
    listed: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)["variables"]
        if "filters" not in variables:
            return pages(request)
        ids = json.loads(variables["filters"])["name"]["$in"]
        listed.append(ids)
        if refusal:
            return httpx.Response(refusal, json={"errors": [{"message": "no"}]})
        shown = [run_id for run_id in ids if run_id in names and run_id != "r5"]
        edges = [{"node": {"name": each, **pages.page(each, None, variables["f"])}} for each in shown]
        return httpx.Response(200, json={"data": {"project": {"runs": {"edges": edges}}}})

    assert read(make_client(answer), "gone", *names) == [None, *names.values()]
    assert sorted(run for ids in listed for run in ids) == sorted(["gone", *names])
    assert all(len(ids) <= 100 for ids in listed)
    if not refusal:
        by_name = {run for asks in pages.asked for run, after, _ in asks if after is None}
        assert by_name == {"gone", "r5"}


def test_answers_too_heavy_are_asked_for_in_parts(make_client: MakeClient) -> None:
    """Fewer lists at once first, then shorter pages; nothing is lost."""
    pages = Pages(a=[str(n) for n in range(90)], b=[str(n) for n in range(7)])
    pages.heavy = 50
    assert read(make_client(pages, limits=Limits(backoff=0.0)), "a", "b") == [
        pages.names["a"],
        pages.names["b"],
    ]


def test_a_list_that_moves_is_walked_again(make_client: MakeClient) -> None:
    """An entry that leaves between two pages shifts another past them: the counts tell, and a second walk finds it."""
    pages = Pages(a=[str(n) for n in range(300)])

    def moving(request: httpx.Request) -> httpx.Response:
        answer = pages(request)
        if len(pages.asked) == 1:
            del pages.names["a"][0]
        return answer

    assert set(read(make_client(moving), "a")[0]) == {str(n) for n in range(1, 300)}


def test_a_list_that_stays_short_says_so(make_client: MakeClient) -> None:
    """Entries that are counted but never given are told, after three walks."""
    pages = Pages(a=["x"])

    def short(request: httpx.Request) -> httpx.Response:
        body = json.loads(pages(request).content)
        body["data"]["project"]["r0"]["at"]["totalCount"] = 3
        return httpx.Response(200, json=body)

    async def ask() -> Any:
        async with make_client(short) as client:
            return await client.catalog.lists(FILES, "e", "p", [{"n": "a"}])

    (found,) = asyncio.run(ask())
    assert ([node["name"] for node in found.nodes], found.missing, len(pages.asked)) == (["x"], 2, 3)


@pytest.mark.parametrize(("field", "given"), [("sweeps", 0), ("bestLoss", 1), ("name", None)])
def test_fields_a_server_lacks(make_client: MakeClient, field: str, given: int | None) -> None:
    """A list that lacks is empty, a field that lacks left out; without its name an entry is nothing: an error."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        words = re.findall(r"\w+", asked["query"])
        if field in words:
            return httpx.Response(
                400, json={"errors": [{"message": f"Cannot query field '{field}' on type 'X'."}]}
            )
        page = {"edges": [{"node": {"name": "s"}}], "pageInfo": {"hasNextPage": False}}
        return httpx.Response(200, json={"data": {"project": {"r0": page}}})

    async def ask() -> int:
        async with make_client(answer) as client:
            return len((await client.catalog.project_list(SWEEPS, "e", "p")).nodes)

    if given is None:
        with pytest.raises(FatalRemoteError, match="name"):
            asyncio.run(ask())
    else:
        assert asyncio.run(ask()) == given


def fetch(client: WandbClient, name: str = "wandb-metadata.json") -> bytes | None:
    """A file of the run `r ü`."""

    async def ask() -> bytes | None:
        async with client:
            return await client.catalog.run_file("e", "p", "r ü", name)

    return asyncio.run(ask())


def test_a_file_from_the_server_itself(make_client: MakeClient) -> None:
    """The address is quoted, the key goes along; a file that is not there is None."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404) if b"none" in request.url.raw_path else httpx.Response(200, content=b"{}")

    assert fetch(make_client(answer, base_url="https://wandb.example/api"), "a/b c%.txt") == b"{}"
    assert seen[0].url.raw_path == b"/api/files/e/p/r%20%C3%BC/a/b%20c%25.txt"
    assert seen[0].headers["authorization"].startswith("Basic ")
    assert fetch(make_client(answer), "none") is None


@pytest.mark.parametrize(
    "target", ["https://storage.example/x?signature=s", "https://wandb.example/signed/x"]
)
def test_a_file_from_the_storage(make_client: MakeClient, target: str) -> None:
    """A redirect is followed without the key, wherever it leads."""
    seen: list[httpx.Request] = []

    def storage(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"contents")

    client = make_client(lambda _: httpx.Response(302, headers={"Location": target}), blobs=storage)
    assert fetch(client) == b"contents"
    (request,) = seen
    assert str(request.url) == target
    assert not {"authorization", "cookie"} & set(request.headers)


def test_a_file_that_arrives_cut(make_client: MakeClient) -> None:
    """Fewer bytes than announced are no file; the error names no secret."""

    def cut(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": "9"}, stream=httpx.ByteStream(b"{}"))

    with pytest.raises(RetriableRemoteError, match="2 bytes of 9"):
        fetch(make_client(cut, limits=Limits(backoff=0.0)))
