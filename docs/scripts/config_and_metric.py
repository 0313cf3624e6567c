"""What the config has to do with the final metric: a frame of all finished runs, grouped and correlated.

python config_and_metric.py ENTITY/PROJECT FOLDER
"""

import sys
from pathlib import Path

import pandas as pd
import wandb

METRIC = "loss"

api = wandb.Api()
path, folder = sys.argv[1], Path(sys.argv[2])

rows = []
for run in api.runs(path, filters={"state": "finished"}, order="+created_at"):
    config = {f"config.{key}": value for key, value in run.config.items() if not key.startswith("_")}
    summary = {f"summary.{key}": value for key, value in run.summary._json_dict.items() if key != "_wandb"}
    rows.append({"id": run.id, "name": run.name, "tags": ",".join(run.tags), **config, **summary})

frame = pd.json_normalize(rows)
frame = frame[sorted(frame.columns)].sort_values(["id"], ignore_index=True)
frame.to_csv(folder / "runs.csv", index=False)

final = f"summary.{METRIC}"
for column in frame.columns:
    if column.startswith("config.") and 1 < frame[column].astype(str).nunique() < 10:
        print(frame.groupby(frame[column].astype(str))[final].agg(["count", "mean", "min"]), "\n")

numbers = frame.select_dtypes("number")
related = numbers.filter(like="config.").corrwith(numbers[final]).dropna()
print(related.sort_values(key=abs, ascending=False).to_string())
related.to_csv(folder / "correlation.csv")
