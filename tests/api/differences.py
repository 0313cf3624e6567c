"""Where the Python surface deliberately gives something else than the official client, with the reason for each."""

import re
from dataclasses import dataclass
from typing import Any

from api.beside_reader import Facts

__all__ = ["DIFFERENCES", "Difference", "unexplained", "used"]

ANY = object()
"""Whatever ours gives is right there; another test says what."""
NOT_STORED = ["error", "ValueError"]
"""`NotStoredError`, which is a ValueError."""


@dataclass(frozen=True, eq=False)
class Difference:
    """What is different at the places that a regular expression matches in full, what ours gives there, and why."""

    what: str
    places: str
    ours: Any
    reason: str


DIFFERENCES = (
    Difference(
        "`File.direct_url` is None",
        r"File/.+/(direct_url|directUrl)",
        ["NoneType", None],
        "a direct address is signed and lasts for minutes: the warehouse holds none",
    ),
    Difference(
        "`File.id` is an AttributeError",
        r"File/.+/id",
        ["error", "AttributeError"],
        "the opaque id of a file serves its deletion only, and is not stored; `delete` goes by the name",
    ),
    Difference(
        "`File.path_uri` is empty",
        r"File/.+:missing/path_uri",
        ["str", ""],
        "without a direct address it is empty, with the official warning; for files of buckets as well",
    ),
    Difference(
        "both names and a pattern of files, and what is not there, are ValueErrors",
        r"(Files/.+/both|(Sweep|ArtifactType|ArtifactCollection)/missing/first|Artifact/(missing .+|wrong type)/first)",
        ["error", "ValueError"],
        "the official client makes its `CommError` of these; here they are ValueErrors (`NotStoredError` where the "
        "warehouse lacks something), as they are where it is called without that wrapping",
    ),
    Difference(
        "`Api.projects` gives the projects of the warehouse",
        r"Projects/all/names",
        ["list", ["p"]],
        "the projects that were synced, rather than all of the server",
    ),
    Difference(
        "`Project.id` is the internal id",
        r"Project/p/id",
        ["str", "1001"],
        "the internal id, stable under renames; the opaque one is not stored",
    ),
    Difference(
        "`Project.owner` and `is_benchmark` raise `NotStoredError`",
        r"Project/.+/(owner|is_benchmark)",
        NOT_STORED,
        "not stored; the official client's `owner` fails as well (TypeError)",
    ),
    Difference(
        "`id`, `description`, `tags`, `updated_at` of a collection or a type raise `NotStoredError`",
        r"(ArtifactType|ArtifactCollection)/.+/(id|description|tags|updated_at|project_id)",
        NOT_STORED,
        "of a collection the warehouse holds its versions and aliases; the rest of it is at W&B only",
    ),
    Difference(
        "`Artifact.commit_hash` may be None",
        r"Artifact( of elsewhere)?/.+/commit_hash",
        ANY,
        "None where the server gave none; the official client stops with an AssertionError",
    ),
    Difference(
        "`created_at` of a collection of links is that of its oldest version",
        r"ArtifactCollection/winners/created_at",
        ANY,
        "when the collection itself was made is at W&B only",
    ),
    Difference(
        "`version` of a link in a list is the one it has there",
        r"Artifact/winners:v\d/(version|url)",
        ANY,
        "the official client gives the one where it was made, also in `url`, while its `name` has the one in the list",
    ),
    Difference(
        "`Artifact.linked_artifacts` are those in projects of the warehouse",
        r"Artifact/.*set0:.+/linked_artifacts",
        ["list", []],
        "a link is in the project that it leads into; sync that, too",
    ),
    Difference(
        "`linked_at` of a link raises `NotStoredError`",
        r"Artifact/(asked )?winners.*/linked_at",
        NOT_STORED,
        "when a version was linked is not stored",
    ),
    Difference(
        "`Artifact.digest_algorithm` raises `NotStoredError`",
        r"Artifact( of elsewhere)?/.+/digest_algorithm",
        NOT_STORED,
        "not stored",
    ),
    Difference(
        "versions of a project that is not synced raise `NotStoredError` for most attributes",
        r"Artifact of elsewhere/.+/(size|digest|description|metadata|aliases|tags|state|file_count|created_at|"
        r"updated_at|history_step|ttl|logged_by|collection|source_collection)",
        NOT_STORED,
        "of a version of a project that is not synced there is what runs say that used it; sync that project, too",
    ),
)


def _explanation(place: str, ours: Any) -> Difference | None:
    for difference in DIFFERENCES:
        if re.fullmatch(difference.places, place) and (difference.ours is ANY or difference.ours == ours):
            return difference
    return None


def unexplained(theirs: Facts, ours: Facts, *kinds: str) -> dict[str, tuple[Any, Any]]:
    """Give what differs of some classes, and has no place in the table: theirs and ours by place."""
    places = [place for place in theirs.keys() | ours.keys() if place.partition("/")[0] in kinds]
    assert places, kinds
    return {
        place: (theirs.get(place), ours.get(place))
        for place in sorted(places)
        if theirs.get(place) != ours.get(place) and _explanation(place, ours.get(place)) is None
    }


def used(theirs: Facts, ours: Facts) -> set[Difference]:
    """Give the differences of the table that there are."""
    found = {_explanation(place, ours[place]) for place in theirs if theirs[place] != ours.get(place)}
    return {each for each in found if each is not None}
