"""Which projects are meant: named ones, those whose name matches a glob, or all of an entity.

Patterns are resolved against the projects the key may see, when the work begins. Where several projects are meant, one
that cannot be read costs the others nothing: it is named with its reason.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from wandb_warehouse.client import WandbClient
from wandb_warehouse.errors import AuthError, ConfigError, ProjectNotFoundError, RemoteError, WarehouseError
from wandb_warehouse.resources.listing import ProjectPath

__all__ = ["OF_ONE_PROJECT", "ProjectPattern", "Scope", "parse_projects", "read_projects", "resolve"]

OF_ONE_PROJECT = (ProjectNotFoundError, AuthError, RemoteError)
"""Errors that may be of one project only, as long as the server still knows the key."""

_GLOB = frozenset("*?[")
_MEND = (
    "write it as ENTITY/PROJECT, ENTITY/GLOB or ENTITY, for example my-team/my-project or 'my-team/vision-*'"
)


@dataclass(frozen=True, slots=True)
class ProjectPattern:
    """The projects of an entity whose name matches a glob (`*`, `?`, `[...]`, upper and lower case apart)."""

    entity: str
    glob: str = "*"

    def __str__(self) -> str:
        return self.entity if self.glob == "*" else f"{self.entity}/{self.glob}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `entity`, or `entity/glob`; None for anything else, also for `entity/`: a name may be lacking there."""
        entity, slash, glob = text.strip().partition("/")
        if not entity or (slash and not (glob and "/" not in glob and _GLOB & set(glob))):
            return None
        return cls(entity, glob or "*")

    def matches(self, project: str) -> bool:
        """Tell whether a project's name is meant; a name that reads like a glob matches itself."""
        return project == self.glob or fnmatchcase(project, self.glob)


Scope = ProjectPath | ProjectPattern
"""One project, or a pattern of projects."""


def parse_projects(texts: Sequence[str]) -> list[Scope]:
    """Read project paths and patterns, each once, in order.

    Raises:
        ConfigError: a text is none of `ENTITY/PROJECT`, `ENTITY/GLOB` and `ENTITY`, or there is none.
    """
    if not texts:
        raise ConfigError(
            "no project was named", mend="name one as ENTITY/PROJECT, for example my-team/my-project"
        )
    try:
        return list(dict.fromkeys(map(_scope, texts)))
    except ValueError as error:
        raise ConfigError(str(error), mend=_MEND) from error


def _scope(text: str) -> Scope:
    entity, _, _ = text.partition("/")
    if _GLOB & set(entity):
        raise ValueError(f"{text!r} has a glob for its entity")
    return ProjectPattern.parse(text) or ProjectPath.parse(text)


async def resolve(
    client: WandbClient, scopes: Sequence[Scope], failed: dict[str, WarehouseError]
) -> list[ProjectPath]:
    """Give the projects that are meant, each once; a pattern that fails is put into `failed`.

    Raises:
        WarehouseError: the only scope there is fails, or the server as a whole does.
    """
    found: dict[ProjectPath, None] = {}
    for scope in scopes:
        if isinstance(scope, ProjectPath):
            found[scope] = None
            continue
        try:
            found |= dict.fromkeys(await _matching(client, scope))
        except OF_ONE_PROJECT as error:
            if len(scopes) == 1:
                raise
            await client.viewer()  # where the server itself is down or refuses the key, no scope is to blame
            failed[str(scope)] = error
    return list(found)


async def read_projects(
    client: WandbClient,
    paths: Sequence[ProjectPath],
    read: Callable[[ProjectPath], Awaitable[None]],
    failed: dict[str, WarehouseError],
) -> None:
    """Read each project; one that cannot be read is put into `failed`, and the next one is read.

    Raises:
        WarehouseError: no project could be read (the first failure), or the server as a whole does not answer.
    """
    done = 0
    for path in paths:
        try:
            await read(path)
        except OF_ONE_PROJECT as error:
            if len(paths) == 1 and not failed:
                raise
            await client.viewer()
            failed[str(path)] = error
        else:
            done += 1
    if not done and failed:
        raise next(iter(failed.values()))


async def _matching(client: WandbClient, pattern: ProjectPattern) -> list[ProjectPath]:
    names = sorted(str(node.get("name")) for node in await client.projects(pattern.entity))
    paths = [ProjectPath(pattern.entity, name) for name in names if pattern.matches(name)]
    if paths:
        return paths
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise ProjectNotFoundError(
        f"{pattern.entity} has no project {f'like {pattern.glob!r} ' if names else ''}that this key may read",
        mend=f"its projects are {shown}" if names else "check the name, or ask its owner for access",
    )
