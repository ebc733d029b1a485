from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pv.check import CheckError
from pv.sample_value import plain


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("x", "x"),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(1), True),
    ],
)
def test_a_number_of_a_library_is_a_plain_one(value: Any, wanted: Any) -> None:
    assert plain(value) == wanted
    assert type(plain(value)) is type(wanted)


@pytest.mark.parametrize("value", [None, [1], Fraction(1, 2), {}])
def test_what_is_neither_number_nor_text_is_refused(value: Any) -> None:
    with pytest.raises(CheckError, match="must be a number or a text"):
        plain(value)
