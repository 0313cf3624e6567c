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
from wandb_warehouse.api.artifacts.collections import ArtifactCollection, ArtifactType
from wandb_warehouse.api.artifacts.versions import Artifact, Artifacts, RunArtifacts
from wandb_warehouse.api.histories.holding import IncompleteHistoryWarning
from wandb_warehouse.api.histories.scanning import HistoryScan
from wandb_warehouse.api.projects import Project, Projects
from wandb_warehouse.api.runs.files import File, Files
from wandb_warehouse.api.runs.listing import Runs
from wandb_warehouse.api.runs.run import Run
from wandb_warehouse.api.sweeps import Sweep, Sweeps
from wandb_warehouse.api.users import User

__all__ = [
    "Api",
    "Artifact",
    "ArtifactCollection",
    "ArtifactType",
    "Artifacts",
    "File",
    "Files",
    "HistoryScan",
    "IncompleteHistoryWarning",
    "Project",
    "Projects",
    "Run",
    "RunArtifacts",
    "Runs",
    "Sweep",
    "Sweeps",
    "User",
]
