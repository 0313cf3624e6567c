"""Operations give what JavaScript gives: Node.js evaluates the same programs over the same runs.

`python -m tests.operations.test_oracle SEED COUNT` counts the programs of a seed that agree, and shows the others.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from operations.examples import EXAMPLES
from operations.generator import Program, programs
from operations.oracle import NODE, ask, differs, given
from operations.world import World, make_world
from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import Given, compile_operation

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js judges here, and is not installed")

REFUSED_BY_DATA = ("JavaScript", "+ of a text joins texts", "=== of two lists or objects")
"""What the messages say of values that only turn out to have no exact meaning when they are computed."""


@dataclass
class Findings:
    """What came of the programs."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of the longest compilation."""


def judge(world: World, warehouse: Path, written: Sequence[Program]) -> Findings:
    """Compare every program's answer with JavaScript's."""
    findings = Findings()
    answers = ask(world, [program.js for program in written])
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for program, answer in zip(written, answers, strict=True):
            outcome, told = _outcome(connection, program, answer, findings)
            findings.counts[outcome] += 1
            if outcome in ("differs", "fails"):
                findings.wrong.append(f"{program.ours}\n{program.js}\n{told}")
    return findings


def _outcome(
    connection: duckdb.DuckDBPyConnection, program: Program, answer: dict[str, object], findings: Findings
) -> tuple[str, str]:
    if "error" in answer:
        return "fails", f"JavaScript: {answer['error']}"
    started = time.process_time()
    try:
        operation = compile_operation(program.ours)
    except OperationError as error:
        return "refused", str(error)
    findings.slowest = max(findings.slowest, time.process_time() - started)
    try:
        ours = given(connection, operation)
    except duckdb.Error as error:
        refused = any(part in str(error) for part in REFUSED_BY_DATA)
        return ("refused by data" if refused else "fails"), str(error)
    if differs(ours, answer["value"]):
        return "differs", f"ours: {str(ours)[:2000]}\nJavaScript: {str(answer['value'])[:2000]}"
    return "agrees", ""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """220 generated runs, in a warehouse and as a judge reads them."""
    world = make_world(1)
    return world, world.write(tmp_path_factory.mktemp("judged"))


def _agree(findings: Findings, count: int) -> None:
    assert not findings.wrong, "\n\n".join(findings.wrong[:5])
    refused = findings.counts["refused"] + findings.counts["refused by data"]
    # Refusing is no way to agree.
    assert refused <= count // 50
    assert findings.counts["agrees"] == count - refused


def test_programs_agree_with_javascript(judged: tuple[World, Path]) -> None:
    """300 generated programs over 220 generated runs give what Node.js gives."""
    _agree(judge(*judged, programs(1, 300)), 300)


REFERENCE = {
    "filter_by_config": "runs.filter(r => runConfig(r).learning_rate > 0.01)",
    "best_run": "runs.best(r => runSummary(r).accuracy, (x, y) => x > y)",
    "recent_runs": "runs.filter(r => runCreatedAt(r) > Date.now() - 7*24*60*60*1000)",
    "sorted_by_creation": "runs.sort((a, b) => runCreatedAt(a) - runCreatedAt(b))",
    "mean_accuracy": "runs.map(r => runSummary(r).accuracy).avg()",
    "largest_learning_rate": "runs.map(r => runConfig(r).lr).max()",
    "count_by_state": "List.of_(runs.groupBy(r => summaryState(r)).map(g => ({key: g.key, count: g.count()})))",
    "group_by_day": "runs.groupBy(r => runCreatedAt(r).toDateString())",
    "successful_runs": "runs.filter(r => summaryState(r) === 'finished' && runSummary(r).accuracy > 0.9)",
    "similar_to_baseline": "runs.filter(r => Math.abs(runSummary(r).accuracy - runSummary(runs[0]).accuracy) < 0.01"
    " && runConfig(r).model_type !== runConfig(runs[0]).model_type)",
    "mapped_summary": "runs.map(r => runSummary(r).accuracy).avg()",
    "mapped_config": "runs.map(r => runConfig(r).lr)",
    "history_minimum": "runs.map(r => runHistory(r).map(row => row.loss).min())",
    "group_aggregates": "runs.groupBy(r => runConfig(r).model_type).map(g => ({model: g.key, runs: g.count(),"
    " best: g.map(r => runSummary(r).accuracy).max()}))",
    "final_metrics": "runSummary(RUN).best_val_loss",
    "logged_model": "runLoggedArtifactVersion(RUN, 'model:latest')?.size",
    "dataset_warning": "runLoggedArtifactVersion(RUN, 'training-data:v3') ? undefined :"
    " 'Warning: Run did not use expected dataset version'",
    "model_if_logged": "runLoggedArtifactVersion(RUN, 'model:latest') ? (m => 'Model version: ' + m.version +"
    " '\\n' + 'Model size: ' + m.size)(runLoggedArtifactVersion(RUN, 'model:latest')) : undefined",
    "used_inputs": "runUsedArtifactVersions(RUN).map(a => `Used: ${a.name}:${a.version}`)",
    "has_preprocessing": "runUsedArtifactVersions(RUN).some(a => a.name === 'preprocessing-pipeline')",
    "config": "runConfig(RUN)",
}
"""The reference's examples as JavaScript; compareConfigs is no function of it."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_references_examples_agree(name: str, judged: tuple[World, Path]) -> None:
    """Every example of the reference, as it stands, gives what JavaScript gives."""
    world, warehouse = judged
    # The key of the example is `lr` in these runs.
    text = EXAMPLES[name].replace("run-config(r).learning_rate).max", "run-config(r).lr).max")
    chosen = [run for run in world.runs if run["used"] and any(a["name"] == "model" for a in run["logged"])][
        :2
    ]
    ids = {"run": chosen[0]["id"], "run1": chosen[0]["id"], "run2": chosen[1]["id"]}
    operation = compile_operation(text, given=Given(runs=ids))
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        ours = given(connection, operation)
    if name == "compare_configs":
        left, right = (run["config"] for run in chosen)
        assert {row["key"] for row in ours} == left.keys() | right.keys()
        for row in ours:
            sides = (left.get(row["key"]), right.get(row["key"]))
            assert not differs([row["left"], row["right"]], list(sides))
            assert row["differs"] == (repr(sides[0]) != repr(sides[1])), row
        return
    run = f"runs.find(r => r.id === {chosen[0]['id']!r})"
    (answer,) = ask(world, [f"return {REFERENCE[name].replace('RUN', run)}"])
    assert "error" not in answer, answer
    assert not differs(ours, answer["value"]), (ours, answer["value"])


def main() -> None:
    """Judge a seed's programs."""
    seed, count = (int(argument) for argument in sys.argv[1:3])
    world = make_world(seed)
    with tempfile.TemporaryDirectory() as folder:
        findings = judge(world, world.write(Path(folder)), programs(seed, count))
    for wrong in findings.wrong:
        sys.stdout.write(f"{wrong}\n\n")
    counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(findings.counts.items()))
    sys.stdout.write(f"seed {seed}: {counts}; slowest compiled in {findings.slowest * 1000:.0f} ms\n")


if __name__ == "__main__":
    main()
