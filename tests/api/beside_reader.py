"""Tells by a public API, the official one or ours, all that lies beside runs and histories. Also run as a script.

Each thing that was looked at is a place, `class/object/attribute`, with the name of the value's type and the value.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

PATH = "sandbox/p"
MISSING = "missing"

Facts = dict[str, list[Any]]


def _words(text: str) -> list[str]:
    return text.split()


FILE = _words("id name size sizeBytes md5 mimetype updatedAt updated_at url direct_url directUrl path_uri")
SWEEP = _words(
    "id name state config order expected_run_count path url entity username project method description displayName "
    "display_name best_loss bestLoss createdAt created_at updated_at run_count runCount runCountExpected"
)
PROJECT = _words("id name entity entity_name path url created_at owner is_benchmark")
ARTIFACT = _words(
    "id entity project name qualified_name version type size digest description metadata aliases tags state "
    "commit_hash file_count created_at updated_at history_step ttl is_link linked_artifacts url source_entity "
    "source_project source_name source_qualified_name source_version digest_algorithm linked_at incremental "
    "distributed_id use_as"
)
COLLECTION = _words(
    "id name type entity project description tags aliases created_at updated_at project_id project_internal_id "
    "organization"
)
TYPE = _words("id name type entity project")
LINE = _words("number timestamp level label content")


def _kind(error: Exception) -> str:
    """What a script could catch it as."""
    known = (MemoryError, IndexError, KeyError, AttributeError, TypeError, ValueError)
    return next((each.__name__ for each in known if isinstance(error, each)), type(error).__name__)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Iterable):
        return [_plain(each) for each in value]
    return repr(value)


class Look:
    """Notes what is seen."""

    def __init__(self) -> None:
        self.facts: Facts = {}

    def note(self, place: str, see: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Note what a call gives, or what kind of error there is in its place."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                value = see(*arguments, **named)
                found = [type(value).__name__, _plain(value)]
            except Exception as error:  # noqa: BLE001 -- what there is instead of a value
                found = ["error", _kind(error)]
        self.facts[place] = found

    def attributes(self, place: str, thing: Any, names: Iterable[str]) -> None:
        """Note attributes, and how the thing shows itself."""
        for name in names:
            self.note(f"{place}/{name}", getattr, thing, name)
        self.note(f"{place}/repr", repr, thing)


def _each(name: str, make: Callable[..., Any], *arguments: Any, **named: Any) -> list[Any]:
    """An attribute of each thing of a list that is made by a call."""
    return [getattr(thing, name) for thing in make(*arguments, **named)]


def _sorted(*arguments: Any, **named: Any) -> list[Any]:
    return sorted(_each(*arguments, **named))


def _length(make: Callable[..., Any], *arguments: Any, **named: Any) -> int:
    return len(make(*arguments, **named))


def _twice(make: Callable[..., Any], **named: Any) -> bool:
    """Whether a list gives the same things again."""
    things = make(**named)
    return list(things) == list(things)


def _run_files(look: Look, run: Any) -> None:
    for file in sorted(run.files(), key=lambda each: each.name):
        look.attributes(f"File/{run.id}:{file.name}", file, FILE)
    look.attributes(
        f"File/{run.id}:{MISSING}", run.file(MISSING), [name for name in FILE if name != "direct_url"]
    )
    place = f"Files/{run.id}"
    look.note(f"{place}/length", _length, run.files, per_page=2)
    look.note(f"{place}/repr", lambda: repr(run.files()))
    look.note(f"{place}/again", _twice, run.files, per_page=2)
    for pattern in ("%.json", "note _%", "deep/%", "%", "zzz%"):
        look.note(f"{place}/pattern {pattern}", _sorted, "name", run.files, pattern=pattern)
    asked = ["upper.JSON", MISSING, "plain.json"]
    look.note(f"{place}/names", _each, "name", run.files, names=asked)
    look.note(f"{place}/names sizes", _each, "size", run.files, names=asked)
    look.note(f"{place}/names length", _length, run.files, names=asked)
    look.note(f"{place}/both", run.files, names=asked, pattern="%")


def _sweep(look: Look, sweep: Any, listed: Any) -> None:
    place = f"Sweep/{sweep.id}"
    look.attributes(place, sweep, SWEEP)
    look.note(f"{place}/listed", lambda: sweep._attrs == listed._attrs)
    look.note(f"{place}/runs", lambda: [run.id for run in sweep.runs])
    look.note(f"{place}/runs length", lambda: (len(sweep.runs), sweep.runs.per_page))
    look.note(f"{place}/load", lambda: sorted(set(sweep.load()) - {"__typename", "_config"}))
    for order in (None, "+loss", "loss", "-summary_metrics.val.acc", "+config.lr", "+createdAt", "-name"):
        look.note(f"{place}/best {order}", lambda wanted: getattr(sweep.best_run(wanted), "id", None), order)


def _sweeps(look: Look, api: Any) -> None:
    project = api.project("p", "sandbox")
    look.note("Sweeps/all/length", _length, project.sweeps)
    look.note("Sweeps/all/repr", lambda: repr(project.sweeps()))
    look.note("Sweeps/all/ids", _each, "id", project.sweeps, per_page=2)
    look.note("Sweeps/missing/first", lambda: next(api.project(MISSING, "sandbox").sweeps()))
    look.note("Sweep/missing/first", api.sweep, f"{PATH}/{MISSING}")
    for listed in project.sweeps():
        _sweep(look, api.sweep(f"{PATH}/{listed.id}"), listed)
    run = api.run(f"{PATH}/taker")
    look.note("Sweep/of taker/id", lambda: run.sweep.id)
    look.note("Sweep/of taker/runs", lambda: [each.id for each in run.sweep.runs])


def _projects(look: Look, api: Any) -> None:
    look.note("Projects/all/names", _sorted, "name", api.projects, "sandbox")
    look.note("Projects/all/length", lambda: api.projects("sandbox").length)
    look.note("Projects/all/repr", lambda: repr(api.projects("sandbox")))
    look.note("Projects/none/names", _each, "name", api.projects, "nobody")
    for name in ("p", MISSING):
        look.attributes(f"Project/{name}", api.project(name, "sandbox"), PROJECT)
    project = api.project("p", "sandbox")
    look.note("Project/p/types", _each, "name", project.artifacts_types)
    look.note("Project/p/sweeps", _each, "id", project.sweeps)


def _artifact(look: Look, place: str, artifact: Any) -> None:
    look.attributes(place, artifact, ARTIFACT)
    look.note(f"{place}/draft", artifact.is_draft)
    look.note(f"{place}/logged_by", lambda: getattr(artifact.logged_by(), "path", None))
    look.note(f"{place}/used_by", _sorted, "id", artifact.used_by)
    look.note(f"{place}/collection", lambda: artifact.collection.name)
    look.note(f"{place}/source_collection", lambda: artifact.source_collection.name)
    look.note(f"{place}/source_artifact", lambda: artifact.source_artifact is artifact)
    look.note(f"{place}/wait", lambda: artifact.wait() is artifact)


def _collection(look: Look, kind: Any, name: str) -> None:
    collection = kind.collection(name)
    look.attributes(f"ArtifactCollection/{name}", collection, COLLECTION)
    look.note(f"ArtifactCollection/{name}/sequence", collection.is_sequence)
    place = f"Artifacts/{name}"
    look.note(f"{place}/names", _each, "name", collection.artifacts)
    look.note(f"{place}/length", _length, collection.artifacts, per_page=1)
    look.note(f"{place}/resumed", _resumed, collection)
    for artifact in collection.artifacts():
        _artifact(look, f"Artifact/{artifact.name}", artifact)


def _resumed(collection: Any) -> list[str]:
    """Names from the second on, by the cursor of a list that was left after its first page."""
    first = collection.artifacts(per_page=1)
    next(first)
    return _each("name", collection.artifacts, per_page=1, start=first.cursor)


def _collections(look: Look, api: Any) -> None:
    look.note("ArtifactTypes/p/names", _each, "name", api.artifact_types, PATH)
    look.note("ArtifactType/missing/first", api.artifact_type, MISSING, PATH)
    look.note("ArtifactCollection/missing/first", api.artifact_collection, "dataset", f"{PATH}/{MISSING}")
    for kind in api.artifact_types(PATH):
        look.attributes(f"ArtifactType/{kind.name}", kind, TYPE)
        look.note(f"ArtifactCollections/{kind.name}/names", _each, "name", kind.collections)
        look.note(f"ArtifactCollections/{kind.name}/length", _length, kind.collections)
        for collection in kind.collections():
            _collection(look, kind, collection.name)


def _artifacts(look: Look, api: Any) -> None:
    for name in ("set1", "set1:latest", "set1:best", "set1:v0", "set0:dataset", "winners", "winners:pick1"):
        _artifact(look, f"Artifact/asked {name}", api.artifact(f"{PATH}/{name}"))
    for tags in (["t1"], "t2", ["t1", "none"]):
        asked = ("model", f"{PATH}/set1")
        look.note(f"Artifacts/tags {tags}/names", _each, "name", api.artifacts, *asked, tags=tags)
        look.note(f"Artifacts/tags {tags}/length", _length, api.artifacts, *asked, tags=tags)
    look.note("Artifact/typed/name", lambda: api.artifact(f"{PATH}/set1", type="model").name)
    look.note("Artifact/wrong type/first", api.artifact, f"{PATH}/set1", type="dataset")
    for name in (f"{PATH}/set1:none", f"{PATH}/none:v0", "sandbox/none/set1:v0"):
        look.note(f"Artifact/missing {name}/first", api.artifact, name)


def _run_artifacts(look: Look, run: Any) -> None:
    for mode, listed in (("logged", run.logged_artifacts), ("used", run.used_artifacts)):
        place = f"RunArtifacts/{run.id} {mode}"
        look.note(f"{place}/names", _sorted, "qualified_name", listed, per_page=2)
        look.note(f"{place}/length", _length, listed)
        for artifact in listed():
            kind = "Artifact" if artifact.project == "p" else "Artifact of elsewhere"
            _artifact(look, f"{kind}/{run.id} {mode} {artifact.name}", artifact)


def _console(look: Look, run: Any) -> None:
    for line in run.console_logs(per_page=1):
        look.attributes(f"ConsoleLogLine/{run.id}:{line.number}", line, LINE)
    for last in (1, 2, 100):
        look.note(f"ConsoleLogs/{run.id}/last {last}", _each, "number", run.console_logs, last=last)
    look.note(f"ConsoleLogs/{run.id}/repr", lambda: repr(run.console_logs()))


def tell(api: Any) -> Facts:
    """Give all that an API says."""
    look = Look()
    for part in (_sweeps, _projects, _collections, _artifacts):
        part(look, api)
    for run in (api.run(f"{PATH}/maker"), api.run(f"{PATH}/taker")):
        _run_files(look, run)
        _run_artifacts(look, run)
        _console(look, run)
    return look.facts


if __name__ == "__main__":
    import wandb

    Path(sys.argv[1]).write_text(json.dumps(tell(wandb.Api(timeout=120))))
