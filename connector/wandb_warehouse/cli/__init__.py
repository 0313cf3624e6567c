"""The command line: parses, calls, prints. It decides nothing that Python could not ask for."""

from wandb_warehouse.cli.main import main

__all__ = ["main"]
