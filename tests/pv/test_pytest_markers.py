from __future__ import annotations

import pytest

from pv.pytest_markers import marker_name


@pytest.mark.parametrize(("tag", "name"), [("a b", "a_b"), ("-x-", "x"), ("__", ""), ("größe", "größe")])
def test_a_tag_is_a_word(tag: str, name: str) -> None:
    assert marker_name(tag) == name
