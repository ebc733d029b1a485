from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

pytest.importorskip("torch", reason="the runtime extra is not installed")

from hypothesis import given
from hypothesis import strategies as st

from models.recipe.curve import draw_curve
from models.recipe.train import Point

SVG = "{http://www.w3.org/2000/svg}"
losses = st.floats(0.1, 20)


@given(st.lists(st.tuples(losses, losses), min_size=1, max_size=30))
def test_every_point_lies_within_the_picture(rows: list[tuple[float, float]]) -> None:
    points = [Point(0, math.nan, 8.3), *(Point(step + 1, *row) for step, row in enumerate(rows))]
    lines = ET.fromstring(draw_curve("x", points)).findall(f"{SVG}polyline")  # noqa: S314 - our own text
    counts = []
    for line in lines:
        places = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        assert all(0 <= x <= 640 and 0 <= y <= 320 for x, y in places)
        counts.append(len(places))
    assert counts == [len(rows), len(rows) + 1]  # nothing is known of training before the first step


def test_one_point_is_no_curve() -> None:
    with pytest.raises(ValueError, match="at least two"):
        draw_curve("x", [Point(0, 1.0, 1.0)])
