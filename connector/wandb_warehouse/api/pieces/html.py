"""Objects as HTML for notebooks, with nothing to be fetched: a table of what they are, and curves of their metrics."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["page", "sparkline"]

_WIDTH, _HEIGHT = 160, 28


def page(
    title: str,
    url: str,
    facts: Mapping[str, Any],
    curves: Iterable[tuple[str, Sequence[float]]] = (),
    *,
    height: int = 420,
    hidden: bool = False,
) -> str:
    """Give a block with a title that leads to W&B, a table of facts, and a curve with its last value for each metric.

    Args:
        title: what is shown.
        url: its page at W&B.
        facts: names and values; those without a value are left out.
        curves: names and values of metrics.
        height: pixels, what exceeds them is scrolled.
        hidden: show a button first.
    """
    rows = [
        f"<tr><th style='text-align:left;padding-right:1em'>{_text(name)}</th><td>{_text(value)}</td></tr>"
        for name, value in facts.items()
        if value not in (None, "", [], {})
    ]
    lines = [
        f"<tr><th style='text-align:left;padding-right:1em'>{_text(name)}</th>"
        f"<td>{sparkline(values)}</td><td style='padding-left:1em'>{values[-1]:.6g}</td></tr>"
        for name, values in curves
        if values
    ]
    body = (
        f"<div style='max-height:{int(height)}px;overflow:auto'>"
        f"<a href='{escape(url, quote=True)}' target='_blank' rel='noopener'><strong>{_text(title)}</strong></a>"
        f"<table>{''.join(rows)}</table><table>{''.join(lines)}</table></div>"
    )
    return f"<details><summary>{_text(title)}</summary>{body}</details>" if hidden else body


def sparkline(values: Sequence[float]) -> str:
    """Give the values as a small curve (SVG); NaN and infinities leave gaps.

    >>> sparkline([0, 1]).count("polyline")
    1
    """
    finite = [value for value in values if value - value == 0]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    wide = _WIDTH / max(len(values) - 1, 1)
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value - value != 0:
            pieces.append([])
            continue
        share = 0.5 if high == low else (value - low) / (high - low)
        pieces[-1].append(f"{place * wide:.1f},{(_HEIGHT - 2) * (1 - share) + 1:.1f}")
    lines = "".join(
        f"<polyline points='{' '.join(piece)}' fill='none' stroke='currentColor' stroke-width='1.2'/>"
        for piece in pieces
        if piece
    )
    return f"<svg width='{_WIDTH}' height='{_HEIGHT}' role='img'>{lines}</svg>"


def _text(value: Any) -> str:
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
