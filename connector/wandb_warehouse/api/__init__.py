"""W&B's public API over the warehouse: `Api`, `Runs`, `Run` and what hangs on them, offline.

api         `Api`
runs        `Runs`, `Run`, summaries, files, console output
histories   rows, samples, frames and files of histories
artifacts   versions, collections and their lineage
changes     what changes W&B, by the official client
pieces      what the objects are made of: W&B's names, pages, paths, filters, HTML
session     what the objects of one `Api` share
stored      what is stored of projects and sweeps
server      what only the server has
"""

from wandb_warehouse.api.api import Api
from wandb_warehouse.api.histories.rows import IncompleteHistoryWarning
from wandb_warehouse.api.histories.scanning import HistoryScan
from wandb_warehouse.api.runs.listing import Runs
from wandb_warehouse.api.runs.run import Run
from wandb_warehouse.api.users import User

__all__ = ["Api", "HistoryScan", "IncompleteHistoryWarning", "Run", "Runs", "User"]
