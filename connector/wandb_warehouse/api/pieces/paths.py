"""Paths of runs, sweeps and artifacts, in every form that the public API takes."""

from typing import NamedTuple

__all__ = ["ArtifactPath", "Home", "parse_artifact", "parse_item", "parse_project"]


class Home(NamedTuple):
    """Entity and project that a path need not name; None where there is none."""

    entity: str | None
    project: str | None


class ArtifactPath(NamedTuple):
    """Where an artifact or a collection is to be found."""

    entity: str | None
    project: str
    name: str

    @property
    def collection(self) -> str:
        """Name without the version."""
        return self.name.partition(":")[0]

    @property
    def alias(self) -> str:
        """Version or alias; `latest` where the path names none."""
        return self.name.partition(":")[2] or "latest"


def parse_project(path: str | None, home: Home) -> tuple[str | None, str]:
    """Give entity and project of `entity/project`, `project`, or nothing.

    >>> parse_project("vision/cifar", Home(None, None)), parse_project("cifar", Home("me", None))
    (('vision', 'cifar'), ('me', 'cifar'))
    """
    if path is None:
        return home.entity, home.project or "uncategorized"
    entity, slash, project = path.partition("/")
    return (entity, project) if slash else (home.entity, path)


def parse_item(path: str, home: Home) -> tuple[str, str, str]:
    """Give entity, project and id of a run or a sweep.

    Forms: `entity/project/runs/id`, `entity/project/id`, `entity/project:id`, `project/id`, `project:id`, `id`.

    Raises:
        ValueError: a part is missing.

    >>> parse_item("vision/cifar/runs/ab12", Home(None, None)), parse_item("ab12", Home("me", "mnist"))
    (('vision', 'cifar', 'ab12'), ('me', 'mnist', 'ab12'))
    """
    entity, project, item = home.entity, home.project, None
    match path.replace("/runs/", "/").replace("/sweeps/", "/").strip("/ ").split("/"):
        case [first, second, third]:
            entity, project, item = first, second, third
        case [first, second] if ":" in second:
            entity = first
            project, _, item = second.partition(":")
        case [first, second]:
            project, item = first, second
        case [only] if ":" in only:
            project, _, item = only.partition(":")
        case [only]:
            item = only
    entity, project, item = (each and each.strip() for each in (entity, project, item))
    if not entity:
        raise ValueError(f"Invalid path: {path!r} (missing entity)")
    if not project:
        raise ValueError(f"Invalid path: {path!r} (missing project)")
    if not item:
        raise ValueError(f"Invalid path: {path!r}")
    return entity, project, item


def parse_artifact(path: str, home: Home) -> ArtifactPath:
    """Give the parts of `entity/project/name:alias`, `project/name:alias` or `name:alias`; the alias may be left out.

    Raises:
        ValueError: the path has more parts, or no name.

    >>> parse_artifact("vision/cifar/model:v3", Home(None, None))
    ArtifactPath(entity='vision', project='cifar', name='model:v3')
    """
    place, slash, alias = path.partition(":")
    parts = place.split("/")
    if len(parts) > 3 or not parts[-1]:
        raise ValueError(f"Invalid artifact path: {path!r}")
    entity, project = home.entity, home.project or "uncategorized"
    if len(parts) > 1:
        project = parts[-2]
    if len(parts) == 3:
        entity = parts[0]
    return ArtifactPath(entity, project, f"{parts[-1]}{slash}{alias}")
