"""Long tests that `make soak` runs; `python -m tests.soak.<name>` finds what the other tests share."""

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parents[1])
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
