"""Samples of many metrics of many runs: every question finds its answer, however requests are cut."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from wandb_warehouse.client import Sample, WandbClient
from wandb_warehouse.errors import FatalRemoteError

Make = Callable[..., WandbClient]

ASKS = [Sample(f"r{run}", (f"k{key}",), 7) for run in range(30) for key in range(5)]


class Server:
    """Answers each question with one row that repeats it; refuses requests with more than `most` questions."""

    def __init__(self, most: int = 10**6) -> None:
        self.most = most
        self.sizes: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        variables = json.loads(request.content)["variables"]
        runs = [name for name in variables if name.startswith("n")]
        asked = {f"r{name[1:]}": (variables[name], variables[f"s{name[1:]}"]) for name in runs}
        self.sizes.append(sum(len(specs) for _, specs in asked.values()))
        if self.sizes[-1] > self.most:
            return httpx.Response(413, json={"error": "too large"})
        project: dict[str, Any] = {}
        for alias, (run_id, specs) in asked.items():
            rows = [[{"_step": 0.0, "run": run_id, "spec": json.loads(spec)}] for spec in specs]
            project[alias] = {"sampledHistory": rows} if run_id != "gone" else None
        return httpx.Response(200, json={"data": {"project": project}}, headers={"date": "now"})


def rows(make_client: Make, server: Any, asks: list[Sample]) -> list[list[dict[str, Any]]]:
    """Ask once."""

    async def once() -> list[list[dict[str, Any]]]:
        async with make_client(server) as client:
            return await client.sampled_rows("team", "mnist", asks)

    return asyncio.run(once())


@pytest.mark.parametrize("most", [10**6, 20, 1])
def test_every_question_gets_its_own_answer(make_client: Make, most: int) -> None:
    """Questions share requests, up to 50; too heavy ones are cut down to single questions; the order stays."""
    server = Server(most)
    found = rows(make_client, server, ASKS)
    want = [(ask.run_id, {"keys": ["_step", *ask.keys], "samples": 7}) for ask in ASKS]
    assert [(row["run"], row["spec"]) for (row,) in found] == want
    assert max(server.sizes) == 50
    if most >= 50:
        assert server.sizes == [50, 50, 50]


def test_a_run_that_is_gone_gives_no_rows(make_client: Make) -> None:
    """The other runs of its request are not shifted."""
    asks = [Sample("gone", ("a",), 7), Sample("r1", ("a",), 7), Sample("gone", ("b",), 7)]
    assert [len(found) for found in rows(make_client, Server(), asks)] == [0, 1, 0]


@pytest.mark.parametrize("answer", [{}, [], [[], []], [[1]], ["x"], "x"])
def test_answers_of_another_shape_are_refused(make_client: Make, answer: Any) -> None:
    """One list of rows a question, or it is no answer."""

    def odd(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": {"project": {"r0": {"sampledHistory": answer}}}})

    with pytest.raises(FatalRemoteError, match="samples"):
        rows(make_client, odd, [Sample("r1", ("a",), 7)])
