"""The names of the notation: a run's operations, fields, methods and functions, each with its types."""

from dataclasses import dataclass

from wandb_warehouse.operations.tree import BOOLEAN, DATE, NUMBER, TEXT, VALUE, Type

__all__ = [
    "AGGREGATES",
    "ARTIFACT_FIELDS",
    "ARTIFACT_LISTS",
    "CONSTANTS",
    "DATE_METHODS",
    "DOCUMENTS",
    "MATH",
    "NUMBERS",
    "RUN_FIELDS",
    "RUN_OPERATIONS",
    "TEXT_METHODS",
    "Method",
    "operation_name",
]

RUN_FIELDS: dict[str, tuple[str, Type]] = {
    "name": ("name", TEXT),
    "id": ("run_id", TEXT),
    "state": ("state", TEXT),
    "jobType": ("job_type", TEXT),
    "group": ("run_group", TEXT),
    "sweep": ("sweep_id", TEXT),
    "user": ("username", TEXT),
    "project": ("project", TEXT),
    "entity": ("entity", TEXT),
    "notes": ("notes", TEXT),
    "createdAt": ("created_at", DATE),
    "heartbeatAt": ("heartbeat_at", DATE),
    "runtime": ("runtime", NUMBER),
}
"""Operations that give a column of `runs`: the column and its type."""

DOCUMENTS = {"config": "config", "summary": "summary"}
"""Operations that give a dictionary."""

ARTIFACT_LISTS = {"loggedArtifactVersions": "logged", "usedArtifactVersions": "used"}
"""Operations that give a run's artifact versions: the direction."""

RUN_OPERATIONS = (
    *DOCUMENTS,
    *RUN_FIELDS,
    *ARTIFACT_LISTS,
    "loggedArtifactVersion",
    "tags",
    "history",
)
"""Every operation of a run, without `run-`."""

ARTIFACT_FIELDS: dict[str, tuple[str, Type]] = {
    "name": ("collection", TEXT),
    "version": ("version", TEXT),
    "type": ("type", TEXT),
    "size": ("size", NUMBER),
    "digest": ("digest", TEXT),
    "state": ("state", TEXT),
    "description": ("description", TEXT),
    "createdAt": ("created_at", DATE),
}
"""Fields of an artifact version: the column and its type; `aliases` and `metadata` beside."""

AGGREGATES = ("count", "avg", "max", "min", "sum", "stddev")
"""What makes one value of a list; parentheses may be left out."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method or function: what computes it, how many arguments it takes, their type, and what it gives."""

    function: str
    least: int
    most: int
    argument: Type
    result: Type


TEXT_METHODS = {
    "startsWith": Method("starts_with", 1, 1, TEXT, BOOLEAN),
    "endsWith": Method("ends_with", 1, 1, TEXT, BOOLEAN),
    "includes": Method("contains", 1, 1, TEXT, BOOLEAN),
    "indexOf": Method("index_of", 1, 1, TEXT, NUMBER),
    "toLowerCase": Method("lower", 0, 0, TEXT, TEXT),
    "toUpperCase": Method("upper", 0, 0, TEXT, TEXT),
    "trim": Method("trim", 0, 0, TEXT, TEXT),
    "slice": Method("slice", 1, 2, NUMBER, TEXT),
    "replace": Method("replace", 2, 2, TEXT, TEXT),
    "replaceAll": Method("replace_all", 2, 2, TEXT, TEXT),
}
"""Methods of a text; `length` and `split` beside."""

DATE_METHODS = {
    "getTime": Method("number", 0, 0, NUMBER, NUMBER),
    "valueOf": Method("number", 0, 0, NUMBER, NUMBER),
    "toISOString": Method("iso_text", 0, 0, NUMBER, TEXT),
    "toJSON": Method("iso_text", 0, 0, NUMBER, TEXT),
    "toDateString": Method("day_text", 0, 0, NUMBER, TEXT),
    **{
        f"get{infix}{name}": Method(function, 0, 0, NUMBER, NUMBER)
        for infix in ("", "UTC")
        for name, function in (
            ("FullYear", "year"),
            ("Month", "month"),
            ("Date", "day"),
            ("Day", "weekday"),
            ("Hours", "hour"),
            ("Minutes", "minute"),
            ("Seconds", "second"),
        )
    },
}
"""Methods of a date, in UTC."""

MATH = {
    "abs": Method("abs", 1, 1, NUMBER, NUMBER),
    "ceil": Method("ceil", 1, 1, NUMBER, NUMBER),
    "exp": Method("exp", 1, 1, NUMBER, NUMBER),
    "floor": Method("floor", 1, 1, NUMBER, NUMBER),
    "log": Method("log", 1, 1, NUMBER, NUMBER),
    "log2": Method("log2", 1, 1, NUMBER, NUMBER),
    "log10": Method("log10", 1, 1, NUMBER, NUMBER),
    "max": Method("largest", 1, 20, NUMBER, NUMBER),
    "min": Method("smallest", 1, 20, NUMBER, NUMBER),
    "pow": Method("power", 2, 2, NUMBER, NUMBER),
    "round": Method("round", 1, 1, NUMBER, NUMBER),
    "sign": Method("sign", 1, 1, NUMBER, NUMBER),
    "sqrt": Method("sqrt", 1, 1, NUMBER, NUMBER),
    "trunc": Method("trunc", 1, 1, NUMBER, NUMBER),
}
"""Functions of `Math`."""

NUMBERS = {"PI": 3.141592653589793, "E": 2.718281828459045}
"""Constants of `Math`."""

CONSTANTS = {
    "Number": Method("number", 1, 1, VALUE, NUMBER),
    "String": Method("string", 1, 1, VALUE, TEXT),
    "Boolean": Method("truth", 1, 1, VALUE, BOOLEAN),
    "isNaN": Method("is_nan", 1, 1, VALUE, BOOLEAN),
}
"""Functions that stand by themselves."""


def operation_name(name: str) -> str | None:
    """The operation of a run that a name writes, without `run-`, else None.

    >>> operation_name("run-createdAt"), operation_name("runCreatedAt"), operation_name("running")
    ('createdAt', 'createdAt', None)
    """
    if name.startswith("run-"):
        return name.removeprefix("run-")
    if name.startswith("run") and name[3:4].isupper():
        return name[3].lower() + name[4:]
    return None
