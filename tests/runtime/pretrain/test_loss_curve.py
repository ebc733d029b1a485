from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.pretrain.loss_curve import draw

POINTS = st.lists(st.floats(0, 100), max_size=1000).map(lambda losses: list(enumerate(losses, 1)))


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(categories=["L", "P", "S"])), POINTS, POINTS)
def test_it_is_xml_and_every_point_is_within_the_picture(
    title: str, training: list[tuple[int, float]], held_out: list[tuple[int, float]]
) -> None:
    root = ET.fromstring(draw(title, training, held_out))  # noqa: S314  it is ours
    lines = [each for each in root if each.tag.endswith("polyline")]
    assert len(lines) == 2
    for line, points in zip(lines, (training, held_out), strict=True):
        places = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        assert bool(places) == bool(points)
        assert len(places) <= max(400, len(held_out))
        assert all(0 <= x <= 640 and 0 <= y <= 320 for x, y in places)


def test_a_lower_loss_is_lower_in_the_picture() -> None:
    root = ET.fromstring(draw("x", [(1, 3.0), (2, 1.0)], []))  # noqa: S314  it is ours
    line = next(each for each in root if each.tag.endswith("polyline"))
    first, last = (float(pair.split(",")[1]) for pair in line.attrib["points"].split())
    assert first < last
