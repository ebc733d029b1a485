"""The constants that bounds are made of, against arithmetic that is actually done."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.dtypes import FLOATS
from pv_kernels.rounding import gamma, summation_height, underflow, unit_roundoff
from pv_kernels.specs.samples import used


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float32, 24), (torch.float16, 11), (torch.bfloat16, 8)])
def test_the_unit_roundoff_is_half_of_the_last_bit(dtype: torch.dtype, bits: int) -> None:
    assert unit_roundoff(dtype) == 2.0**-bits


@given(st.floats(min_value=0, max_value=60000), st.sampled_from(FLOATS))
def test_rounding_to_nearest_stays_within_it(value: float, dtype: torch.dtype) -> None:
    rounded = float(torch.tensor(value, dtype=torch.float64).to(dtype))
    assert abs(rounded - value) <= unit_roundoff(dtype) * value + underflow(dtype)


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_a_sum_is_within_gamma_of_its_height(length: int, seed: int) -> None:
    terms = np.random.default_rng(seed).random(length, dtype=np.float32)
    exact = math.fsum(terms.tolist())
    assert abs(float(terms.sum()) - exact) <= gamma(summation_height(length)) * exact


def test_the_height_is_that_of_a_tree_and_never_more_than_one_after_another() -> None:
    assert [summation_height(length) for length in (0, 1, 2, 3)] == [0, 0, 1, 2]
    assert summation_height(1 << 20, lanes=1 << 10) == (1 << 10) + 10
    assert summation_height(100) == 19


def test_gamma_grows_and_refuses_to_say_nothing() -> None:
    assert gamma(3) > 3 * unit_roundoff(torch.float32)
    assert torch.equal(gamma(torch.tensor([0.0, 1.0]).double())[:1], torch.zeros(1).double())
    with pytest.raises(ValueError, match="lose every digit"):
        gamma(300, torch.bfloat16)


def test_the_part_used_is_infinite_where_nan_or_infinity_or_shape_differ() -> None:
    nan, one, room = torch.tensor([math.nan]), torch.tensor([1.0]), torch.tensor([0.5])
    infinity = torch.tensor([math.inf])
    assert used((nan,), (nan,), (room,)) == 0
    assert used((one,), (one + 0.25,), (room,)) == 0.5
    assert used((infinity,), (infinity,), (room,)) == 0
    for ours, theirs in ((nan, one), (one, nan), (infinity, -infinity), (infinity, one), (one, infinity)):
        assert used((ours,), (theirs,), (room,)) == math.inf
    assert used((one[:0],), (one,), (room,)) == math.inf
    assert used((one,), (one + 1e-30,), (room * 0,)) == 0
    assert used((one,), (one + 0.5,), (room * 0,)) == math.inf
