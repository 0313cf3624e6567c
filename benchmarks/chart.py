"""Charts as SVG: ratios as bars, each a share of its goal, which is the line at 1; and curves over what is stored."""

from collections.abc import Sequence
from html import escape

from benchmarks.harness import Figure

__all__ = ["chart", "curves"]

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
        assert figure.goal is not None
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


_WIDTH, _HEIGHT, _LEFT, _TOP = 560, 280, 60, 24
_COLOURS = ("#20639b", "#b4552d", "#2b7a4b", "#6b4e9b")


def curves(figures: Sequence[Figure]) -> str:
    """Draw the figures' curves: seconds upwards, millions of stored values to the right, both from zero."""
    most = max((figure.spread[1] for figure in figures), default=1.0) * 1.05
    far = max((figure.at for figure in figures), default=1.0) * 1.02

    def place(at: float, seconds: float) -> tuple[float, float]:
        return _LEFT + at / far * _WIDTH, _TOP + (1 - seconds / most) * _HEIGHT

    left, bottom = place(0, 0)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 230}" height="{_TOP + _HEIGHT + 50}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        '<rect width="100%" height="100%" fill="white"/>',
        f'<path d="M{left} {_TOP}V{bottom}H{_LEFT + _WIDTH}" fill="none" stroke="black"/>',
        (
            f'<text x="{_LEFT + _WIDTH / 2}" y="{bottom + 38}" text-anchor="middle">'
            "millions of values stored in the warehouse</text>"
        ),
        f'<text x="{left}" y="{_TOP - 8}" text-anchor="middle">seconds</text>',
    ]
    for tick in (most * part / 4 for part in range(5)):
        y = place(0, tick)[1]
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.2g}</text>')
    for at in sorted({figure.at for figure in figures}):
        x = place(at, 0)[0]
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{at:.3g}</text>')
    names = list(dict.fromkeys(figure.curve for figure in figures))
    for number, (name, colour) in enumerate(zip(names, _COLOURS, strict=False)):
        points = sorted((f for f in figures if f.curve == name), key=lambda figure: figure.at)
        places = [place(figure.at, figure.value) for figure in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for figure, (x, y) in zip(points, places, strict=True):
            low, high = (place(0, seconds)[1] for seconds in figure.spread)
            parts.append(f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        y = _TOP + 14 + number * 20
        parts.append(f'<text x="{_LEFT + _WIDTH + 14}" y="{y}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
