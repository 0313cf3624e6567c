"""Pages of plain numbers, read by Arrow: the same as by the reader of objects, or not at all."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrow.strategies import evil_keys, scalars, wire, wire_raw
from arrow.test_history import RUN, check, stored
from lengths import examples
from wandb_warehouse.arrow import dense, rows
from wandb_warehouse.arrow.dense import number_columns
from wandb_warehouse.arrow.rows import chunks_from_rows, index_rows
from wandb_warehouse.errors import FatalRemoteError

_spellings = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**54), 2**54).map(str),
    st.sampled_from(
        [
            "0", "-0", "-0.0", "0e7", "1E5", "1e400", "-1e400", "1e-400", "5e-324", "2.4703282292062328e-324",
            "9007199254740993", "9007199254740992", "-9007199254740993", "9007199254740993.0", "1e16",
            "9223372036854775808", "18446744073709551617", "0.1" + "0123456789" * 4, "1" * 400, "NaN", "-Infinity",
            "01", "1.", ".5", "+1", "0x1", "1_0", "Inf", "nan",
        ]
    ),
)  # fmt: skip
_few_keys = st.one_of(st.sampled_from(["_step", "_timestamp", "a", "b", "a.b", "null"]), evil_keys)
_members = st.lists(
    st.tuples(_few_keys, st.one_of(_spellings, _spellings, _spellings, scalars.map(wire))), max_size=4
)


def _object(members: Sequence[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{wire(key)}:{value}" for key, value in members) + "}"


_torn = st.sampled_from(
    ["", "{", "}", "1", "[]", '{"a":1}{"a":2}', '{"a":1}\n{"a":2}', '{"a":1', "}{", '{"a":{"b":1}}', '{"a"\n:1}',
     ' {"a":1}', "\ufeff{}", '{"a":1}/**/', '{"\n":1}', "{}\0"]
)  # fmt: skip
_pages = st.one_of(
    st.lists(_members.map(_object), min_size=1, max_size=6),
    st.lists(st.one_of(_members.map(_object), _torn), min_size=1, max_size=6),
    # Rows that have most keys in common, as those of a history do.
    st.lists(
        st.dictionaries(st.sampled_from(["_step", "_timestamp", "a", "é"]), st.integers(0, 9) | st.floats(-1, 1)),
        min_size=1,
        max_size=12,
    ).map(lambda page: [wire_raw(row) for row in page]),
)  # fmt: skip


def _outcome(page: list[str], after: int | None) -> Any:
    """What reading a page gives: its rows and values, or the error it ends with."""
    try:
        batch = chunks_from_rows(RUN, page, {}, after=after)
        steps, stamps = index_rows(page, after=after)
    except FatalRemoteError as error:
        return str(error)
    return batch.steps.to_pylist(), steps.to_pylist(), stamps.to_pylist(), stored(batch)


@settings(max_examples=examples(200), deadline=None)
@given(_pages, st.sampled_from([None, -1, 3]))
def test_any_page_is_read_alike(page: list[str], after: int | None) -> None:
    """Whatever the rows, Arrow's reading is left out of account or gives what the reader of objects gives."""
    with mock.patch.object(rows, "number_columns", return_value=None):
        slow = _outcome(page, after)
    with mock.patch.object(dense, "_FEWEST_ROWS", 1), mock.patch.object(dense, "_MOST_GAPS", 100):
        fast = _outcome(page, after)
    if isinstance(slow, str) or isinstance(fast, str):
        assert fast == slow
    else:
        assert repr(fast[:3]) == repr(slow[:3])  # a NaN equals no other
        check(fast[3], slow[3])


PLAIN = [
    {"_step": step, "loss": step / 7, "lr": -0.0, "epoch": step // 10, "flops": 1e20} for step in range(64)
]


def test_plain_pages_are_read_by_arrow() -> None:
    """Numbers that doubles hold come as columns; keys may be in any order, and missing in some rows."""
    page = [{name: row[name] for name in sorted(row, reverse=row["_step"] % 2 == 0)} for row in PLAIN]
    del page[5]["loss"], page[6]["_step"]
    columns = number_columns(list(map(wire, page)))
    assert columns is not None
    expected = {key: [row.get(key) for row in page] for key in PLAIN[0]}
    assert {name: columns[name].to_pylist() for name in columns.schema.names} == expected
    assert columns["lr"].to_pylist()[0].hex() == "-0x0.0p+0"


@pytest.mark.parametrize(
    ("key", "value"),
    [("loss", "NaN"), ("loss", None), ("loss", 2**53 + 1), ("loss", True), ("loss", {"a": 1}), ("more", 1)],
)
def test_one_other_row_leaves_the_page_to_the_reader_of_objects(key: str, value: object) -> None:
    """A page in which a single value is more than a double is not read by Arrow at all."""
    page = [orjson.dumps(row).decode() for row in PLAIN]
    assert number_columns(page) is not None
    page[13] = orjson.dumps(PLAIN[13] | {key: value}).decode()
    assert number_columns(page) is None
