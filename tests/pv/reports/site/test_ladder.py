from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.reports.site.ladder import bar, counted
from pv.status import LADDER

COUNTS = st.dictionaries(st.sampled_from((*LADDER, "REFUTED")), st.integers(1, 10**6), max_size=8)


@given(COUNTS)
def test_the_parts_fill_the_bar_in_proportion_and_the_text_says_the_same(counts: dict[str, int]) -> None:
    picture = ET.fromstring(bar(counts))  # noqa: S314 -- we wrote it
    parts = [part for part in picture if "class" in part.attrib]
    assert [part.attrib["class"] for part in parts] == [name.lower() for name in counts]
    place = 0.0
    for part, count in zip(parts, counts.values(), strict=True):
        assert float(part.attrib["x"].rstrip("%")) == pytest.approx(place, abs=0.02)
        width = float(part.attrib["width"].rstrip("%"))
        assert width == pytest.approx(100 * count / sum(counts.values()), abs=0.01)
        place += 100 * count / sum(counts.values())
    told = picture.attrib["aria-label"]
    assert told == counted(counts)
    assert dict(re.findall(r"(\d+) (\w+)", told)) == {str(c): n for n, c in counts.items()} or len(
        set(counts.values())
    ) < len(counts)


def test_what_is_not_well_has_a_pattern_besides_its_colour() -> None:
    for name in ("FALSIFIED", "VACUOUS", "STALE", "UNBOUND"):
        assert "url(#" in bar({name: 1})
    assert "url(#" not in bar({"DISCHARGED": 1})
