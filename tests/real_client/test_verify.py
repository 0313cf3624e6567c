"""Verify against a project written by the official client, hostile runs and a running one included."""

from pathlib import Path

import pytest

from real_client.official import OfficialClient
from support import options
from wandb_warehouse.sync import sync
from wandb_warehouse.verification import VerifyOptions, verify

pytestmark = pytest.mark.slow


def test_nothing_differs(written: OfficialClient, warehouse: Path) -> None:
    """Whatever the official client wrote, neither counts and details nor the values themselves differ."""
    synced = options(written.box, warehouse, f"{written.box.entity}/{written.project}")
    sync(synced)
    report = verify(VerifyOptions(synced.connection, warehouse, deep=True))
    assert report.differences == []
    (project,) = report.projects
    assert project.runs_equal + project.runs_moved == project.runs_at_server > 50
    assert project.runs_equal > 10
