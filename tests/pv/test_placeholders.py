from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.placeholders import HoleError, fill, holes

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(max_size=12)


@given(st.lists(st.one_of(TEXTS, NAMES.map(lambda name: (name,)))), st.dictionaries(NAMES, TEXTS))
def test_what_is_filled_in_is_the_text_and_the_values_and_nothing_else(
    pieces: list[str | tuple[str]], values: dict[str, str]
) -> None:
    written = "".join(
        p.replace("{", "{{").replace("}", "}}") if isinstance(p, str) else f"{{{p[0]}}}" for p in pieces
    )
    names = tuple(piece[0] for piece in pieces if not isinstance(piece, str))
    assert holes(written) == names
    filled = {name: values.get(name, "{x} {{") for name in names}
    expected = "".join(piece if isinstance(piece, str) else filled[piece[0]] for piece in pieces)
    assert fill(written, filled) == expected


@pytest.mark.parametrize(
    "text", ["{", "}", "{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>5}", "{{a}", "{a b}"]
)
def test_a_brace_that_opens_nothing_is_refused(text: str) -> None:
    with pytest.raises(HoleError, match="belongs to no name"):
        holes(text)


def test_a_hole_that_nothing_fills_is_refused() -> None:
    with pytest.raises(HoleError, match=r"nothing to put in \{b\}"):
        fill("{a}{b}", {"a": "1"})
