"""Generated programs give what Node.js gives of their text: a second judge, with a grammar and runs of its own.

`python -m operations.judge.trial SEED COUNT` in tests/ prints the counts of a seed.
"""

from pathlib import Path

import duckdb
import pytest

from operations.examples import EXAMPLES
from operations.judge.answers import NODE
from operations.judge.grammar import programs
from operations.judge.harsh_runs import harsh_world
from operations.judge.trial import Verdict, judged, trial
from wandb_warehouse.operations import compile_operation

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js judges here, and is not installed")


def _agree(verdict: Verdict) -> None:
    wrong = verdict.failed + verdict.unjudged + verdict.differ
    assert not wrong, "\n\n".join("\n".join(each) for each in wrong[:5])
    # Refusing is no way to agree.
    assert len(verdict.refused) < verdict.count / 20, verdict.refused


def test_generated_programs_agree_with_node(tmp_path: Path) -> None:
    """300 programs over 220 runs with everything under every key."""
    _agree(trial(11, 300, tmp_path, depth=2, patience=30))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [21])
def test_more_and_deeper_programs_agree_with_node(seed: int, tmp_path: Path) -> None:
    """So do 200 others, of other runs and nested deeper."""
    _agree(trial(seed, 200, tmp_path, depth=3, patience=60))


def test_the_references_examples_agree_with_node(tmp_path: Path) -> None:
    """The examples give, as they stand, what Node.js gives of the same text."""
    world = harsh_world(5)
    with duckdb.connect(world.write(tmp_path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        verdict = judged(world, connection, list(EXAMPLES.values()))
    _agree(verdict)
    assert verdict.equal == len(EXAMPLES)


@pytest.mark.parametrize(
    "text",
    [
        "runs.filter(r => [true, 0].includes(run-runtime(r) < 0))",
        "runs.map(r => run-jobType(r) + run-group(r))",
        "runs.map(r => run-group(r) + run-config(r).batch)",
    ],
    ids=["false is not 0", "two missing texts have no sum", "a missing text and a number have none"],
)
def test_what_node_gives(text: str, tmp_path: Path) -> None:
    """Where a judge once found otherwise."""
    world = harsh_world(5)
    with duckdb.connect(world.write(tmp_path), read_only=True) as connection:
        _agree(judged(world, connection, [text]))


def test_a_constant_number_is_a_double(tmp_path: Path) -> None:
    """A column of numbers is double, also where each is the same constant."""
    (statement,) = compile_operation("runs.map(r => 0.9).slice(0, 2)").statements
    with duckdb.connect(harsh_world(5).write(tmp_path), read_only=True) as connection:
        connection.execute(statement.sql)
        assert [column[1] for column in connection.description or ()] == ["DOUBLE"]


def test_programs_follow_from_the_seed() -> None:
    """A seed gives the same programs again, each of them another one."""
    first, second = ([program.text for program in programs(1, 50)] for _ in range(2))
    assert first == second
    assert len(set(first)) == 50
