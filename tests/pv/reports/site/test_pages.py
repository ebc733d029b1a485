from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pv.reports.site.pages import page_name, record_link


@given(st.text(max_size=200), st.text(max_size=200))
def test_each_address_has_a_page_of_its_own_with_a_plain_name(one: str, other: str) -> None:
    name = page_name(one)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.html", name)
    assert len(name) <= 140
    assert (name.lower() == page_name(other).lower()) == (one == other)


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_each_record_has_a_copy_of_its_own_with_a_plain_name(one: str, other: str) -> None:
    link = record_link("small-v1#ID", one)
    assert re.fullmatch(r"records/[A-Za-z0-9._+@-]+", link)
    assert len(link) <= 255
    assert (link == record_link("small-v1#ID", other)) == (one == other)
    assert record_link("small-v1#OTHER", one) != link
