from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pv_runtime.compare import cosine, differing_elements, max_abs_difference, relative_rmse
from pv_runtime.quant.scheme import Floats

VECTORS = arrays(np.float32, 12, elements=st.floats(-100, 100, width=16))


@given(VECTORS, VECTORS, st.sampled_from([0.25, 1.0, 8.0]))
def test_cosine_is_symmetric_and_blind_to_scale(a: Floats, b: Floats, factor: float) -> None:
    value = cosine(a, b)
    if math.isnan(value):
        assert not a.any() or not b.any()
        return
    assert -1 - 1e-12 <= value <= 1 + 1e-12
    assert cosine(b, a) == value
    assert cosine(a * np.float32(factor), b) == pytest.approx(value, abs=1e-12)
    assert cosine(-a, b) == -value


def test_cosine_of_known_angles() -> None:
    a = np.array([1, 0], np.float32)
    assert cosine(a, np.array([1, 1], np.float32)) == pytest.approx(math.sqrt(0.5))
    assert cosine(a, np.array([0, 3], np.float32)) == 0
    assert cosine(a, np.array([-2, 0], np.float32)) == -1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_fails_closed(bad: float) -> None:
    good, broken = np.array([1, 2], np.float32), np.array([1, bad], np.float32)
    for pair in ((good, broken), (broken, good)):
        assert math.isnan(cosine(*pair))
        assert math.isnan(relative_rmse(*pair))
        assert differing_elements(*pair) == 1
        assert not max_abs_difference(*pair) < math.inf
    assert differing_elements(broken, broken) == 1


def test_a_zero_side_has_no_direction() -> None:
    zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
    assert all(math.isnan(cosine(*pair)) for pair in ((zero, one), (one, zero), (zero, zero)))
    assert math.isnan(relative_rmse(zero, one))
    assert relative_rmse(one, zero) == 1


@given(VECTORS, VECTORS)
def test_differing_elements_counts_fp16_bits(a: Floats, b: Floats) -> None:
    same = [x.tobytes() == y.tobytes() for x, y in zip(a.astype("<f2"), b.astype("<f2"), strict=True)]
    assert differing_elements(a, b) == same.count(False)
    assert differing_elements(a, a) == 0


def test_differences_below_fp16_do_not_count() -> None:
    one = np.ones(4, np.float32)
    assert differing_elements(one, one + np.float32(2**-12)) == 0
    assert differing_elements(one, one + np.float32(2**-10)) == 4
    assert differing_elements(np.zeros(1, np.float32), -np.zeros(1, np.float32)) == 1


def test_long_arrays_are_summed_whole() -> None:
    """More than one chunk, with the only difference in the last element."""
    a = np.ones((3, 1 << 19), np.float32)
    b = a.copy()
    b[-1, -1] = 3
    assert differing_elements(a, b) == 1
    assert max_abs_difference(a, b) == 2
    assert relative_rmse(a, b) == pytest.approx(2 / math.sqrt(a.size))


def test_shapes_must_agree_and_empty_is_no_agreement() -> None:
    empty = np.zeros(0, np.float32)
    for measure in (cosine, relative_rmse, differing_elements, max_abs_difference):
        with pytest.raises(ValueError, match="shapes differ"):
            measure(np.zeros(2, np.float32), np.zeros((1, 2), np.float32))
    assert math.isnan(cosine(empty, empty))
    assert math.isnan(max_abs_difference(empty, empty))
