"""What engines say differently: each is a table of the few expressions that no translation gets right.

The base class is DuckDB. What an engine cannot say is refused by name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations.lowering.relations import Sql, column, text

if TYPE_CHECKING:
    from wandb_warehouse.operations.lowering.relations import Scope

__all__ = ["Engine", "call"]

DOUBLE = exp.DataType.build("DOUBLE")
TEXT = exp.DataType.build("TEXT")


def call(name: str, *arguments: Sql) -> Sql:
    """A function of the engine by its own name, copied arguments."""
    return exp.func(name, *(each.copy() for each in arguments), dialect="duckdb")


class Engine:
    """DuckDB."""

    dialect = "duckdb"

    def number(self, value: float) -> Sql:
        """A number as a literal."""
        if not math.isfinite(value):
            return exp.cast(text("Infinity" if value > 0 else "-Infinity"), DOUBLE, copy=False)
        digits = repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        literal: Sql = exp.Literal.number(digits.removeprefix("-"))
        # Without an exponent DuckDB reads a decimal, of at most 38 digits.
        if "e" in digits or len(digits) > 30:
            literal = exp.cast(text(digits.removeprefix("-")), DOUBLE, copy=False)
        return exp.Neg(this=literal) if digits.startswith("-") else literal

    def double(self, sql: Sql) -> Sql:
        """A number as a double, whatever its literal was."""
        return exp.cast(sql.copy(), DOUBLE, copy=False)

    def without_nan(self, sql: Sql) -> Sql:
        """A number, NULL where it is NaN."""
        return exp.Nullif(this=sql.copy(), expression=exp.cast(text("NaN"), DOUBLE, copy=False))

    def refuse(self, message: str) -> Sql:
        """An expression that fails with a message when it is computed."""
        return exp.Anonymous(this="error", expressions=[text(message)])

    # Times

    def milliseconds(self, moment: Sql) -> Sql:
        """Milliseconds since 1970 of a timestamp."""
        return exp.Anonymous(this="epoch_ms", expressions=[moment.copy()])

    def now(self) -> Sql:
        """Milliseconds since 1970 at the start of the statement."""
        return self.milliseconds(exp.CurrentTimestamp())

    def instant(self, milliseconds: Sql) -> Sql:
        """The timestamp of milliseconds since 1970."""
        seconds = exp.Div(
            this=exp.paren(milliseconds.copy(), copy=False), expression=exp.Literal.number("1000.0")
        )
        return exp.Anonymous(this="to_timestamp", expressions=[seconds])

    def utc(self, moment: Sql) -> Sql:
        """A timestamp in UTC, without its zone."""
        return exp.AtTimeZone(this=moment.copy(), zone=text("UTC"))

    def day_text(self, moment: Sql) -> Sql:
        """As `Thu Nov 26 2026`."""
        return exp.Anonymous(this="strftime", expressions=[self.utc(moment), text("%a %b %d %Y")])

    def iso_text(self, moment: Sql) -> Sql:
        """As `2026-11-26T09:00:00.000Z`."""
        return exp.Anonymous(this="strftime", expressions=[self.utc(moment), text("%Y-%m-%dT%H:%M:%S.%gZ")])

    def part(self, moment: Sql, name: str) -> Sql:
        """A part of a timestamp: year, month, day, weekday (Sunday is 0), hour, minute, second."""
        word = {"weekday": "DOW"}.get(name, name.upper())
        return exp.Extract(this=exp.var(word), expression=self.utc(moment))

    # Texts

    def length(self, sql: Sql) -> Sql:
        """Characters of a text."""
        return exp.Length(this=sql.copy())

    def position(self, sql: Sql, wanted: Sql) -> Sql:
        """Where a text first occurs, from 1; 0 where it does not."""
        return exp.StrPosition(this=sql.copy(), substr=wanted.copy())

    def starts_with(self, sql: Sql, wanted: Sql) -> Sql:
        """Whether a text begins with another."""
        return exp.StartsWith(this=sql.copy(), expression=wanted.copy())

    def ends_with(self, sql: Sql, wanted: Sql) -> Sql:
        """Whether a text ends with another."""
        return exp.EndsWith(this=sql.copy(), expression=wanted.copy())

    def trimmed(self, sql: Sql) -> Sql:
        """A text without the white space at its ends."""
        pattern = text(r"^[\s\x{FEFF}\x{00A0}]+|[\s\x{FEFF}\x{00A0}]+$")
        return exp.RegexpReplace(
            this=sql.copy(), expression=pattern, replacement=text(""), modifiers=text("g")
        )

    def piece(self, sql: Sql, separator: str, place: int) -> Sql:
        """The piece of a text at a place from 1; NULL where there are fewer."""
        pieces = exp.Anonymous(this="string_split", expressions=[sql.copy(), text(separator)])
        return exp.Anonymous(this="list_extract", expressions=[pieces, exp.Literal.number(place)])

    def matches(self, sql: Sql, pattern: str) -> Sql:
        """Whether a pattern of RE2's syntax is found in a text."""
        return exp.RegexpLike(this=sql.copy(), expression=text(pattern))

    def lines(self, parts: list[Sql]) -> Sql:
        """Texts below each other, without those that are NULL; NULL where all are."""
        joined = exp.Anonymous(this="concat_ws", expressions=[text("\n"), *parts])
        return exp.Nullif(this=joined, expression=text(""))

    def number_text(self, sql: Sql) -> Sql:
        """A number as JavaScript writes it, for those whose digits SQL and JavaScript write alike."""
        whole = exp.cast(exp.cast(sql.copy(), exp.DataType.build("BIGINT"), copy=False), TEXT, copy=False)
        size = exp.Abs(this=sql.copy())
        return (
            exp.Case()
            .when(
                exp.and_(
                    size.copy() < self.number(1e15), sql.copy().eq(exp.Floor(this=sql.copy())), copy=False
                ),
                whole,
                copy=False,
            )
            .when(
                exp.and_(
                    size.copy() >= exp.Literal.number("0.0001"), size.copy() < self.number(1e15), copy=False
                ),
                self.digits(sql),
                copy=False,
            )
            .when(
                exp.Is(this=sql.copy(), expression=exp.Null()).not_(),
                self.refuse(
                    "a number below 0.0001 or from 1e15 on is written differently by SQL and by JavaScript"
                ),
                copy=False,
            )
        )

    def digits(self, sql: Sql) -> Sql:
        """The shortest digits that give a double back."""
        return exp.cast(exp.cast(sql.copy(), DOUBLE, copy=False), TEXT, copy=False)

    def parsed_number(self, sql: Sql) -> Sql:
        """The number a text reads as in JavaScript, NULL where it reads as none."""
        trimmed = self.trimmed(sql)
        pattern = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
        return (
            exp.Case()
            .when(self.matches(trimmed, pattern), exp.cast(trimmed.copy(), DOUBLE, copy=False), copy=False)
            .when(
                trimmed.copy().eq(text("")), exp.cast(exp.Literal.number(0), DOUBLE, copy=False), copy=False
            )
            .when(self.matches(trimmed, "^[+]?Infinity$"), self.number(math.inf), copy=False)
            .when(trimmed.copy().eq(text("-Infinity")), self.number(-math.inf), copy=False)
        )

    # JSON

    def quoted(self, sql: Sql) -> Sql:
        """A text as JSON text."""
        return exp.cast(exp.Anonymous(this="to_json", expressions=[sql.copy()]), TEXT, copy=False)

    def document(self, sql: Sql) -> Sql:
        """JSON text as a column of the result."""
        return exp.cast(sql.copy(), exp.DataType.build("JSON", dialect="duckdb"), copy=False)

    def item(self, json: Sql, path: tuple[str | int, ...]) -> Sql:
        """What stands within JSON under names and places; NULL where nothing does."""
        # A JSON pointer: no name can mean anything else in it.
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        pointer = text("".join(f"/{step}" for step in steps))
        return exp.Anonymous(this="json_extract", expressions=[json.copy(), pointer])

    def object_of(self, document: Sql, key: str) -> Sql:
        """The JSON of an object under a dotted key of a document."""
        whole = self.item(document, (key,))
        nested = self.item(document, tuple(key.split(".")))
        found = exp.Coalesce(this=whole, expressions=[nested]) if "." in key else whole
        return exp.cast(found, TEXT, copy=False)

    def kind(self, json: Sql) -> Sql:
        """Kind of JSON: number, bool, string, list, object or null."""
        kinds = {"VARCHAR": "string", "BOOLEAN": "bool", "ARRAY": "list", "OBJECT": "object", "NULL": "null"}
        case = exp.Case(this=exp.Anonymous(this="json_type", expressions=[json.copy()]))
        for theirs, ours in kinds.items():
            case = case.when(text(theirs), text(ours), copy=False)
        known = exp.Is(this=json.copy(), expression=exp.Null()).not_()
        return exp.Case().when(known, case.else_(text("number"), copy=False), copy=False)

    def unquoted(self, json: Sql) -> Sql:
        """The text that JSON is, where it is one."""
        return exp.Anonymous(this="json_extract_string", expressions=[json.copy(), text("$")])

    def json_number(self, json: Sql) -> Sql:
        """The number that JSON is, where it is one."""
        return exp.cast(json.copy(), DOUBLE, copy=False)

    def json_length(self, json: Sql) -> Sql:
        """Items of a JSON list."""
        return exp.Anonymous(this="json_array_length", expressions=[json.copy()])

    def items(self, scope: Scope, json: Sql, alias: str) -> tuple[Sql, Sql]:
        """Add a source with a row for each item of a JSON list; its JSON and its place."""
        every = exp.Anonymous(this="json_extract", expressions=[json.copy(), text("$[*]")])
        return self._unnested(scope, every, alias)

    def pieces(self, scope: Scope, sql: Sql, separator: str, alias: str) -> tuple[Sql, Sql]:
        """Add a source with a row for each piece of a text; the piece and its place."""
        every = exp.Anonymous(this="string_split", expressions=[sql.copy(), text(separator)])
        return self._unnested(scope, every, alias)

    @staticmethod
    def _unnested(scope: Scope, every: Sql, alias: str) -> tuple[Sql, Sql]:
        places = exp.Anonymous(this="generate_subscripts", expressions=[every.copy(), exp.Literal.number(1)])
        query = exp.select(
            exp.alias_(exp.Anonymous(this="unnest", expressions=[every.copy()]), "item", copy=False),
            exp.alias_(places, "place", copy=False),
        )
        scope.add(
            exp.Lateral(this=query.subquery(), alias=exp.TableAlias(this=exp.to_identifier(alias))),
            exp.true(),
        )
        return column("item", alias), column("place", alias)

    # Aggregates

    def joined(self, sql: Sql, separator: str, order: list[exp.Ordered]) -> Sql:
        """Texts of many rows in one, in an order."""
        between: Sql = text(separator)
        if order:
            between = exp.Order(this=between, expressions=[each.copy() for each in order])
        return exp.Anonymous(this="string_agg", expressions=[sql.copy(), between])

    def extreme(self, name: str, numbers: list[Sql]) -> Sql:
        """GREATEST or LEAST; what they make of NULL differs, so that there must be none."""
        return exp.Anonymous(this=name, expressions=[each.copy() for each in numbers])

    def unknown(self, what: str) -> OperationError:
        """The error for what this engine cannot say."""
        return OperationError(f"{what} cannot be said in {self.dialect}", mend="run it in DuckDB")

    # Arithmetic

    def remainder(self, a: Sql, b: Sql) -> Sql:
        """The remainder with the sign of the dividend."""
        return exp.Mod(this=self.double(a), expression=b.copy())

    def power(self, a: Sql, b: Sql) -> Sql:
        """A power; NULL where it is no real number."""
        whole = exp.EQ(this=b.copy(), expression=exp.Floor(this=b.copy()))
        real = exp.or_(exp.GTE(this=a.copy(), expression=exp.Literal.number(0)), whole, copy=False)
        return exp.Case().when(real, exp.Pow(this=self.double(a), expression=b.copy()), copy=False)

    def logarithm(self, number: Sql, base: int | None) -> Sql:
        """The logarithm of a positive number, natural where there is no base."""
        if base is None:
            return exp.Ln(this=number.copy())
        return exp.Anonymous(this=f"log{base}", expressions=[number.copy()])

    def truncated(self, number: Sql) -> Sql:
        """A number without its fraction."""
        return exp.Mul(
            this=exp.Sign(this=number.copy()), expression=exp.Floor(this=exp.Abs(this=number.copy()))
        )
