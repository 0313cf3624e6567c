"""A W&B server in a box: in memory, loopback only, real enough for the official client to write to and read from.

Importing this needs nothing beyond the package; starting a server needs its `sandbox` extra.
"""

from wandb_warehouse.sandbox.control import DEFAULT_ENTITY, DEFAULT_KEY, Sandbox, run_forever
from wandb_warehouse.sandbox.faults import Fault
from wandb_warehouse.sandbox.switches import Switches

__all__ = ["DEFAULT_ENTITY", "DEFAULT_KEY", "Fault", "Sandbox", "Switches", "run_forever"]
