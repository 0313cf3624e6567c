"""`Api` and the paths it takes, as the peer's tests have them."""

from pathlib import Path

import pytest

from wandb_warehouse import Api
from wandb_warehouse.api.pieces.paths import ArtifactPath, Home, parse_artifact, parse_item, parse_project
from wandb_warehouse.api.projects import Project
from wandb_warehouse.api.runs.run import Run
from wandb_warehouse.api.sweeps import Sweep

NOWHERE = Home(None, None)
HOME = Home("my-entity", "my-project")


def test_base_url_loses_slashes(peer_warehouse: Path) -> None:
    """However many slashes there are at the end."""
    api = Api({"base_url": "https://wandb.corp.net///"}, warehouse=peer_warehouse)
    assert api.settings["base_url"] == "https://wandb.corp.net"


def test_given_key_is_kept(peer_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins over the environment."""
    monkeypatch.setenv("WANDB_API_KEY", "1" * 40)
    assert Api(api_key="abcd" * 10, warehouse=peer_warehouse).api_key == "abcd" * 10


def test_viewer_is_the_default_entity(api: Api) -> None:
    """It has a name and teams."""
    assert api.viewer.username == api.default_entity == "e"
    assert api.viewer.teams == ["e"]


@pytest.mark.parametrize("path", ["e/p/runs/curve", "e/p/curve", "/e/p/curve", "e/p:curve"])
def test_forms_of_a_run_path(api: Api, path: str) -> None:
    """All of them lead to the same run."""
    assert parse_item(path, NOWHERE) == ("e", "p", "curve")
    assert api.run(path).path == ["e", "p", "curve"]


@pytest.mark.parametrize("path", ["", "    ", ":", "/", "//", "/ /", "/ / /", "entity/project:"])
def test_paths_that_name_no_run(api: Api, path: str) -> None:
    """Defaults do not help where there is no id."""
    with pytest.raises(ValueError, match="Invalid path"):
        api.run(path)


def test_default_entity_and_project(api: Api) -> None:
    """Whatever a path leaves out at its beginning is taken as set."""
    for path in ("project/run", "project:run"):
        assert parse_item(path, Home("my-entity", None)) == ("my-entity", "project", "run")
    assert parse_item("run", HOME) == ("my-entity", "my-project", "run")
    assert api.run("curve").path == api.run("p/curve").path == ["e", "p", "curve"]


def test_path_lacks_a_part() -> None:
    """The error says which."""
    for path in ("project/run", "project:run", "run"):
        with pytest.raises(ValueError, match="missing entity"):
            parse_item(path, NOWHERE)
    with pytest.raises(ValueError, match="missing project"):
        parse_item("run", Home("my-entity", None))


def test_project_paths(peer_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an entity, and without."""
    assert parse_project("user/proj", NOWHERE) == ("user", "proj")
    monkeypatch.setenv("WANDB_ENTITY", "mock_entity")
    runs = Api(warehouse=peer_warehouse).runs("proj")
    assert (runs.entity, runs.project) == ("mock_entity", "proj")


def test_artifact_paths() -> None:
    """Only the first colon, and slashes before it, divide a path."""
    for alias in ("alias/with/slashes", "alias:with:colons", "alias:with:colons/and/slashes"):
        path = ArtifactPath("entity", "project", f"artifact:{alias}")
        assert parse_artifact(f"entity/project/artifact:{alias}", HOME) == path
        assert path.collection == "artifact"
        assert path.alias == alias
    alone = parse_artifact("artifact:alias/with:colons:and/slashes", Home("my-entity", None))
    assert alone == ("my-entity", "uncategorized", "artifact:alias/with:colons:and/slashes")
    assert parse_artifact("entity/project/artifact", HOME) == ("entity", "project", "artifact")


def test_from_path(api: Api) -> None:
    """The number of parts tells what it is; a run is the same object the second time."""
    for path in ("p", "e/p"):
        project = api.from_path(path)
        assert isinstance(project, Project)
        assert project.path == ["e", "p"]
    run = api.from_path("e/p/curve")
    assert isinstance(run, Run)
    assert api.from_path("e/p/curve") is run
    sweep = api.from_path("e/p/sweeps/tuned")
    assert isinstance(sweep, Sweep)
    assert sweep.id == "tuned"


@pytest.mark.parametrize("path", ["test/test/test/test", "test/test/test/test/test"])
def test_from_path_that_is_none(api: Api, path: str) -> None:
    """Too many parts."""
    with pytest.raises(ValueError, match="Invalid path"):
        api.from_path(path)
