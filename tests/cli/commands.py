"""What the tests of the command line share: the installed command, and how a run of it ended."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COMMAND", "Cli", "Ended"]

COMMAND = Path(sys.executable).with_name("wandb-warehouse")
"""The installed console script."""

_PROGRESS = re.compile(r"\w+: [\d,]+ of [\d,]+ runs, ")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr beside progress; fails when there are more or fewer."""
        lines = [line for line in self.err.splitlines() if line.strip() and not _PROGRESS.match(line)]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


Cli = Callable[..., Ended]
