"""A project of the official client, synced, is what the official client reads: every run, every value.

Where the two differ, the difference stands in a table with its reason; what is not listed fails, and so does an entry
that does not occur. `SENT` does the same for the warehouse against the lines the runs wrote: what no reader can know.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from lengths import short_or_all
from real_client.compare import (
    ABSENT,
    Account,
    Allowed,
    Difference,
    compare,
    compare_with_wire,
    explain,
    read_warehouse,
    same,
    sync_project,
    wire_history,
)
from real_client.hostile import HOSTILE
from real_client.official import OfficialClient
from real_client.raw import RAW
from real_client.trainings import TRAININGS
from wandb_warehouse.arrow import ExactNumber
from wandb_warehouse.sandbox import Switches
from wandb_warehouse.warehouse import content_digest

pytestmark = pytest.mark.slow

QUOTED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
OWN_ENTRIES = {"_wandb", "wandb_version"}


@dataclass(frozen=True)
class Arrangement:
    """How the server behaves while both sides read."""

    exported: bool
    nan: Literal["quoted", "bare"]
    includes: bool

    def __str__(self) -> str:
        source = "exports" if self.exported else "live rows"
        return f"{source}, {self.nan}, history {'with' if self.includes else 'without'} exported rows"


def in_history(difference: Difference) -> bool:
    """Tell whether it is a value of a history."""
    return difference.section == "history"


def as_sent(difference: Difference) -> bool:
    """Tell whether the warehouse has what the run wrote."""
    return in_history(difference) and same(difference.ours, difference.wire)


def without_nulls(value: Any) -> Any:
    """Leave null members of objects out, however deep."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return list(map(without_nulls, value)) if isinstance(value, list) else value


def is_union(value: Any) -> bool:
    """Tell whether a value is an export's union: an object with a member `_type_<kind>` for every kind."""
    return isinstance(value, dict) and bool(value) and all(key.startswith("_type_") for key in value)


def member(union: Any) -> Any:
    """Give the one member of an export's union that is set."""
    return next((value for value in union.values() if value is not None), None)


def united(value: Any) -> Any:
    """Resolve the unions of an export, however deep."""
    if is_union(value):
        return united(member(value))
    if isinstance(value, dict):
        return {key: united(inner) for key, inner in value.items()}
    return list(map(united, value)) if isinstance(value, list) else value


def quoted(value: Any) -> Any:
    """Put non-finite numbers in quotes, however deep, as a server does."""
    if isinstance(value, list):
        return list(map(quoted, value))
    return next((name for name, number in QUOTED.items() if same(number, value)), value)


def surrogates_lost(text: Any) -> Any:
    """Make of lone surrogates what Go makes of them."""
    if isinstance(text, dict):
        return {surrogates_lost(key): surrogates_lost(value) for key, value in text.items()}
    if isinstance(text, list):
        return list(map(surrogates_lost, text))
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(text, str) else text
    )


LISTED = (
    Allowed(
        "the listing loses W&B's own config entries",
        "Runs(lazy=False) parses a config twice, and the second time from the entries of the user only",
        lambda d: d.section == "listed rawconfig" and d.key in OWN_ENTRIES and d.theirs is ABSENT,
    ),
    Allowed(
        "the listing unwraps config values twice",
        "the same: a logged object that has a `value` of its own is taken for the wrapping",
        lambda d: (
            d.section in {"listed config", "listed rawconfig"}
            and isinstance(d.ours, dict)
            and same(d.theirs, d.ours.get("value", ABSENT))
        ),
    ),
    Allowed(
        "1e400 is read as infinity",
        "the client parses numbers into doubles; the warehouse keeps the text in value_json",
        lambda d: isinstance(d.ours, ExactNumber) and d.ours.endswith("1e400") and d.theirs == float(d.ours),
    ),
    Allowed(
        "-0.0 loses its sign",
        "the client's service writes -0.0 as -0, which its Python side reads as the integer 0",
        lambda d: (
            as_sent(d)
            and (d.theirs, d.ours) == (0, 0)
            and isinstance(d.ours, float)
            and math.copysign(1, d.ours) < 0
        ),
    ),
)
QUOTED_ROWS = (
    Allowed(
        "non-finite numbers arrive in quotes",
        "the server has no other form for them; historyKeys tells them from texts, which the client does not ask",
        lambda d: as_sent(d) and isinstance(d.ours, float) and same(QUOTED.get(d.theirs), d.ours),
    ),
)
LIVE = (
    *LISTED,
    Allowed(
        "a window of rows is sampled",
        "the client asks for as many rows as the window has steps: where steps repeat, rows are missing at random",
        lambda d: d.run == "repeated" and (as_sent(d) or (d.section, d.theirs, d.ours) == ("rows", 5, 8)),
    ),
    Allowed(
        "integers beyond 64 bits are read as doubles",
        "the client's service holds larger numbers as doubles; the warehouse keeps the digits",
        lambda d: (
            as_sent(d)
            and isinstance(d.theirs, float)
            and isinstance(d.ours, int)
            and not -(2**63) <= d.ours < 2**63
            and d.theirs == float(d.ours)
        ),
    ),
    Allowed(
        "lone surrogates are replaced",
        "the client's service holds text as UTF-8, which has none; the warehouse escapes them",
        lambda d: d.run == "raw-surrogates" and as_sent(d) and d.theirs == surrogates_lost(d.ours),
    ),
)
EXPORTED = (
    *LISTED,
    Allowed(
        "metrics not logged in a row are null",
        "an export has a column for every metric; the warehouse keeps what was logged",
        lambda d: in_history(d) and (d.theirs, d.ours, d.wire) == (None, ABSENT, ABSENT),
    ),
    Allowed(
        "a logged null is null like all that was not logged",
        "an export does not tell the two apart; the warehouse takes both for not logged",
        lambda d: in_history(d) and (d.theirs, d.ours, d.wire) == (None, ABSENT, None),
    ),
    Allowed(
        "an empty object is null",
        "parquet has no type without fields, so the export holds nothing",
        lambda d: in_history(d) and (d.theirs, d.ours, d.wire) == (None, ABSENT, {}),
    ),
    Allowed(
        "values of several kinds are unions",
        "the client shows the export's struct of one member per kind; the warehouse has the value",
        lambda d: in_history(d) and is_union(d.theirs) and same(without_nulls(united(d.theirs)), d.ours),
    ),
    Allowed(
        "members that a struct does not use are null",
        "objects in one list share one struct, and the client shows all of its members",
        lambda d: (
            in_history(d) and isinstance(d.theirs, list) and same(without_nulls(united(d.theirs)), d.ours)
        ),
    ),
)

SENT_QUOTED = (
    Allowed(
        "non-finite numbers among texts stay in quotes",
        "where a key has numbers and texts, nobody can tell NaN from 'NaN' once the server quoted it",
        lambda d: d.run in {"mixed", "raw-nonfinite"} and same(QUOTED.get(d.ours), d.theirs),
    ),
    Allowed(
        "non-finite numbers in lists stay in quotes",
        "historyKeys counts lists, not what is in them",
        lambda d: isinstance(d.theirs, list) and same(quoted(d.theirs), d.ours),
    ),
)
SENT_BEYOND = (
    Allowed(
        "1e400 is a double to the standard library",
        "the warehouse keeps its text",
        lambda d: isinstance(d.ours, ExactNumber) and d.ours.endswith("1e400") and d.theirs == float(d.ours),
    ),
)
SENT_EXPORTED = (
    Allowed(
        "a logged null is not in an export",
        "a null in parquet is a metric that was not logged",
        lambda d: d.theirs is None and d.ours is ABSENT,
    ),
    Allowed(
        "an empty object is not in an export",
        "parquet has no type without fields",
        lambda d: d.theirs == {} and d.ours is ABSENT,
    ),
    Allowed(
        "large integers next to other numbers are rounded",
        "one column has one type: doubles as soon as one value is no 64-bit integer",
        lambda d: isinstance(d.theirs, int) and abs(d.theirs) > 2**53 and same(float(d.theirs), d.ours),
    ),
    Allowed(
        "lone surrogates are replaced in an export",
        "parquet holds UTF-8",
        lambda d: d.run == "raw-surrogates" and same(surrogates_lost(d.theirs), d.ours),
    ),
    Allowed(
        "of two paths with one dotted key an export has one",
        "it has one column of that name; which value it holds is up to the random order of the row",
        lambda d: (d.run, d.key, d.step) == ("dotted", "a.b", 0) and d.ours in {ABSENT, *d.sent},
    ),
    Allowed(
        "a null member of an object in a list is not in an export",
        "it looks like a member the object does not have",
        lambda d: d.key == "dicts" and same(without_nulls(d.theirs), d.ours),
    ),
)


def allowed(arrangement: Arrangement) -> tuple[Allowed, ...]:
    """Differences from the official client that must occur."""
    if arrangement.exported:
        # The run that goes on is live still, and has no value that is not finite.
        return EXPORTED
    return LIVE + QUOTED_ROWS * (arrangement.nan == "quoted")


def lost(arrangement: Arrangement) -> tuple[Allowed, ...]:
    """Differences from what was sent that must occur."""
    if arrangement.exported:
        return SENT_EXPORTED
    return SENT_BEYOND + SENT_QUOTED * (arrangement.nan == "quoted")


@pytest.fixture
def arranged(written: OfficialClient, request: pytest.FixtureRequest) -> Iterator[Arrangement]:
    """The server arranged; afterwards it is as it was."""
    arrangement: Arrangement = request.param
    box = written.box
    box.switches = Switches(nan=arrangement.nan, history_includes_exported=arrangement.includes)
    runs = box.store.projects[box.entity, written.project].live_runs
    for run in runs:
        if arrangement.exported and run.state != "running":
            box.export(box.entity, written.project, run.name)
    yield arrangement
    box.switches = Switches()
    with box.store.lock:
        for run in runs:
            box.store.add_exports(run, [], 0, replace=True)


ARRANGEMENTS = short_or_all(
    [
        Arrangement(exported=False, nan="quoted", includes=True),
        Arrangement(exported=False, nan="bare", includes=False),
        Arrangement(exported=True, nan="quoted", includes=False),
        Arrangement(exported=True, nan="bare", includes=True),
    ],
    [
        Arrangement(exported, nan, includes)
        for exported in (False, True)
        for nan in ("quoted", "bare")
        for includes in (True, False)
    ],
)
"""In the short form every two settings meet once."""


def test_the_project_is_what_it_should_be(written: OfficialClient) -> None:
    """At least 30 trainings and 20 hostile runs were written, all that are defined, in every state they should have."""
    box = written.box
    runs = {run.name: run for run in box.store.projects[box.entity, written.project].live_runs}
    trainings = [
        f"{training.__name__}-{number}"
        for training, configs in TRAININGS.items()
        for number in range(len(configs))
    ]
    assert len(trainings) >= 30
    assert len(HOSTILE) >= 20
    assert runs.keys() == {*trainings, *HOSTILE, *RAW, "running"}
    states = {name: run.state for name, run in runs.items() if run.state != "finished"}
    assert states == {
        "failed": "failed",
        "running": "running",
        "raw-crashed": "crashed",
        "raw-killed": "killed",
    }
    assert all(len(runs[name].history) >= 2 for name in trainings)
    assert [len(runs[name].history) for name in ("empty", "configured", "repeated", "resumed")] == [
        0,
        0,
        8,
        12,
    ]
    assert [runs["gaps"].history.steps[0], runs["gaps"].history.steps[-1]] == [0, 20_000]


@pytest.mark.parametrize("arranged", ARRANGEMENTS, indirect=True, ids=str)
def test_warehouse_equals_the_official_reader(
    written: OfficialClient, arranged: Arrangement, warehouse: Path, accounts: list[Account]
) -> None:
    """Config, summary, tags, state, times and every history row of every run equal what `wandb.Api()` reads.

    And the history is what was sent; and a second sync finds nothing new.
    """
    box, project = written.box, written.project
    sync_project(box, project, warehouse)
    ours, wire = read_warehouse(warehouse, project), wire_history(box, project)
    comparison = compare(written.read(), ours, wire)
    accounts.append(Account(str(arranged), comparison, explain(comparison, allowed(arranged))))
    sent = compare_with_wire(ours, wire)
    accounts.append(Account(f"{arranged}: against the lines sent", sent, explain(sent, lost(arranged))))

    before = content_digest(warehouse)
    again = sync_project(box, project, warehouse)
    assert again.requests <= 3
    assert content_digest(warehouse) == before
