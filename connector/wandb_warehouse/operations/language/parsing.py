"""From text to the syntax tree."""

import re
from collections.abc import Sequence
from typing import Any, cast

from lark import Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.grammar import parser
from wandb_warehouse.operations.language.messages import refusal

__all__ = ["parse"]

_LONGEST = 100_000
"""Characters of the longest program."""

_DEEPEST = 100
"""Brackets open at the same time."""

_CONSTANTS: dict[str, float | bool | None] = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
}

_ESCAPE = re.compile(
    r"\\(?:u\{(?P<point>[0-9a-fA-F]{1,6})\}|u(?P<unit>[0-9a-fA-F]{4})|x(?P<byte>[0-9a-fA-F]{2})|(?P<other>.|\n))",
    re.DOTALL,
)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_SPLIT = re.compile(r"\\.|\$\{|.", re.DOTALL)


def parse(text: str) -> tuple[s.Statement, ...]:
    """Read a program.

    Raises:
        OperationError: the text is not of the notation; the error names the place.
    """
    if len(text) > _LONGEST:
        raise refusal(text, s.Span(0, 0), f"the program has {len(text)} characters", mend="shorten it")
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth > _DEEPEST:
            raise refusal(
                text, s.Span(place, place), "too many brackets inside each other", mend="use assignments"
            )
    try:
        return _Reader(text, 0).statements(parser().parse(text, start="program").children)
    except UnexpectedInput as error:
        raise _unreadable(text, error) from error
    except RecursionError as error:
        raise refusal(text, s.Span(0, 0), "the expression is too long", mend="use assignments") from error


class _Reader:
    """Turns the parser's tree into ours; a template's expressions are texts of their own, further in."""

    def __init__(self, text: str, offset: int) -> None:
        self._text = text
        self._offset = offset

    def statements(self, trees: Sequence[Any]) -> tuple[s.Statement, ...]:
        """Statements, without the empty ones."""
        return tuple(self._statement(tree) for tree in trees if tree.data != "empty")

    def _span(self, part: Tree[Token] | Token) -> s.Span:
        if isinstance(part, Token):
            start, end = part.start_pos or 0, part.end_pos or 0
        else:
            start, end = getattr(part.meta, "start_pos", 0), getattr(part.meta, "end_pos", 0)
        return s.Span(start + self._offset, end + self._offset)

    def _statement(self, tree: Tree[Token]) -> s.Statement:
        span = self._span(tree)
        children = cast("list[Any]", tree.children)
        match tree.data:
            case "assignment":
                return s.Assignment(str(children[0]), self.expression(children[1]), span)
            case "return_statement":
                return s.Return(self.expression(children[0]), span)
            case "if_statement":
                then, otherwise = children[1], children[2]
                return s.If(
                    self.expression(children[0]),
                    self.statements(then.children),
                    self.statements(otherwise.children) if otherwise is not None else (),
                    span,
                )
            case _:
                return s.Evaluation(self.expression(children[0]), span)

    def expression(self, tree: Tree[Token]) -> s.Expression:
        """One expression."""
        span = self._span(tree)
        parts = cast("list[Any]", tree.children)
        match tree.data:
            case "grouped":
                return self.expression(parts[0])
            case "name":
                word = str(parts[0])
                return s.Literal(_CONSTANTS[word], span) if word in _CONSTANTS else s.Name(word, span)
            case "number":
                digits = str(parts[0]).replace("_", "")
                return s.Literal(
                    float(int(digits, 16)) if digits[:2] in ("0x", "0X") else float(digits), span
                )
            case "string":
                return s.Literal(self._unescaped(str(parts[0])[1:-1], span), span)
            case "template":
                return s.Template(tuple(self._pieces(parts[0])), span)
            case "member":
                return s.Member(self.expression(parts[0]), str(parts[1]), span)
            case "index":
                return s.Index(self.expression(parts[0]), self.expression(parts[1]), span)
            case "call":
                return s.Call(self.expression(parts[0]), self._arguments(parts[1]), span)
            case "new":
                return s.New(str(parts[0]), self._arguments(parts[1]), span)
            case "arrow":
                return s.Arrow(_parameters(parts[0]), self.expression(parts[1]), span)
            case "arrow_block":
                return s.Arrow(_parameters(parts[0]), self.statements(parts[1:]), span)
            case "unary":
                return s.Unary(str(parts[0]), self.expression(parts[1]), span)
            case "conditional":
                condition, then, otherwise = (self.expression(part) for part in parts)
                return s.Conditional(condition, then, otherwise, span)
            case "record":
                return s.Object(tuple(self._entry(part) for part in parts if part is not None), span)
            case "array":
                return s.Array(self._arguments(parts[0]), span)
            case _:
                operator = _OPERATORS.get(tree.data) or str(parts[1])
                return s.Binary(operator, self.expression(parts[0]), self.expression(parts[-1]), span)

    def _arguments(self, tree: Tree[Token] | None) -> tuple[s.Expression, ...]:
        if tree is None:
            return ()
        return tuple(
            self.expression(cast("Tree[Token]", part))
            for part in cast("list[Any]", tree.children)
            if part is not None
        )

    def _entry(self, tree: Tree[Token]) -> tuple[str, s.Expression]:
        token = cast("Token", tree.children[0])
        span = self._span(token)
        if tree.data == "shorthand":
            return str(token), s.Name(str(token), span)
        name = str(token) if token.type == "NAME" else self._unescaped(str(token)[1:-1], span)
        return name, self.expression(cast("Tree[Token]", tree.children[1]))

    def _unescaped(self, inner: str, span: s.Span) -> str:
        try:
            return unescaped(inner)
        except ValueError as error:
            raise refusal(self._text, span, f"the text {error}", mend="mend the escape") from error

    def _pieces(self, token: Token) -> "list[s.Expression]":
        """Texts and expressions of a template literal."""
        body, begin = str(token)[1:-1], (token.start_pos or 0) + 1
        pieces: list[s.Expression] = []
        literal, at = 0, 0
        while at < len(body):
            step = _SPLIT.match(body, at)
            assert step is not None
            at = step.end()
            if step[0] != "${":
                continue
            end = _closing(body, at)
            place = s.Span(begin + self._offset + step.start(), begin + self._offset + at)
            if end is None:
                raise refusal(self._text, place, "this ${ is not closed", mend="close it with }")
            pieces.append(s.Literal(self._unescaped(body[literal : step.start()], place), place))
            pieces.append(self._within(body[at:end], begin + self._offset + at))
            at = literal = end + 1
        pieces.append(s.Literal(self._unescaped(body[literal:], self._span(token)), self._span(token)))
        return [piece for piece in pieces if not (isinstance(piece, s.Literal) and piece.value == "")]

    def _within(self, text: str, offset: int) -> s.Expression:
        try:
            tree = parser().parse(text, start="expression")
        except UnexpectedInput as error:
            raise _unreadable(self._text, error, offset) from error
        return _Reader(self._text, offset).expression(tree)


_OPERATORS = {
    "binary_nullish": "??",
    "binary_or": "||",
    "binary_and": "&&",
    "binary_power": "**",
}


def _closing(body: str, at: int) -> int | None:
    """Where the brace that closes `${` stands; braces of records within are passed over, texts too."""
    depth, quote = 0, ""
    while at < len(body):
        character = body[at]
        if character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    return None


def _parameters(token: Token) -> tuple[str, ...]:
    return tuple(re.findall(r"[A-Za-z_$][\w$]*", str(token).partition("=>")[0]))


def unescaped(inner: str) -> str:
    """The text that a literal with JavaScript's escapes stands for.

    Raises:
        ValueError: it is none that SQL could hold.
    """

    def replace(found: re.Match[str]) -> str:
        code = found["point"] or found["unit"] or found["byte"]
        if code is None:
            return _SHORT.get(found["other"], found["other"])
        if (number := int(code, 16)) > 0x10FFFF:
            raise ValueError(f"has no character {found[0]}")
        return chr(number)

    text = _ESCAPE.sub(replace, inner)
    # Two escapes may write the halves of one character.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _halves(text) else text
    if "\0" in text:
        raise ValueError("holds a null character, which no SQL text can")
    if "\ufffd" in text and "\ufffd" not in inner:
        raise ValueError("holds half a character")
    return text


def _halves(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _unreadable(text: str, error: UnexpectedInput, offset: int = 0) -> Exception:
    """An error for what the grammar does not know."""
    if isinstance(error, UnexpectedCharacters):
        at = cast("int", error.pos_in_stream) + offset
        found = text[at : at + 1]
        what = "this text has no end" if found in "'\"`" else f"{found!r} is no sign of the notation"
        return refusal(text, s.Span(at, at + 1), what, mend="see docs/operations.md, Expressions")
    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is None or token.type == "$END":
        end = s.Span(len(text), len(text))
        return refusal(text, end, "the text ends in the middle of an expression", mend="go on with it")
    start = (token.start_pos or 0) + offset
    mend = _HINTS.get(str(token), "see docs/operations.md, Expressions")
    return refusal(text, s.Span(start, start + len(token)), f"unexpected {str(token)[:40]}", mend=mend)


_HINTS = {
    "=": "to compare, write ===",
    ")": "a bracket is closed that was not opened, or something is missing before it",
    "}": "a brace is closed that was not opened, or something is missing before it",
    "]": "a bracket is closed that was not opened, or something is missing before it",
}
