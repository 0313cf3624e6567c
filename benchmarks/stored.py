"""First syncs of millions of values, each made once a process: measured for themselves, and their files used on."""

import atexit
import http.client
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import Server, task
from benchmarks.serve import Shape, Size

__all__ = ["MILLIONS", "FirstSync", "first_sync"]

MILLIONS: dict[Size, tuple[float, ...]] = {
    "full": (10, 30, 100),
    "quick": (1, 3, 10),
    "tiny": (0.001, 0.002),
}
"""Sizes of the first syncs, in millions of values."""


@dataclass(frozen=True)
class FirstSync:
    """A published warehouse of one project: what the sync told, and the folder of the export files it was read from."""

    shape: Shape
    outcome: dict[str, Any]
    warehouse: Path
    files: Path


@cache
def first_sync(millions: float) -> FirstSync:
    """Sync so many values, rounded to whole runs, into a new warehouse; it lives as long as this process."""
    rows, keys = (5_000, 12) if millions >= 1 else (20, 12)
    shape = Shape(round(millions * 1_000_000 / (rows * keys)), rows, keys, distinct=64, project="stored")
    place = Path(tempfile.mkdtemp(prefix="bench-stored-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    warehouse = place / "wandb.duckdb"
    with Server(shape) as server:
        known = server.at(0.0)
        outcome = task("sync", {**known, "warehouse": str(warehouse)})
        _download(known, place / "files")
    assert outcome["values"] == shape.values
    return FirstSync(shape, outcome, warehouse, place / "files")


def _download(known: dict[str, str], files: Path) -> None:
    files.mkdir()
    place = urlsplit(known["storage"])
    connection = http.client.HTTPConnection(str(place.hostname), place.port)
    for run_id, paths in json.loads(Path(known["exports"]).read_text()).items():
        for path in paths:
            connection.request("GET", path)
            (files / f"{run_id}.parquet").write_bytes(connection.getresponse().read())
    connection.close()
