"""The number that a text reads as in JavaScript, as every engine's table says it in its own functions."""

__all__ = ["WHITE", "parsed"]

WHITE = (
    "\t\n\v\f\r \u00a0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What JavaScript takes for white space."""

_DECIMAL = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"


def parsed(trim: str, match: str, cast: str, infinity: str, minus_infinity: str) -> str:
    """The number a text reads as: what matches is cast, so that no cast fails.

    Args:
        trim: the text without the white space at its ends.
        match: whether a text (first place) matches a pattern (second place).
        cast: a text as a double.
        infinity: the infinity.
        minus_infinity: that below zero.
    """
    return (
        f"CASE WHEN {trim} = '' THEN 0 WHEN {match.format(trim, _DECIMAL)} THEN {cast.format(trim)}"
        f" WHEN {trim} IN ('Infinity', '+Infinity') THEN {infinity}"
        f" WHEN {trim} = '-Infinity' THEN {minus_infinity} END"
    )
