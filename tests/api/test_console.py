"""Console output: the official client's lines."""

import pytest

from api.conftest import Beside, Change
from api.differences import unexplained

pytestmark = pytest.mark.slow


def test_lines_are_what_the_official_client_says(beside: Beside) -> None:
    """Numbers, times, levels and texts of all lines, and of the last ones."""
    assert unexplained(beside.theirs, beside.ours, "ConsoleLogLine", "ConsoleLogs") == {}
    texts = [line.content for line in beside.api().run("sandbox/p/maker").console_logs()]
    assert {"to stdout ü", "to stderr"} <= set(texts)


def test_console_output_that_was_not_synced(change: Change) -> None:
    """A warning says what to do, rather than that a run was silent."""
    api = change("delete from console_logs")
    with pytest.warns(UserWarning, match="sync it with --console-logs"):
        assert list(api.run("sandbox/p/maker").console_logs()) == []
