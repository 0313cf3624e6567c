"""When projects were swept by syncs that published nothing: a small file beside the warehouse's lock.

It is a hint only. Without it a project is swept again; one that speaks of another published state counts for nothing.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from wandb_warehouse.resources import Cursor
from wandb_warehouse.warehouse import LastSync

__all__ = ["read_hints", "write_hints"]

_Swept = Mapping[tuple[str, str], Cursor]


def read_hints(path: Path, last: LastSync | None) -> dict[tuple[str, str], Cursor]:
    """Read when projects were swept since the published sync `last`; nothing where the file does not say."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if last is None or told["published"] != _published(last):
            return {}
        return {
            (each["entity"], each["project"]): Cursor(
                datetime.fromisoformat(each["swept_at"]), each["swept_filters"]
            )
            for each in told["projects"]
        }
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def write_hints(path: Path, last: LastSync | None, swept: _Swept) -> None:
    """Write when projects were swept since the published sync `last`; a failure costs another sweep only."""
    if last is None or not swept:
        return
    told = {
        "published": _published(last),
        "projects": [
            {
                "entity": entity,
                "project": project,
                "swept_at": each.time.isoformat(),
                "swept_filters": each.filters,
            }
            for (entity, project), each in sorted(swept.items())
        ],
    }
    draft = path.with_name(f"{path.name}.new")
    with contextlib.suppress(OSError):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(told, file)
        draft.replace(path)


def _published(last: LastSync) -> list[object]:
    return [last.generation, last.started_at.isoformat(), last.finished_at.isoformat()]
