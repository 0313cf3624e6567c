"""Whether a warehouse equals the server, at any time, and mending where it does not.

    verify(VerifyOptions(...))    counts and details of every run against one listing; every value with `deep`
    report.differences            what differs, by run and table

`wandb-warehouse doctor`, which looks at the file alone, is `warehouse.examine`.
"""

from wandb_warehouse.verification.report import ProjectVerdict, RunVerdict, VerifyReport
from wandb_warehouse.verification.verify import VerifyOptions, verify

__all__ = ["ProjectVerdict", "RunVerdict", "VerifyOptions", "VerifyReport", "verify"]
