"""The best run of every sweep of a project, and the sweep's finished runs from best to worst, as tables.

python best_of_sweep.py ENTITY/PROJECT FOLDER
"""

import sys
from pathlib import Path

import wandb

api = wandb.Api()
path, folder = sys.argv[1], Path(sys.argv[2])
entity, project = path.split("/")

lines = []
for sweep in sorted(api.project(project, entity).sweeps(), key=lambda sweep: sweep.name):
    metric, goal = sweep.config["metric"]["name"], sweep.config["metric"]["goal"]
    tuned = sorted(sweep.config["parameters"])
    best = sweep.best_run()
    lines += [f"# {sweep.name}: {sweep.config['method']}, {len(sweep.runs)} runs, {sweep.state}", ""]
    lines += [f"Best {metric} ({goal}): {best.summary[metric]} by {best.name}, {best.url}", ""]
    lines.append(f"| run | created | {' | '.join(tuned)} | {metric} |")
    lines.append("|---|---|" + "---|" * (len(tuned) + 1))
    finished = [run for run in sweep.runs if run.state == "finished" and metric in run.summary]
    finished.sort(key=lambda run: (run.summary[metric], run.id), reverse=goal == "maximize")
    for run in finished:
        values = [run.name, run.created_at, *(run.config.get(key) for key in tuned), run.summary[metric]]
        lines.append(f"| {' | '.join(map(str, values))} |")
    lines.append("")

print("\n".join(lines))
(folder / "sweeps.md").write_text("\n".join(lines))
