"""What holds for every block format; each format's own layout is tested beside this."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pv_runtime.compare import cosine, relative_rmse
from pv_runtime.errors import QuantisationError
from pv_runtime.quant import SCHEMES, Scheme, scheme_named
from pv_runtime.quant.scheme import Bytes, Floats

EVERY = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))


def gaussian(count: int, seed: int = 0) -> Floats:
    values = np.random.default_rng(seed).standard_normal(count) * 0.02
    return values.astype(np.float16).astype(np.float32)


def reference(scheme: Scheme, raw: Bytes) -> Floats:
    with np.errstate(all="ignore"):
        blocks = raw.reshape(-1, scheme.block_bytes)
        decoded: Floats = quants.dequantize(blocks, GGMLQuantizationType[scheme.name])
    return decoded.reshape(-1)


@EVERY
def test_dequantisation_is_bit_identical_to_gguf(scheme: Scheme) -> None:
    raw = np.random.default_rng(1).integers(0, 256, 2048 * scheme.block_bytes, dtype=np.uint8)
    ours, theirs = scheme.dequantise(raw), reference(scheme, raw)
    number = ~np.isnan(theirs)
    assert number.mean() > 0.9
    assert np.array_equal(ours.view(np.uint32)[number], theirs.view(np.uint32)[number])
    assert np.isnan(ours[~number]).all()


@EVERY
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_dequantisation_is_gguf_s_on_any_block(scheme: Scheme, data: st.DataObject) -> None:
    raw = data.draw(arrays(np.uint8, scheme.block_bytes))
    ours, theirs = scheme.dequantise(raw), reference(scheme, raw)
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.array_equal(np.signbit(ours[ours == 0]), np.signbit(theirs[theirs == 0]))


@EVERY
def test_bytes_per_block_are_ggml_s(scheme: Scheme) -> None:
    from gguf import GGML_QUANT_SIZES

    sizes = GGML_QUANT_SIZES[GGMLQuantizationType[scheme.name]]
    assert (scheme.block_elements, scheme.block_bytes) == sizes
    assert len(set(scheme.codes) & set(scheme.scale)) == 0


@pytest.mark.parametrize(
    ("name", "error", "floor"),
    [
        ("Q4_K", 0.072, 0.9973),
        ("Q5_K", 0.0365, 0.9993),
        ("Q6_K", 0.018, 0.99983),
        ("Q8_0", 0.0054, 0.99998),
    ],
)
def test_gaussian_error_is_that_of_the_reference_search(name: str, error: float, floor: float) -> None:
    values = gaussian(1 << 17)
    decoded = SCHEMES[name].dequantise(SCHEMES[name].quantise(values))
    assert error * 0.97 < relative_rmse(values, decoded) < error
    assert floor < cosine(values, decoded) < 1


@EVERY
def test_own_grid_is_recognised(scheme: Scheme) -> None:
    """Quantising what lies on the grid costs a small part of what it costs a genuine source."""
    values = gaussian(1 << 15)
    once = scheme.dequantise(scheme.quantise(values))
    twice = scheme.dequantise(scheme.quantise(once))
    rounded = once.astype(np.float16).astype(np.float32)
    genuine = relative_rmse(values, once)
    assert relative_rmse(once, twice) < genuine / 6
    assert relative_rmse(rounded, scheme.dequantise(scheme.quantise(rounded))) < genuine / 6


@EVERY
def test_requantising_stays_within_one_code(scheme: Scheme) -> None:
    values = np.random.default_rng(2).standard_t(4, 1 << 15).astype(np.float32)
    once = scheme.dequantise(scheme.quantise(values))
    twice = scheme.dequantise(scheme.quantise(once))
    # A code's step is the smallest gap between different values of a sub-block, of 16 at least.
    groups = np.sort(once.reshape(-1, 16), axis=1)
    gaps = np.diff(groups, axis=1)
    step = np.where(gaps > 1e-6, gaps, np.inf).min(axis=1)
    assert np.all(np.abs(once - twice).reshape(-1, 16).max(axis=1) <= step * 1.001)


@EVERY
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_error_is_bounded_by_the_range(scheme: Scheme, data: st.DataObject) -> None:
    finite = st.floats(-1e4, 1e4, width=32)
    values = data.draw(arrays(np.float32, scheme.block_elements, elements=finite))
    decoded = scheme.dequantise(scheme.quantise(values))
    largest = float(np.max(np.abs(values)))
    # The coarsest sub-scale is 1/63 of the largest, and codes have 4 bits: two steps of the largest.
    assert float(np.max(np.abs(values - decoded))) <= largest * 0.2 + 1e-4


@EVERY
def test_the_same_bytes_come_out_whatever_the_neighbours(scheme: Scheme) -> None:
    """No reduction runs across blocks: a block's bytes do not depend on where it lies."""
    values = gaussian(scheme.block_elements * 1030)
    together = scheme.quantise(values).reshape(-1, scheme.block_bytes)
    for index in (0, 1023, 1024, 1029):
        block = values.reshape(-1, scheme.block_elements)[index]
        assert np.array_equal(scheme.quantise(block), together[index])


@EVERY
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_values_that_no_scale_can_hold_are_refused(scheme: Scheme, value: float) -> None:
    values = gaussian(scheme.block_elements * 2)
    values[5] = value
    with pytest.raises(QuantisationError, match="finite"):
        scheme.quantise(values)


@pytest.mark.parametrize("name", ["Q8_0", "Q4_K", "Q5_K"])
def test_a_scale_beyond_fp16_is_refused(name: str) -> None:
    # Q6_K divides by 32 and by 128: its scale fits for whatever the bound on magnitudes lets pass.
    scheme = SCHEMES[name]
    values = np.full(scheme.block_elements, -(2.0**27.9), dtype=np.float32)
    values[0] = 2.0**27.9
    with pytest.raises(QuantisationError, match="65504"):
        scheme.quantise(values)


@EVERY
@pytest.mark.parametrize("fill", [0.0, 1e-40, -1e-12, 0.5, -0.5, 60000.0])
def test_constant_blocks_survive(scheme: Scheme, fill: float) -> None:
    values = np.full(scheme.block_elements, fill, dtype=np.float32)
    decoded = scheme.dequantise(scheme.quantise(values))
    assert np.allclose(decoded, values, rtol=0.01, atol=1e-5)


@EVERY
def test_partial_blocks_are_refused_in_both_directions(scheme: Scheme) -> None:
    with pytest.raises(QuantisationError, match="multiple"):
        scheme.quantise(np.zeros(scheme.block_elements + 1, np.float32))
    with pytest.raises(QuantisationError, match="multiple"):
        scheme.dequantise(np.zeros(scheme.block_bytes - 1, np.uint8))


def test_schemes_are_found_in_either_case() -> None:
    assert scheme_named("q4_k") is scheme_named("Q4_K") is SCHEMES["Q4_K"]
    with pytest.raises(QuantisationError, match="Q6_K"):
        scheme_named("q3_k")
