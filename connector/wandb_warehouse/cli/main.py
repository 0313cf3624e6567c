"""The command line's frame: the group of commands, and how a failure ends (one line, an exit code)."""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from wandb_warehouse.cli.demo import demo
from wandb_warehouse.cli.operations import ops
from wandb_warehouse.cli.planning import plan
from wandb_warehouse.cli.reading import query, status
from wandb_warehouse.cli.render import printable
from wandb_warehouse.cli.runs import runs
from wandb_warehouse.cli.sandbox import sandbox
from wandb_warehouse.cli.signals import STOPPED, unwinding
from wandb_warehouse.cli.syncing import sync
from wandb_warehouse.cli.verifying import doctor, verify
from wandb_warehouse.cli.views import views
from wandb_warehouse.client import redact
from wandb_warehouse.errors import OperationError, WarehouseError

__all__ = ["main"]


class _ReaderLeft(BaseException):
    """The reader of our output left (`| head`), which is no failure."""


class _Commands(click.Group):
    """A group whose closed output pipe is told from a failure; click would exit 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderLeft from error


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="wandb-warehouse", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.pass_context
def cli(context: click.Context, *, debug: bool) -> None:
    """Own your Weights & Biases data: sync projects into a local DuckDB warehouse, completely, and query it.

    Exit codes: 0 done, 2 mend the command or configuration, 3 mend the key, 4 W&B did not answer, 5 the local file or
    disk, 6 some runs or projects incomplete (the rest is published) or not what the server has (verify), 7 another
    sync is running, 130, 143 interrupted.
    """
    context.obj = debug
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


for command in (sync, plan, status, query, ops, runs, views, verify, doctor, demo, sandbox):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    with _private_files(), unwinding() as received:
        try:
            code = cli.main(args=arguments, prog_name="wandb-warehouse", standalone_mode=False)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - the frame: every end of a command becomes a line and a code
            if debug and not isinstance(error, click.exceptions.Exit):
                click.echo(redact(traceback.format_exc()), err=True, nl=False)
            # Libraries turn an interrupt into errors of their own: what arrived counts, not what became of it.
            return _say(*STOPPED[received[-1]]) if received else _ended_by(error)
    return code if isinstance(code, int) else 0


@contextmanager
def _private_files() -> Iterator[None]:
    """Let nobody else read what a command writes, and let no crash write the key into a core file."""
    umask = os.umask(0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        os.umask(umask)


def _ended_by(error: BaseException) -> int:  # noqa: PLR0911  (one line for each end)
    """Say in one line what ended the command, and give the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return _say(*STOPPED[signal.SIGINT])
        case click.ClickException():
            return _say(_one_line(error), error.exit_code)
        case OperationError() if error.excerpt:
            click.echo("\n".join(map(printable, error.excerpt.split("\n"))), err=True)
            return _say(str(error), error.exit_code)
        case WarehouseError():
            return _say(str(error), error.exit_code)
        case _ReaderLeft() | BrokenPipeError():
            # Python must not flush into the closed pipe at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case _:
            return _say(*_unexpected(error))


def _unexpected(error: BaseException) -> tuple[str, int]:
    """What to say of an error that is none of ours; one of the operating system is a matter of the machine."""
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{str(error.filename)[:200]!r}: "
        return f"{where}{error.strerror or error}; mend the path, the permissions or the disk", 5
    what = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return f"{what}; run it again with --debug and report the traceback", 1


def _say(message: str, code: int) -> int:
    click.echo(printable(f"error: {redact(message)}"), err=True)
    return code


def _one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).removesuffix(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message}; see `{error.ctx.command_path} --help`"
    return message
