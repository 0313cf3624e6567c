"""A sandbox that serves."""

from collections.abc import Iterator

import pytest

from wandb_warehouse.sandbox import Sandbox


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox that serves."""
    with Sandbox() as running:
        yield running
