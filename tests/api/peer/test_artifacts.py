"""Artifacts, their types and collections, as the peer's tests have them."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from support import options
from wandb_warehouse import Api
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.schema import TABLES
from wandb_warehouse.sync import sync
from wandb_warehouse.warehouse import insert_rows


def names(found: Any) -> list[str]:
    """Names of some objects, in order."""
    return [each.name for each in found]


def test_versions_of_a_collection(api: Api) -> None:
    """Listed, and by a path."""
    versions = api.artifact_versions("dataset", "e/p/mnist")
    assert len(versions) == 2
    assert set(names(versions)) == {"mnist:v0", "mnist:v1"}
    version = api.artifact("e/p/mnist:v0", type="dataset")
    assert (version.type, version.name) == ("dataset", "mnist:v0")
    assert api.artifact("e/p/mnist:my_alias").version == "v0"


@pytest.mark.parametrize(
    ("order", "versions"),
    [("version_index", ["v0", "v1"]), ("+version_index", ["v0", "v1"]), ("-version_index", ["v1", "v0"])],
)
def test_versions_in_order(api: Api, order: str, versions: list[str]) -> None:
    """Upwards unless it says otherwise."""
    found = api.artifacts("dataset", "e/p/mnist", order=order)
    assert names(found) == [f"mnist:{version}" for version in versions]


def test_lists_go_on_from_a_cursor(api: Api) -> None:
    """Versions, collections and types, one a page: the first, then the rest, by either way."""
    mnist = api.artifact_collection("dataset", "e/p/mnist")
    versions = mnist.artifacts(per_page=1)
    first, cursor = next(versions).name, versions.cursor
    rest = names(mnist.artifacts(per_page=1, start=cursor))
    assert rest == names(api.artifacts("dataset", "e/p/mnist", per_page=1, start=cursor))
    assert [first, *rest] == names(mnist.artifacts(per_page=1))
    dataset = api.artifact_type("dataset", "e/p")
    collections = dataset.collections(per_page=1)
    first, cursor = next(collections).name, collections.cursor
    rest = names(dataset.collections(per_page=1, start=cursor))
    assert rest == names(api.artifact_collections("e/p", "dataset", per_page=1, start=cursor))
    assert [first, *rest] == names(dataset.collections(per_page=1))
    types = api.project("p", "e").artifacts_types(per_page=1)
    first, cursor = next(types).name, types.cursor
    assert [first, *names(api.artifact_types("e/p", start=cursor))] == names(api.artifact_types("e/p"))


def test_types_and_collections(api: Api) -> None:
    """By name, listed and counted."""
    assert set(names(api.artifact_types("e/p"))) == {"dataset", "model"}
    dataset = api.artifact_type("dataset", "e/p")
    assert dataset.name == "dataset"
    assert dataset.collection("mnist").name == "mnist"
    assert len(dataset.collections()) == 2
    assert set(names(dataset.collections())) == {"mnist", "another"}


def test_collections_filtered_and_ordered(api: Api) -> None:
    """Of a type, and of a project with all its types."""
    dataset, project = api.artifact_type("dataset", "e/p"), api.project("p", "e")
    one = dataset.collections(filters={"name": "mnist"})
    assert (len(one), names(one)) == (1, ["mnist"])
    assert names(dataset.collections(order="name")) == ["another", "mnist"]
    assert len(project.collections()) == 3
    assert names(project.collections(filters={"name": "net"})) == ["net"]
    assert names(project.collections(order="name")) == ["another", "mnist", "net"]


def test_collections_ordered_through_the_api(api: Api) -> None:
    """The same order as through the type."""
    assert names(api.artifact_collections("e/p", "dataset", order="name")) == ["another", "mnist"]


def test_what_exists(api: Api) -> None:
    """Versions and collections that are there, and that are not."""
    assert api.artifact_exists("mnist:v0") is True
    assert api.artifact_exists("mnist:v2") is False
    assert api.artifact_exists("mnist-fake:v0") is False
    assert api.artifact_collection_exists("mnist", "dataset") is True
    assert api.artifact_collection_exists("mnist-fake", "dataset") is False


@pytest.mark.parametrize(
    "path", ["foo/bar/mnist:v0", "e/bar/mnist:v0", "e/p/baz", "e/p/baz:v0", "e/p/mnist:v7"]
)
def test_artifact_that_is_not_there(api: Api, path: str) -> None:
    """Whichever part of the path is wrong."""
    with pytest.raises(ValueError, match=r"bar|baz|mnist"):
        api.artifact(path)


def test_artifacts_of_a_run(api: Api) -> None:
    """Counted and named; the length is the number that comes."""
    used, logged = api.run("e/p/live").used_artifacts(), api.run("e/p/curve").logged_artifacts()
    for found in (used, logged):
        assert len(found) == len(list(found)) == 2
        assert set(names(found)) == {"mnist:v0", "mnist:v1"}


def test_artifact_of_another_project(api: Api) -> None:
    """A run of My Project used one of p."""
    run = api.run("e/My Project/blank")
    assert run.project == "My Project"
    assert [(each.project, each.name) for each in run.used_artifacts()] == [("p", "mnist:v0")]


def test_collection_of_an_artifact(api: Api) -> None:
    """It agrees with the version."""
    version = api.artifact("e/p/mnist:v1")
    found = version.collection
    assert (found.entity, found.project, found.type) == (version.entity, version.project, version.type)
    assert version.name.startswith(found.name)


def test_versions_by_tags(api: Api) -> None:
    """One tag as a text, or several that a version must have all of."""
    one: Any = "fizz"
    assert set(names(api.artifacts("dataset", "e/p/mnist", tags=one))) == {"mnist:v0", "mnist:v1"}
    assert names(api.artifacts("dataset", "e/p/mnist", tags=["fizz", "buzz"])) == ["mnist:v0"]


def test_metadata_of_an_artifact(api: Api) -> None:
    """Nested, too."""
    metadata = api.artifact("e/p/mnist:v0").metadata
    assert metadata == {"number": 123, "nan": None, "nested": {"nan": None}}


def test_artifact_in_a_config(api: Api) -> None:
    """It stands there as W&B keeps it."""
    found = api.run("e/p/curve").config["dataset"]
    assert (found["_type"], found["version"], found["sequenceName"]) == ("artifactVersion", "v0", "mnist")


def test_alias_that_moved(tmp_path: Path) -> None:
    """After the next sync it is where it is now."""
    warehouse = tmp_path / "wandb.duckdb"
    with Sandbox() as box:
        for number in range(2):
            box.add_artifact("e", "p", "mnist", f"d{number}", aliases=["best"] if number == 0 else [])
        sync(options(box, warehouse))
        api = Api(warehouse=warehouse)
        assert "best" in api.artifact("e/p/mnist:v0").aliases
        box.move_alias("e", "p", "mnist", "best", 1)
        sync(options(box, warehouse, sweep=True))
    api.flush()
    assert "best" in api.artifact("e/p/mnist:v1").aliases
    assert "best" not in api.artifact("e/p/mnist:v0").aliases


def test_linked_versions(peer_warehouse: Path, tmp_path: Path) -> None:
    """A link has version and aliases of its collection, and knows its source; the source knows its links."""
    warehouse = tmp_path / "wandb.duckdb"
    warehouse.write_bytes(peer_warehouse.read_bytes())
    source = {"entity": "e", "project": "p", "collection": "mnist", "type": "dataset"}
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (row,) = (
            connection.sql("FROM artifacts WHERE collection = 'mnist' AND version = 'v1'")
            .to_arrow_table()
            .to_pylist()
        )
        link = row | {"collection": "portfolio", "version": "v0", "version_index": 0, "is_linked": True}
        alias = {**source, "collection": "portfolio", "alias": "best", "artifact_id": row["artifact_id"]}
        for table, new in (("artifacts", link), ("artifact_aliases", alias | {"version_index": 0})):
            connection.register("incoming", pa.Table.from_pylist([new], schema=TABLES[table].arrow))
            insert_rows(connection, table)
    api = Api({"entity": "e", "project": "p"}, warehouse=warehouse)
    found = api.artifact("portfolio:best")
    assert found.is_link is True
    assert (found.version, found.source_version) == ("v0", "v1")
    assert found.source_qualified_name == "e/p/mnist:v1"
    assert "best" in found.aliases
    assert "latest" not in found.aliases
    original = api.artifact("mnist:v1")
    assert original.is_link is False
    assert "best" not in original.aliases
    assert [each.qualified_name for each in original.linked_artifacts] == ["e/p/portfolio:v0"]
    assert found.linked_artifacts == []
    assert [each.is_link for each in api.artifact_collection("dataset", "portfolio").artifacts()] == [True]
