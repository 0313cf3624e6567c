"""The sandbox command: a W&B server in a box, for trying things out."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from wandb_warehouse.cli.render import console
from wandb_warehouse.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from wandb_warehouse.sandbox import Sandbox

__all__ = ["DEMO_PROJECT", "fill_demo_project", "require_sandbox", "sandbox"]

DEMO_PROJECT = "fashion-mnist"


@click.command(
    short_help="Run a W&B server in a box.", epilog="Example: wandb-warehouse sandbox --port 8080 --fill"
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="On 127.0.0.1."
)
@click.option("--fill", is_flag=True, help="Start with the demo project in it.")
def sandbox(port: int, *, fill: bool) -> None:
    """Run a W&B server in a box: in memory, on loopback, good enough for the official client.

    It prints the two environment variables that point `wandb` and `wandb-warehouse` at it. Ctrl-C ends it.
    """
    require_sandbox()
    from wandb_warehouse.sandbox import run_forever

    def ready(box: "Sandbox") -> None:
        out = console()
        out.print(f"export WANDB_BASE_URL={box.base_url}")
        out.print(f"export WANDB_API_KEY={box.key}")
        if fill:
            out.print(f"# then: wandb-warehouse sync {box.entity}/{DEMO_PROJECT}")
        out.file.flush()

    try:
        run_forever(port=port, fill=fill_demo_project if fill else None, ready=ready)
    except OSError as error:
        raise ConfigError(
            f"port {port} on 127.0.0.1 cannot be used: {error.strerror}", mend="choose another --port"
        ) from error


def fill_demo_project(box: "Sandbox") -> None:
    """Put the demo project into a sandbox; as at W&B, what is old is exported and what is new is live."""
    from wandb_warehouse.sandbox.demo_project import demo_runs

    for number, run in enumerate(demo_runs(until=datetime.now(UTC))):
        added = box.add_run(box.entity, DEMO_PROJECT, **run)
        if added.state == "finished" and number % 3:
            box.export(box.entity, DEMO_PROJECT, run["run_id"])


def require_sandbox() -> None:
    """Check that the sandbox's web dependencies are installed.

    Raises:
        MissingExtraError: they are not; the message names what to install.
    """
    try:
        __import__("graphql")
        __import__("starlette")
        __import__("uvicorn")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the sandbox needs {error.name}, which is not installed",
            mend="run: pip install 'wandb-warehouse[sandbox]'",
        ) from error
