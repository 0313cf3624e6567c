"""The learning curves of every group of runs: one figure a group, and the points that it shows as CSV.

python learning_curves.py ENTITY/PROJECT FOLDER
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import wandb

METRIC = "loss"

api = wandb.Api()
path, folder = sys.argv[1], Path(sys.argv[2])

for group in sorted({run.group for run in api.runs(path) if run.group}):
    figure, axes = plt.subplots(figsize=(8, 5))
    curves = []
    for run in api.runs(path, filters={"group": group}, order="+created_at"):
        history = run.history(keys=[METRIC], samples=1000)
        if len(history):
            history[METRIC] = history[METRIC].astype(float)  # W&B writes "NaN" and "Infinity" as text
            axes.plot(history["_step"], history[METRIC], label=run.name)
            curves.append(history.assign(run=run.name))
    if curves:
        points = pd.concat(curves)
        mean = points.groupby("_step")[METRIC].mean()
        axes.plot(mean.index, mean, color="black", linewidth=2, label="mean")
        points.to_csv(folder / f"{group}.csv", index=False)
        axes.set(title=group, xlabel="step", ylabel=METRIC)
        axes.legend(fontsize="x-small", ncols=2)
        figure.savefig(folder / f"{group}.png")
        print(f"{group}: {len(curves)} curves, {len(points)} points, mean ends at {mean.iloc[-1]:.6f}")
    plt.close(figure)
