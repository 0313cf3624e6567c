"""Where the file of a logged table comes from, and how it is read: its artifact, else the run's own file of it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from wandb_warehouse.arrow import RunRef, TableFacts, TablePlace, TableRef, loads, table_row
from wandb_warehouse.client import ArtifactEntry, EntryRef, ExpiredUrlError, WandbClient
from wandb_warehouse.client.retry import UnknownFieldError
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.resources.drafts import Draft
from wandb_warehouse.resources.listing import ProjectPath

__all__ = ["Loaded", "MissingTableError", "TableSources"]

T = TypeVar("T")

_REPORT = "open the run in W&B and report it there"
_PARTITIONED = "partitioned-table"
_JOINED = "joined-table"
_DEFINITION_BYTES = 10**6
"""Bytes of a file that only says which other files a table is made of."""


class MissingTableError(FatalRemoteError):
    """No file of the table is at the server: not yet, or no longer."""

    def __init__(self) -> None:
        super().__init__("its file is not there (any more)", mend="if it was deleted, nothing brings it back")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One table that was read; whoever takes it closes the draft."""

    ref: TableRef
    draft: Draft
    source: str
    """artifact, file (the run's own), or both: the artifact, and what it leaves null from the run's file."""
    size: int

    @property
    def lacking(self) -> list[str]:
        """What the file does not have of the table as it was logged."""
        facts, expected, rows = self.draft.facts, self.ref.row_count, self.draft.rows
        found = []
        if expected is not None and rows < expected and self.ref.increment is None:
            found.append(f"it holds {rows} of {expected} rows")
        if facts.elsewhere and not self.draft.filled:
            found.append(f"the arrays of {', '.join(facts.elsewhere)} stand in a file of their own")
        return found

    def row(self, run: RunRef) -> pa.Table:
        """Give its row of `logged_tables`."""
        return table_row(
            run,
            self.ref,
            "cut" if self.lacking else "ok",
            facts=self.draft.facts,
            rows=self.draft.rows,
            size=self.size,
            source=self.source,
            error="; ".join(self.lacking) or None,
        )


class TableSources:
    """Finds and reads the files of the tables of one project; local names are numbers, never theirs."""

    def __init__(self, client: WandbClient, path: ProjectPath, folder: Path, most: int) -> None:
        self._client = client
        self._path = path
        self._folder = folder
        self._most = most
        self._numbers = count()

    async def find(self, refs: Sequence[TableRef]) -> list[ArtifactEntry | None]:
        """The artifacts' entries that references name; None for one without, or whose entry is not there."""
        places = [EntryRef.parse(ref.artifact_path) if ref.artifact_path else None for ref in refs]
        try:
            found = iter(
                await self._client.artifact_files.find([place for place in places if place is not None])
            )
        except UnknownFieldError:  # an older server: the runs' own files are what there is
            return [None] * len(refs)
        return [None if place is None else next(found) for place in places]

    async def read(self, run: RunRef, ref: TableRef, entry: ArtifactEntry | None) -> list[Loaded]:
        """Read one table; a joined one comes with the tables it joins.

        Raises:
            RemoteError: no file of it could be read, and the table with it.
        """
        if entry is not None and ref.type == _JOINED:
            return await self._joined(run, ref, entry)
        found = None if entry is None else await self._of_artifact(run, ref, entry)
        if found is None and ref.file_path:
            found = await self._of_run(run, ref)
        if found is None:
            raise MissingTableError
        return [found]

    async def _of_artifact(self, run: RunRef, ref: TableRef, entry: ArtifactEntry) -> Loaded | None:
        """Read what an artifact has of a table; None where it is gone."""
        draft = self._draft(run, ref)
        try:
            if not entry.name.endswith(f".{_PARTITIONED}.json"):
                return await self._of_one_file(run, ref, entry, draft)
            definition = await self._definition(ref, entry)
            if definition is None:
                return None
            size = 0
            for part in await self._client.artifact_files.under(_home(ref), _text(definition, "parts_path")):
                got = _there(await self._take(None, part, draft), f"part {part.name}")
                size += got
                self._check_size(size)
        except BaseException:
            draft.close()
            raise
        draft.facts = replace(draft.facts, definition=definition)
        return Loaded(ref, draft, "artifact", size)

    async def _of_one_file(
        self, run: RunRef, ref: TableRef, entry: ArtifactEntry, draft: Draft
    ) -> Loaded | None:
        """Read a file of an artifact; with null cells in it also the run's own, which keeps NaN and all arrays."""
        path, other = self._scratch(), self._scratch()
        try:
            size = await self._download(ref, entry, path, self._most)
            if size is None:
                return None
            await asyncio.to_thread(draft.take, path)
            if not (draft.has_nulls and ref.file_path and await self._fetch(run, ref, other)):
                return Loaded(ref, draft, "artifact", size)
            draft.close()
            await asyncio.to_thread(draft.take, path, other)
            return Loaded(ref, draft, "both", size)
        finally:
            path.unlink(missing_ok=True)
            other.unlink(missing_ok=True)

    async def _joined(self, run: RunRef, ref: TableRef, entry: ArtifactEntry) -> list[Loaded]:
        """Read the tables that a joined one joins; itself it has no cells."""
        definition = await self._definition(ref, entry)
        if definition is None:
            raise MissingTableError
        draft = self._draft(run, ref)
        draft.facts = TableFacts([], definition=definition)
        found = [Loaded(ref, draft, "artifact", entry.size or 0)]
        try:
            for member in ("table1", "table2"):
                name = _text(definition, member)
                part = replace(
                    ref,
                    type="table",
                    path=f"{ref.path}#{member}",
                    file_path=None,
                    artifact_path=_home(ref).beside(name),
                )
                (there,) = await self.find([part])
                loaded = None if there is None else await self._of_artifact(run, part, there)
                found.append(_there(loaded, member))
        except BaseException:
            for each in found:
                each.draft.close()
            raise
        return found

    async def _of_run(self, run: RunRef, ref: TableRef) -> Loaded | None:
        """Read the run's own file of a table; None where it is gone."""
        path = self._scratch()
        draft = self._draft(run, ref)
        try:
            size = await self._fetch(run, ref, path)
            if size is None:
                return None
            await asyncio.to_thread(draft.take, path)
            return Loaded(ref, draft, "file", size)
        except BaseException:
            draft.close()
            raise
        finally:
            path.unlink(missing_ok=True)

    async def _fetch(self, run: RunRef, ref: TableRef, path: Path) -> int | None:
        """Download the run's own file of a table and check that it is the one that was logged; None: it is gone."""
        self._check_size(ref.size or 0)
        try:
            size = await self._client.catalog.save_run_file(
                run.entity, run.project, run.run_id, ref.file_path or "", target=path, most=self._most
            )
        except ExpiredUrlError:
            return None
        if size is not None:
            await asyncio.to_thread(self._check_run_file, ref, path, size)
        return size

    async def _take(self, ref: TableRef | None, entry: ArtifactEntry, draft: Draft) -> int | None:
        """Read one file of an artifact into a draft; gives its bytes, None where it is gone."""
        path = self._scratch()
        try:
            size = await self._download(ref, entry, path, self._most)
            if size is not None:
                await asyncio.to_thread(draft.take, path)
            return size
        finally:
            path.unlink(missing_ok=True)

    async def _definition(self, ref: TableRef, entry: ArtifactEntry) -> dict[str, Any] | None:
        """Read a small file that says of which other files a table is made; None where it is gone."""
        path = self._scratch()
        try:
            if await self._download(ref, entry, path, _DEFINITION_BYTES) is None:
                return None
            found = loads(path.read_bytes())
        finally:
            path.unlink(missing_ok=True)
        if not isinstance(found, dict):
            raise FatalRemoteError("its definition is no JSON object", mend=_REPORT)
        return {name: value for name, value in found.items() if name != "_type"}

    async def _download(
        self, ref: TableRef | None, entry: ArtifactEntry, path: Path, most: int
    ) -> int | None:
        """Download a file of an artifact, with a new address where the first is no longer good; None: it is gone."""
        self._check_size(entry.size or 0)
        try:
            return await self._client.artifact_files.download(entry, path, most)
        except ExpiredUrlError:
            (again,) = (None,) if ref is None else await self.find([ref])
        if again is None:
            return None
        try:
            return await self._client.artifact_files.download(again, path, most)
        except ExpiredUrlError:
            return None

    def _check_run_file(self, ref: TableRef, path: Path, size: int) -> None:
        if ref.size is not None and size != ref.size:
            raise FatalRemoteError(f"it has {size} bytes in place of {ref.size}", mend=_REPORT)
        if ref.sha256 is not None:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != ref.sha256.lower():
                    raise FatalRemoteError("its contents have another sha256 than was logged", mend=_REPORT)

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise FatalRemoteError(
                f"it has {size:,} bytes, more than the {self._most:,} allowed", mend="raise --max-table-mb"
            )

    def _draft(self, run: RunRef, ref: TableRef) -> Draft:
        return Draft(TablePlace(run, ref.key, ref.path), self._scratch())

    def _scratch(self) -> Path:
        return self._folder / f"logged-table-{next(self._numbers)}.json"


def _there(found: T | None, what: str) -> T:
    if found is None:
        raise FatalRemoteError(f"its {what} is not there (any more)", mend=_REPORT)
    return found


def _home(ref: TableRef) -> EntryRef:
    found = EntryRef.parse(ref.artifact_path or "")
    if found is None:
        raise FatalRemoteError("its place in an artifact cannot be read", mend=_REPORT)
    return found


def _text(definition: dict[str, Any], name: str) -> str:
    found = definition.get(name)
    if not isinstance(found, str) or not found:
        raise FatalRemoteError(f"its definition has no {name}", mend=_REPORT)
    return found.removesuffix("/")
