"""The way to W&B for what changes it: the official client, where it is installed and there is a key.

Whoever reads needs nothing of this: the official client is imported where something is written. What it raises becomes
an error of ours, what it prints goes to standard error. `changing` has what a run offers of it; here is the rest.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from wandb_warehouse.api.changes.refreshing import refresh, refresh_project
from wandb_warehouse.api.session import Session
from wandb_warehouse.client import redact
from wandb_warehouse.errors import (
    AuthError,
    FatalRemoteError,
    MissingExtraError,
    WarehouseError,
)
from wandb_warehouse.settings import resolve_connection

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.run import Run

__all__ = [
    "at_wandb",
    "create_project",
    "create_run",
    "official",
    "run_name",
    "their_artifact",
    "their_run",
]


def official(session: Session) -> Any:
    """Give the official client (`wandb.Api`) for the server and the key of a session, made once.

    It remembers nothing of what it read before.

    Raises:
        MissingExtraError: it is not installed.
        AuthError: there is no key, or the server does not accept it.
        FatalRemoteError: the server cannot be reached.
    """
    if session._client is None:
        wandb = _wandb()
        connection = resolve_connection(base_url=session.base_url, api_key=session.api_key)
        with at_wandb(f"logging in to {connection.host}"):
            session._client = wandb.Api(
                overrides={"base_url": connection.base_url},
                timeout=None if session.timeout is None else max(1, round(session.timeout)),
                api_key=connection.api_key.reveal(),
            )
    session._client.flush()
    return session._client


@contextmanager
def at_wandb(doing: str) -> Iterator[None]:
    """Raise the official client's errors as ours, and keep what it prints off standard output.

    Raises:
        AuthError: the server does not accept the key.
        FatalRemoteError: the server refuses what is asked, or cannot be reached.
        TypeError, ValueError: as the official client has it.
    """
    wandb = _wandb()
    try:
        with redirect_stdout(sys.stderr):
            yield
    except wandb.errors.AuthenticationError as error:
        raise AuthError(
            f"{doing} failed: {_words(error)}", mend="check WANDB_API_KEY, netrc or the api_key given"
        ) from _redacted(error)
    except _OF_THE_CALLER:
        raise
    except Exception as error:  # noqa: BLE001 - beside `wandb.Error`, whatever its service raises
        cause = getattr(error, "exc", None)
        if isinstance(cause, _OF_THE_CALLER):
            raise cause from None
        raise FatalRemoteError(
            f"{doing} failed: {_words(error)}", mend="mend what it says, and do it again"
        ) from _redacted(error)


_OF_THE_CALLER = (TypeError, ValueError, WarehouseError)
"""Errors about what was asked for, which the official client wraps into its own in places."""


def _words(error: BaseException) -> str:
    return redact(str(error)).rstrip(". ")


def _redacted(error: BaseException) -> BaseException:
    error.args = tuple(redact(each) if isinstance(each, str) else each for each in error.args)
    return error


def _wandb() -> Any:
    found: Any = None
    try:
        import wandb
        import wandb.apis.public
    except ImportError:
        pass
    else:
        found = wandb
    # A directory of runs is called `wandb`, too, and passes for a package where the real one is not installed.
    if not hasattr(found, "Api"):
        raise MissingExtraError(
            "this goes to W&B through its official client, which is not installed",
            mend="run: pip install 'wandb-warehouse[write]'",
        )
    return found


def their_run(api: Any, run: "Run") -> Any:
    """Give the official client's form of a run, as W&B has it now."""
    return api.run(f"{run.entity}/{run.project}/{run.id}")


def their_artifact(api: Any, artifact: Any) -> Any:
    """Give the official client's form of an artifact version, ours or its own.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(artifact, _wandb().Artifact):
        return artifact
    from wandb_warehouse.api.artifacts.version import Artifact

    if not isinstance(artifact, Artifact):
        raise TypeError("You must pass an artifact that Api().artifact() gave")
    return api.artifact(artifact._exact_name, type=artifact.type)


def run_name(run: "Run") -> str:
    """Entity, project and id of a run, for messages."""
    return f"{run.entity}/{run.project}/{run.id}"


def create_run(
    session: Session, *, run_id: str | None, project: str | None, entity: str | None, state: str
) -> tuple[str, str, str]:
    """Create a run at W&B and bring it into the warehouse; gives entity, project and id. Errors as `Changing`.

    Args:
        session: what the objects of an `Api` share.
        run_id: id of the run; W&B's client makes one up where there is none.
        project: the project, `uncategorized` where none is named; it is created where it is new.
        entity: team or user; the key's own where none is named.
        state: `running` or `pending`.
    """
    api = official(session)
    with at_wandb("creating a run"):
        made = _wandb().apis.public.Run.create(
            api, run_id=run_id, project=project, entity=entity or api.default_entity, state=state
        )
    key = (str(made.entity), str(made.project), str(made.id))
    refresh(session, *key)
    return key


def create_project(session: Session, name: str, entity: str) -> None:
    """Create a project at W&B and bring it, with none of its runs, into the warehouse; errors as `Changing`."""
    api = official(session)
    with at_wandb(f"creating the project {entity}/{name}"):
        api.create_project(name, entity)
    refresh_project(session, entity, name)
