from __future__ import annotations

import numpy as np
from pv_runtime.quant.q6_k import Q6_K


def test_codes_are_rounded_under_the_scales_as_they_are_stored() -> None:
    values = np.random.default_rng(5).standard_normal(256 * 64).astype(np.float32)
    raw = Q6_K.quantise(values).reshape(-1, 210)
    error = np.abs(Q6_K.dequantise(raw) - values)
    for place in (0, 63, 100, 128, 191):
        for change in (0x01, 0x10):
            other = raw.copy()
            other[:, place] ^= change
            assert np.all(error <= np.abs(Q6_K.dequantise(other) - values) + 1e-6)


def test_the_fp16_scale_is_last() -> None:
    block = np.zeros(210, np.uint8)
    block[192:208] = 1
    block[208:] = np.array([0.5], np.float16).view(np.uint8)
    assert np.array_equal(Q6_K.dequantise(block), np.full(256, -16, np.float32))


def test_an_extreme_takes_the_most_negative_code() -> None:
    values = np.linspace(-1, 1, 256, dtype=np.float32)
    values[0] = -4
    assert np.abs(Q6_K.dequantise(Q6_K.quantise(values))[0] + 4) < 0.05
