from __future__ import annotations

import dataclasses
import datetime as dt
import re
import xml.etree.ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st

from pv.reports.site.history import Change, Judged, Point
from pv.reports.site.history_plot import MOST, as_wanted, lines_of, plot

BEGAN = dt.datetime(2026, 11, 1, 2, tzinfo=dt.UTC)


def points(*shares: float | None, days: float = 1.0, **changes: str) -> list[Judged]:
    made = Judged("", "Pass", 1.0, 0.0, "live", "shipped", "cpu", "linux-x86_64", "c0ffee", 0.5, "")
    return [
        dataclasses.replace(
            made,
            at=(BEGAN + dt.timedelta(days=number * days)).isoformat(),
            relative=share,
            outcome="Pass" if share is None or share >= 0 else "Fail",
            **changes,  # type: ignore[arg-type]
        )
        for number, share in enumerate(shares)
    ]


def drawn(some: list[Judged], *changes: Change, refuted: bool = False) -> ET.Element:
    return ET.fromstring(plot(lines_of(some), changes, refuted=refuted))  # noqa: S314 -- we wrote it


def classes(picture: ET.Element, name: str) -> list[ET.Element]:
    return [part for part in picture.iter() if name in part.attrib.get("class", "").split()]


def places(picture: ET.Element) -> list[tuple[float, float]]:
    found = [part.attrib["transform"] for part in picture.iter("g") if "transform" in part.attrib]
    return [(float(x), float(y)) for x, y in (re.findall(r"-?[\d.]+", one) for one in found)]


def test_it_has_axes_units_ticks_and_the_threshold() -> None:
    picture = drawn(points(0.3, 0.2, 0.1, -0.1))
    texts = [part.text for part in picture.iter("text")]
    assert "margin, % of threshold" in texts
    assert "time of the run, UTC" in texts
    assert "threshold" in texts
    assert {"0", "+20"} <= set(texts)
    assert any(re.fullmatch(r"2026-11-0\d", text or "") for text in texts)
    assert len(classes(picture, "threshold")) == 1
    assert picture.attrib["role"] == "img"
    assert [part.text for part in picture if part.tag == "title"] == ["Margins over time"]
    assert picture.findtext("desc") == "4 judgement(s) in 1 line(s), 1 not as claimed. The table has them."


def test_higher_is_better_later_is_further_right_and_what_missed_lies_below_the_threshold() -> None:
    picture = drawn(points(0.3, -0.2, 0.1))
    (x0, y0), (x1, y1), (x2, y2) = places(picture)
    assert x0 < x1 < x2
    assert y0 < y2 < y1  # the picture's y grows downwards
    (threshold,) = classes(picture, "threshold")
    zero = float(re.findall(r",([\d.]+)H", threshold.attrib["d"])[0])
    assert y2 < zero < y1
    assert len(classes(picture, "cross")) == 1


def test_other_hosts_subjects_levels_and_devices_are_other_lines() -> None:
    some = points(0.1, 0.2) + points(0.3, host="linux-aarch64") + points(0.4, subject="other")
    some += points(0.5, level="functional") + points(0.6, device="cuda-sm90")
    lines = lines_of(some)
    assert [line.number for line in lines] == [1, 2, 3, 4, 5]
    for line in lines:
        assert len({(p.level, p.subject, p.device, p.host) for p in line.points}) == 1
    picture = drawn(some)
    assert len(classes(picture, "course")) == 1  # four have one point each
    assert [kind for kind in range(6) if classes(picture, f"m{kind}")] == [0, 1, 2, 3, 4]
    shapes = {part.attrib["d"] for kind in range(5) for part in classes(picture, f"m{kind}")}
    assert len(shapes) == 5  # told apart without colour


def test_what_has_no_margin_is_plotted_as_pass_or_fail() -> None:
    some = points(None, None)
    some[1] = dataclasses.replace(some[1], outcome="Fail")
    picture = drawn(some)
    assert [part.text for part in picture if part.tag == "title"] == ["Outcomes over time"]
    assert {"Pass", "Fail"} <= {part.text for part in picture.iter("text")}
    assert not classes(picture, "threshold")


def test_change_points_are_marked_and_say_what_is_known() -> None:
    some = points(0.3, 0.3, 0.1)
    picture = drawn(some, Change(some[2].at, "margin <fell> by 0.2"))
    (mark,) = classes(picture, "change")
    assert mark.findtext("title") == "margin <fell> by 0.2"
    x = float(re.findall(r"M([\d.]+),", mark[1].attrib["d"])[0])
    assert x == places(picture)[2][0]


def test_a_claim_that_is_refuted_must_fail() -> None:
    (passed,), (failed,) = points(0.1), points(-0.1)
    assert [as_wanted(one, refuted=True) for one in (passed, failed)] == [False, True]
    assert [as_wanted(one, refuted=False) for one in (passed, failed)] == [True, False]
    assert as_wanted(dataclasses.replace(failed, outcome="Refuted"), refuted=True)
    assert not as_wanted(dataclasses.replace(passed, outcome="Error"), refuted=False)


def test_runs_of_one_moment_have_one_tick() -> None:
    picture = drawn(points(0.1))
    dates = [p.text for p in picture.iter("text") if re.match(r"\d{4}-", p.text or "")]
    assert dates == ["2026-11-01 02:00"]


def test_of_a_long_history_the_latest_are_plotted() -> None:
    some = points(*[0.1] * (MOST + 50), days=0.5)
    assert sum(len(line.points) for line in lines_of(some)) == MOST
    assert lines_of(some)[0].points[-1] == some[-1]


SHARES = st.none() | st.floats(-1e290, 1e290) | st.sampled_from([0.0, 1e-300, -1e-12])


@example([(5e-324, "Pass", "a", "")], 0.0, "")
@given(
    st.lists(
        st.tuples(
            SHARES, st.sampled_from(["Pass", "Fail", "Refuted"]), st.sampled_from("abcdefgh"), st.text()
        ),
        min_size=1,
        max_size=12,
    ),
    st.floats(0, 10_000),
    st.text(),
)
def test_whatever_was_measured_stays_inside_of_the_picture(
    stated: list[tuple[float | None, str, str, str]], days: float, words: str
) -> None:
    made = points(*(share for share, *_ in stated), days=days)
    some: list[Point] = [
        dataclasses.replace(one, outcome=outcome, host=host, commit=commit)
        for one, (_, outcome, host, commit) in zip(made, stated, strict=True)
    ]
    picture = ET.fromstring(plot(lines_of(some), [Change(some[-1].at, words)]))  # noqa: S314 -- we wrote it
    _, _, width, height = (float(word) for word in picture.attrib["viewBox"].split())
    for x, y in places(picture):
        assert 0 <= x <= width
        assert 0 <= y <= height
    ticks = [part for part in picture.iter("text") if part.text]
    assert 3 <= len(ticks) < 60
