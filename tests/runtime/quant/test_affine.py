from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays
from pv_runtime.quant.affine import pack_scales, unpack_header
from pv_runtime.quant.q4_k import Q4_K
from pv_runtime.quant.q5_k import Q5_K
from pv_runtime.quant.scheme import Bytes


@given(arrays(np.uint8, (2, 16)))
def test_packing_what_was_unpacked_gives_the_same_bytes(head: Bytes) -> None:
    assert np.array_equal(pack_scales(unpack_header(head)), head)


def test_scales_and_minima_lie_where_ggml_puts_them() -> None:
    # Scales 1..8 times 7, minima 63 down: bytes worked out by hand from the format's description.
    head = np.zeros((1, 16), np.uint8)
    head[0, 4:16] = [7, 14, 21, 28, 63, 62, 61, 60, 0xB3, 0xAA, 0x91, 0x88]
    head[0, 4:8] |= np.array([0x80, 0x80, 0xC0, 0xC0], np.uint8)
    head[0, 8:12] |= np.array([0xC0, 0xC0, 0xC0, 0xC0], np.uint8)
    unpacked = unpack_header(head)
    assert unpacked.scales.tolist() == [[7, 14, 21, 28, 35, 42, 49, 56]]
    assert unpacked.minima.tolist() == [[63, 62, 61, 60, 59, 58, 57, 56]]


def test_codes_are_rounded_under_the_scales_as_they_are_stored() -> None:
    """Each stored code is the nearest one to its value, given the fp16 scales in the block."""
    values = np.random.default_rng(4).standard_normal(256 * 64).astype(np.float32)
    for scheme in (Q4_K, Q5_K):
        raw = scheme.quantise(values).reshape(-1, scheme.block_bytes)
        error = np.abs(scheme.dequantise(raw) - values)
        for place in (scheme.codes[-1], scheme.codes[-32], scheme.codes[-128]):
            for change in (0x01, 0x10):
                other = raw.copy()
                other[:, place] ^= change
                assert np.all(error <= np.abs(scheme.dequantise(other) - values) + 1e-6)
