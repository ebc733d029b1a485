"""What can be read is computed, not looked at: contrast by WCAG 2.1, success criteria 1.4.3 and 1.4.11."""

from __future__ import annotations

import re

import pytest

from pv.reports.site.templates import site_files

STYLE = (site_files() / "style.css").read_text(encoding="utf-8")
TEXTS = (
    "ink", "muted", "link", "discharged", "refuted", "functional", "partial", "unbound", "stale",
    "falsified", "vacuous", "excluded", "good", "bad", "wait",
)  # fmt: skip
GROUNDS = ("paper", "raised")


def schemes() -> dict[str, dict[str, str]]:
    roots = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", root)) for root in roots[:2])
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_has_the_contrast_that_the_standard_gives() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_can_be_read(scheme: str, ground: str, text: str) -> None:
    colours = schemes()[scheme]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_drawn_can_be_seen(scheme: str) -> None:
    colours = schemes()[scheme]
    for name in ("functional", "discharged", "partial", "stale", "vacuous", "refuted", "bad", "wait"):
        assert contrast(colours[name], colours["shade"]) >= 3, name  # lines may run below the threshold
    for name in ("muted", "link"):  # of fields, and of the focus
        assert contrast(colours[name], colours["paper"]) >= 3


def test_every_status_has_a_colour_and_all_colours_are_named_once() -> None:
    from pv.status import LADDER

    for status in (*LADDER, "REFUTED", "EXCLUDED"):
        assert f".{status.lower()}" in STYLE, status
    loose = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,6}\b(?![^{]*\{)", loose)
