"""Sweeps, projects, files and console lines, as the peer's tests have them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.peer.world import synced
from wandb_warehouse import Api
from wandb_warehouse.sandbox import Sandbox


def test_runs_expected_of_a_sweep(api: Api) -> None:
    """A grid ends, a search does not."""
    assert api.sweep("e/p/tuned").expected_run_count == 3
    assert api.sweep("e/p/nameless").expected_run_count is None


def test_run_of_a_sweep(api: Api) -> None:
    """The id of the sweep, and what the run ended with."""
    run = api.run("e/p/curve")
    assert run.sweep is not None
    assert run.sweep.id == "tuned"
    assert run.summary_metrics.get("acc") == 100


def test_attributes_of_a_sweep(api: Api) -> None:
    """Found by the form of path that the interface shows."""
    sweep = api.sweep("e/p/sweeps/tuned")
    assert (sweep.entity, sweep.state, sweep.path) == ("e", "PENDING", ["e", "p", "tuned"])
    assert sweep.url.endswith("/e/p/sweeps/tuned")
    assert str(sweep) == "<Sweep e/p/tuned (PENDING)>"


def test_names_of_sweeps(api: Api) -> None:
    """By the config, by the id, and as edited."""
    names = {sweep: api.sweep(f"e/p/{sweep}").name for sweep in ("tuned", "nameless", "edited")}
    assert names == {"tuned": "from config", "nameless": "nameless", "edited": "Edited name"}


@pytest.mark.parametrize("per_page", [1, 50])
def test_sweeps_of_a_project(api: Api, per_page: int) -> None:
    """However many come at a time."""
    sweeps = api.project("p", "e").sweeps(per_page=per_page)
    assert len(sweeps) == 3
    assert [sweeps[place].id for place in range(3)] == ["tuned", "nameless", "edited"]


def test_no_sweeps(api: Api) -> None:
    """Nothing more, and nothing at an index."""
    sweeps = api.project("empty", "e").sweeps()
    assert len(sweeps) == 0
    assert sweeps.more is False
    with pytest.raises(IndexError):
        sweeps[0]


def test_filtered_sweeps(api: Api) -> None:
    """By their id, which the server calls the name."""
    found = api.project("p", "e").sweeps(filters={"name": "edited"})
    assert [sweep.id for sweep in found] == ["edited"]


def test_projects_of_an_entity(api: Api) -> None:
    """All that were synced."""
    assert sorted(project.name for project in api.projects("e")) == ["My Project", "empty", "p"]


def test_project_is_read_when_asked(api: Api) -> None:
    """Naming one reads nothing: also one that is not there can be named."""
    project = api.project("p", "e")
    assert project._attrs == {}
    assert project.id
    assert project._attrs["created_at"] == project.created_at


def test_project_that_is_not_there(api: Api) -> None:
    """Once something of it is asked for."""
    project = api.project("nothing", "e")
    with pytest.raises(ValueError, match="nothing"):
        project.id  # noqa: B018 -- reads


def test_project_has_no_owner(api: Api) -> None:
    """The warehouse does not hold it."""
    project = api.project("p", "e")
    with pytest.raises(ValueError, match="user"):
        project.owner  # noqa: B018 -- raises


def test_file_by_name(api: Api) -> None:
    """Also in a folder."""
    run = api.run("e/p/curve")
    assert (run.file("weights.h5").name, run.file("weights.h5").size) == ("weights.h5", 7)
    assert run.file("logs/out.txt").size == 3


def test_file_without_direct_address(api: Api) -> None:
    """Empty text, and a warning."""
    file = api.run("e/p/curve").file("weights.h5")
    with pytest.warns(UserWarning, match="Unable to find direct_url of file"):
        assert file.path_uri == ""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """A server that is there, and a warehouse of it."""
    with Sandbox() as box:
        yield box, synced(box, tmp_path_factory.mktemp("served"))


def test_file_is_downloaded(served: tuple[Sandbox, Path], tmp_path: Path) -> None:
    """With the key of the run's `Api`, or of the one that is given."""
    box, warehouse = served
    knows = Api({"base_url": box.base_url}, api_key=box.key, warehouse=warehouse)
    with knows.run("e/p/curve").file("logs/out.txt").download(root=str(tmp_path / "own")) as opened:
        assert opened.read() == "out"
    assert (tmp_path / "own" / "logs" / "out.txt").read_text() == "out"
    wrong = Api({"base_url": "http://127.0.0.1:1"}, api_key="0" * 40, warehouse=warehouse)
    file = wrong.run("e/p/curve").file("logs/out.txt")
    with file.download(root=str(tmp_path / "given"), api=knows) as opened:
        assert opened.read() == "out"


def test_lines_of_a_console(api: Api) -> None:
    """In order, page after page, the first with everything a line may have."""
    lines = list(api.run("e/p/curve").console_logs(per_page=2))
    assert [(line.number, line.content) for line in lines] == [(0, "boom"), (1, "second"), (2, "third")]
    assert (lines[0].level, lines[0].label) == ("error", "")
    assert lines[0].timestamp == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_console_without_lines(api: Api) -> None:
    """A run that wrote nothing."""
    assert list(api.run("e/p/live").console_logs()) == []


def test_last_lines_of_a_console(api: Api) -> None:
    """As many as there are."""
    run = api.run("e/p/curve")
    assert [line.number for line in run.console_logs(last=10)] == [0, 1, 2]
    assert [line.number for line in run.console_logs(last=1)] == [2]


def test_times_of_lines(api: Api) -> None:
    """To the nanosecond, without a zone, and none at all."""
    times = [line.timestamp for line in api.run("e/p/curve").console_logs()]
    assert times == [
        datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None
    ]  # fmt: skip
