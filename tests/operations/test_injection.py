"""Names and texts are data: whatever they are made of, a statement keeps its shape, and says what they say."""

import json

import duckdb
import pytest
import sqlglot
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import Given, compile_operation

# A NUL is refused, because no text of the warehouse holds one.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
_PIECES = (
    "'",
    '"',
    "''",
    "\\",
    "\\'",
    "--",
    "/*",
    "*/",
    ";",
    "{",
    "}",
    "${",
    "`",
    "$1",
    "\n",
    "\r",
    "%",
    "_",
    "?",
    ":x",
    "@",
)
_SQL = (
    "DROP TABLE runs",
    "' OR 1=1",
    '"; SELECT 1',
    "UNION ALL SELECT",
    "\u2019",
    "\u2028",
    "E'",
    "$$",
    "#",
    "0x27",
    "NULL",
)
NAMES = st.one_of(
    _TEXTS, st.lists(st.sampled_from((*_PIECES, *_SQL, "a", " ")), min_size=1, max_size=6).map("".join)
)

WRITTEN = (
    "runs.filter(r => run-config(r)[{}] > 1)",
    "runs.map(r => run-summary(r)[{}])",
    "runs.filter(r => {} in run-config(r))",
    "runs.map(r => run-history(r).map(row => row[{}]).min())",
    "runs.sort((a, b) => run-config(a)[{0}] - run-config(b)[{0}])",
    "runs.reduce((best, r) => run-config(r)[{0}] > run-config(best)[{0}] ? r : best)",
    "runs.groupBy(r => run-config(r)[{}]).count()",
    "runs.map(r => run-config(r).layers[0][{}])",
    "runs.config[{}]",
    "runs.filter(r => run-name(r) === {})",
    "runs.filter(r => run-config(r).optimizer.name < {})",
    "runs.filter(r => run-name(r).startsWith({0}) || run-name(r).endsWith({0}) || run-name(r).includes({0}))",
    "runs.map(r => run-name(r).replace({0}, 'x').replaceAll({0}, 'x').indexOf({0}))",
    "runs.map(r => run-name(r).split({})[0])",
    "runs.filter(r => run-tags(r).includes({}))",
    "runs.map(r => run-tags(r).join({}))",
    "runs.filter(r => [{}, 'b'].includes(run-state(r)))",
    "runs.map(r => run-loggedArtifactVersion(r, {}).size)",
    "runs.filter(r => run-usedArtifactVersions(r).some(a => a.name === {}))",
    "console.log({}, run-name(runs[0]))",
)
"""Programs with a place for a text in quotes."""


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _shape(sql: str) -> list[list[str]]:
    """The kinds of the nodes of each statement's tree."""
    return [
        [type(node).__name__ for node in tree.walk()]
        for tree in sqlglot.parse(sql, read="duckdb")
        if tree is not None
    ]


def _harmless(name: str) -> str:
    """A name of as many letters; dots and colons stay, which part keys, and an artifact's name from its alias."""
    return "".join(letter if letter in ".:" else "a" for letter in name)


_quick = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("text", WRITTEN)
@_quick
@given(name=NAMES)
@example(name="'; DROP TABLE runs; --")
@example(name="\\")
@example(name='"}) /* ${x} */')
def test_a_text_never_changes_a_statements_shape(
    text: str, name: str, small: duckdb.DuckDBPyConnection
) -> None:
    """With any key or text in its place a program has the tree that it has with a harmless one, and it runs."""
    sql = compile_operation(text.format(_quoted(name))).sql
    # A text that reads as a number is compared with numbers, too.
    harmless = [_harmless(name), "1"] if name.strip()[:1] in "0123456789+-.I" else [_harmless(name)]
    assert _shape(sql) in [_shape(compile_operation(text.format(_quoted(each))).sql) for each in harmless]
    small.execute(sql)


@_quick
@given(name=NAMES)
def test_a_text_comes_back_as_it_was_written(name: str, small: duckdb.DuckDBPyConnection) -> None:
    """A text in quotes is that text in every row, alone, within another, and as the name of a column."""
    quoted = _quoted(name)
    for text in (f"runs.map(r => {quoted})", f"runs.map(r => run-name(r).slice(0, 0) + {quoted})"):
        (statement,) = compile_operation(text).statements
        assert {row[0] for row in small.execute(statement.sql).fetchall()} == {name}
    (statement,) = compile_operation(f"runs.map(r => ({{{quoted}: 1}}))").statements
    small.execute(statement.sql)
    assert [column[0] for column in small.description or ()] == [name]


@_quick
@given(name=NAMES)
def test_a_run_is_given_by_any_id(name: str, small: duckdb.DuckDBPyConnection) -> None:
    """A run's id and a project's names that are given beside a program are data, too."""
    harmless = compile_operation("run-config(run).lr", given=Given(runs={"run": "a"}, project=("a", "a"))).sql
    found = compile_operation(
        "run-config(run).lr", given=Given(runs={"run": name.replace("/", "|")}, project=(name, name))
    ).sql
    assert _shape(found) == _shape(harmless)
    assert [row for row in small.execute(found).fetchall() if row != (None,)] == []


_TOKENS = (
    "runs",
    "r",
    "=>",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ".",
    ",",
    ";",
    "run-config",
    "map",
    "filter",
    "===",
    "-",
    "`",
    "'a'",
    "1",
    "x =",
    "!",
    "if",
    "?",
    ":",
)


@settings(max_examples=150)
@given(text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_TOKENS), max_size=14).map(" ".join)))
def test_anything_is_a_program_or_a_refusal(text: str) -> None:
    """Any text compiles to queries and nothing else, or is refused in one line."""
    try:
        operation = compile_operation(text)
    except OperationError as error:
        refusal = str(error)
        assert len(refusal.splitlines()) == 1
    else:
        for statement in operation.statements:
            (tree,) = sqlglot.parse(statement.sql, read="duckdb")
            assert isinstance(tree, sqlglot.exp.Query)
