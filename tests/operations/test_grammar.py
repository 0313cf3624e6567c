"""The tables that are kept for the grammar are the grammar's: reading them is only faster than computing them."""

import json
from importlib import resources
from typing import Any

import pytest
from lark import Lark

from operations.examples import EXAMPLES
from operations.generator import programs as generated
from operations.grammar_tables import KEPT
from operations.judge.grammar import programs as judged
from wandb_warehouse.operations.language import grammar

SOURCE = resources.files("wandb_warehouse.operations.language").joinpath("grammar.lark").read_text("utf-8")


def _rule(rule: Any) -> tuple[str, ...]:
    options = rule.options
    kept = options.keep_all_tokens, options.expand1, options.priority, tuple(options.empty_indices)
    return (
        str(rule.origin.name),
        " ".join(str(each.name) for each in rule.expansion),
        f"{rule.alias}",
        f"{kept}",
    )


def _walked(parser: Lark) -> list[Any]:
    """The automaton from its starts on: what each state does at each token, states by the order they are met in."""
    table: Any = parser.parser.parser._parse_table
    numbers = {state: place for place, state in enumerate(table.start_states.values())}
    left, walked = list(numbers), []
    while left:
        state, does = left.pop(0), list[tuple[str, ...]]()
        for token, (action, argument) in sorted(table.states[state].items()):
            if not isinstance(argument, int):
                does.append((token, *_rule(argument)))
                continue
            if argument not in numbers:
                numbers[argument] = len(numbers)
                left.append(argument)
            does.append((token, str(action), str(numbers[argument])))
        walked.append(does)
    return walked


def _terminals(parser: Lark) -> list[str]:
    return sorted(f"{each!r} {each.priority} {sorted(each.pattern.flags)}" for each in parser.terminals)


def test_the_tables_are_of_the_grammar() -> None:
    """They say which grammar and lark they are of: these. Otherwise run `python -m tests.operations.grammar_tables`."""
    assert json.loads(KEPT.read_text("utf-8"))["of"] == json.loads(grammar.tables())["of"]


def test_the_tables_are_those_that_lark_computes() -> None:
    """Every state does the same at every token, and every terminal is the same pattern."""
    kept, computed = grammar.parser(), grammar.computed(SOURCE)
    assert _walked(kept) == _walked(computed)
    assert len(_walked(kept)) > 100
    assert _terminals(kept) == _terminals(computed)


def test_programs_are_read_alike() -> None:
    """Examples and generated programs have the same trees, and the same places in the text."""
    kept, computed = grammar.parser(), grammar.computed(SOURCE)
    texts = [
        *EXAMPLES.values(),
        *(each.ours for each in generated(3, 40)),
        *(each.text for each in judged(3, 40)),
    ]
    for text in texts:
        trees = [parser.parse(text, start="program") for parser in (kept, computed)]
        assert trees[0] == trees[1]
        places = [
            [(each.meta.start_pos, each.meta.end_pos) for each in tree.iter_subtrees() if each.children]
            for tree in trees
        ]
        assert places[0] == places[1]


def test_tables_of_another_grammar_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grammar that was changed is the one that is parsed, whatever the tables say."""
    monkeypatch.setattr(grammar, "_grammar", lambda: SOURCE.replace('"&&"', '"and"'))
    changed = grammar.parser.__wrapped__()
    assert changed.parse("a and b", start="expression").data == "binary_and"
