"""Where every model comes from: model, the run that logged it, what that run used, and so on; and who uses it.

python artifact_lineage.py ENTITY/PROJECT FOLDER
"""

import sys
from pathlib import Path

import wandb

api = wandb.Api()
path, folder = sys.argv[1], Path(sys.argv[2])
lines = []


def walk(artifact, depth=0):
    """Note an artifact, its run and what the run used, one level deeper each."""
    aliases = ", ".join(sorted(artifact.aliases))
    place = f"{artifact.type} {artifact.name} ({aliases}), {artifact.size} bytes, {artifact.digest}"
    lines.append("  " * depth + place)
    run = artifact.logged_by()
    if run is None:
        return
    lines.append(
        "  " * (depth + 1) + f"logged by {run.name} ({run.id}), {run.state}, lr {run.config.get('lr')}"
    )
    for used in sorted(run.used_artifacts(), key=lambda used: used.name):
        walk(used, depth + 2)


for collection in sorted(api.artifact_collections(path, "model"), key=lambda collection: collection.name):
    versions = list(api.artifacts("model", f"{path}/{collection.name}"))
    lines.append(f"# {collection.name}: {len(versions)} versions")
    for model in sorted(versions, key=lambda model: int(model.version[1:])):
        walk(model)
        users = sorted(model.used_by(), key=lambda run: run.id)
        lines += [f"  used by {run.name} ({run.id}): {run.summary.get('accuracy')}" for run in users]

(folder / "lineage.txt").write_text("\n".join(lines) + "\n")
print(f"{len(lines)} lines, the last: {lines[-1].strip()}")
