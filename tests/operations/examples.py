"""The examples of W&B's reference with the SQL they become: `examples/<name>.sql`, the expression in comments.

`python -m tests.operations.examples` writes the SQL anew; read what changed before it is committed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wandb_warehouse.operations import Given, compile_operation

__all__ = ["EXAMPLES", "GIVEN", "Example", "examples"]

FOLDER = Path(__file__).with_name("examples")

GIVEN = Given(runs={"run": "r1", "run1": "r1", "run2": "r2"})

EXAMPLES = {
    "filter_by_config": "runs.filter(r => run-config(r).learning_rate > 0.01)",
    "best_run": "runs.reduce((best, run) =>\n"
    "  run-summary(run).accuracy > run-summary(best).accuracy ? run : best\n)",
    "recent_runs": "runs.filter(r => run-createdAt(r) > Date.now() - 7*24*60*60*1000)",
    "sorted_by_creation": "runs.sort((a, b) => run-createdAt(a) - run-createdAt(b))",
    "mean_accuracy": "runs.map(r => run-summary(r).accuracy).avg()",
    "largest_learning_rate": "runs.map(r => run-config(r).learning_rate).max()",
    "count_by_state": "runs.groupBy(r => run-summary(r).state).count()",
    "group_by_day": "runs.groupBy(r => run-createdAt(r).toDateString())",
    "successful_runs": 'runs.filter(r => run-summary(r).state === "finished" && run-summary(r).accuracy > 0.9)',
    "similar_to_baseline": "baseline = runs[0]\n"
    "similar = runs.filter(r =>\n"
    "  Math.abs(run-summary(r).accuracy - run-summary(baseline).accuracy) < 0.01 &&\n"
    "  run-config(r).model_type !== run-config(baseline).model_type\n)",
    "config": "config = run-config(run)",
    "final_metrics": "summary = run-summary(run)\naccuracy = summary.accuracy\nval_loss = summary.best_val_loss",
    "compare_configs": "config1 = run-config(run1)\nconfig2 = run-config(run2)\n"
    "diff = compareConfigs(config1, config2)",
    "logged_model": 'model = run-loggedArtifactVersion(run, "model:latest")\nmodel.version\nmodel.size',
    "model_if_logged": 'model = run-loggedArtifactVersion(run, "model:latest")\n'
    "if (model) {\n  console.log(`Model version: ${model.version}`)\n  console.log(`Model size: ${model.size}`)\n}",
    "dataset_warning": 'dataset = run-loggedArtifactVersion(run, "training-data:v3")\n'
    'if (!dataset) {\n  alert("Warning: Run did not use expected dataset version")\n}',
    "used_inputs": "inputs = run-usedArtifactVersions(run)\n"
    "inputs.forEach(artifact => {\n  console.log(`Used: ${artifact.name}:${artifact.version}`)\n})",
    "has_preprocessing": "inputs = run-usedArtifactVersions(run)\n"
    'hasPreprocessing = inputs.some(a =>\n  a.name === "preprocessing-pipeline"\n)',
    "mapped_summary": 'runs.summary["accuracy"].avg',
    "mapped_config": 'runs.config["lr"]',
    "history_minimum": 'runs.map(r => run-history(r).map(row => row["loss"]).min())',
    "group_aggregates": "runs.groupBy(r => run-config(r).model_type).map(g => ({\n"
    '  model: g.key, runs: g.count(), best: g.summary["accuracy"].max\n}))',
}
"""The examples of the reference, and one of each of the forms beside them."""


@dataclass(frozen=True)
class Example:
    """One example: its name, its expression, and the SQL that is kept for it."""

    name: str
    expression: str
    sql: str


def examples() -> Iterator[Example]:
    """Every example with the SQL as it is kept."""
    for name, expression in EXAMPLES.items():
        path = FOLDER / f"{name}.sql"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        yield Example(name, expression, "\n".join(line for line in lines if not line.startswith("--")))


def main() -> None:
    """Write the SQL of every example."""
    for name, expression in EXAMPLES.items():
        comment = "\n".join(f"-- {line}" for line in expression.splitlines())
        sql = compile_operation(expression, given=GIVEN).sql
        (FOLDER / f"{name}.sql").write_text(f"{comment}\n{sql}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
