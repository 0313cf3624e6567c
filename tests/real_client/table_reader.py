"""Reads with the official client what runs logged as tables. Run as a script; argument: file for the answer.

Files of the run and entries of its artifacts come as text, tables as the client makes them of these.
"""

import json
import sys
from pathlib import Path
from typing import Any

import wandb
from wandb.sdk.data_types.base_types.wb_value import WBValue


def _cell(cell: Any) -> Any:
    """A cell as JSON can hold it; what is no plain value only by its type."""
    if isinstance(cell, WBValue) or not isinstance(cell, str | int | float | list | dict | None):
        return {"odd": type(cell).__name__}
    return cell


def main(answer: str) -> None:
    """Read the run `r` of project `t`."""
    api = wandb.Api(timeout=120)
    run = api.run("sandbox/t/r")
    files = {
        file.name: Path(file.download(root="files", replace=True).name).read_text()
        for file in run.files()
        if file.name.startswith("media/table/")
    }
    tables, entries = {}, {}
    for artifact in run.logged_artifacts():
        if artifact.type != "run_table":
            continue
        for name, entry in artifact.manifest.entries.items():
            if entry.ref is None and name.endswith(".table.json"):
                entries[f"{artifact.name} {name}"] = Path(artifact.get_entry(name).download()).read_text()
        name = next(name for name in artifact.manifest.entries if name.endswith("table.json"))
        table = artifact.get(name)
        if isinstance(table, wandb.Table):
            tables[name.removesuffix(".table.json")] = {
                "columns": table.columns,
                "data": [[_cell(cell) for cell in row] for row in table.data],
            }
    whole = api.artifact("sandbox/t/parts:latest").get("whole")
    tables["whole"] = {"columns": ["id", "x"], "data": [row for _, row in whole.iterrows()]}
    Path(answer).write_text(json.dumps({"files": files, "entries": entries, "tables": tables}))


if __name__ == "__main__":
    main(sys.argv[1])
