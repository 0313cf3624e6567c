"""What is nested deeper grows by as much at each step, as SQL: nothing is said 2 to the n times.

Counted in words of the SQL: no clock is asked.
"""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_warehouse.operations import compile_operation

VALUES = ("r.config.a", "r.summary.b", "r.config.c.d", "r.config.layers[0]")


def _value(place: int) -> str:
    return VALUES[place % len(VALUES)]


STEPS: dict[str, Callable[[str, int], str]] = {
    "a || within": lambda inner, n: f"({inner} || {_value(n)})",
    "a || after": lambda inner, n: f"({_value(n)} || {inner})",
    "a && within": lambda inner, n: f"({inner} && {_value(n)})",
    "a && after": lambda inner, n: f"({_value(n)} && {inner})",
    "?? within": lambda inner, n: f"({inner} ?? {_value(n)})",
    "a choice by what is within": lambda inner, n: f"({inner} ? {_value(n)} : {n})",
    "a choice of what is within": lambda inner, n: f'({_value(n)} > {n} ? {inner} : "x")',
    "another choice otherwise": lambda inner, n: f"({_value(n)} === {n} ? {_value(n + 1)} : {inner})",
    "a comparison": lambda inner, n: f"({inner} < {_value(n)} ? {_value(n + 1)} : {_value(n + 2)})",
    "equality": lambda inner, n: f'({inner} === "x" ? {_value(n)} : {n})',
    "a quotient": lambda inner, n: f"({inner} / {_value(n)})",
    "a divisor": lambda inner, n: f"({_value(n)} / {inner})",
    "a sum": lambda inner, n: f"({inner} + {_value(n)})",
    "a power": lambda inner, n: f"({inner} ** {_value(n)})",
    "a logarithm": lambda inner, n: f"Math.log({inner} + {n})",
    "the largest": lambda inner, n: f"Math.max({inner}, {_value(n)})",
    "a text": lambda inner, n: f"(String({inner} || {_value(n)}) || {n})",
    "a number of a text": lambda inner, n: f'Number(String({inner}) + "{n}")',
    "a length": lambda inner, n: f"({inner} || {_value(n)}).length",
    "what is within": lambda inner, n: f"({inner} || {_value(n)}).key",
    "a list's or a text's method": lambda inner, n: (
        f'(({inner} || r.name).includes("a") ? {_value(n)} : {n})'
    ),
    "one of a few": lambda inner, n: f'[1, "a", {n}].includes({inner})',
}
"""An expression around another; the number makes it different from the next."""


def nested(step: Callable[[str, int], str], depth: int) -> str:
    """An expression so many steps deep."""
    made = VALUES[0]
    for place in range(depth):
        made = step(made, place)
    return made


def size(program: str) -> int:
    """Words and signs of its SQL."""
    return len(re.findall(r"\w+|[^\w\s]", compile_operation(program).sql))


def grows_evenly(programs: Callable[[int], str]) -> None:
    """Twice the depth costs twice as much at most, once what every program has is taken off."""
    sizes = [size(programs(depth)) for depth in (4, 8, 12, 16)]
    steps = [after - before for before, after in pairwise(sizes)]
    assert steps[-1] <= 1.3 * max(steps[0], 40), sizes


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_what_is_nested_grows_evenly(step: Callable[[str, int], str]) -> None:
    """A choice, a sum, a text of what is itself one: each step adds what the one before it did."""
    grows_evenly(lambda depth: f"runs.map(r => {nested(step, depth)})")


@pytest.mark.parametrize(
    "program",
    [
        "runs.filter(r => {0}).count()",
        "runs.groupBy(r => {0}).map(g => ({{key: g.key, n: g.count()}}))",
        "runs.groupBy(r => r.state).map(g => g.map(r => {0}).max())",
        "runs.map(r => {0}).unique()",
        "runs.map(r => ({{a: {0}}})).map(x => ({{a: x.a, b: x.a}}))",
        "best = runs[0]; runs.filter(r => r.config.a > ({1})).count()",
    ],
    ids=["a filter", "a key of groups", "members", "each once", "a record", "of one run"],
)
def test_wherever_it_stands(program: str) -> None:
    """So it is in a filter, in a group's key, of its members, in a record, of one run that others are compared with."""

    def written(depth: int) -> str:
        inner = nested(STEPS["a || within"], depth)
        return program.format(inner, inner.replace("r.", "best."))

    grows_evenly(written)


LINES: dict[str, Callable[[int], str]] = {
    "if after if": lambda n: (
        "runs.map(r => { "
        + " ".join(f"if ({_value(k)} > {k}) {{ return {_value(k + 1)} }}" for k in range(n))
        + " return r.name })"
    ),
    "if within if": lambda n: (
        "runs.map(r => { "
        + "".join(f"if ({_value(k)}) {{ " for k in range(n))
        + f"return r.config.a {'} ' * n} return r.name }})"
    ),
    "a name used twice": lambda n: (
        "runs.map(r => { x0 = r.config.a; "
        + "".join(f"x{k + 1} = x{k} ? x{k} : {_value(k)}; " for k in range(n))
        + f"return x{n} }})"
    ),
    "a function called twice": lambda n: (
        "f0 = x => x + 1; "
        + "".join(f"f{k + 1} = x => f{k}(x) * f{k}(x); " for k in range(n))
        + f"runs.map(r => f{n}(r.config.a))"
    ),
    "map after map": lambda n: "runs.map(r => r.config.a)" + ".map(x => x ? x : 5)" * n,
    "runs that runs are compared with": lambda n: (
        "b0 = runs[0]; "
        + "".join(
            f"b{k + 1} = runs.find(r => r.config.a > b{k}.config.a && r.history.some(h => h.x > b{k}.config.b)); "
            for k in range(n)
        )
        + f"b{n}.name"
    ),
    "lists of lists": lambda n: (
        "l0 = runs; "
        + "".join(
            f"l{k + 1} = l{k}.filter(r => r.config.a > l{k}.map(r => r.config.a).avg()); " for k in range(n)
        )
        + f"l{n}.count()"
    ),
    "aggregates of a group": lambda n: (
        "runs.groupBy(r => r.state).map(g => "
        + "(" * n
        + "g.map(r => r.config.a).avg()"
        + " / g.count())" * n
        + ")"
    ),
    "the key of a group": lambda n: (
        "runs.groupBy(r => r.config.a).map(g => ({k: "
        + "(" * n
        + "g.key"
        + " || g.key)" * n
        + ", n: g.count()}))"
    ),
}
"""Programs of so many lines or links."""


@pytest.mark.parametrize("program", LINES.values(), ids=LINES)
def test_what_follows_each_other_grows_evenly(program: Callable[[int], str]) -> None:
    """Statements, functions, lists and groups that each use the one before twice."""
    grows_evenly(program)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=3, max_size=14))
def test_steps_of_any_kind_grow_evenly(kinds: list[str]) -> None:
    """However steps are mixed, the whole is no longer than 900 words for each: as the longest kind alone."""
    made = VALUES[0]
    for place, kind in enumerate(kinds):
        made = STEPS[kind](made, place)
    assert size(f"runs.map(r => {made})") < 300 + 900 * len(kinds)
