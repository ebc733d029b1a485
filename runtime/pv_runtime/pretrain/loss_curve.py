"""The loss of a run as a picture: SVG, without a plotting library."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["draw"]

Points = Sequence[tuple[int, float]]
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 320, 56, 40, 28, 16
_MOST_POINTS = 400
"""Of a longer series, means of equal parts are drawn: more points than pixels show nothing."""


def draw(title: str, training: Points, held_out: Points) -> str:
    """Return an SVG of two series of ``(step, loss)``, in nats a token.

    Parameters
    ----------
    title
        In words.
    training, held_out
        In the order of their steps; either may be empty.
    """
    training = _thinned(training)
    losses = [loss for _, loss in [*training, *held_out]] or [0.0]
    low, high = min(losses), max(losses)
    if high - low < 0.1:
        low, high = low - 0.05, high + 0.05
    last = max([step for step, _ in [*training, *held_out]] or [1]) or 1

    def place(step: float, loss: float) -> tuple[float, float]:
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / last
        down = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - loss) / (high - low)
        return round(across, 1), round(down, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18">{html.escape(title)}: loss, nats a token</text>',
    ]
    for quarter in range(5):
        loss = low + (high - low) * quarter / 4
        _, y = place(0, loss)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{loss:.2f}</text>')
        step = last * quarter // 4
        x, _ = place(step, low)
        parts.append(f'<text x="{x}" y="{_HEIGHT - 16}" text-anchor="middle">{step}</text>')
    for row, (label, colour, points) in enumerate(
        (("training", "#8888cc", training), ("held out", "#cc4400", held_out))
    ):
        path = " ".join("{},{}".format(*place(step, loss)) for step, loss in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{_TOP + 16 + 16 * row}" text-anchor="end" '
            f'fill="{colour}">{label}</text>'
        )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _thinned(points: Points) -> Points:
    if len(points) <= _MOST_POINTS:
        return points
    size = -(-len(points) // _MOST_POINTS)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts]
