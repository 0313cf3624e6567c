"""W&B's public API over the warehouse: `Api`, `Runs`, `Run` and what hangs on them, offline.

session      what the objects of one `Api` share
attributes   W&B's names of an object, and Python's
pages        lists made page by page
paths        paths of runs, sweeps and artifacts
api          `Api`
runs, run    `Runs`, `Run`
histories    rows and samples of histories; frames and dicts made of them
...
"""

from wandb_warehouse.api.api import Api
from wandb_warehouse.api.histories import IncompleteHistoryWarning
from wandb_warehouse.api.run import Run
from wandb_warehouse.api.runs import Runs
from wandb_warehouse.api.scanning import HistoryScan
from wandb_warehouse.api.users import User

__all__ = ["Api", "HistoryScan", "IncompleteHistoryWarning", "Run", "Runs", "User"]
