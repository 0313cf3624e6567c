"""The parser of the notation that `grammar.lark` says.

Computing its tables takes some 0.1 s, the first time in every process. `grammar_tables.json` has them, for the grammar
and the version of lark that it names; for any other they are computed.

`python -m tests.operations.grammar_tables` writes the tables anew.
"""

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

__all__ = ["computed", "parser", "tables"]

_HERE = resources.files("wandb_warehouse.operations.language")
_TABLES = "grammar_tables.json"


@cache
def parser() -> lark.Lark:
    """The parser, from the tables where they are of this grammar and this lark."""
    grammar = _grammar()
    kept = _HERE.joinpath(_TABLES)
    if kept.is_file():
        found = json.loads(kept.read_text("utf-8"), object_pairs_hook=_with_numbers)
        if found["of"] == _of(grammar):
            return lark.Lark.load(found["tables"])
    return computed(grammar)


def computed(grammar: str) -> lark.Lark:
    """A grammar's parser, without tables from elsewhere."""
    return lark.Lark(
        grammar,
        parser="lalr",
        start=["program", "expression"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


def tables() -> str:
    """The tables, as they are kept."""
    grammar = _grammar()
    data, memo = computed(grammar).memo_serialize([TerminalDef, Rule])
    kept = {"of": _of(grammar), "tables": {"data": data, "memo": memo}}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False) + "\n"


def _grammar() -> str:
    return _HERE.joinpath("grammar.lark").read_text("utf-8")


def _of(grammar: str) -> dict[str, str]:
    return {"lark": lark.__version__, "grammar": hashlib.sha256(grammar.encode()).hexdigest()}


def _with_numbers(pairs: list[tuple[str, Any]]) -> dict[Any, Any]:
    """States and the memo's places are numbers, which are no keys in JSON."""
    return {int(key) if key.isdigit() else key: value for key, value in pairs}
