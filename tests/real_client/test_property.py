"""Any JSON value, logged in config, summary or history, comes back out of the warehouse equal."""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from arrow.strategies import objects, wire
from lengths import examples
from real_client.compare import by_place, dotted, read_warehouse, same, sync_project
from wandb_warehouse.sandbox import Sandbox, Switches

PROJECT = "any"
SURROGATE = re.compile("[\ud800-\udfff]")

Document = dict[str, Any]
Logged = tuple[Document, Document, list[Document]]
"""Config, summary and rows of a run."""


def _keys_in_utf8(value: Any) -> Any:
    """Replace lone surrogates in keys: an index of the history with such keys is no JSON any server can send."""
    if isinstance(value, dict):
        return {SURROGATE.sub("?", key): _keys_in_utf8(member) for key, member in value.items()}
    return value


logged = st.tuples(objects, objects, st.lists(objects.map(_keys_in_utf8), max_size=3))


def draw(count: int) -> list[Logged]:
    """Draw runs: many are synced at once, which one by one would take hours."""
    drawn: list[Logged] = []

    @settings(
        max_examples=count, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(logged)
    def keep(example: Logged) -> None:
        drawn.append(example)

    keep()
    return drawn


def wrapped(config: Document) -> str:
    """Config as it goes over the wire."""
    return wire({key: {"value": value} for key, value in config.items()})


def broken(run: Document, example: Logged) -> list[str]:
    """Parts of a run that did not come back as they were logged."""
    config, summary, rows = example
    history = by_place({**row, "_step": step} for step, row in enumerate(rows))
    parts = {
        "config": (run["config"], config),
        "summary": (run["summary"], summary),
        "run_config": (run["run_config"], dotted(config)),
        "run_summary": (run["run_summary"], dotted(summary)),
        "history": (run["history"], history),
    }
    if run["rows"] != len(rows):
        return ["rows"]
    return [name for name, (held, expected) in parts.items() if not _equal(held, expected)]


def _equal(held: Any, expected: Any) -> bool:
    return held.keys() == expected.keys() and all(same(held[key], expected[key]) for key in expected)


def test_any_value_comes_back(warehouse: Path) -> None:
    """Runs of any config, summary and rows, in one project: all of them come back equal, NaN and -0.0 included."""
    count = examples(250)
    drawn = draw(count)
    assert len(drawn) >= count
    with Sandbox(switches=Switches(nan="bare")) as box:
        for number, (config, summary, rows) in enumerate(drawn):
            lines = [wire({**row, "_step": step}) for step, row in enumerate(rows)]
            box.add_run(
                box.entity,
                PROJECT,
                f"run{number}",
                config=wrapped(config),
                summary=wire(summary),
                lines=lines,
            )
        sync_project(box, PROJECT, warehouse)
    held = read_warehouse(warehouse, PROJECT)
    assert len(held) == len(drawn)
    wrong = [
        (parts, example)
        for number, example in enumerate(drawn)
        if (parts := broken(held[f"run{number}"], example))
    ]
    shortest = min(wrong, key=lambda found: len(json.dumps(found[1])), default=None)
    assert shortest is None, f"{len(wrong)} of {len(drawn)} runs came back changed, the shortest: {shortest}"
