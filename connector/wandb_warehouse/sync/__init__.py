"""One sync from lock to publish: plan, extract, load, prove, publish, and again while anything is left.

A reader sees whole syncs only: everything happens in a private working directory beside the warehouse, on a private
copy of it, and the result replaces the published file in one rename. Whatever fails before leaves it untouched.
"""

from wandb_warehouse.sync.held import Held
from wandb_warehouse.sync.options import PUBLISH_EVERY, SyncOptions
from wandb_warehouse.sync.orchestration import abandon, sync
from wandb_warehouse.sync.report import SyncReport, SyncWatch

__all__ = ["PUBLISH_EVERY", "Held", "SyncOptions", "SyncReport", "SyncWatch", "abandon", "sync"]
