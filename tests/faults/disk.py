"""Places as they should not be: each is made from a published warehouse, and gives the context to run in."""

import contextlib
import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import pytest

from faults.world import World

Place = Callable[[World, Path], AbstractContextManager[object] | None]
"""Makes the place; the context it may give holds while the command runs."""


def directory(_world: World, place: Path) -> None:
    """A directory that is no lake."""
    place.mkdir()


def dangling_link(_world: World, place: Path) -> None:
    """A link into a directory that is not there."""
    place.symlink_to(place.parent / "nowhere" / "wandb.duckdb")


def link_to_itself(_world: World, place: Path) -> None:
    """A link that leads in a circle."""
    place.symlink_to(place)


def long_name(_world: World, place: Path) -> AbstractContextManager[object]:
    """A name that no file may have."""
    return contextlib.nullcontext(place.with_name("x" * 300))


def fifo(_world: World, place: Path) -> None:
    """A FIFO: opening it would wait for ever."""
    os.mkfifo(place)


def device(_world: World, place: Path) -> None:
    """A device, by a link."""
    place.symlink_to("/dev/null")


def unix_socket(_world: World, place: Path) -> None:
    """A socket, whose path must be short."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(place.name)


def empty(_world: World, place: Path) -> None:
    """A file without bytes."""
    place.write_bytes(b"")


def text(_world: World, place: Path) -> None:
    """A file of text."""
    place.write_text("not a database\n" * 500)


def sqlite(_world: World, place: Path) -> None:
    """A SQLite file: DuckDB would load an extension for it."""
    with contextlib.closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("CREATE TABLE t (a)")


def flipped(start: int, count: int | None) -> Place:
    """A published file with flipped bytes from `start` on."""

    def make(world: World, place: Path) -> None:
        world.put(place)
        _flip(place, start, count)

    return make


def flipped_in_the_middle(world: World, place: Path) -> None:
    """A published file with one block of data flipped that the header does not lead to."""
    world.put(place)
    size = place.stat().st_size
    block = 256 * 1024
    for start in range(12_288, size - block, block):
        shutil.copy(world.old["duckdb"], place)
        _flip(place, start, block)
        if _opens(place) and not _reads(place):
            return
    pytest.fail("every block is read when the file is opened")


def _flip(place: Path, start: int, count: int | None) -> None:
    with place.open("r+b") as file:
        file.seek(start)
        content = file.read(-1 if count is None else count)
        file.seek(start)
        file.write(bytes(byte ^ 0xFF for byte in content))


def _opens(place: Path) -> bool:
    try:
        duckdb.connect(str(place), read_only=True).close()
    except duckdb.Error:
        return False
    return True


def _reads(place: Path) -> bool:
    with duckdb.connect(str(place), read_only=True) as connection:
        try:
            for table in ("sync_log", "runs", "run_ledger"):
                connection.execute(f"SELECT * FROM {table}").fetchall()
        except duckdb.Error:
            return False
    return True


def truncated(share: float) -> Place:
    """A published file of which a share is there."""

    def make(world: World, place: Path) -> None:
        world.put(place)
        os.truncate(place, int(place.stat().st_size * share))

    return make


def _made_by(place: Path, *statements: str) -> None:
    with duckdb.connect(str(place)) as connection:
        for statement in statements:
            connection.execute(statement)


def foreign(_world: World, place: Path) -> None:
    """A DuckDB file of something else."""
    _made_by(place, "CREATE TABLE t (a INT)")


def foreign_log(_world: World, place: Path) -> None:
    """A DuckDB file of something else, with a table that we look at first."""
    _made_by(place, "CREATE TABLE sync_log (schema_version INT)")


def newer(world: World, place: Path) -> None:
    """A warehouse that a newer version wrote."""
    world.put(place)
    _made_by(place, "UPDATE sync_log SET schema_version = 99")


def _manifest(world: World, place: Path) -> dict[str, object]:
    world.put(place, "filesystem")
    found: dict[str, object] = json.loads((place / "manifest.json").read_text())
    return found


def newer_lake(world: World, place: Path) -> None:
    """A lake that a newer version wrote."""
    found = _manifest(world, place)
    (place / "manifest.json").write_text(json.dumps(found | {"schema_version": 99}))


def damaged_manifest(world: World, place: Path) -> None:
    """A manifest that was cut."""
    text_ = json.dumps(_manifest(world, place))
    (place / "manifest.json").write_text(text_[: len(text_) // 2])


def missing_lake_file(world: World, place: Path) -> None:
    """A file of a table is gone."""
    _manifest(world, place)
    next((place / "runs").glob("*.parquet")).unlink()


def open_elsewhere(*, read_only: bool) -> Place:
    """Another process has the file open."""
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'True')\n"
    script += "print('open', flush=True); sys.stdin.read()"

    @contextlib.contextmanager
    def held(place: Path) -> Iterator[None]:
        command = [sys.executable, "-c", script, str(place), str(read_only)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            try:
                yield
            finally:
                holder.kill()

    def make(world: World, place: Path) -> AbstractContextManager[None]:
        world.put(place)
        return held(place)

    return make


def log_beside(world: World, place: Path) -> None:
    """Bytes of nothing where DuckDB's write-ahead log would be."""
    world.put(place)
    place.with_name(f"{place.name}.wal").write_bytes(b"garbage" * 100)


def lock_directory(world: World, place: Path) -> None:
    """A directory in place of the lock file."""
    world.put(place)
    place.with_name(f"{place.name}.lock").mkdir()


@contextlib.contextmanager
def mounted(folder: Path, *settings: str) -> Iterator[Path]:
    """A small file system of its own, in memory; skips where none may be mounted.

    It is taken away lazily: a failed command may have files open until they are collected.
    """
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(settings), "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _size(place: Path) -> int:
    """Bytes of whole pages, and pages for the directories: what tmpfs counts."""
    paths = [place, *place.rglob("*")] if place.is_dir() else [place]
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in paths if path.is_file())


def _on_a_mount(
    world: World, destination: str, place: Path, *settings: str, then: str = ""
) -> AbstractContextManager[Path]:
    @contextlib.contextmanager
    def there() -> Iterator[Path]:
        with mounted(place.with_name("mount"), *settings) as folder:
            moved = folder / place.name
            world.put(moved, destination)
            if then:
                subprocess.run(["mount", "-o", f"remount,{then}", str(folder)], check=True)
            yield moved

    return there()


def full(room: int | None) -> Place:
    """A file system with so many bytes left; None: as many as the private copy takes, and a little more."""

    def make(world: World, place: Path) -> AbstractContextManager[Path]:
        destination = "filesystem" if place.suffix != ".duckdb" else "duckdb"
        held = _size(world.old[destination])
        size = held + (held + 100_000 if room is None else room)
        return _on_a_mount(world, destination, place, f"size={size + 8192}")

    return make


def no_inodes(world: World, place: Path) -> AbstractContextManager[Path]:
    """A file system that takes bytes, but no more files."""
    return _on_a_mount(world, "duckdb", place, "size=100m", "nr_inodes=6")


def read_only(world: World, place: Path) -> AbstractContextManager[Path]:
    """A file system mounted read-only: modes do not hold root back."""
    destination = "filesystem" if place.suffix != ".duckdb" else "duckdb"
    return _on_a_mount(world, destination, place, "size=100m", then="ro")


def limited(most: int | None) -> Place:
    """No file may grow beyond so many bytes; None: beyond the published file."""

    @contextlib.contextmanager
    def held(bound: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def make(world: World, place: Path) -> AbstractContextManager[None]:
        world.put(place)
        return held(place.stat().st_size + 2000 if most is None else most)

    return make


def no_tmpdir(world: World, place: Path) -> AbstractContextManager[object]:
    """A `TMPDIR` that is not there."""
    world.put(place)

    @contextlib.contextmanager
    def held() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(place.with_name("no-such-place")))
            patch.setattr("tempfile.tempdir", None)
            yield

    return held()
