"""Keys chosen and excluded: by globs over dotted keys, at every depth of a document."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_warehouse.arrow import RunRef, Selection, chunks_from_rows, dumps, flatten, loads, parse_config

RUN = RunRef("e", "p", "r")

names = st.sampled_from(["a", "b", "ab", "secret", "A", "ü"])
leaves = st.one_of(
    st.integers(-3, 3), st.sampled_from(["x", "y", 0.5, None, True]), st.lists(st.integers(0, 2))
)
documents = st.dictionaries(
    names, st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=3)), max_size=4
)
globs = st.lists(
    st.sampled_from(["a", "b", "a.b", "*.a", "secret*", "?", "a*", "[ab].b", "none", "*.secret.*"]),
    max_size=3,
).map(tuple)


def hidden(key: str, patterns: tuple[str, ...]) -> bool:
    """Whether a dotted key, or a beginning of it that ends before a dot, matches a pattern."""
    words = key.split(".")
    starts = [".".join(words[:count]) for count in range(1, len(words) + 1)]
    return any(fnmatchcase(start, pattern) for start in starts for pattern in patterns)


def kept(document: dict[str, Any], patterns: tuple[str, ...]) -> dict[str, Any]:
    """Leaves that stay, by dotted key; an object that lost all it had is left out."""
    return {key: value for key, value in flatten(document) if not hidden(key, patterns) and value != {}}


@given(documents, globs)
def test_documents_lose_what_matches_and_nothing_else(
    document: dict[str, Any], patterns: tuple[str, ...]
) -> None:
    """Of config and summary, as text or as objects, exactly the leaves stay that no glob hides."""
    selection = Selection(exclude=patterns)
    wrapped = json.dumps({key: {"value": value, "desc": None} for key, value in document.items()})
    for given_summary in (document, json.dumps(document)):
        node = selection.of_node({"name": "r", "config": wrapped, "summaryMetrics": given_summary})
        summary = node["summaryMetrics"]
        summary = loads(summary) if isinstance(summary, str) else summary
        assert kept(summary, ()) == kept(document, patterns)
    config = node["config"]
    text = config if isinstance(config, str) else dumps(config)
    assert kept(parse_config(text)[0], ()) == kept(document, patterns)


@given(st.lists(documents, min_size=1, max_size=4), globs, globs)
def test_a_history_keeps_chosen_keys(
    rows: list[dict[str, Any]], keys: tuple[str, ...], exclude: tuple[str, ...]
) -> None:
    """Chunks stay whose key is chosen and not excluded; rows are counted as before."""
    lines = [json.dumps({**row, "_step": step, "_timestamp": 1.5}) for step, row in enumerate(rows)]
    whole = chunks_from_rows(RUN, lines, {})
    chosen = Selection(keys, exclude).of_history(whole)
    assert (chosen.row_count, chosen.last_step) == (whole.row_count, whole.last_step)
    want = {
        chunk.key
        for chunk in whole.chunks
        if not hidden(chunk.key, exclude)
        and (not keys or chunk.key == "_timestamp" or hidden(chunk.key, keys))
    }
    assert {chunk.key for chunk in chosen.chunks} == want


def test_lists_and_typed_objects_are_looked_into() -> None:
    """What hides a key hides it inside lists and objects with a type as well; elements have their list's key."""
    document = {
        "hosts": [{"name": "a", "token": "t"}, [{"token": "t"}]],
        "img": {"_type": "image-file", "token": "t"},
    }
    node = Selection(exclude=("*token",)).of_node({"summaryMetrics": document})
    assert node["summaryMetrics"] == {"hosts": [{"name": "a"}, [{}]], "img": {"_type": "image-file"}}


def test_the_index_loses_keys_wherever_it_names_them() -> None:
    """The index of the history names a hidden key nowhere, and keeps its last step."""
    index = {"keys": {"a": {"typeCounts": []}, "b.c": {}}, "lastStep": 7, "sets": [["a", "b.c"]]}
    node = Selection(exclude=("b",)).of_node({"historyKeys": index})
    assert node["historyKeys"] == {"keys": {"a": {"typeCounts": []}}, "lastStep": 7}
    assert Selection(exclude=("none",)).of_node({"historyKeys": index})["historyKeys"] == index


@pytest.mark.parametrize("node", [{}, {"config": None, "historyKeys": None}, {"summaryMetrics": ""}])
def test_missing_documents_stay_missing(node: dict[str, Any]) -> None:
    """A node without documents is as it was."""
    assert Selection(exclude=("*",)).of_node(node) == node
