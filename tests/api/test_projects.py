"""Projects: what the official client says of them, as far as it is stored."""

import pytest

from api.conftest import Beside
from api.differences import unexplained
from wandb_warehouse.errors import NotStoredError

pytestmark = pytest.mark.slow


def test_projects_are_what_the_official_client_says(beside: Beside) -> None:
    """Attributes, types of artifacts, sweeps, and how they show themselves, of one that is not there as well."""
    assert unexplained(beside.theirs, beside.ours, "Project", "Projects") == {}


def test_what_the_warehouse_tells_beside(beside: Beside) -> None:
    """How many runs the server counted, whether the key may only read, and how many projects are stored."""
    (project,) = beside.api().projects("sandbox")
    assert (project.run_count, project.read_only) == (6, False)
    assert len(beside.api().projects("sandbox")) == 1


def test_a_project_that_is_not_stored(beside: Beside) -> None:
    """It is said when something is asked of it that only the warehouse could know."""
    project = beside.api().project("none", "sandbox")
    assert project.url.endswith("/sandbox/none/workspace")
    with pytest.raises(NotStoredError, match=r"Project none not found; sync sandbox/none"):
        _ = project.id
    for listed in (project.sweeps(), project.collections(), project.artifacts_types()):
        with pytest.raises(NotStoredError, match="Could not find project 'none'"):
            next(iter(listed))


def test_a_project_as_html(beside: Beside) -> None:
    """It needs no server: a table, and the address of the page."""
    html = beside.api().project("p", "sandbox")._repr_html_()
    assert "/sandbox/p/workspace" in html
    assert "<iframe" not in html
