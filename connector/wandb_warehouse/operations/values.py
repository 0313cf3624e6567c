"""The views of values for other engines: what `sql/views/config_values.sql` and its kin are for DuckDB.

They are of one form, and decode what each engine decodes differently: the text of a JSON string, the number that a text
reads as. Compiled operations read them in every engine.
"""

from sqlglot import exp

from wandb_warehouse.operations.lowering.building import Sql, text
from wandb_warehouse.operations.lowering.engines import Engine

__all__ = ["VALUE_VIEWS", "values_view"]

VALUE_VIEWS = {
    "config_values": ("run_config", ("entity", "project", "run_id", "key"), True),
    "summary_values": ("run_summary", ("entity", "project", "run_id", "key"), True),
    "history_points": ("history", ("entity", "project", "run_id", "key", "step", "seq"), False),
}
"""Each view: its table, the columns that name a row, and whether only the first of several rows of a key is shown."""


def values_view(name: str, dialect: str) -> str:
    """The SELECT of a view of values in an engine's dialect.

    Raises:
        OperationError: the engine cannot say it.

    >>> values_view("config_values", "postgres").splitlines()[-1]
    ') AS decoded'
    """
    engine = Engine(dialect)
    table, columns, first_only = VALUE_VIEWS[name]
    decoded = exp.select(
        *columns,
        exp.alias_(_kind(), "kind"),
        exp.alias_(exp.Case().when(_is("string"), engine.decoded(exp.column("value_json"))), "text"),
        "value",
        "value_json",
    ).from_(table)
    if first_only:
        decoded = decoded.where(exp.column("seq").eq(exp.Literal.number(0)))
    shown = exp.select(
        *columns,
        "kind",
        exp.alias_(_number(engine), "number"),
        "text",
        exp.alias_(_json(engine), "json"),
    ).from_(decoded.subquery("decoded"))
    return shown.sql(dialect=dialect, pretty=True)


def _is(kind: str) -> Sql:
    return exp.column("type").eq(text(kind))


def _kind() -> Sql:
    """The kind of a row; lists and objects are told apart by how their JSON begins."""
    start = exp.Substring(
        this=exp.column("value_json"), start=exp.Literal.number(1), length=exp.Literal.number(1)
    )
    return (
        exp.Case()
        .when(exp.column("type").neq(text("json")), exp.column("type"))
        .when(start.eq(text("[")), text("list"))
        .when(start.copy().eq(text("{")), text("object"))
    )


def _number(engine: Engine) -> Sql:
    value = exp.column("value")
    return (
        exp.Case(this=exp.column("kind"))
        .when(text("number"), engine.without_nan(value))
        .when(text("bool"), value)
        .when(text("string"), engine.parsed_number(exp.column("text")))
    )


def _json(engine: Engine) -> Sql:
    value = exp.column("value")
    truth = exp.Case().when(value.eq(exp.Literal.number(1)), text("true")).else_(text("false"))
    nan = exp.Is(this=engine.without_nan(value), expression=exp.Null())
    number = (
        exp.Case()
        .when(nan, text("NaN"))
        .when(exp.EQ(this=value.copy(), expression=engine.number(float("inf"))), text("Infinity"))
        .when(exp.EQ(this=value.copy(), expression=engine.number(float("-inf"))), text("-Infinity"))
        .when(_whole(engine, value), engine.whole_digits(value))
        .else_(engine.digits(value))
    )
    return (
        exp.Case(this=exp.column("kind"))
        .when(text("number"), number)
        .when(text("bool"), truth)
        .when(text("null"), text("null"))
        .else_(exp.column("value_json"))
    )


def _whole(engine: Engine, value: Sql) -> Sql:
    exact = exp.LTE(this=exp.Abs(this=value.copy()), expression=engine.number(2.0**53))
    return exp.and_(exact, exp.EQ(this=value.copy(), expression=exp.Floor(this=value.copy())))
