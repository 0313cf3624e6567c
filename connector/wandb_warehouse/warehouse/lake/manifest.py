"""The manifest of a lake: which files make up each table in one generation."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wandb_warehouse.errors import CorruptStoreError, StoreError
from wandb_warehouse.schema import TABLES, Table
from wandb_warehouse.warehouse.instance import refuse_newer

__all__ = ["FORMAT", "MANIFEST", "SEGMENT_RUNS", "VIEWS", "WIDE", "LakeFile", "LakeTable", "Manifest"]

FORMAT = 1
"""Version of the layout and of the manifest; a newer one is refused."""

MANIFEST = "manifest.json"
VIEWS = "views.duckdb"
WIDE = "wide_views.json"
"""The wide views somebody made: no part of a generation, and kept by every sync."""

SEGMENT_RUNS = "_segments"
"""Folder of the file that says which runs each file of a per-run table holds."""


_INSIDE = re.compile(r"[a-z_]+/[\w-]+\.parquet", re.ASCII)
"""Folder and file: a manifest that somebody else wrote names no other files than those of its lake."""


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One parquet file: its path below the lake, its rows, its size in bytes."""

    path: str
    rows: int
    bytes: int

    def __post_init__(self) -> None:
        if not _INSIDE.fullmatch(self.path):
            raise ValueError("a path that leads out of the lake")


@dataclass(frozen=True, slots=True)
class LakeTable:
    """One table: its primary key, the kind of each column, and its files, which all have just these columns."""

    primary_key: tuple[str, ...]
    columns: Mapping[str, str]
    files: tuple[LakeFile, ...]

    @classmethod
    def of(cls, table: Table, files: tuple[LakeFile, ...]) -> "LakeTable":
        """A table of the schema, with its files."""
        return cls(table.primary_key, {column.name: column.kind for column in table.columns}, files)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation of a lake.

    Example:
        >>> manifest = Manifest(1, "3f9a12cd", 1, "0.1.0", {}, LakeFile("_segments/g00000001.parquet", 0, 100))
        >>> Manifest.from_json(manifest.to_json(), "lake") == manifest
        True
    """

    generation: int
    id: str
    """Tells two attempts at one generation apart."""
    schema_version: int
    package_version: str
    tables: Mapping[str, LakeTable]
    segment_runs: LakeFile

    @property
    def files(self) -> Iterator[LakeFile]:
        """Every file of the generation."""
        for table in self.tables.values():
            yield from table.files
        yield self.segment_runs

    def stale(self, name: str) -> bool:
        """Whether the files of a table lack columns of today's schema, or the table itself is not there.

        Raises:
            CorruptStoreError: a column exists with another kind.
        """
        table = self.tables.get(name)
        if table is None:
            return True
        for column in TABLES[name].columns:
            kind = table.columns.get(column.name, column.kind)
            if kind != column.kind:
                raise CorruptStoreError(
                    f"column {name}.{column.name} is {kind} instead of {column.kind}",
                    mend="move the lake away and sync again",
                )
        return set(table.columns) != set(TABLES[name].names)

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str, lake: str) -> "Manifest":
        """Read the text of `manifest.json`.

        Raises:
            StoreError: a newer wandb-warehouse wrote it.
            CorruptStoreError: it is no manifest.
        """
        try:
            found = json.loads(text)
            version = found.pop("format")
            if version > FORMAT:
                raise StoreError(
                    f"the manifest of {lake} has format {version}, this wandb-warehouse knows up to {FORMAT}",
                    mend="upgrade wandb-warehouse",
                )
            refuse_newer(lake, found["schema_version"])
            tables = {name: _table(entry) for name, entry in found.pop("tables").items()}
            return cls(
                found["generation"],
                found["id"],
                found["schema_version"],
                found["package_version"],
                tables,
                LakeFile(**found["segment_runs"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorruptStoreError(
                f"{MANIFEST} of {lake} is no manifest of wandb-warehouse",
                mend="restore it, or move the lake away and sync again",
            ) from error


def _table(entry: Mapping[str, Any]) -> LakeTable:
    files = tuple(LakeFile(**file) for file in entry["files"])
    return LakeTable(tuple(entry["primary_key"]), dict(entry["columns"]), files)
