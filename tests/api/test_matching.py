"""Filters over small lists, held against another implementation of MongoDB's rules."""

from typing import Any

import mongomock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_warehouse.api.pieces.matching import matches, ordered
from wandb_warehouse.errors import OperationError

VALUES = st.sampled_from([None, "", "a", "ab", "b", 0, 1, 2.5, -1])
OBJECTS = st.fixed_dictionaries(
    {"state": VALUES, "size": VALUES, "tags": st.lists(st.sampled_from(["a", "ab", "b"]), max_size=2)}
)
FIELDS = st.sampled_from(["state", "size", "tags"])
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"$eq": VALUES}),
    st.fixed_dictionaries({"$ne": VALUES}),
    st.fixed_dictionaries({"$in": st.lists(VALUES, max_size=3)}),
    st.fixed_dictionaries({"$nin": st.lists(VALUES, max_size=3)}),
    st.fixed_dictionaries({"$regex": st.sampled_from(["a", "^b", "b$", "x"])}),
    *(
        st.fixed_dictionaries({name: st.sampled_from(["a", "b", 0, 1.5])})
        for name in ("$gt", "$gte", "$lt", "$lte")
    ),
)
LEAVES = st.dictionaries(FIELDS, VALUES | CONDITIONS, max_size=2)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda name, each: {name: each},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


@given(FILTERS, st.lists(OBJECTS, max_size=6))
def test_filters_mean_what_they_mean_to_mongodb(
    filters: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    """The same objects pass."""
    collection = mongomock.MongoClient().db.things
    for number, each in enumerate(objects):
        collection.insert_one({"_id": number, **each})
    theirs = {each["_id"] for each in collection.find(filters)}
    assert {number for number, each in enumerate(objects) if matches(filters, each)} == theirs


def test_names_and_operators_that_are_not_known() -> None:
    """They are refused; Python's names of fields are taken."""
    assert matches({"created_at": {"$not": {"$lt": "2026"}}}, {"createdAt": "2026-01-02"})
    assert matches({"size": {"$exists": True}}, {"size": 0})
    with pytest.raises(OperationError, match="'colour' is no field"):
        matches({"colour": "red"}, {"size": 1})
    with pytest.raises(OperationError, match=r"\$near is no operator"):
        matches({"size": {"$near": 1}}, {"size": 1})


def test_orders() -> None:
    """What has no value comes first ascending, and last descending."""
    things: list[dict[str, Any]] = [{"size": 2}, {"size": None}, {"size": 1}]
    for order, expected in (("+size", [None, 1, 2]), ("-size", [2, 1, None]), ("size", [None, 1, 2])):
        assert [each["size"] for each in ordered(things, order, lambda each: each)] == expected
