"""Downloads: whole files or none, without the key, and only where W&B may send us."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wandb_warehouse.client import Connection, ExpiredUrlError, Governor, Limits, Secret, WandbClient
from wandb_warehouse.client.connection import is_private_host
from wandb_warehouse.errors import (
    FatalRemoteError,
    RemoteError,
    RetriableRemoteError,
    StoreError,
    WarehouseError,
)

URL = "https://store.example/bucket/run.parquet?X-Amz-Signature=s1gnature"
Make = Callable[..., WandbClient]


@pytest.fixture
def parquet(tmp_path: Path) -> bytes:
    """The bytes of a real parquet file."""
    path = tmp_path / "made.parquet"
    pq.write_table(pa.table({"_step": range(1000), "loss": [0.5] * 1000}), path)
    data = path.read_bytes()
    path.unlink()
    return data


def fetch(make_client: Make, blobs: Any, path: Path, url: str = URL, **options: Any) -> WandbClient:
    """Download one file and give the client back, with its counts."""

    async def run() -> WandbClient:
        async with make_client(None, blobs=blobs, **options) as client:
            fetched.append(await client.download(url, path))
            return client

    fetched: list[int] = []
    client = asyncio.run(run())
    assert fetched == [path.stat().st_size]
    return client


def test_a_download_appears_whole_under_its_name(make_client: Make, parquet: bytes, tmp_path: Path) -> None:
    """The file is what was sent, readable by its owner alone, and replaces an older one."""
    path = tmp_path / "run.parquet"
    path.write_bytes(b"older")
    fetch(make_client, lambda _r: httpx.Response(200, content=parquet), path)
    assert path.read_bytes() == parquet
    assert pq.read_table(path).num_rows == 1000
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["run.parquet"]  # noqa: PTH208  (hidden files count)


def test_a_small_file_is_given_and_not_written(make_client: Make, parquet: bytes, tmp_path: Path) -> None:
    """Up to the bound the bytes are the answer; a longer file is put in its place, whole, however it arrives."""
    path = tmp_path / "run.parquet"

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(parquet), 100):
            yield parquet[at : at + 100]

    async def get(held: int) -> bytes | int:
        async with make_client(None, blobs=lambda _r: httpx.Response(200, content=pieces())) as client:
            return await client.fetch(URL, path, held)

    assert asyncio.run(get(len(parquet))) == parquet
    assert not os.listdir(tmp_path)  # noqa: PTH208  (hidden files count)
    for held in (len(parquet) - 1, 0):
        assert asyncio.run(get(held)) == len(parquet)
        assert path.read_bytes() == parquet
        assert os.listdir(tmp_path) == ["run.parquet"]  # noqa: PTH208  (hidden files count)
        path.unlink()


def test_a_cut_file_is_not_given(make_client: Make, parquet: bytes, tmp_path: Path) -> None:
    """A small file that arrives cut is asked for again, and what came before is no part of it."""
    answers = iter([httpx.Response(200, content=parquet[:700]), httpx.Response(200, content=parquet)])

    async def get() -> bytes | int:
        async with make_client(None, blobs=lambda _r: next(answers)) as client:
            return await client.fetch(URL, tmp_path / "run.parquet", 100_000)

    assert asyncio.run(get()) == parquet


def test_other_files_need_no_magic(make_client: Make, tmp_path: Path) -> None:
    """Only `*.parquet` is looked at inside; an empty file is a file."""
    for name, content in [("config.yaml", b"a: 1"), ("empty.txt", b"")]:
        fetch(make_client, lambda _r, content=content: httpx.Response(200, content=content), tmp_path / name)
        assert (tmp_path / name).read_bytes() == content


FAULTS: list[tuple[str, Callable[[bytes], httpx.Response], type[WarehouseError], int]] = [
    ("expired 403", lambda _p: httpx.Response(403), ExpiredUrlError, 1),
    ("expired 400", lambda _p: httpx.Response(400), ExpiredUrlError, 1),
    ("gone 404", lambda _p: httpx.Response(404), ExpiredUrlError, 1),
    ("429", lambda _p: httpx.Response(429), RetriableRemoteError, 5),
    ("500", lambda _p: httpx.Response(500), RetriableRemoteError, 5),
    ("503", lambda _p: httpx.Response(503), RetriableRemoteError, 5),
    ("206", lambda p: httpx.Response(206, content=p), RetriableRemoteError, 5),
    ("no parquet", lambda _p: httpx.Response(200, content=b"<Error/>" * 9), RetriableRemoteError, 5),
    ("tail missing", lambda p: httpx.Response(200, content=p[:-1]), RetriableRemoteError, 5),
    ("head missing", lambda p: httpx.Response(200, content=p[1:]), RetriableRemoteError, 5),
    ("magic only", lambda _p: httpx.Response(200, content=b"PAR1"), RetriableRemoteError, 5),
    ("empty", lambda _p: httpx.Response(200), RetriableRemoteError, 5),
    (
        "length wrong",
        lambda p: httpx.Response(
            200, headers={"content-length": str(len(p) + 1)}, stream=httpx.ByteStream(p)
        ),
        RetriableRemoteError,
        5,
    ),
    (
        "encoded",
        lambda p: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(p)),
        FatalRemoteError,
        1,
    ),
    ("too large", lambda p: httpx.Response(200, content=p * 300), FatalRemoteError, 1),
    ("redirect loop", lambda _p: httpx.Response(302, headers={"location": URL}), FatalRemoteError, 4),
    ("no location", lambda _p: httpx.Response(302), FatalRemoteError, 4),
]


@pytest.mark.parametrize(("answer", "kind", "sent"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_each_failure_leaves_no_file_and_an_older_one_alone(
    make_client: Make,
    parquet: bytes,
    tmp_path: Path,
    *,
    answer: Callable[[bytes], httpx.Response],
    kind: type[WarehouseError],
    sent: int,
) -> None:
    """Refused, cut, too large or no parquet: the right error after the right number of requests, and no trace."""
    path = tmp_path / "run.parquet"
    path.write_bytes(b"older")
    requests = 0

    def blobs(_request: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        return answer(parquet)

    with pytest.raises(kind) as caught:
        fetch(make_client, blobs, path, limits=Limits(max_blob_bytes=1_000_000))
    assert type(caught.value) is kind
    assert "s1gnature" not in str(caught.value)
    assert requests == sent
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["run.parquet"]  # noqa: PTH208  (hidden files count)


def test_a_file_that_arrives_at_the_second_try_is_whole(
    make_client: Make, parquet: bytes, tmp_path: Path
) -> None:
    """Bytes of a broken try do not end up in the file."""
    answers = iter([httpx.Response(200, content=parquet[:700]), httpx.Response(200, content=parquet)])
    client = fetch(make_client, lambda _r: next(answers), tmp_path / "run.parquet")
    assert (tmp_path / "run.parquet").read_bytes() == parquet
    assert (client.stats.requests, client.stats.retries, client.stats.bytes) == (2, 1, 700 + len(parquet))


def test_redirects_carry_nothing_of_ours(make_client: Make, parquet: bytes, tmp_path: Path, key: str) -> None:
    """Three hops are followed; none sees the key, cookies of an earlier hop, or any authorization."""
    seen: list[httpx.Request] = []

    def blobs(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) <= 3:
            headers = {"location": hops[len(seen)], "set-cookie": "session=1; Path=/; Max-Age=900"}
            return httpx.Response(302, headers=headers)
        return httpx.Response(200, content=parquet)

    hops = [URL, "https://store.example/again", "https://hop.example/x", "https://store.example/back"]
    fetch(make_client, blobs, tmp_path / "run.parquet")
    assert [str(request.url) for request in seen] == hops
    for request in seen:
        assert not {"authorization", "cookie", "x-wandb-api-key"} & set(request.headers)
        assert key not in str(request.headers.raw)


PRIVATE = [
    "https://127.0.0.1/x",
    "https://169.254.169.254/latest",
    "https://localhost:9/x",
    "https://[::1]/x",
]
NO_ADDRESS = [
    "file:///etc/passwd",
    "https://[x",
    "https://a b/",
    "https://h:port/",
    "https://h/\x00",
    "https://127.0.0.1\\@store.example/",
    "https://store.example@127.0.0.1/x",
    "https://①②⑦.⓪.⓪.①/x",
]
PUBLIC_PLAIN = ["http://store.example/x", "http://8.8.8.8/x"]


@pytest.mark.parametrize("target", [*PRIVATE, *PUBLIC_PLAIN, "http://127.0.0.1/x", *NO_ADDRESS])
@pytest.mark.parametrize("redirected", [False, True])
def test_addresses_w_and_b_has_no_business_to_give_are_not_asked(
    make_client: Make, tmp_path: Path, target: str, redirected: bool
) -> None:
    """From a public W&B neither an address nor a redirect leads into a private network, to plain http or to files."""
    seen: list[str] = []

    def blobs(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(302, headers=[(b"location", target.encode())])

    with pytest.raises(RemoteError):
        fetch(make_client, blobs, tmp_path / "x", URL if redirected else target)
    assert set(seen) == ({URL} if redirected else set())


@pytest.mark.parametrize("target", [*PRIVATE, "http://10.1.2.3:9000/minio/x"])
def test_a_private_w_and_b_may_keep_its_files_in_its_network(
    make_client: Make, tmp_path: Path, target: str
) -> None:
    """With a private base address private stores are followed, but plain http to public hosts is not."""
    options = {"base_url": "https://10.1.2.3:8080"}
    fetch(make_client, lambda _r: httpx.Response(200, content=b"x"), tmp_path / "x", target, **options)
    for public in PUBLIC_PLAIN:
        with pytest.raises(FatalRemoteError):
            fetch(make_client, lambda _r: httpx.Response(200), tmp_path / "y", public, **options)


def test_the_address_behind_a_name_is_looked_at(make_client: Make, tmp_path: Path) -> None:
    """A public name that leads to a private address is refused, unless W&B itself answered from one."""

    class Socket:
        def __init__(self, address: str) -> None:
            self.address = address

        def get_extra_info(self, info: str) -> Any:
            """What httpcore's streams tell of themselves."""
            return (self.address, 443) if info == "server_addr" else None

    def blobs(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"x", extensions={"network_stream": Socket("10.0.0.7")})

    async def run(api_address: str) -> None:
        def api(_request: httpx.Request) -> httpx.Response:
            answer = {"data": {"viewer": {"id": "u"}}}
            return httpx.Response(200, json=answer, extensions={"network_stream": Socket(api_address)})

        async with make_client(api, blobs=blobs) as client:
            await client.viewer()
            await client.download(URL, tmp_path / "x")

    assert not is_private_host("34.1.2.3")
    with pytest.raises(FatalRemoteError, match="private network"):
        asyncio.run(run("34.1.2.3"))
    asyncio.run(run("10.0.0.2"))


def test_an_unwritable_place_is_the_disks_fault(make_client: Make, tmp_path: Path) -> None:
    """A directory that is not there is StoreError, exit 5, naming the path; nothing is asked of the store."""
    with pytest.raises(StoreError, match="missing") as caught:
        fetch(make_client, lambda _r: httpx.Response(200, content=b"x"), tmp_path / "missing" / "x")
    assert caught.value.exit_code == 5


def test_a_full_disk_is_named_and_leaves_nothing(make_client: Make, tmp_path: Path) -> None:
    """A write that fails halfway is StoreError with the bytes written, and the part is removed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StoreError, match="cannot be written") as caught:
            fetch(make_client, lambda _r: httpx.Response(200, content=b"x" * 500_000), tmp_path / "x.bin")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 5
    assert not os.listdir(tmp_path)  # noqa: PTH208  (hidden files count)


def test_over_a_real_connection_a_cut_file_is_not_kept(parquet: bytes, tmp_path: Path) -> None:
    """Cut by length, then cut by chunk, then cut by close, then whole: the whole one lands, the key is never sent."""
    half = parquet[: len(parquet) // 2]
    bodies = [
        b"Content-Length: %d\r\n\r\n" % len(parquet) + half,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(half) + half + b"\r\n",
        b"Connection: close\r\n\r\n" + half,
        b"Content-Length: %d\r\n\r\n" % len(parquet) + parquet,
    ]
    asked: list[bytes] = []

    async def run() -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\n" + bodies[len(asked) - 1])
            await writer.drain()
            writer.close()

        async def no_wait(_seconds: float) -> None: ...

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        connection = Connection(base, Secret("k" * 40), "argument")
        async with server, WandbClient(connection, governor=Governor(sleep=no_wait)) as client:
            return await client.download(f"{base}/run.parquet", tmp_path / "run.parquet")

    assert asyncio.run(run()) == len(parquet)
    assert (tmp_path / "run.parquet").read_bytes() == parquet
    assert len(asked) == 4
    assert not [head for head in asked if b"authorization" in head.lower()]


def test_many_downloads_at_once_stay_within_the_bound(make_client: Make, tmp_path: Path) -> None:
    """Forty files at once: at most twenty-four requests run together, and all files land."""
    running, peak = 0, 0

    async def blobs(request: httpx.Request) -> httpx.Response:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.002)
        running -= 1
        return httpx.Response(200, content=request.url.path.encode())

    async def run() -> None:
        async with make_client(None, blobs=blobs) as client:
            await asyncio.gather(
                *(client.download(f"https://store.example/{i}", tmp_path / str(i)) for i in range(40))
            )

    asyncio.run(run())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        str(i): f"/{i}" for i in range(40)
    }
    assert peak == 24
