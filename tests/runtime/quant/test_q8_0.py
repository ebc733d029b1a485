from __future__ import annotations

import numpy as np
from gguf import GGMLQuantizationType, quants
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pv_runtime.quant.q8_0 import Q8_0
from pv_runtime.quant.scheme import Floats


@settings(max_examples=100, deadline=None)
@given(arrays(np.float32, (3, 32), elements=st.floats(-1e5, 1e5, width=32)))
def test_quantisation_is_bit_identical_to_gguf(values: Floats) -> None:
    values = np.where(np.abs(values) < 1e-35, np.float32(0), values)  # gguf's 1/d overflows below
    with np.errstate(all="ignore"):
        theirs = quants.quantize(values, GGMLQuantizationType.Q8_0)
    assert np.array_equal(Q8_0.quantise(values), theirs.reshape(-1))


def test_quantisation_is_bit_identical_to_gguf_on_many_blocks() -> None:
    values = np.random.default_rng(3).standard_normal((4096, 32)).astype(np.float32)
    theirs = quants.quantize(values, GGMLQuantizationType.Q8_0)
    assert np.array_equal(Q8_0.quantise(values), theirs.reshape(-1))


def test_halves_round_away_from_zero() -> None:
    values = np.zeros(32, np.float32)
    values[:4] = [127, 0.5, -0.5, 1.5]
    assert Q8_0.quantise(values)[2:6].view(np.int8).tolist() == [127, 1, -1, 2]
