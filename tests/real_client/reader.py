"""Reads a project with the official client and writes what it got as JSON. Run as a script.

Arguments: path of the project, file for the answer. Numbers keep their kind (1 and 1.0), NaN and infinities are
bare tokens, lone surrogates escapes: the answer is read back by `json.load` without any loss.
"""

import json
import sys
from pathlib import Path
from typing import Any

import wandb


def _read(run: Any, listed: Any) -> dict[str, Any]:
    history = list(run.scan_history(page_size=1000, use_cache=False))
    return {
        "state": run.state,
        "name": run.name,
        "tags": run.tags,
        "notes": run.notes,
        "group": run.group,
        "job_type": run.job_type,
        "created_at": run.created_at,
        "heartbeat_at": run.heartbeat_at,
        "last_step": run.lastHistoryStep,
        "config": run.config,
        "rawconfig": run.rawconfig,
        "listed": {
            "config": listed.config,
            "rawconfig": listed.rawconfig,
            "summary": listed.summary._json_dict,
        },
        "summary": run.summary._json_dict,
        "history": history,
    }


def main(path: str, answer: str) -> None:
    """Read every run of the project."""
    api = wandb.Api(timeout=120)
    listing = api.runs(path, lazy=False, per_page=100)
    runs = {listed.id: _read(api.run(f"{path}/{listed.id}"), listed) for listed in listing}
    Path(answer).write_text(json.dumps(runs))


if __name__ == "__main__":
    main(*sys.argv[1:])
