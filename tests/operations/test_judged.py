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


FOUND = {
    "false is not 0": "runs.filter(r => [true, 0].includes(run-runtime(r) < 0))",
    "two missing texts have no sum": "runs.map(r => run-jobType(r) + run-group(r))",
    "a missing text and a number have none": "runs.map(r => run-group(r) + run-config(r).batch)",
    "what is missing is among a list's null": "runs.filter(r => [1, null].includes(run-config(r).lr)).length",
    "missing numbers are equal": "runs.filter(r => run-runtime(r) === run-config(r).absent * 2).length",
    "a missing number is a missing text": "runs.filter(r => run-runtime(r) === run-jobType(r)).length",
    "a stored 64 is a written 64": "runs.groupBy(r => run-config(r).flag ? run-config(r).batch : 64)",
    "a computed 2 is a stored 2": "runs.map(r => run-config(r).flag ? run-config(r)['a/b'] : r.tags.length).unique()",
    "NaN and missing are one key": "runs.groupBy(r => ({a: run-summary(r).loss * 0})).map(g => g.key.a)",
    "a text chosen reads as a number": "runs.map(r => (run-config(r).absent || '7') * 2)",
    "an infinity chosen is a value": "runs.map(r => run-config(r).absent ?? run-runtime(r) / 0)",
    "1 to an infinity is nothing": "runs.map(r => (-1) ** run-summary(r).loss)",
    "the root of -Infinity": "runs.map(r => (-Number(run-summary(r).loss)) ** 0.5)",
    "nothing by zero": "runs.map(r => (run-summary(r).loss * 0) / 0)",
    "the sign of nothing": "runs.map(r => Math.sign(run-summary(r).loss * 0))",
    "a column's missing number as text": "runs.map(r => run-runtime(r)).slice(0, 40).map(v => `${v}`)",
    "members are joined in order": "runs.reverse().groupBy(r => run-state(r)).map(g => g.map(r => r.id).join())",
}
"""Programs of which a judge once found otherwise, by what holds."""


def test_what_node_gives(tmp_path: Path) -> None:
    """What was once found otherwise is as Node.js has it."""
    world = harsh_world(5)
    with duckdb.connect(world.write(tmp_path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        verdict = judged(world, connection, list(FOUND.values()))
    _agree(verdict)
    assert verdict.equal == len(FOUND), verdict.refused


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
