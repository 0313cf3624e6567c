"""Reads with the official client what lies beside runs and history, and writes it as JSON. Run as a script.

Argument: file for the answer.
"""

import json
import sys
from pathlib import Path
from typing import Any

import wandb

PATH = "sandbox/p"


def _edge(artifact: Any) -> list[Any]:
    collection = artifact.name.partition(":")[0]
    return [artifact.id, artifact.entity, artifact.project, collection, artifact.type, artifact.version]


def _run(run: Any) -> dict[str, Any]:
    return {
        "logged": sorted(map(_edge, run.logged_artifacts(per_page=50))),
        "used": sorted(map(_edge, run.used_artifacts(per_page=50))),
        "files": sorted([f.name, f.size, f.md5, f.mimetype, f.updated_at] for f in run.files(per_page=50)),
        "metadata": run.metadata,
        "console": [
            [line.number, line.timestamp.isoformat(), line.level, line.label, line.content]
            for line in run.console_logs()
        ],
        "system": run.history(stream="system", samples=100_000, pandas=False),
        "user": run.user.username,
    }


def _artifact(collection: Any, artifact: Any) -> list[Any]:
    creator = artifact.logged_by()
    return [
        artifact.id,
        artifact.type,
        collection.name,
        artifact.version,
        artifact.digest,
        artifact.size,
        artifact.file_count,
        artifact.state,
        artifact.description,
        artifact.metadata,
        artifact.tags,
        sorted(artifact.aliases),
        artifact.created_at,
        creator.id if creator else None,
    ]


def _sweep(sweep: Any) -> list[Any]:
    attributes = sweep._attrs  # no property gives the method
    return [
        sweep.id,
        sweep.name,
        sweep.state,
        sweep.config,
        sweep.expected_run_count,
        attributes["method"],
        len(sweep.runs),
    ]


def main(answer: str) -> None:
    """Read the project."""
    api = wandb.Api(timeout=120)
    found = {
        "runs": {run.id: _run(run) for run in api.runs(PATH)},
        "artifacts": [
            _artifact(collection, artifact)
            for kind in api.artifact_types(PATH)
            for collection in kind.collections()
            for artifact in collection.artifacts()
        ],
        "sweeps": [_sweep(sweep) for sweep in api.project("p", "sandbox").sweeps()],
        "reports": [[r.id, r.name, r.display_name, r.spec, r.created_at] for r in api.reports(PATH)],
    }
    Path(answer).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
