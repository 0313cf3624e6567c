"""Options that several commands share, declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from wandb_warehouse.cli.render import FORMATS
from wandb_warehouse.settings import load_settings

__all__ = ["format_option", "warehouse_option"]

F = TypeVar("F", bound=Callable[..., Any])


def warehouse_option(command: F) -> F:
    """`--warehouse PATH`: the DuckDB file, by default `WANDB_WAREHOUSE` or ./wandb.duckdb."""
    return click.option(
        "--warehouse",
        "-w",
        type=click.Path(dir_okay=False, path_type=Path),
        default=lambda: load_settings().warehouse,
        show_default="WANDB_WAREHOUSE or ./wandb.duckdb",
        help="The warehouse file.",
    )(command)


def format_option(command: F) -> F:
    """`--format` and its shorthand `--json`."""
    command = click.option("--json", "form", flag_value="json", help="The same as --format json.")(command)
    return click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How results are written to stdout.",
    )(command)
