"""Writes filters and orders by a grammar."""

import random
from typing import Any

__all__ = ["filters", "orders"]

_VALUES = [
    *(0, 1, -2.5, 0.5, 0.1, 0.9, 16, 64, 2**53 + 2, True, False),
    *("text", "7", "", "cnn", "good", "adam", "finished", "g1", "ann", 'say "hi"', "it's"),
]
_TIMES = ["2026-01-08T00:00:00Z", "2026-01-10T12:30:00.001Z", "2026-01-06T01:30:00+02:00", "2026-01-09"]
_PATTERNS = ["^a", "o", "lake-1$", r"\d+", "[A-Z]", "^$", "(good|Bad)", "é", "g[12]", r"say \"", "^.{3}$"]
_TEXTS = [
    "name",
    "display_name",
    "displayName",
    "state",
    "group",
    "job_type",
    "jobType",
    "username",
    "sweep",
    "host",
]
_DOCUMENTS = [
    *(
        "config.lr",
        "config.lr.value",
        "config.batch",
        "config.model_type",
        "config.flag.value",
        "config.layers",
    ),
    *(
        "config.mixed",
        "config.a/b",
        'config.it\'s "x"',
        "config.optimizer.name",
        "config.optimizer",
        "config.none",
    ),
    *(
        "config.optimizer.value.name",
        "summary_metrics.accuracy",
        "summaryMetrics.loss",
        "summary_metrics.val/loss",
    ),
    *("summary_metrics.note", "summary_metrics.mixed", "summary_metrics.state", "summary_metrics.none"),
]


def _operators(rng: random.Random, field: str, depth: int = 1) -> Any:  # noqa: PLR0911  (a line for each)
    """What a field must be."""
    if field in ("created_at", "createdAt", "heartbeat_at"):
        operator = rng.choice(["$gt", "$gte", "$lt", "$lte", "$eq", "$ne", "$in", "$exists"])
        operand: Any = rng.choice(_TIMES)
        operand = [operand, rng.choice(_TIMES)] if operator == "$in" else operand
        return {operator: rng.random() < 0.5 if operator == "$exists" else operand}
    choices = [
        "value",
        "$eq",
        "$ne",
        "$in",
        "$nin",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$exists",
        "$regex",
        "$not",
        "two",
    ]
    match rng.choice(choices):
        case "value":
            return rng.choice([*_VALUES, None])
        case "$exists":
            return {"$exists": rng.random() < 0.5}
        case "$regex":
            return {"$regex": rng.choice(_PATTERNS)}
        case "$in" | "$nin" as operator:
            return {operator: rng.sample([*_VALUES, None], rng.randrange(4))}
        case "$not" if depth:
            inner = _operators(rng, field, depth - 1)
            return {"$not": inner if isinstance(inner, dict) else {"$eq": inner}}
        case "two" | "$not":
            return {"$gt": rng.choice([0, -3, 0.2]), "$lte": rng.choice([1, 64, 0.9])}
        case "$eq" | "$ne" as operator:
            return {operator: rng.choice([*_VALUES, None])}
        case operator:
            return {operator: rng.choice(_VALUES)}


def _filter(rng: random.Random, depth: int) -> dict[str, Any]:
    if depth and rng.random() < 0.4:
        parts = [_filter(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
        operator = rng.choice(["$and", "$or", "$nor"])
        return {operator: parts}
    found = {}
    for _ in range(rng.choice([1, 1, 1, 2])):
        kinds = [
            _TEXTS,
            _DOCUMENTS,
            _DOCUMENTS,
            ["tags"],
            ["created_at", "createdAt", "heartbeat_at"],
            ["duration"],
        ]
        field = rng.choice(rng.choice(kinds))
        found[field] = _operators(rng, field)
    return found


def filters(seed: int, count: int) -> list[dict[str, Any]]:
    """Filters; all follow from the seed."""
    rng = random.Random(seed)
    return [_filter(rng, rng.randrange(4)) for _ in range(count)]


def orders(seed: int, count: int) -> list[str]:
    """Orders; all follow from the seed."""
    rng = random.Random(seed)
    fields = [
        "created_at",
        "heartbeat_at",
        "display_name",
        "state",
        "duration",
        "username",
        "config.lr.value",
    ]
    fields += [
        "config.batch",
        "config.model_type",
        "config.flag",
        "summary_metrics.accuracy",
        "summary_metrics.note",
    ]
    return [
        ",".join(
            f"{rng.choice(['+', '-', ''])}{field}" for field in rng.sample(fields, rng.choice([1, 1, 2, 3]))
        )
        for _ in range(count)
    ]
