"""What is refused, and where the error points; the few rules that are ours and no JavaScript's."""

import duckdb
import pytest

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import compile_operation

REFUSED = [
    ("runs.filter(r => run-sumary(r).lr > 1)", "run-sumary", "did you mean run-summary?"),
    ("runs.fliter(r => true)", "fliter", "did you mean filter?"),
    ("runs.map(r => r.confg)", "confg", "did you mean config?"),
    ("runs.map(r => run-name(r).startWith('a'))", "startWith", "did you mean startsWith?"),
    ("runs.map(r => Math.flor(1))", "Math.flor", "did you mean floor?"),
    ("rins.count()", "rins", "did you mean runs?"),
    ("run-config(run)", "run", "give --run ID"),
    ("run-config(run2)", "run2", "give --run run2=ID"),
    ("runs.filter(r => run-name(r) == 'a')", "run-name(r) == 'a'", "write ==="),
    ("runs.filter(r => r.lr = 1)", "lr", None),
    ("a = runs.filter(", "", "go on with it"),
    (
        "runs.sort((a, b) => run-name(a).localeCompare(run-name(b)))",
        "run-name(a).localeCompare(run-name(b))",
        "f(a)",
    ),
    (
        "runs.sort((a, b) => run-runtime(a) - run-runtime(a))",
        "run-runtime(a) - run-runtime(a)",
        "f(a) - f(b)",
    ),
    ("runs.sort(r => run-runtime(r))", "r => run-runtime(r)", "(a, b)"),
    ("runs.reduce((a, b) => a * b)", "(a, b) => a * b", "aggregate"),
    (
        "runs.filter(r => run-createdAt(r) === run-createdAt(r))",
        "run-createdAt(r) === run-createdAt(r)",
        "getTime",
    ),
    ("runs.filter(r => run-createdAt(r) > '2026-01-01')", "run-createdAt(r) > '2026-01-01'", "new Date"),
    ("runs.map(r => new Date('soon'))", "new Date('soon')", "ISO 8601"),
    ("runs.avg()", "runs.avg()", "map"),
    ("runs.map(r => run-name(r)).sum()", "runs.map(r => run-name(r)).sum()", "map"),
    ("runs.map(r => ({a: 1, A: 2}))", "2", "case"),
    ("runs.map(r => r.tags).flatten().flatten()", "runs.map(r => r.tags).flatten().flatten()", "flatten"),
    ("runs[r]", "r", None),
    ("compareConfigs(runs, runs)", "compareConfigs(runs, runs)", "run-config(run1)"),
    ("x = 'a", "'", None),
    ("`a ${runs", "`", None),
    ("'\\u0000'", "'\\u0000'", "escape"),
    ("x => x", "x => x", "list"),
    ("", "", "expression"),
    ("runs.count(", "", "go on with it"),
]


@pytest.mark.parametrize(("text", "marked", "mend"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_errors_point_at_the_place(text: str, marked: str, mend: str | None) -> None:
    """What is refused is named in one line, marked in the text, and mended by a hint."""
    with pytest.raises(OperationError) as caught:
        compile_operation(text)
    line, _, mark = caught.value.excerpt.partition("\n")
    assert line == text
    at = mark.index("^")
    assert str(caught.value).startswith(f"1:{at + 1}: ")
    assert "\n" not in str(caught.value)
    if mend is not None:
        assert line[at : at + mark.count("^")] == marked
        assert mend in str(caught.value)


def test_an_error_on_a_later_line_shows_that_line() -> None:
    """Line and column are those of the place, and the line shown is that line."""
    with pytest.raises(OperationError) as caught:
        compile_operation("best = runs[0]\n\tbest.nam")
    assert str(caught.value).startswith("2:7: a run has no nam")
    assert caught.value.excerpt == "\tbest.nam\n\t     ^^^"


@pytest.mark.parametrize("text", ["(" * 300 + "1" + ")" * 300, "1" + "+1" * 60_000, "-" * 5000 + "1"])
def test_what_is_too_long_is_refused(text: str) -> None:
    """Depth and length that no person writes end in one line, not in a traceback."""
    with pytest.raises(OperationError):
        compile_operation(text)


RUN_NAMES = ["amber", "blue", "coral"]

ANSWERS = [
    # The order of runs, and that deleted ones are no runs.
    ("runs.map(r => run-name(r))", RUN_NAMES),
    ("runs.length", 3),
    # Missing: a key nobody has, NaN and a text where a number is wanted are left out of aggregates.
    ("runs.map(r => run-summary(r).accuracy).avg()", 0.9),
    ("runs.map(r => run-summary(r).nothing).max()", None),
    ("runs.filter(r => !run-config(r).lr).map(r => r.name)", ["coral"]),
    ("runs.filter(r => run-config(r).lr === null).map(r => r.name)", ["coral"]),
    ("runs.filter(r => run-config(r).lr == undefined).map(r => r.name)", ["coral"]),
    # Nested and dotted keys are one; what holds other keys is an object.
    ("runs.filter(r => run-config(r)['optimizer.name'] === 'adam').map(r => r.name)", ["amber"]),
    ("runs.filter(r => run-config(r).optimizer).map(r => r.name)", ["amber"]),
    ("runs.map(r => typeof run-config(r).optimizer)", ["object", "undefined", "undefined"]),
    ("runs.filter(r => 'layers' in r.config).map(r => r.config.layers.length)", [2]),
    ("runs.map(r => r.config.layers.map(n => n * 2).sum()).max()", 192),
    # Sorting puts what lacks the value last, whichever way it goes.
    ("runs.sort((a, b) => a.config.lr - b.config.lr).map(r => r.name)", ["blue", "amber", "coral"]),
    ("runs.sort((a, b) => b.config.lr - a.config.lr).map(r => r.name)", ["amber", "blue", "coral"]),
    ("runs.reverse()[0].name", "coral"),
    ("runs.at(-1).name", "coral"),
    ("runs.slice(1, -1).map(r => r.name)", ["blue"]),
    # An alias, a version, no such artifact.
    ('runs.map(r => run-loggedArtifactVersion(r, "model:latest").size)', [20, None, None]),
    ('runs.map(r => run-loggedArtifactVersion(r, "model:v0").size)', [10, None, None]),
    ("runs.flatMap(r => r.usedArtifactVersions).map(a => a.name)", ["data"]),
    ("runs.flatMap(r => r.tags).unique()", ["a", "b"]),
    ("runs.map(r => run-history(r).map(row => row.loss).min()).min()", 1.0),
    ("runs.map(r => run-history(r).length)", [3, 0, 0]),
    # A group for what is missing; groups in the order in which they occur.
    ("runs.groupBy(r => r.config.lr > 0.01).map(g => g.count())", [1, 2]),
    ("runs.groupBy(r => r.state).map(g => g.map(r => r.name).join('+'))", ["amber+coral", "blue"]),
    # Texts and numbers that compare as JavaScript has it.
    ("'10' < '9'", True),
    ("runs.map(r => `${r.name}: ${r.config.lr}`)", ["amber: 0.1", "blue: 0.001", "coral: undefined"]),
    ("1 / 0 > 1e300", True),
    ("-7 % 3", -1.0),
    ("Math.round(-2.5)", -2.0),
    ("'a,b,,c'.split(',').length", 4),
    ("'a,b'.split(',')[5]", None),
    ("'a-b-c'.replace('-', '+')", "a+b-c"),
]


@pytest.mark.parametrize(("text", "answer"), ANSWERS, ids=[text for text, _ in ANSWERS])
def test_answers(text: str, answer: object, small: duckdb.DuckDBPyConnection) -> None:
    """The rules of docs/operations.md, one each, on a handful of runs."""
    statement = compile_operation(text).statements[-1]
    rows = [row[0] for row in small.execute(statement.sql).fetchall()]
    assert (rows if statement.type.startswith("a list") else rows[0]) == answer
