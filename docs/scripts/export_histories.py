"""The whole history of every finished run as CSV, one file a run, and a table of what was written.

python export_histories.py ENTITY/PROJECT FOLDER
"""

import csv
import sys
from pathlib import Path

import wandb

api = wandb.Api()
path, folder = sys.argv[1], Path(sys.argv[2])

written = []
for run in api.runs(path, filters={"state": "finished"}, order="+created_at"):
    rows = list(run.scan_history())
    columns = sorted({key for row in rows for key in row})
    with (folder / f"{run.id}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    written.append((run.id, run.name, len(rows), len(columns), run.lastHistoryStep))

with (folder / "index.csv").open("w", newline="") as file:
    csv.writer(file).writerows([("id", "name", "rows", "columns", "last_step"), *sorted(written)])
print(f"{len(written)} runs, {sum(rows for _, _, rows, _, _ in written)} rows")
