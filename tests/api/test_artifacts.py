"""Versions, collections and types of artifacts: the official client's, over a file and over a lake."""

import shutil
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from api.conftest import Beside, Change, load, told
from api.differences import DIFFERENCES, unexplained, used
from wandb_warehouse import Api
from wandb_warehouse.api.changes import artifacts
from wandb_warehouse.errors import MissingExtraError, NotStoredError, OperationError, RunNotFoundError

pytestmark = pytest.mark.slow

LISTS = ("Artifacts", "RunArtifacts", "ArtifactTypes", "ArtifactCollections")
PATH = "sandbox/p"
UNCOMPARED = {"commit_hash", "digest_algorithm"}
"""What the sandbox does not tell the official client."""


@pytest.fixture
def api(beside: Beside) -> Api:
    """Ours."""
    return beside.api()


@pytest.mark.parametrize(
    "kind", ["Artifact", "Artifact of elsewhere", "ArtifactType", "ArtifactCollection", *LISTS]
)
def test_artifacts_are_what_the_official_client_says(beside: Beside, kind: str) -> None:
    """Attributes, runs that made and used them, their collections, lengths, tags, cursors, and what is missing."""
    assert unexplained(beside.theirs, beside.ours, kind) == {}


def test_every_difference_there_is_has_its_place(beside: Beside) -> None:
    """The table says nothing that is not so, and all was looked at on both sides."""
    assert used(beside.theirs, beside.ours) == set(DIFFERENCES)
    assert beside.theirs.keys() == beside.ours.keys()
    assert len(beside.theirs) > 1200


def test_a_large_warehouse_says_the_same(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no difference between reading all at once and what is asked for."""
    monkeypatch.setattr("wandb_warehouse.api.artifacts.lineage._MANY", 0)
    assert told(beside.api()) == beside.ours


def test_a_lake_says_the_same(beside: Beside, tmp_path: Path) -> None:
    """All that a DuckDB file says; and an artifact of another project is whole where that is synced, too."""
    load(beside.box, tmp_path / "lake", "p", "other", destination="filesystem")
    lake = told(Beside(beside.box, tmp_path / "lake", {}, {}, {}).api())
    assert lake.keys() == beside.ours.keys()
    for place, value in lake.items():
        attribute = place.rpartition("/")[2]
        elsewhere = place.startswith("Artifact of elsewhere/") and attribute not in UNCOMPARED
        everywhere = place == "Projects/all/names" or attribute == "linked_artifacts"
        judge = beside.theirs if elsewhere or everywhere else beside.ours
        assert value == judge[place] or (attribute in UNCOMPARED and "of elsewhere" in place), place


def test_an_artifact_of_another_project_that_is_not_synced(api: Api) -> None:
    """What the run says of it is there; for the rest it says what to sync."""
    lent = api.run(f"{PATH}/taker").used_artifacts()[4]
    assert (lent.qualified_name, lent.type, [run.id for run in lent.used_by()]) == (
        "sandbox/other/lent:v0",
        "dataset",
        ["taker"],
    )
    with pytest.raises(
        NotStoredError, match="does not hold metadata of artifact sandbox/other/lent:v0; sync sandbox/other"
    ):
        _ = lent.metadata


def test_links(change: Change) -> None:
    """A version that was linked into another collection knows where it was made, and the other way round."""
    api = change(
        """
        insert into artifacts by name
        select * replace ('picks' as collection, true as is_linked, 'v7' as version, 7 as version_index)
        from artifacts where collection = 'set1' and version = 'v1';
        insert into artifact_aliases by name
        select * replace ('picks' as collection, 'chosen' as alias, 7 as version_index)
        from artifact_aliases where collection = 'set1' and alias = 'latest';
        update artifacts set ttl_seconds = 86400, commit_hash = 'c0ffee' where collection = 'set1';
        """,
    )
    link, source = api.artifact(f"{PATH}/picks:chosen"), api.artifact(f"{PATH}/set1:v1")
    assert (link.is_link, link.name, link.version, link.aliases) == (True, "picks:chosen", "v7", ["chosen"])
    assert (link.source_name, link.source_version, link.source_project) == ("set1:v1", "v1", "p")
    assert link.source_qualified_name == source.qualified_name == link.source_artifact.qualified_name
    assert link.source_collection.name == "set1"
    assert link.linked_artifacts == []
    found = next(each for each in source.linked_artifacts if each.name.startswith("picks"))
    # The official client adds the version to the aliases of what it finds so.
    assert (found.qualified_name, found.aliases) == (f"{PATH}/picks:v7", ["chosen", "v7"])
    assert link.url.endswith(
        "/sandbox/registry/model?selectionPath=sandbox%2Fp%2Fpicks&view=membership&version=v7"
    )
    assert source.url.endswith("/sandbox/p/artifacts/model/set1/v1")
    assert (source.ttl, source.commit_hash) == (timedelta(days=1), "c0ffee")
    with pytest.raises(NotStoredError, match="does not hold linked_at"):
        _ = link.linked_at
    picks = api.artifact_collection("model", f"{PATH}/picks")
    assert (picks.is_sequence(), picks.aliases) == (False, ["chosen"])
    # Versions of a run are those that were made, not their links.
    assert "picks" not in str([each.name for each in api.run(f"{PATH}/taker").used_artifacts()])


def test_a_link_from_a_project_that_is_not_synced(change: Change) -> None:
    """Where it was made is known if a run used it there, and said not to be known otherwise."""
    api = change(
        """
        insert into artifacts by name
        select * replace ('picks' as collection, true as is_linked, 'v0' as version, 0 as version_index,
            (select artifact_id from run_artifacts where collection = 'lent') as artifact_id)
        from artifacts where collection = 'set1' and version = 'v1';
        insert into artifacts by name
        select * replace ('strays' as collection, true as is_linked, 'far' as artifact_id)
        from artifacts where collection = 'set1' and version = 'v1';
        """,
    )
    link = api.artifact(f"{PATH}/picks:v0")
    assert link.source_artifact.qualified_name == "sandbox/other/lent:v0"
    with pytest.raises(NotStoredError, match="does not hold digest of artifact sandbox/other/lent:v0"):
        _ = link.source_artifact.digest
    with pytest.raises(NotStoredError, match="Unable to fetch source artifact for linked artifact strays:v1"):
        _ = api.artifact(f"{PATH}/strays:v1").source_artifact


@pytest.mark.parametrize("many", [5_000, 0])
def test_runs_that_were_deleted(change: Change, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """They are not among those that used a version, and the one that made it is not found."""
    monkeypatch.setattr("wandb_warehouse.api.artifacts.lineage._MANY", many)
    api = change("update runs set deleted_at = now() where run_id in ('taker', 'maker')")
    version = api.artifact(f"{PATH}/set1:v0")
    assert version.used_by() == []
    with pytest.raises(RunNotFoundError):
        version.logged_by()


MORE = """
insert into run_artifacts by name
select a.* replace ('swept' || n as run_id) from run_artifacts as a, range(4) as numbers(n)
where a.run_id = 'taker' and direction = 'used'
"""
"""The further runs used what `taker` did."""


def lineage(api: Api) -> tuple[int, int, set[str]]:
    """Walk from the versions of two collections to their runs and on to what these used.

    Gives the statements it took, the versions it came by, and who used them.
    """
    reader, asked = api._session.reader, 0
    table = reader.table

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal asked
        asked += 1
        return table(*arguments, **named)

    vars(reader)["table"] = counted
    versions, users = 0, set()
    for name, kind in (("set0", "dataset"), ("set1", "model")):
        for version in api.artifacts(kind, f"{PATH}/{name}"):
            creator = version.logged_by()
            assert creator is not None
            assert creator.config == {}
            for run in [creator, *version.used_by()]:
                versions += len([*run.logged_artifacts(), *run.used_artifacts()])
                users |= {user.id for used in run.used_artifacts() for user in used.used_by()}
    return asked, versions, users


@pytest.mark.parametrize("many", [5_000, 0])
def test_a_walk_asks_for_much_at_once(
    api: Api, change: Change, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Three times the runs and versions to come by take no more statements, in a small warehouse and a large one."""
    monkeypatch.setattr("wandb_warehouse.api.artifacts.lineage._MANY", many)
    monkeypatch.setattr("wandb_warehouse.api.runs.rows._FEW", many)
    asked, versions, users = lineage(api)
    assert (versions, users) == (4 * 5 + 3 * 5, {"taker"})
    more, versions, users = lineage(change(MORE))
    assert (versions, users) == (4 * 5 + 3 * 5 * 5, {"taker", "swept0", "swept1", "swept2", "swept3"})
    assert more == asked < 20


@pytest.mark.parametrize("many", [5_000, 0])
def test_a_walk_after_a_flush(
    beside: Beside, change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Versions that are at hand tell of the newest state from then on."""
    monkeypatch.setattr("wandb_warehouse.api.artifacts.lineage._MANY", many)
    api = change("select 1")
    version = api.artifact(f"{PATH}/set1:v0")
    assert [run.id for run in version.used_by()] == ["taker"]
    newer = tmp_path / "newer.duckdb"
    shutil.copyfile(beside.warehouse, newer)
    with closing(duckdb.connect(str(newer))) as connection:
        connection.execute(MORE)
    newer.replace(tmp_path / "wandb.duckdb")
    assert [run.id for run in version.used_by()] == ["taker"]
    api.flush()
    assert [run.id for run in version.used_by()] == ["taker", "swept0", "swept1", "swept2", "swept3"]


def test_aliases_that_were_changed_here(api: Api) -> None:
    """They are this object's: another one of the same version has what is stored."""
    api.artifact(f"{PATH}/set1:v0").aliases.append("mine")
    assert "mine" not in api.artifact(f"{PATH}/set1:v0").aliases


def test_drafts(change: Change) -> None:
    """A version that is not committed has no id, and is not listed unless it is asked for."""
    api = change(
        "update artifacts set state = 'PENDING', version = null, version_index = null "
        "where collection = 'set1' and version = 'v1'",
    )
    assert [each.name for each in api.artifacts("model", f"{PATH}/set1")] == ["set1:v0"]
    kind = api.artifact_type("model", PATH)
    (draft,) = (
        kind.collection("set1")
        .artifacts()
        .__class__(api._session, "sandbox", "p", "set1", "model", filters={"state": "PENDING"})
    )
    assert (draft.id, draft.is_draft(), draft.version, repr(draft)) == (None, True, None, "<Artifact set1>")


@pytest.mark.parametrize(
    ("order", "filters", "names"),
    [
        ("+createdAt", None, ["set1:v0", "set1:v1"]),
        ("-versionIndex", None, ["set1:v1", "set1:v0"]),
        ("version_index", None, ["set1:v0", "set1:v1"]),
        (None, {"versionIndex": 0}, ["set1:v0"]),
        (None, {"tags": "t1"}, ["set1:v0"]),
        (None, {"aliases": {"$in": ["latest"]}}, ["set1:v1"]),
    ],
)
def test_orders_and_filters_of_versions(
    api: Api, order: str | None, filters: dict[str, Any] | None, names: list[str]
) -> None:
    """By W&B's names or Python's; without an order the newest comes first."""
    collection = api.artifact_collection("model", f"{PATH}/set1").artifacts()
    found = type(collection)(api._session, "sandbox", "p", "set1", "model", filters, order)
    if order == "+createdAt":
        assert sorted(each.name for each in found) == names  # both were made within a second
    else:
        assert [each.name for each in found] == names


def test_orders_and_filters_of_collections(api: Api) -> None:
    """By name, type and creation."""
    project = api.project("p", "sandbox")
    assert [each.name for each in project.collections(order="-name")] == ["winners", "set2", "set1", "set0"]
    assert [each.name for each in project.collections({"type": "dataset"}, "+name")] == ["set0", "set2"]
    assert len(project.collections({"name": {"$regex": "^set[12]$"}})) == 2
    with pytest.raises(OperationError, match="'size' is no field"):
        len(project.collections({"size": 1}))


def test_a_cursor_of_somewhere_else(api: Api) -> None:
    """It is refused."""
    with pytest.raises(ValueError, match="is no cursor of a list of this warehouse"):
        api.artifacts("model", f"{PATH}/set1", start="Y3Vyc29y")


def test_what_needs_the_server(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contents and changes go to W&B through the official client; without it they say what to install."""
    version = api.artifact(f"{PATH}/set1:v0")
    asked: list[Any] = []

    class Official:
        aliases, tags, metadata = ["a1"], ["t1", "t2"], {"n": 1}

        def artifact(self, path: str) -> "Official":
            asked.append(path)
            return self

        def save(self, *_: Any) -> None:
            asked.append((self.aliases, self.tags, self.metadata, vars(self)))

        def download(self, *arguments: Any) -> str:
            asked.append(arguments)
            return "there"

    vars(api._session)["official"] = Official
    monkeypatch.setattr(artifacts, "refresh_artifacts", lambda _, *runs: asked.append(runs))
    assert version.download("root", path_prefix="data") == "there"
    version.aliases.append("best")
    version.metadata = {"n": 2}
    version.ttl = timedelta(days=1)
    stored = list(version.aliases)
    version.save()
    assert asked[4] == ("sandbox", "p")
    assert asked[:3] == [f"{PATH}/set1:v0", ("root", False, None, "data", None), f"{PATH}/set1:v0"]
    assert asked[3][:3] == (stored, ["t1", "t2"], {"n": 2})
    assert asked[3][3].keys() == {"aliases", "metadata", "ttl"}
    del vars(api._session)["official"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    collection = version.collection
    acts = (
        version.files,
        version.verify,
        version.save,
        version.unlink,
        version.delete,
        lambda: version.manifest,
    )
    for act in (*acts, lambda: version.link("p/picks"), collection.save, collection.delete):
        with pytest.raises(
            MissingExtraError, match=r"not installed; run: pip install .wandb-warehouse\[write\]"
        ):
            act()
