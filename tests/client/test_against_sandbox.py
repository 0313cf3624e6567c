"""The client against the sandbox server over HTTP: what was put in comes out."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from wandb_warehouse.client import Connection, Secret, WandbClient, Window
from wandb_warehouse.errors import AuthError, ProjectNotFoundError
from wandb_warehouse.sandbox import Sandbox, Switches

PROJECT = "mnist"
LINES = [
    '{"_step":0,"loss":0.1,"big":9007199254740993,"text":"a\\u0000b"}',
    '{"_step":1,"loss":1e400,"nested":{"a":{"b":-0.0}}}',
    '{"_step":5,"loss":12345678901234567890123}',
    '{"_step":9,"loss":null,"list":[1,2,{}]}',
]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A server that gives at most 50 runs a page, with 120 runs, one of odd rows, one half exported."""
    with Sandbox(switches=Switches(page_cap=50)) as sandbox:
        for number in range(120):
            rows = [{"_step": step, "loss": number + step / 7} for step in range(3)]
            sandbox.add_run(sandbox.entity, PROJECT, f"run{number}", config={"number": number}, rows=rows)
        sandbox.add_run(sandbox.entity, PROJECT, "odd", lines=LINES)
        rows = [{"_step": step, "loss": step / 3} for step in range(100)]
        sandbox.add_run(sandbox.entity, PROJECT, "half", rows=rows)
        sandbox.export(sandbox.entity, PROJECT, "half", upto_step=59)
        yield sandbox


def connect(box: Sandbox, key: str | None = None) -> WandbClient:
    """A client for the sandbox."""
    return WandbClient(Connection(box.base_url, Secret(key or box.key), "argument"))


def test_every_run_is_listed_and_detailed(box: Sandbox) -> None:
    """All 122 runs over pages of 50, and each one's own config."""

    async def read() -> tuple[list[str], dict[str, dict[str, object]], int]:
        async with connect(box) as client:
            pages = [page async for page in client.list_runs(box.entity, PROJECT)]
            names = [run["name"] for page in pages for run in page.nodes]
            assert {page.run_count for page in pages} == {122}
            return names, await client.run_details(box.entity, PROJECT, [*names, "gone"]), len(pages)

    names, details, pages = asyncio.run(read())
    assert pages == 3
    assert sorted(names) == sorted([*(f"run{number}" for number in range(120)), "odd", "half"])
    assert set(details) == set(names)
    for number in range(120):
        assert f'"number": {{"value": {number}' in str(details[f"run{number}"]["config"])


def test_history_text_arrives_to_the_letter(box: Sandbox) -> None:
    """Big integers, 1e400, -0.0 and NUL are the very characters that were logged; windows cut by step."""

    async def read() -> list[list[str]]:
        async with connect(box) as client:
            windows = [Window("odd", 0, 10, 10), Window("odd", 1, 6, 5), Window("run7", 0, 3, 3)]
            return await client.history_rows(box.entity, PROJECT, windows)

    whole, middle, seven = asyncio.run(read())
    assert whole == LINES
    assert middle == LINES[1:3]
    assert [json.loads(row)["loss"] for row in seven] == [7 + step / 7 for step in range(3)]


def test_exports_and_live_tail_make_the_whole(box: Sandbox, tmp_path: Path) -> None:
    """60 rows in the file, 40 live: together every step once, each with its value."""

    async def read() -> dict[int, float]:
        async with connect(box) as client:
            found = await client.exports(
                box.entity, PROJECT, [("half", ["_step", "loss"]), ("gone", ["_step"])]
            )
            assert list(found) == ["half"]
            (url,) = found["half"].urls
            await client.download(url, tmp_path / "half.parquet")
            table = pq.read_table(tmp_path / "half.parquet").to_pydict()
            live = found["half"].live
            assert (len(table["_step"]), len(live)) == (60, 40)
            stored = dict(zip(table["_step"], table["loss"], strict=True))
            return stored | {row["_step"]: row["loss"] for row in live}

    assert asyncio.run(read()) == {step: step / 3 for step in range(100)}


def test_wrong_key_and_wrong_name_are_told_apart(box: Sandbox) -> None:
    """The server answers null to both; the key is AuthError, the name ProjectNotFoundError with the right one."""

    async def listed(key: str | None, project: str) -> None:
        async with connect(box, key) as client:
            _ = [page async for page in client.list_runs(box.entity, project)]

    with pytest.raises(AuthError):
        asyncio.run(listed("0" * 40, PROJECT))
    with pytest.raises(ProjectNotFoundError, match=PROJECT):
        asyncio.run(listed(None, "mnits"))
