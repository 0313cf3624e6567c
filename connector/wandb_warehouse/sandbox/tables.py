"""Tables as a writer logs them: a file of the run, an artifact of its own, and the object that refers to both."""

import base64
import hashlib
import json
import math
import secrets
from collections.abc import Sequence
from typing import Any

from wandb_warehouse.sandbox.artifacts import Artifact
from wandb_warehouse.sandbox.control import Sandbox
from wandb_warehouse.sandbox.store import Run

__all__ = ["log_table"]

Rows = Sequence[Sequence[Any]]


def log_table(
    box: Sandbox,
    path: str,
    key: str,
    columns: Sequence[Any],
    data: Rows,
    *,
    in_summary: bool = False,
    nrows: int | None = None,
) -> dict[str, Any]:
    """Log a table to the run `entity/project/run` as its writer does, and return the object that refers to it.

    Args:
        box: The sandbox that holds the run.
        path: The run.
        key: What the table is logged under, at the next step and in the summary.
        columns: Names of the columns.
        data: Rows of cells.
        in_summary: Leave the history alone.
        nrows: Rows the object claims to have, those of `data` when None.
    """
    with box.store.lock:
        run = box.store.find_run(*path.split("/"))
        if run is None:
            raise KeyError(f"the sandbox holds no run {path}")
        steps = run.history.steps
        step = steps[-1] + 1 if steps else 0
        value = _save(box, run, key, columns, data, "summary" if in_summary else step) | {
            "nrows": len(data) if nrows is None else nrows
        }
        if not in_summary:
            run.history.write(len(run.history), [json.dumps({"_step": step, key: value}).encode()])
        run.write_summary({key: value})
        box.store.heard(run)
        return value


def _save(  # noqa: PLR0917 -- what there is of a table
    box: Sandbox, run: Run, key: str, columns: Sequence[Any], data: Rows, place: object
) -> dict[str, Any]:
    """Store the run's file and the artifact of a table, and give the object that names them."""
    body = json.dumps({"columns": list(columns), "data": list(data)}, separators=(",", ":")).encode()
    sha256 = hashlib.sha256(body).hexdigest()
    path = f"media/table/{key}_{place}_{sha256[:20]}.table.json"
    box.store.save(run, path, body)
    artifact = _artifact(box, run, key, columns, data)
    return {
        "_type": "table-file",
        "path": path,
        "sha256": sha256,
        "size": len(body),
        "ncols": len(columns),
        "log_mode": "IMMUTABLE",
        "artifact_path": f"wandb-client-artifact://{artifact.client_id}/{key}.table.json",
    }


def _artifact(box: Sandbox, run: Run, key: str, columns: Sequence[Any], data: Rows) -> Artifact:
    """The artifact of a table, which has its types and no NaN."""
    kinds = {
        str(name): {
            "wb_type": "union",
            "params": {"allowed_types": [{"wb_type": "any"}, {"wb_type": "none"}]},
        }
        for name in columns
    }
    document = {
        "_type": "table",
        "column_types": {"wb_type": "typedDict", "params": {"type_map": kinds}},
        "columns": list(columns),
        "data": [
            [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in row] for row in data
        ],
        "ncols": len(columns),
        "nrows": len(data),
    }
    body = json.dumps(document, sort_keys=True).encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    artifact = box.shelf.create(
        run.project,
        run,
        {
            "artifactCollectionName": f"run-{run.name}-{key.replace('/', '-')}",
            "artifactTypeName": "run_table",
            "digest": secrets.token_hex(16),
            "clientID": secrets.token_hex(64),
        },
    )
    name = f"{key}.table.json"
    contents = {name: {"digest": digest, "size": len(body), "birthArtifactID": artifact.id}}
    box.shelf.put(artifact, name, digest, body)
    artifact.manifest.body = json.dumps({"version": 1, "contents": contents}).encode()
    artifact.manifest.updated_at = box.store.now()
    box.shelf.commit(artifact)
    return artifact
