"""Filters and orders of runs, against hand-made tables, a second engine (SQLite) and the algebra of sets."""

import sqlite3
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_warehouse.sandbox.filters import FilterError, compile_filter, sort_runs

RUNS: list[dict[str, Any]] = [
    {
        "name": "a",
        "display_name": "eager-fox-1",
        "state": "finished",
        "tags": ["baseline", "cnn"],
        "created_at": "2024-05-20T12:34:56Z",
        "heartbeat_at": "2024-05-20T13:00:00",
        "group": "g1",
        "job_type": "train",
        "username": "ada",
        "sweep": None,
        "config": {
            "lr": 0.1,
            "layers": [64, 32],
            "opt": {"name": "adam"},
            "a.b": 1,
            "flag": True,
            "value": 7,
        },
        "summary_metrics": {"loss": 0.5, "val": {"acc": 0.9}, "_step": 99},
        "duration": 120,
        "keys_info": {"keys": {"loss": {}, "val.acc": {}}},
    },
    {
        "name": "b",
        "display_name": "Calm-Bear-2",
        "state": "running",
        "tags": [],
        "created_at": "2024-05-20T12:34:56.500000Z",
        "heartbeat_at": None,
        "group": None,
        "job_type": "eval",
        "username": "ada",
        "sweep": "s1",
        "config": {"lr": 1, "opt": {"name": "sgd"}, "a": {"b": 2}, "note": None, "flag": 1},
        "summary_metrics": {},
        "duration": None,
        "keys_info": {"keys": {}},
    },
    {
        "name": "c",
        "display_name": "odd\nname\n",
        "state": "crashed",
        "tags": ["baseline"],
        "created_at": "2024-05-21T00:00:00+02:00",
        "heartbeat_at": "2024-05-20T13:00:00Z",
        "group": "g2",
        "job_type": None,
        "username": None,
        "sweep": "s1",
        "config": {"lr": "0.1", "a.b": 3, "a": {"b": 4}},
        "summary_metrics": {"loss": float("nan"), "val": 1},
        "duration": 60.5,
        "keys_info": {"keys": {"loss": {}}},
    },
]


def names(filters: dict[str, Any]) -> str:
    """Ids of the runs a filter lets pass, in order."""
    passes = compile_filter(filters)
    return "".join(run["name"] for run in RUNS if passes(run))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abc"),
        ({"name": "b"}, "b"),
        ({"state": "running"}, "b"),
        ({"state": {"$in": ["finished", "crashed"]}}, "ac"),
        ({"state": {"$nin": ["finished", "crashed"]}}, "b"),
        ({"displayName": {"$regex": "^e"}}, "a"),
        ({"display_name": {"$regex": "bear"}}, ""),
        ({"display_name": {"$regex": "(?i)bear"}}, "b"),
        ({"display_name": {"$regex": "name$"}}, ""),
        ({"display_name": {"$regex": "(?m)odd$"}}, "c"),
        ({"display_name": {"$regex": r"\d\z"}}, "ab"),
        ({"display_name": {"$regex": r"[$]"}}, ""),
        ({"display_name": {"$contains": "-"}}, "ab"),
        ({"tags": "baseline"}, "ac"),
        ({"tags": {"$in": ["cnn", "rnn"]}}, "a"),
        ({"tags": {"$ne": "cnn"}}, "bc"),
        ({"tags": {"$nin": ["baseline"]}}, "b"),
        ({"tags": ["baseline", "cnn"]}, "a"),
        ({"tags": None}, "b"),
        ({"tags": {"$exists": True}}, "ac"),
        ({"tags": {"$regex": "^cn"}}, "a"),
        ({"$and": [{"tags": "baseline"}, {"tags": "cnn"}]}, "a"),
        ({"group": None}, "b"),
        ({"group": {"$exists": False}}, "b"),
        ({"jobType": "train"}, "a"),
        ({"job_type": {"$ne": "train"}}, "bc"),
        ({"username": "ada", "state": "finished"}, "a"),
        ({"$and": [{"sweep": "s1"}]}, "bc"),
        ({"created_at": {"$gt": "2024-05-20T12:34:56"}}, "bc"),
        ({"createdAt": {"$gte": "2024-05-20T12:34:56Z"}}, "abc"),
        ({"created_at": {"$lt": "2024-05-20T22:00:00Z"}}, "ab"),
        ({"created_at": {"$lte": "2024-05-20T22:00:00.000Z"}}, "abc"),
        ({"created_at": {"$lt": "2024-05-21"}}, "abc"),
        ({"created_at": "2024-05-20T14:34:56+02:00"}, "a"),
        ({"heartbeat_at": "2024-05-20T13:00:00Z"}, "ac"),
        ({"heartbeatAt": {"$exists": False}}, "b"),
        ({"heartbeat_at": {"$gt": "2020-01-01"}}, "ac"),
        ({"duration": {"$gte": 60.5}}, "ac"),
        ({"config.lr": 0.1}, "a"),
        ({"config.lr.value": 0.1}, "a"),
        ({"config.lr": {"$lt": 2}}, "ab"),
        ({"config.lr": {"$gte": "0"}}, "c"),
        ({"config.lr": {"$gt": 0.1, "$lte": 1}}, "b"),
        ({"config.lr": {"$not": {"$lt": 1}}}, "bc"),
        ({"config.opt.name": "sgd"}, "b"),
        ({"config.opt.value.name": "sgd"}, "b"),
        ({"config.opt.name.value": "sgd"}, "b"),
        ({"config.opt": {"name": "adam"}}, "a"),
        ({"config.value": 7}, "a"),
        ({"config.value.lr": 0.1}, ""),
        ({"config.a.b": {"$in": [1, 2, 3]}}, "abc"),
        ({"config.a.b": 4}, ""),
        ({"config.layers": 32}, "a"),
        ({"config.layers": {"$gt": 40}}, "a"),
        ({"config.layers": [64, 32]}, "a"),
        ({"config.flag": True}, "a"),
        ({"config.flag": 1}, "b"),
        ({"config.note": {"$exists": True}}, "b"),
        ({"config.note": None}, "abc"),
        ({"config.nothing": {"$ne": 3}}, "abc"),
        ({"config.nothing": {"$lt": 3}}, ""),
        ({"summary_metrics.loss": {"$lt": 1}}, "a"),
        ({"summaryMetrics.val.acc": {"$gt": 0.5}}, "a"),
        ({"keys_info.keys.loss": {"$exists": True}}, "ac"),
        ({"keys_info.keys.val.acc": {"$exists": True}}, "a"),
        ({"$or": [{"state": "running"}, {"config.lr": 0.1}]}, "ab"),
        ({"$nor": [{"state": "running"}, {"config.lr": 0.1}]}, "c"),
        ({"$not": {"state": "running"}}, "ac"),
        ({"$or": [{"$and": []}]}, "abc"),
        ({"$or": []}, ""),
    ],
)
def test_a_filter_lets_the_right_runs_pass(filters: dict[str, Any], expected: str) -> None:
    """Every documented operator and field spelling selects the runs worked out by hand."""
    assert names(filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"state": {"$all": ["a"]}},
        {"state": {"$size": 1}},
        {"$where": "true"},
        {"$and": {"state": "x"}},
        {"$or": [3]},
        {"$not": [{"state": "x"}]},
        {"state": {"$in": "running"}},
        {"state": {"$eq": "x", "plain": 1}},
        {"state": {"$exists": 1}},
        {"state": {"$not": {}}},
        {"state": {"$not": "x"}},
        {"config.lr": {"$gt": None}},
        {"config.lr": {"$lt": [1]}},
        {"config": 1},
        {"": 1},
        {"display_name": {"$regex": "("}},
        {"display_name": {"$regex": "(?=x)"}},
        {"display_name": {"$regex": "(?<!x)y"}},
        {"display_name": {"$regex": r"(a)\1"}},
        {"display_name": {"$regex": r"x\Z"}},
        {"display_name": {"$regex": "a++"}},
        {"display_name": {"$regex": 5}},
        {"display_name": {"$contains": 5}},
        {"created_at": {"$gt": 1716200000}},
        {"created_at": {"$gt": "yesterday"}},
        {"created_at": {"$regex": "2024"}},
        {"created_at": {"$in": [1]}},
    ],
)
def test_a_bad_filter_is_refused_before_any_run_is_seen(filters: dict[str, Any]) -> None:
    """Unknown operators, operands of the wrong kind and patterns RE2 lacks raise at compilation."""
    with pytest.raises(FilterError):
        compile_filter(filters)


@pytest.mark.parametrize("pattern", [r"\(\?=x", "[(?=]", r"\\1", r"a\++", "(?:a)b", "[]$]x?"])
def test_patterns_that_only_look_refused_are_accepted(pattern: str) -> None:
    """Escaped parentheses and character classes are no look-around."""
    compile_filter({"display_name": {"$regex": pattern}})


# One number column, as runs and as a table of SQLite.
numbers = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([-0.5, 0.5, 1.5]))
columns = st.lists(numbers, min_size=1, max_size=8)
SQL = {"$eq": "=", "$ne": "IS NOT", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
leaves = st.tuples(st.sampled_from(sorted(SQL)), st.integers(-3, 3))


def leaf(operator: str, operand: int) -> tuple[dict[str, Any], str]:
    """A comparison as a filter and as SQL."""
    return {"config.x": {operator: operand}}, f"coalesce(x {SQL[operator]} {operand}, 0)"


def joined(name: str, glue: str, pairs: list[tuple[dict[str, Any], str]]) -> tuple[dict[str, Any], str]:
    """Conditions joined, as a filter and as SQL."""
    return {name: [filters for filters, _ in pairs]}, "(" + glue.join(sql for _, sql in pairs) + ")"


def trees(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Conditions built from smaller ones."""
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda pairs: joined("$and", " AND ", pairs)),
        several.map(lambda pairs: joined("$or", " OR ", pairs)),
        several.map(lambda pairs: (joined("$nor", "", pairs)[0], "NOT " + joined("", " OR ", pairs)[1])),
        inner.map(lambda pair: ({"$not": pair[0]}, f"NOT ({pair[1]})")),
    )


conditions = st.recursive(leaves.map(lambda pair: leaf(*pair)), trees, max_leaves=6)


def table(values: list[Any]) -> sqlite3.Connection:
    """The column as a table of SQLite."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE runs (i INTEGER, x NUMERIC)")
    db.executemany("INSERT INTO runs VALUES (?, ?)", enumerate(values))
    return db


def as_runs(values: list[Any]) -> list[dict[str, Any]]:
    """The column as runs; None is absent."""
    return [{"name": i, "config": {} if x is None else {"x": x}} for i, x in enumerate(values)]


@given(columns, conditions)
def test_conditions_on_numbers_agree_with_sql(
    values: list[Any], condition: tuple[dict[str, Any], str]
) -> None:
    """Any tree of comparisons selects what SQLite selects, absent values comparing false."""
    filters, sql = condition
    passes = compile_filter(filters)
    db = table(values)
    expected = [i for (i,) in db.execute(f"SELECT i FROM runs WHERE {sql} ORDER BY i")]
    db.close()
    assert [run["name"] for run in as_runs(values) if passes(run)] == expected


@given(columns, st.sampled_from(["+", "-"]), st.booleans())
def test_orders_agree_with_sql(values: list[Any], sign: str, null_last: bool) -> None:
    """Both directions and both null placements sort as SQLite does, ties in the order they came."""
    db = table(values)
    direction = {"+": "ASC", "-": "DESC"}[sign]
    nulls = "LAST" if null_last else "FIRST"
    expected = [i for (i,) in db.execute(f"SELECT i FROM runs ORDER BY x {direction} NULLS {nulls}, i")]
    db.close()
    runs = sort_runs(as_runs(values), f"{sign}config.x", unsigned_descending=True, null_last=null_last)
    assert [run["name"] for run in runs] == expected


any_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(), st.sampled_from(["", "a", "ab"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("xy"), inner, max_size=2)
    ),
    max_leaves=4,
)
field_operators = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne"]), any_value),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.one_of(st.integers(-2, 2), st.just("a"))),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(any_value, max_size=3)),
    st.tuples(st.just("$exists"), st.booleans()),
    st.tuples(st.sampled_from(["$regex", "$contains"]), st.sampled_from(["", "a", "b"])),
)


@given(any_value, st.booleans(), field_operators, field_operators)
def test_negation_is_the_complement(
    value: object, present: bool, one: tuple[str, Any], other: tuple[str, Any]
) -> None:
    """For any value or none: `$not` complements, De Morgan holds, operators side by side must all hold."""
    run = {"config": {"k": value} if present else {}}
    first, second = ({"config.k": {operator: operand}} for operator, operand in (one, other))

    def holds(filters: dict[str, Any]) -> bool:
        return compile_filter(filters)(run)

    assert holds({"$not": first}) is not holds(first)
    assert holds({"config.k": {"$not": first["config.k"]}}) is not holds(first)
    assert holds({"$nor": [first, second]}) is holds({"$and": [{"$not": first}, {"$not": second}]})
    assert holds({"$not": {"$and": [first, second]}}) is holds({"$or": [{"$not": first}, {"$not": second}]})
    if one[0] != other[0]:
        both = {"config.k": {**first["config.k"], **second["config.k"]}}
        assert holds(both) is (holds(first) and holds(second))


@pytest.mark.parametrize(
    ("order", "unsigned_descending", "null_last", "expected"),
    [
        (None, True, True, "abc"),
        ("", True, True, "abc"),
        ("+created_at", True, True, "abc"),
        ("-created_at", False, True, "cba"),
        ("createdAt", False, True, "abc"),
        ("createdAt", True, True, "cba"),
        ("-heartbeat_at", False, True, "acb"),
        ("-heartbeat_at", False, False, "bac"),
        ("+duration", False, True, "cab"),
        ("+config.lr.value", False, True, "abc"),
        ("-config.lr.value", False, True, "cba"),
        ("+summary_metrics.loss", False, True, "acb"),
        ("-summary_metrics._step", False, True, "abc"),
        ("-sweep,-name", False, True, "cba"),
        ("+username, -name", False, True, "bac"),
        ("-tags", False, True, "acb"),
    ],
)
def test_an_order_sorts_as_worked_out(
    order: str | None, unsigned_descending: bool, null_last: bool, expected: str
) -> None:
    """Signs, spellings, several keys, mixed kinds and times in several notations sort as by hand."""
    runs = sort_runs(RUNS, order, unsigned_descending=unsigned_descending, null_last=null_last)
    assert "".join(run["name"] for run in runs) == expected


def test_an_order_without_a_field_is_refused() -> None:
    """A lone sign names nothing to sort by."""
    with pytest.raises(FilterError):
        sort_runs(RUNS, "-", unsigned_descending=True, null_last=True)


def test_character_classes_are_those_of_re2() -> None:
    r"""`\w` and `\d` stand for ASCII characters only, as in RE2."""
    for pattern, text in ((r"\d", "\u0663"), (r"\w", "ü")):
        passes = compile_filter({"display_name": {"$regex": pattern}})
        assert not passes({"display_name": text})
        assert passes({"display_name": "7"})


def test_a_time_without_a_zone_is_utc_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time zone of the machine does not move records that come without `Z`."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert names({"heartbeat_at": "2024-05-20T13:00:00Z"}) == "ac"
        assert names({"heartbeat_at": "2024-05-20T13:00:00"}) == "ac"
    finally:
        monkeypatch.undo()
        time.tzset()
