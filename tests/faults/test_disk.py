"""Disk: whatever lies at the place, or is wrong with it, is named with a cure, and the old data stays readable."""

import os
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from faults.catalogue import Row, of_group
from faults.test_network import assert_said
from faults.world import World, run_cli
from wandb_warehouse.warehouse import content_digest


def _seen(place: Path) -> object:
    """What lies at a path, without following or waiting for anything."""
    try:
        found = place.lstat()
    except OSError as error:
        return error.errno
    if stat.S_ISLNK(found.st_mode):
        return place.readlink()
    if stat.S_ISREG(found.st_mode) or (stat.S_ISDIR(found.st_mode) and any(place.iterdir())):
        return World.sha256(place)
    return stat.S_IFMT(found.st_mode)


@pytest.mark.parametrize("row", of_group("disk"))
def test_a_fault_of_the_disk_costs_no_data(row: Row, world: World, tmp_path: Path) -> None:
    """Each fault has its exit code and one line; what lay there stays, and is read on where it could be read before."""
    place = tmp_path / {"duckdb": "wandb.duckdb", "filesystem": "lake"}[row.destination]
    assert row.brought is not None
    context = row.brought(world, place)
    with context if context is not None else nullcontext() as elsewhere:
        place = elsewhere if isinstance(elsewhere, Path) else place
        before = _seen(place)
        readable = run_cli("status", "-w", place).code == 0
        ended = run_cli("sync", "e/p", "-w", place)
        assert ended.code == row.code, ended.err
        if row.holds == "untouched":
            assert_said(row, ended.line)
            assert _seen(place) == before
            assert not list(place.parent.glob(f"{place.name[:100]}.work-*"))
            assert readable == (run_cli("status", "-w", place).code == 0)
        if row.code == 5 and not readable:
            refused = run_cli("status", "-w", place)
            assert refused.code == 5
            assert refused.line.startswith("error: ")
    if row.holds == "all":
        assert content_digest(place) == world.now


@pytest.mark.slow
@pytest.mark.parametrize("destination", ["duckdb", "filesystem"])
def test_space_that_comes_back_is_enough(destination: str, world: World, tmp_path: Path) -> None:
    """A disk that was full at every level on the way costs nothing: with space again, one sync mends all."""
    from faults.disk import limited  # noqa: PLC0415 -- only here

    place = tmp_path / {"duckdb": "wandb.duckdb", "filesystem": "lake"}[destination]
    before = world.put(place, destination)
    for most in (100, 8_000, 150_000):
        held = limited(most)(world, tmp_path / f"{most}.duckdb")
        assert held is not None
        with held:
            ended = run_cli("sync", "e/p", "-w", place)
        assert ended.code == 5, ended.err
        assert "File too large" in ended.line
        assert world.sha256(place) == before
    world.assert_heals(place)


def test_nothing_is_left_among_temporary_files(
    world: World, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a sync writes for a moment lies in its working directory; `TMPDIR` stays empty."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    world.put(place)
    world.assert_heals(place)
    assert os.listdir(tmp_path / "tmp") == []  # noqa: PTH208  (hidden files count)
