"""Files of runs: what is known of them is what the official client says, and their contents come from the server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.conftest import Beside
from api.differences import unexplained
from wandb_warehouse import Api
from wandb_warehouse.api.runs import files
from wandb_warehouse.api.runs.files import File, Files
from wandb_warehouse.api.session import Session
from wandb_warehouse.errors import AuthError, FatalRemoteError, NotStoredError
from wandb_warehouse.warehouse import Reader

NAME = "deep/er/weights.bin"
CONTENTS = "x" * 1400
"""As `beside_writer.py` wrote it."""


class _Run:
    """As much of a run as its files need."""

    entity, project, id = "e", "p", "r"
    path = ("e", "p", "r")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session over a warehouse that is not there."""
    return Session(Reader(tmp_path / "none.duckdb"), "http://127.0.0.1:9", "k" * 40)


def a_file(session: Session, name: str) -> File:
    """A file of a run, past any warehouse."""
    run: Any = _Run()
    return File(session, {"name": name, "sizeBytes": 3, "mimetype": "text/plain"}, run)


@pytest.mark.slow
def test_files_are_what_the_official_client_says(beside: Beside) -> None:
    """Attributes, lengths, patterns, names that no run has, and how they show themselves."""
    assert unexplained(beside.theirs, beside.ours, "File", "Files") == {}


@pytest.mark.slow
def test_download(beside: Beside, tmp_path: Path) -> None:
    """A file is put below the root under its own path and given opened as text; another `Api` may say by whom."""
    file = beside.api().run("sandbox/p/maker").file(NAME)
    with file.download(root=str(tmp_path)) as text:
        assert Path(text.name) == tmp_path / NAME
        assert text.read() == CONTENTS
    assert [each.name for each in (tmp_path / "deep" / "er").iterdir()] == ["weights.bin"]
    with file.download(str(tmp_path / "other"), api=beside.api()) as text:
        assert text.read() == CONTENTS


@pytest.mark.slow
def test_download_over_a_file(beside: Beside, tmp_path: Path) -> None:
    """A file that is there is refused, opened as it is, or overwritten."""
    file = beside.api().run("sandbox/p/maker").file("upper.JSON")
    (tmp_path / "upper.JSON").write_text("mine")
    with pytest.raises(ValueError, match="File already exists, pass replace=True"):
        file.download(str(tmp_path))
    with file.download(str(tmp_path), exist_ok=True) as text:
        assert text.read() == "mine"
    with file.download(str(tmp_path), replace=True) as text:
        assert text.read() == "x" * 2100


@pytest.mark.slow
def test_download_within_a_running_loop(beside: Beside, tmp_path: Path) -> None:
    """In a notebook a loop runs already."""

    async def cell() -> str:
        with beside.api().run("sandbox/p/maker").file(NAME).download(str(tmp_path)) as text:
            return text.read()

    assert asyncio.run(cell()) == CONTENTS


@pytest.mark.slow
def test_the_key_of_a_download(beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key given counts, else the environment's; without any, or with a wrong one, nothing is left behind."""
    monkeypatch.setenv("WANDB_API_KEY", "w" * 40)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with beside.api().run("sandbox/p/maker").file(NAME).download(str(tmp_path / "given")) as text:
        assert text.read() == CONTENTS
    keyless = (
        Api({"base_url": beside.box.base_url}, warehouse=beside.warehouse).run("sandbox/p/maker").file(NAME)
    )
    with pytest.raises(AuthError):
        keyless.download(str(tmp_path / "wrong"))
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(AuthError, match="there is no W&B key"):
        keyless.download(str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_API_KEY", beside.box.key)
    with keyless.download(str(tmp_path / "environment")) as text:
        assert text.read() == CONTENTS
    assert not [each for name in ("wrong", "none") for each in (tmp_path / name).rglob("*") if each.is_file()]


@pytest.mark.slow
def test_a_file_that_the_server_has_no_more(beside: Beside, tmp_path: Path) -> None:
    """It is said, and no file is made."""
    with pytest.raises(FatalRemoteError, match="W&B has no file missing of run sandbox/p/maker"):
        beside.api().run("sandbox/p/maker").file("missing").download(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "a/../../up", "a\\..\\..\\up", "C:up", "a\nb", "link/up", ".."]
)
def test_a_name_never_leads_out_of_the_root(session: Session, tmp_path: Path, name: str) -> None:
    """Names with a way up, a root or a drive, and links that lie there, are refused before the server is asked."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (tmp_path / "up").write_text("mine")
    for more in ({}, {"replace": True}, {"exist_ok": True}):
        with pytest.raises(ValueError, match="Invalid path"):
            a_file(session, name).download(str(root), **more)
    assert (tmp_path / "up").read_text() == "mine"


def test_what_needs_the_official_client(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses to upload to are refused, and a file is deleted by its name."""
    run: Any = _Run()
    with pytest.raises(NotStoredError, match="does not hold addresses to upload to"):
        Files(session, run, upload=True)
    asked: list[tuple[str, ...]] = []

    class Official:
        def run(self, path: str) -> "Official":
            asked.append(("run", path))
            return self

        def file(self, name: str) -> "Official":
            asked.append(("file", name))
            return self

        def delete(self) -> None:
            asked.append(("delete",))

    vars(session)["official"] = Official
    monkeypatch.setattr(files, "refresh", lambda _, *place: asked.append(place))
    a_file(session, "a.txt").delete()
    assert asked == [("run", "e/p/r"), ("file", "a.txt"), ("delete",), ("e", "p", "r")]


def test_names_and_a_pattern_exclude_each_other(session: Session) -> None:
    """They are refused together, in the official client's words."""
    run: Any = _Run()
    with pytest.raises(ValueError, match="Querying for files by both names and pattern is not supported"):
        Files(session, run, ["a"], pattern="%")
