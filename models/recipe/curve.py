"""Draw the loss curve as a small SVG, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .train import Point

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 320, 48, 40, 28, 16


def draw_curve(title: str, points: Sequence[Point]) -> str:
    """Return an SVG of training and held-out loss (nats per token) over steps.

    Raises
    ------
    ValueError
        There are fewer than two points.
    """
    if len(points) < 2:
        raise ValueError("a curve has at least two points")
    losses = [loss for point in points for loss in (point.training_loss, point.held_out_loss)]
    finite = [loss for loss in losses if math.isfinite(loss)]
    low, high = math.floor(min(finite)), math.ceil(max(finite))
    last = points[-1].step

    def place(step: float, loss: float) -> tuple[float, float]:
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / last
        down = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - loss) / (high - low)
        return round(across, 1), round(down, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18">{title}: loss, nats per token</text>',
    ]
    for loss in range(low, high + 1):
        _, y = place(0, loss)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{loss}</text>')
    for quarter in range(5):
        step = last * quarter // 4
        x, _ = place(step, low)
        parts.append(f'<text x="{x}" y="{_HEIGHT - 16}" text-anchor="middle">{step}</text>')
    series = (
        ("training", "#8888cc", [(point.step, point.training_loss) for point in points]),
        ("held out", "#cc4400", [(point.step, point.held_out_loss) for point in points]),
    )
    for row, (label, colour, values) in enumerate(series):
        path = " ".join(",".join(map(str, place(step, loss))) for step, loss in values if math.isfinite(loss))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{_TOP + 16 + 16 * row}" text-anchor="end" '
            f'fill="{colour}">{label}</text>'
        )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
