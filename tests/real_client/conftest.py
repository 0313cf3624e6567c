"""A project written by the official client, and the account of what was compared."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from real_client.compare import Account
from real_client.official import OfficialClient
from real_client.raw import add_raw_runs
from wandb_warehouse.sandbox import Sandbox

_ACCOUNTS = pytest.StashKey[list[Account]]()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficialClient]:
    """A project of trainings, hostile runs and raw runs, with one still running; written once."""
    with Sandbox() as box:
        client = OfficialClient(box, "written", tmp_path_factory.mktemp("official"))
        client.run("trainings.py", client.project)
        client.run("hostile.py", client.project)
        add_raw_runs(box, client.project)
        with client.life() as life:
            life.tell("init", id="running", tags=["alive"], config={"lr": 0.1})
            life.log([{"loss": 1 / step} for step in range(1, 41)], arrived=40)
            life.tell("die")  # else its heartbeat would move between two readings
        yield client


@pytest.fixture(scope="session")
def accounts(request: pytest.FixtureRequest) -> list[Account]:
    """What was compared, printed at the end of the session."""
    return request.config.stash.setdefault(_ACCOUNTS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how much was compared with the official client, and every difference by its reason."""
    accounts = config.stash.get(_ACCOUNTS, [])
    if accounts:
        terminalreporter.section("compared with the official client")
    for account in accounts:
        terminalreporter.line(str(account))


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where a warehouse is to be."""
    return tmp_path / "wandb.duckdb"
