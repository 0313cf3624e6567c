"""Engines: what differs between them is said by their tables, the rest is sqlglot's translation."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations.lowering.building import Sql, aliased, column, equals, operand, selected, text
from wandb_warehouse.operations.lowering.tables import TABLES

if TYPE_CHECKING:
    from wandb_warehouse.operations.lowering.relations import Scope

__all__ = ["ENGINES", "Engine"]

ENGINES = tuple(TABLES)
"""Dialects that operations are compiled for."""


_BINDING = (exp.Binary, exp.Unary, exp.AtTimeZone)
"""What an operand must be put in brackets for."""


@cache
def _template(dialect: str, template: str) -> Sql:
    return sqlglot.parse_one(template, read=dialect)


def _digits_of(sql: Sql) -> float | None:
    """The number that a literal is, without its sign; None where it is none."""
    while isinstance(sql, exp.Cast | exp.Neg | exp.Paren):
        sql = sql.this
    return float(sql.this) if isinstance(sql, exp.Literal) else None


class Engine:
    """An engine by its table.

    `OperationError` where the table lacks what is asked.
    """

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self._table = TABLES[dialect]
        self._failing: list[Sql] = []
        self.failing: set[int] = set()
        """Identities of the expressions that may fail when they are computed."""

    def _say(self, name: str, *arguments: Sql, what: str = "") -> Sql:
        template = self._table.get(name)
        if template is None:
            raise self.unknown(what or name.replace("_", " "))
        places = {f"_{place}": argument for place, argument in enumerate(arguments, 1)}

        def filled(node: exp.Expression) -> Sql:
            if isinstance(node, exp.Column) and node.name in places:
                argument = places[node.name]
                loose = isinstance(argument, exp.Binary | exp.Unary) and isinstance(node.parent, _BINDING)
                return exp.Paren(this=argument) if loose else argument
            return node

        return _template(self.dialect, template).copy().transform(filled, copy=False)

    def _name(self, name: str, what: str) -> str:
        if name not in self._table:
            raise self.unknown(what)
        return self._table[name]

    @property
    def has_lateral(self) -> bool:
        """Whether a source may refer to those before it."""
        return "lateral" in self._table

    @property
    def nests_lateral(self) -> bool:
        """Whether a subquery within such a source may, too."""
        return self._table.get("lateral") == "nested"

    def unknown(self, what: str) -> OperationError:
        """The error for what this engine cannot say."""
        return OperationError(f"{what} cannot be said in {self.dialect}", mend="compile it for duckdb")

    # Numbers

    def number(self, value: float) -> Sql:
        """A number as a literal."""
        if not math.isfinite(value):
            return self._say("infinity" if value > 0 else "minus_infinity")
        digits = repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        literal: Sql = exp.Literal.number(digits.removeprefix("-"))
        # Without an exponent a literal is a decimal, of some 38 digits at most; with one not every engine reads it so.
        if "e" in digits or len(digits) > 30:
            literal = self.double(text(digits.removeprefix("-")))
        return exp.Neg(this=literal) if digits.startswith("-") else literal

    def double(self, sql: Sql) -> Sql:
        """A number as a double, whatever its literal was."""
        return self._say("double", sql)

    def without_nan(self, sql: Sql) -> Sql:
        """A number, NULL where it is NaN."""
        return self._say("without_nan", sql)

    def remainder(self, a: Sql, b: Sql) -> Sql:
        """The remainder with the sign of the dividend."""
        return self._say("remainder", a, b)

    def power(self, a: Sql, b: Sql) -> Sql:
        """A power; NULL where it is no real number, and of 1 to an infinity, as in JavaScript."""
        whole = exp.EQ(this=b, expression=exp.Floor(this=b))
        real = exp.or_(exp.GTE(this=a, expression=exp.Literal.number(0)), whole, copy=False)
        if _digits_of(a) is None and (_digits_of(b) or 0.5) % 1:
            real = exp.or_(real, equals(a, self.number(float("-inf"))), copy=False)
        case = exp.Case()
        if _digits_of(b) is None and _digits_of(a) in (None, 1):
            ones = exp.EQ(this=exp.Abs(this=a), expression=exp.Literal.number(1))
            endless = exp.EQ(this=exp.Abs(this=b), expression=self.number(float("inf")))
            case.when(exp.and_(endless, ones, copy=False), exp.Null(), copy=False)
        return case.when(real, self._say("power", a, b), copy=False)

    def logarithm(self, number: Sql, base: int | None) -> Sql:
        """The logarithm of a positive number, natural where there is no base."""
        return self._say("ln" if base is None else f"log{base}", number)

    @staticmethod
    def truncated(number: Sql) -> Sql:
        """A number without its fraction."""
        size = exp.Floor(this=exp.Abs(this=number))
        return exp.Mul(this=exp.Sign(this=number), expression=size)

    @staticmethod
    def extreme(name: str, numbers: list[Sql]) -> Sql:
        """GREATEST or LEAST; what they make of NULL differs, so that there must be none."""
        return exp.Anonymous(this=name, expressions=list(numbers))

    def refuse(self, message: str, kind: str, witness: Sql) -> Sql:
        """An expression that fails with a message when it is computed.

        Args:
            message: what is wrong.
            kind: `text`, `number` or `boolean`: what stands in its place otherwise.
            witness: something of the row, without which an engine would compute it at once.
        """
        if "refuse" in self._table:
            return self._fails(self._say("refuse", text(message)))
        return self._fails(self._say(f"refuse_{kind}", text(f"{message}: "), witness))

    def _fails(self, sql: Sql) -> Sql:
        self._failing.append(sql)
        self.failing.add(id(sql))
        return sql

    # Times

    def milliseconds(self, moment: Sql) -> Sql:
        """Milliseconds since 1970 of a timestamp."""
        return self._say("milliseconds", moment)

    def now(self) -> Sql:
        """Milliseconds since 1970 at the start of the statement."""
        return self.milliseconds(exp.CurrentTimestamp())

    def instant(self, milliseconds: Sql) -> Sql:
        """The timestamp of milliseconds since 1970."""
        return self._fails(self._say("instant", milliseconds))

    def moment(self, words: Sql) -> Sql:
        """The timestamp that a text with its zone writes."""
        return self._say("moment", words)

    def day_text(self, moment: Sql) -> Sql:
        """As `Thu Nov 26 2026`."""
        return self._say("day_text", moment)

    def iso_text(self, moment: Sql) -> Sql:
        """As `2026-11-26T09:00:00.000Z`."""
        return self._say("iso_text", moment)

    def part(self, moment: Sql, name: str) -> Sql:
        """A part of a timestamp: year, month, day, weekday (Sunday is 0), hour, minute, second."""
        return self._say(name, moment)

    # Texts

    def length(self, sql: Sql) -> Sql:
        """Characters of a text."""
        return self._say("length", sql)

    def position(self, sql: Sql, wanted: Sql) -> Sql:
        """Where a text first occurs, from 1; 0 where it does not."""
        return self._say("position", sql, wanted)

    def starts_with(self, sql: Sql, wanted: Sql) -> Sql:
        """Whether a text begins with another."""
        return self._say("starts_with", sql, wanted)

    def ends_with(self, sql: Sql, wanted: Sql) -> Sql:
        """Whether a text ends with another."""
        return self._say("ends_with", sql, wanted)

    def trimmed(self, sql: Sql) -> Sql:
        """A text without the white space at its ends."""
        return self._say("trimmed", sql)

    def piece(self, sql: Sql, separator: str, place: int) -> Sql:
        """The piece of a text at a place from 1; NULL where there are fewer."""
        return self._say("piece", sql, text(separator), exp.Literal.number(place))

    def matches(self, sql: Sql, pattern: str) -> Sql:
        """Whether a pattern is found in a text."""
        return self._say("matches", sql, text(pattern))

    def lines(self, parts: list[Sql]) -> Sql:
        """Texts below each other, without those that are NULL; NULL where all are."""
        joined = exp.Anonymous(this=self._name("lines", "several lines"), expressions=[text("\n"), *parts])
        return exp.Nullif(this=joined, expression=text(""))

    def digits(self, sql: Sql) -> Sql:
        """The shortest digits that give a double back."""
        return self._say("digits", sql)

    def whole_digits(self, sql: Sql) -> Sql:
        """The digits of a whole number."""
        return self._say("whole_digits", sql)

    def decoded(self, sql: Sql) -> Sql:
        """The text that a JSON string holds."""
        return self._say("decoded", sql)

    def number_json(self, sql: Sql) -> Sql:
        """A number as JSON, the same however it came about: 64 whether it is stored, written out or computed."""
        if isinstance(sql, exp.Literal) and sql.this.isdigit() and int(sql.this) <= 2**53:
            return text(str(int(sql.this)))
        if "number_json" in self._table:
            return self._say("number_json", sql)
        exact = exp.LTE(this=exp.Abs(this=sql), expression=self.number(2.0**53))
        whole = exp.and_(exact, exp.EQ(this=operand(sql), expression=exp.Floor(this=sql)), copy=False)
        return (
            exp.Case()
            .when(equals(sql, self.number(float("inf"))), text("Infinity"), copy=False)
            .when(equals(sql, self.number(float("-inf"))), text("-Infinity"), copy=False)
            .when(whole, self.whole_digits(sql), copy=False)
            .else_(self.digits(sql), copy=False)
        )

    def number_text(self, sql: Sql) -> Sql:
        """A number as JavaScript writes it, for those whose digits SQL and JavaScript write alike."""
        size = exp.Abs(this=sql)
        small = exp.LT(this=size, expression=self.number(1e15))
        whole = exp.and_(small, exp.EQ(this=sql, expression=exp.Floor(this=sql)), copy=False)
        # Spark writes an exponent from ten million on, others from 1e15.
        most = self.number(1e7 if self.dialect == "spark" else 1e15)
        usual = exp.and_(
            exp.GTE(
                this=size,
                expression=exp.Literal.number("0.001" if self.dialect == "spark" else "0.0001"),
            ),
            exp.LT(this=size, expression=most),
            copy=False,
        )
        known = exp.Not(this=exp.Is(this=sql, expression=exp.Null()))
        message = "a number as small or as large is written differently by SQL and by JavaScript"
        return (
            exp.Case()
            .when(whole, self.whole_digits(sql), copy=False)
            .when(usual, self.digits(sql), copy=False)
            .when(known, self.refuse(message, "text", sql), copy=False)
        )

    def parsed_number(self, sql: Sql) -> Sql:
        """The number a text reads as in JavaScript, NULL where it reads as none."""
        return self._say("parsed_number", sql, what="a text as a number")

    def joined(self, sql: Sql, separator: str, order: list[exp.Ordered]) -> Sql:
        """Texts of many rows in one, in an order."""
        name = self._name("joined", "texts joined over rows")
        keys = list(order)
        if name == "LISTAGG":
            listed = exp.Anonymous(this=name, expressions=[sql, text(separator)])
            return exp.WithinGroup(this=listed, expression=exp.Order(expressions=keys)) if keys else listed
        between: Sql = text(separator)
        between = exp.Order(this=between, expressions=keys) if keys else between
        return exp.Anonymous(this=name, expressions=[sql, between])

    # JSON

    def quoted(self, sql: Sql) -> Sql:
        """A text as JSON text."""
        return self._say("quoted", sql)

    def document(self, sql: Sql) -> Sql:
        """JSON text as a column of the result."""
        return self._say("document", sql)

    def item(self, json: Sql, path: tuple[str | int, ...]) -> Sql:
        """What stands within JSON under names and places; NULL where nothing does."""
        if self._table.get("item") == "JSONB_EXTRACT_PATH":
            steps = [text(str(step)) for step in path]
            held = exp.cast(json, exp.DataType.build("JSONB"), copy=False)
            return exp.Anonymous(this="JSONB_EXTRACT_PATH", expressions=[held, *steps])
        # A JSON pointer: no name can mean anything else in it.
        parts = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        pointer = text("".join(f"/{part}" for part in parts))
        return self._say("item", json, pointer, what="a part of a list or an object")

    def object_of(self, document: Sql, key: str) -> Sql:
        """The JSON of an object under a dotted key of a document."""
        if "object_of" not in self._table:
            what = f"an object has no JSON in {self.dialect}; name the key within that is wanted"
            return self.refuse(what, "text", document)
        whole = self.item(document, (key,))
        nested = self.item(document, tuple(key.split(".")))
        return self._say("json_text", exp.Coalesce(this=whole, expressions=[nested]) if "." in key else whole)

    def kind(self, json: Sql) -> Sql:
        """Kind of JSON: number, bool, string, list, object or null."""
        return self._say("kind", json)

    def unquoted(self, json: Sql) -> Sql:
        """The text that JSON is, where it is one."""
        return self._say("unquoted", json)

    def json_number(self, json: Sql) -> Sql:
        """The number that JSON is, where it is one."""
        return self._say("json_number", json)

    def json_text(self, json: Sql) -> Sql:
        """JSON as its text."""
        return self._say("json_text", json)

    def json_length(self, json: Sql) -> Sql:
        """Items of a JSON list."""
        return self._say("json_length", json)

    # Lists as rows

    def items(self, scope: Scope, json: Sql, alias: str) -> tuple[Sql, Sql]:
        """Add a source with a row for each item of a JSON list; its JSON and its place."""
        return self._unnested(scope, self._say("items", json, what="a list within a value as rows"), alias)

    def pieces(self, scope: Scope, sql: Sql, separator: str, alias: str) -> tuple[Sql, Sql]:
        """Add a source with a row for each piece of a text; the piece and its place."""
        every = self._say("pieces", sql, text(separator), what="the pieces of a text as rows")
        return self._unnested(scope, every, alias)

    def _unnested(self, scope: Scope, every: Sql, alias: str) -> tuple[Sql, Sql]:
        name = exp.to_identifier(alias)
        if self.dialect == "postgres":
            columns = [exp.to_identifier("item"), exp.to_identifier("place")]
            lateral = exp.Lateral(
                this=every, ordinality=True, alias=exp.TableAlias(this=name, columns=columns)
            )
            scope.add(lateral, exp.true())
            return column("item", alias), column("place", alias)
        (inner,) = every.expressions or [every.this]
        places = exp.Anonymous(this="GENERATE_SUBSCRIPTS", expressions=[inner, exp.Literal.number(1)])
        query = selected(aliased(every, "item"), aliased(places, "place"))
        scope.add(exp.Lateral(this=query.subquery(copy=False), alias=exp.TableAlias(this=name)), exp.true())
        return column("item", alias), column("place", alias)
