"""Runs that the official client cannot write but other writers can, put into the sandbox as they go over the wire."""

import json
from typing import Any

from wandb_warehouse.sandbox import Sandbox

__all__ = ["RAW", "add_raw_runs"]


def _rows(*values: str, key: str = '"v"') -> list[str]:
    return [
        f'{{"_step":{step},"_timestamp":{1e9 + step},{key}:{value}}}' for step, value in enumerate(values)
    ]


_WRAPPED = '{"_wandb":{"value":{"t":{"1":[1]}}},"wandb_version":1,'

RAW: dict[str, dict[str, Any]] = {
    "raw-integers": {
        "lines": _rows(
            "18446744073709551615", "18446744073709551616", "-9223372036854775809", str(10**30), "3"
        ),
        "config": _WRAPPED + '"big":{"value":18446744073709551616},"bigger":{"value":1' + "0" * 40 + "}}",
        "summary": '{"big":18446744073709551617,"small":-9223372036854775809}',
    },
    "raw-beyond": {
        "lines": _rows("1e400", "-1e400", "1e-400", "-0.0", "-0", "1E5", "0.10", "1e22"),
        "config": _WRAPPED + '"far":{"value":1e400},"zero":{"value":-0.0}}',
        "summary": '{"far":-1e400,"zero":-0.0,"v":1e22}',
    },
    "raw-surrogates": {
        "lines": [
            *_rows(r'"\ud800"', r'"a\udfffb"', r'"\\ud800"', r'"\ud83d\ude00"', r'["\ud800",{"\udc00":1}]'),
            r'{"_step":5,"\\ud800key":2}',
        ],
        "config": _WRAPPED + r'"text":{"value":"\ud800"},"\udfff":{"value":{"\ud801":1}}}',
        "summary": r'{"text":"\ud800","\udbff":2}',
    },
    "raw-nul": {
        "lines": [*_rows(r'"a\u0000b"', r'"\u0000"'), r'{"_step":2,"k\u0000ey":1}'],
        "config": _WRAPPED + r'"text":{"value":"\u0000"}}',
        "summary": r'{"te\u0000xt":"\u0000"}',
    },
    "raw-keys": {
        "lines": ['{"_step":0,"":1," ":2,"a":{"":3},"_type":"x"}', '{"_step":1,"_type":"y","v":[{"":0}]}'],
        "config": _WRAPPED + '"":{"value":1},"plain":7,"desc":{"value":2,"desc":"said"},"other":{"val":3}}',
        "summary": '{"":1,"a":{"":{"":2}}}',
    },
    "raw-wrapped": {
        "lines": _rows('{"value":1}', '{"value":{"value":2}}'),
        "config": _WRAPPED + '"twice":{"value":{"value":5,"desc":null}},"null":{"value":null},"list":[1]}',
    },
    "raw-control": {
        "lines": _rows('"x"'),
        "config": _WRAPPED + '"text":{"value":"line\none\ttab"}}',
        "summary": '{"text":"line\none"}',
    },
    "raw-empty": {
        "lines": _rows("{}", "[]", '{"a":{}}', '{"a":[]}', "null", '""'),
        "config": _WRAPPED + '"dict":{"value":{}},"list":{"value":[]},"deep":{"value":{"a":{"b":{}}}}}',
        "summary": '{"dict":{},"list":[],"deep":{"a":{}}}',
    },
    "raw-nonfinite": {
        "lines": _rows("NaN", "Infinity", "-Infinity", '"x"', '"NaN"', "1"),
        "config": _WRAPPED + '"nan":{"value":NaN},"deep":{"value":{"inf":[-Infinity,"NaN"]}}}',
        "summary": '{"nan":NaN,"text":"NaN","deep":{"inf":Infinity}}',
    },
    "raw-bare-rows": {"lines": ['{"_step":0}', '{"_step":1}', '{"_step":2,"v":1}']},
    "raw-float-steps": {"lines": ['{"_step":0.0,"v":1}', '{"_step":1.0,"v":2}', '{"_step":20.0,"v":3}']},
    "raw-deep": {
        "lines": _rows('{"a":' * 40 + "1" + "}" * 40, "[" * 40 + "]" * 40),
        "config": _WRAPPED + '"deep":{"value":' + '{"a":' * 60 + "1" + "}" * 60 + "}}",
    },
    "raw-crashed": {"lines": _rows("1", "2"), "state": "crashed"},
    "raw-killed": {"lines": _rows("1", "2"), "state": "killed", "tags": []},
}
"""Arguments of `Sandbox.add_run` by id: config and summary as JSON text, history as lines, as written."""


def add_raw_runs(box: Sandbox, project: str) -> None:
    """Put all of them into the sandbox."""
    for number, (run, parts) in enumerate(RAW.items()):
        minute = f"2026-01-01T00:{number:02}:00"
        box.add_run(
            box.entity, project, run, created_at=minute, heartbeat_at=f"{minute}Z",
            **{"config": _WRAPPED + '"lr":{"value":0.5}}', "summary": json.dumps({"_step": 1}), **parts},
        )  # fmt: skip
