"""Parts of SQL, made without copies.

sqlglot's own builders copy what they are given, and one part is a part of many: a value is asked for its kind, number,
text and JSON. Here a part may stand in several places; printing copies a statement once, as a whole. So no part is
changed after it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot.expressions import Expr as Sql
else:
    Sql = exp.Expression  # what older versions call it

__all__ = [
    "Sql",
    "aliased",
    "both",
    "column",
    "copied",
    "distinct",
    "equals",
    "is_null",
    "negated",
    "operand",
    "selected",
    "table",
    "text",
    "whole",
]


def column(name: str, table: str) -> exp.Column:
    """A column of our own tables and views; names of users are quoted elsewhere."""
    return exp.column(name, table=table)


def table(name: str, alias: str | None = None) -> exp.Table:
    """One of our own tables or views."""
    known = exp.TableAlias(this=exp.to_identifier(alias)) if alias else None
    return exp.Table(this=exp.to_identifier(name), alias=known)


def text(value: str) -> exp.Literal:
    """A text literal; the printer escapes it for its dialect."""
    return exp.Literal.string(value)


def aliased(sql: Sql, name: str, *, quoted: bool = False) -> exp.Alias:
    """An expression under a name."""
    return exp.Alias(this=sql, alias=exp.to_identifier(name, quoted=quoted))


def operand(sql: Sql) -> Sql:
    """An expression as an operand: in brackets where it is none of one piece."""
    loose = isinstance(sql, exp.Binary | exp.Unary | exp.Between | exp.In)
    return exp.Paren(this=sql) if loose and not isinstance(sql, exp.Paren | exp.Dot) else sql


def equals(left: Sql, right: Sql) -> exp.EQ:
    """Whether two expressions are equal."""
    return exp.EQ(this=operand(left), expression=operand(right))


def negated(sql: Sql) -> exp.Not:
    """NOT."""
    return exp.Not(this=operand(sql))


def is_null(sql: Sql) -> exp.Is:
    """Whether an expression is NULL."""
    return exp.Is(this=operand(sql), expression=exp.Null())


def both(conditions: Sequence[Sql]) -> Sql:
    """All conditions in one."""
    return exp.and_(*conditions, copy=False) if conditions else exp.true()


def selected(*columns: Sql) -> exp.Select:
    """The SELECT of some columns, of nothing yet."""
    return exp.select(*columns, copy=False)


def distinct(columns: Sequence[str], of: str) -> exp.Select:
    """Each combination of some columns of one of our own tables once."""
    query = selected(*(exp.column(name) for name in columns)).from_(table(of), copy=False)
    return query.distinct(copy=False)


def whole(sql: Sql) -> Iterator[Sql]:
    """An expression with all that it is made of, but for the names of columns."""
    left = [sql]
    while left:
        found = left.pop()
        yield found
        if isinstance(found, exp.Column):
            continue
        for argument in found.args.values():
            if isinstance(argument, exp.Expression):
                left.append(argument)
            elif type(argument) is list:
                left += [part for part in argument if isinstance(part, exp.Expression)]


def copied(sql: exp.Select) -> exp.Select:
    """A statement of which every part stands in one place: sqlglot's own copy takes twice as long."""
    return cast("exp.Select", _copied(sql))


def _copied(sql: Sql) -> Sql:
    arguments: dict[str, Any] = {}
    for name, argument in sql.args.items():
        if isinstance(argument, exp.Expression):
            arguments[name] = _copied(argument)
        elif type(argument) is list:
            arguments[name] = [
                _copied(part) if isinstance(part, exp.Expression) else part for part in argument
            ]
        else:
            arguments[name] = argument
    made = type(sql)(**arguments)
    if isinstance(sql, exp.Func) and sql.meta:
        made.meta.update(sql.meta)  # how its name was written
    return made
