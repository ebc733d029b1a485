from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.formats.apr_types import CODES, UNAMBIGUOUS, dtype_of, native_values
from pv_runtime.formats.ggml_types import GGML_TYPES

SHAPES = st.lists(st.integers(1, 600), max_size=3).map(tuple)


@given(SHAPES, st.sampled_from([(code, name) for code, names in CODES.items() for name in names]))
def test_a_size_tells_the_types_of_one_code_apart(shape: tuple[int, ...], case: tuple[int, str]) -> None:
    """Whatever size a type takes, no other type of its code is found for it."""
    code, name = case
    sizes = dict(part.split(" ") for part in dtype_of(code, shape, -1)[1].split(", ") if part)
    if name in sizes:
        assert dtype_of(code, shape, int(sizes[name]))[0] == name
    assert len(set(sizes.values())) == len(sizes)


def test_ggmls_numbers_mean_ggmls_sizes() -> None:
    for code, (name, elements, size) in GGML_TYPES.items():
        if name in CODES.get(code, ()):
            assert dtype_of(code, (3, elements), 3 * size)[0] == name
    assert {name: UNAMBIGUOUS[name] for name in ("F32", "F16", "BF16", "Q4_K", "Q6_K")} == {
        name: number for number, (name, _, _) in GGML_TYPES.items() if number in {0, 1, 30, 12, 14}
    }


def test_a_shape_that_no_type_of_a_code_has() -> None:
    assert dtype_of(2, (3, 33), 60) == (None, "")
    assert dtype_of(8, (2, 33), 70) == (None, "APR_Q4 54")


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
def test_apr_q4_is_a_scale_and_nibbles_even_ones_low(count: int) -> None:
    generator = np.random.default_rng(count)
    codes = generator.integers(1, 16, 32 * math.ceil(count / 32), dtype=np.uint8)
    scales = generator.standard_normal(len(codes) // 32).astype("<f2")
    blocks = b"".join(
        scale.tobytes() + bytes(int(low) | int(high) << 4 for low, high in block.reshape(16, 2))
        for scale, block in zip(scales, codes.reshape(-1, 32), strict=True)
    )
    expected = [float(scales[place // 32]) * (int(codes[place]) - 8) for place in range(count)]
    raw = np.frombuffer(blocks, np.uint8)
    assert native_values("APR_Q4", raw, (count,)).tolist() == np.asarray(expected, np.float32).tolist()


def test_apr_q8_is_one_scale_and_signed_codes() -> None:
    raw = np.frombuffer(np.float32(0.5).tobytes() + bytes([0, 1, 255, 128]), np.uint8)
    assert native_values("APR_Q8", raw, (2, 2)).tolist() == [[0.0, 0.5], [-0.5, -64.0]]


def test_a_scale_that_is_not_finite_stays_visible() -> None:
    raw = np.frombuffer(np.float16(np.nan).tobytes() + bytes(16), np.uint8)
    assert np.isnan(native_values("APR_Q4", raw, (32,))).all()
