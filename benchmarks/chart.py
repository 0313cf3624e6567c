"""A bar chart of ratios as SVG: each figure as a share of its goal, which is the line at 1."""

from collections.abc import Sequence
from html import escape

from benchmarks.harness import Figure

__all__ = ["chart"]

_ROW, _LABEL, _BAR = 22, 430, 300
_MOST = 2.0
"""Share of the goal at which a bar ends; longer ones are cut there."""
_MET, _MISSED = "#2b7a4b", "#b4552d"


def chart(figures: Sequence[Figure]) -> str:
    """Draw the figures; a bar beyond the line meets its goal, whichever way the goal points."""
    height = _ROW * len(figures) + 40
    line = _LABEL + _BAR / _MOST
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + _BAR + 130}" height="{height}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{line}" y="16" text-anchor="middle">goal</text>',
    ]
    for number, figure in enumerate(figures):
        share = figure.value / figure.goal if figure.at_least else figure.goal / figure.value
        top = 26 + number * _ROW
        sign = "≥" if figure.at_least else "≤"
        parts += [
            f'<text x="{_LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(figure.what)}</text>',
            (
                f'<rect x="{_LABEL}" y="{top}" height="{_ROW - 6}" width="{min(share, _MOST) * _BAR / _MOST:.1f}"'
                f' fill="{_MET if figure.met else _MISSED}"/>'
            ),
            f'<text x="{_LABEL + _BAR + 8}" y="{top + 13}">{figure.value:.3g}x, goal {sign} {figure.goal:g}x</text>',
        ]
    parts += [
        f'<line x1="{line}" x2="{line}" y1="20" y2="{height - 12}" stroke="black" stroke-dasharray="4 3"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
