"""`Files` of a run, and each `File`: what the warehouse knows of it, its contents from the server."""

import io
import mimetypes
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.changes.refreshing import refresh
from wandb_warehouse.api.changes.writing import at_wandb
from wandb_warehouse.api.pieces.attributes import Attrs
from wandb_warehouse.api.pieces.pages import Pages
from wandb_warehouse.api.server import save_file
from wandb_warehouse.api.session import Session, plain, time_text
from wandb_warehouse.api.stored import absent, escaped

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.run import Run

__all__ = ["File", "Files"]

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class Files(Pages["File"]):
    """Files of a run, by name.

    The length counts all files of the run, whichever are asked for.

    Args:
        session: what the objects of an `Api` share.
        run: the run.
        names: names of the files wanted, in this order; one that the run does not have gives a `File` of 0 bytes
            without digest and time, as W&B's server does.
        per_page: files made at a time.
        upload: addresses to upload to: only a server gives them.
        pattern: a pattern of SQL's LIKE that names have to match, as `%.json`; upper and lower case differ.

    Raises:
        ValueError: both `names` and `pattern`.
        MissingExtraError: `upload`.

    Source: `wandb.apis.public.Files`.

    Example:
        >>> [file.name for file in run.files(pattern="%.json")]  # doctest: +SKIP
    """

    def __init__(
        self,
        session: Session,
        run: "Run",
        names: Sequence[str] | None = None,
        per_page: int = 50,
        upload: bool = False,
        pattern: str | None = None,
    ) -> None:
        if names and pattern:
            raise ValueError(
                "Querying for files by both names and pattern is not supported."
                " Please provide either a list of names or a pattern to match."
            )
        if upload:
            raise absent("addresses to upload to", f"run {run.id}")
        super().__init__(per_page)
        self._session = session
        self._names = names or ()
        self._pattern = pattern
        self._stored: dict[str, Mapping[str, Any]] | None = None
        self.run = run

    def _all(self) -> dict[str, Mapping[str, Any]]:
        if self._stored is None:
            asked = escaped(entity=self.run.entity, project=self.run.project, run=self.run.id)
            rows = self._session.reader.rows("files", asked)
            self._stored = {str(plain(row["name"])): row for row in rows}
        return self._stored

    def _find(self) -> Sequence[tuple[str, Mapping[str, Any] | None]]:
        stored = self._all()
        if self._names:
            return [(name, stored.get(name)) for name in self._names]
        like = re.compile(_regex(self._pattern or "%"), re.DOTALL)
        return [(name, row) for name, row in stored.items() if like.fullmatch(name)]

    def _convert(self, row: tuple[str, Mapping[str, Any] | None]) -> "File":
        name, stored = row
        found = stored or {}
        place = f"{self.run.entity}/{self.run.project}/{self.run.id}/{name}"
        guess = mimetypes.guess_type(name)[0] or "application/octet-stream"
        attrs = {
            "name": name,
            "url": f"{self._session.base_url.rstrip('/')}/files/{place}",
            "directUrl": None,
            "sizeBytes": found.get("size") or 0,
            "mimetype": plain(found["mimetype"]) if found else guess,
            "updatedAt": time_text(found.get("updated_at")),
            "md5": plain(found.get("md5")),
        }
        return File(self._session, attrs, self.run)

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<Files {'/'.join(self.run.path)} ({len(self)})>"


def _regex(pattern: str) -> str:
    """A pattern of LIKE as a regular expression; a backslash takes the meaning from what follows."""
    parts = re.findall(r"\\?.", pattern, re.DOTALL)
    return "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)


class File(Attrs):
    """A file of a run.

    Attributes: `name` (str, path within the run), `size` (bytes), `md5` (base64, None until it is uploaded),
    `mimetype`, `updated_at` (str, ISO 8601 in UTC, None until it is uploaded), `url` (takes a key), `direct_url`
    (None: such an address lasts for minutes, the warehouse holds none).

    Source: `wandb.apis.public.File`.
    """

    def __init__(self, session: Session, attrs: Mapping[str, Any], run: "Run | None" = None) -> None:
        super().__init__(attrs)
        self._session = session
        self.run = run

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self._attrs["sizeBytes"] or 0)

    @property
    def path_uri(self) -> str:
        """Address in the bucket: empty, with a warning, as the public API has it where there is no direct address."""
        warnings.warn("Unable to find direct_url of file", stacklevel=2)
        return ""

    def download(
        self,
        root: str = ".",
        replace: bool = False,
        exist_ok: bool = False,
        api: Any = None,
    ) -> io.TextIOWrapper:
        """Download the file from the server to `root` under its own path, and give it opened as text.

        Args:
            root: directory.
            replace: overwrite a file that is there.
            exist_ok: open a file that is there, and ask no server.
            api: the `Api` whose address and key to use; None for the run's own.

        Raises:
            ValueError: the file is there; or its name leads out of `root`.
            AuthError: there is no key.
            RemoteError: the server does not give it.
        """
        path = _below(root, self.name)
        if path.exists() and not replace:
            if exist_ok:
                return path.open()
            raise ValueError(
                "File already exists, pass replace=True to overwrite"
                " or exist_ok=True to leave it as is and don't error."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        session = self._session if api is None else api._session
        save_file(session, self._place(), self.name, path, self.size)
        return path.open()

    def delete(self) -> None:
        """Delete the file at W&B, and bring its run in the warehouse up to date; errors as `Run.update`."""
        place = self._place()
        client = self._session.official()
        with at_wandb(f"deleting the file {self.name} of {'/'.join(place)}"):
            client.run("/".join(place)).file(self.name).delete()
        refresh(self._session, *place)

    def _place(self) -> tuple[str, str, str]:
        if self.run is None:
            raise ValueError(f"{self.name} is the file of no run")
        return self.run.entity, self.run.project, self.run.id

    def __repr__(self) -> str:
        return f"<File {self.name} ({self.mimetype}) {_human(self.size)}>"


def _below(root: str, name: str) -> Path:
    """Where a file is to be under `root`: links there lead out of it as little as the name."""
    path = Path(root, name)
    odd = "\\" in name or any(ord(letter) < ord(" ") for letter in name)
    if odd or name.startswith("/") or ".." in name.split("/") or ":" in name.partition("/")[0]:
        raise ValueError(f"Invalid path: {name!r} leads out of {root!r}")
    if not path.resolve().is_relative_to(Path(root).resolve()):
        raise ValueError(f"Invalid path: {name!r} leads out of {root!r} by a link there")
    return path


def _human(size: float) -> str:
    """Bytes as people read them.

    >>> _human(0), _human(1536)
    ('0.0B', '1.5KiB')
    """
    *smaller, largest = _UNITS
    for unit in smaller:
        if round(size, 1) < 1024:
            return f"{round(float(size), 1)}{unit}"
        size /= 1024
    return f"{round(size, 1)}{largest}"
