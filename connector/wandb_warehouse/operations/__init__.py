"""W&B's run operations and its filters of runs, compiled to SQL; nothing here opens a database.

A text is read (`language`) into a syntax tree, resolved and typed (`resolving`) into the tree of `tree`, and lowered
(`lowering`) into SELECTs of an engine's dialect.
"""

from wandb_warehouse.operations.compiling import VIEWS, Operation, Statement, check_dialect, compile_operation
from wandb_warehouse.operations.language.resolving import Given
from wandb_warehouse.operations.selecting import compile_runs

__all__ = ["VIEWS", "Given", "Operation", "Statement", "check_dialect", "compile_operation", "compile_runs"]
