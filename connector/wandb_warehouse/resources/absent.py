"""Which runs that a destination holds are gone from the server: proven one by one, never on doubt.

A run that a complete listing lacks is looked at directly. Gone is what the server says it does not have, in an answer
in which the project can be read and a run that was listed is there. An error proves nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wandb_warehouse.client import WandbClient, slices
from wandb_warehouse.errors import RemoteError
from wandb_warehouse.resources.details import one_line, parts
from wandb_warehouse.resources.listing import ProjectPath

__all__ = ["Absent", "is_mass_deletion", "look_at"]

_RUNS_PER_LOOK = 49
"""With the witness, what one request asks for by name."""
_LOOKS_AT_ONCE = 4
_FEW = 10
_SHARE = 5
"""More than a fifth of the runs that are held do not vanish unnoticed."""


@dataclass(slots=True)
class Absent:
    """What became of runs that are held and not listed."""

    gone: list[str] = field(default_factory=list)
    present: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Their light fields: the listing missed them."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Why it could not be told of others."""


def is_mass_deletion(gone: int, held: int) -> bool:
    """Tell whether more runs are gone than are believed without being told to: ten, or a fifth of those held."""
    return gone > max(_FEW, held / _SHARE)


async def look_at(
    client: WandbClient, path: ProjectPath, run_ids: Sequence[str], witness: str | None
) -> Absent:
    """Look at runs by their names; `witness` is one that the server listed, where it listed any.

    Raises:
        ProjectNotFoundError, AuthError: the project cannot be read any more.
        RemoteError: the server as a whole does not answer, rather than for some runs.
    """
    found = Absent()
    for together in slices(list(slices(run_ids, _RUNS_PER_LOOK)), _LOOKS_AT_ONCE):
        await asyncio.gather(*(_look(client, path, batch, witness, found) for batch in together))
    return found


async def _look(
    client: WandbClient, path: ProjectPath, run_ids: Sequence[str], witness: str | None, found: Absent
) -> None:
    asked = [*run_ids, *([witness] if witness else [])]
    try:
        nodes = await client.look_up(path.entity, path.project, asked)
    except RemoteError as error:
        await client.viewer()  # where the server itself is down, no run is to blame
        if len(run_ids) == 1:
            found.unknown[run_ids[0]] = one_line(error)
            return
        for part in parts(run_ids):
            await _look(client, path, part, witness, found)
        return
    if witness and nodes[witness] is None:
        reason = f"the server lists {witness} and does not find it by its name either"
        found.unknown.update(dict.fromkeys(run_ids, reason))
        return
    for run_id in run_ids:
        node = nodes[run_id]
        if node is None:
            found.gone.append(run_id)
        else:
            found.present[run_id] = node
