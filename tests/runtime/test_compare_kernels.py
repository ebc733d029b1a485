"""The compiled pass against numpy's, element for element, on random, extreme and hostile bytes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime import compare_numpy
from pv_runtime.compare_tensors import COMPARED, Pair, Window, compare_all, fastest
from pv_runtime.formats import TensorInfo
from pv_runtime.formats.checkpoint import PLAIN
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes

pytest.importorskip("numba", reason="the compiled pass needs numba")

ELEMENTS = 2048 + 512  # one whole chunk, and a part of one


def nbytes(dtype: str, elements: int) -> int:
    if dtype in SCHEMES:
        return elements // SCHEMES[dtype].block_elements * SCHEMES[dtype].block_bytes
    return elements * PLAIN[dtype]


def tensor(dtype: str, raw: Bytes, elements: int = ELEMENTS) -> TensorInfo:
    return TensorInfo("t", dtype, (elements,), raw.nbytes)


def figures(
    a: str, raw_a: Bytes, b: str, raw_b: Bytes, window: Window
) -> tuple[dict[str, object], list[float]]:
    elements = ELEMENTS
    pair = Pair(tensor(a, raw_a), tensor(b, raw_b), lambda: raw_a, lambda: raw_b)
    found = next(compare_all([pair], threads=1, window=window))[1]
    assert found.elements == elements
    exact = {
        name: getattr(found, name)
        for name in (
            "not_finite_a", "not_finite_b", "equal", "equal_rounded", "blocks", "differing_blocks",
            "max_index", "first_difference", "max_ulps",
        )
    }  # fmt: skip
    return exact, [found.sum_aa, found.sum_bb, found.sum_ab, found.sum_dd, found.sum_d, found.max_difference]


@pytest.mark.parametrize(("a", "b"), list(itertools.product(COMPARED, COMPARED)))
def test_every_pair_of_dtypes_agrees_with_numpy(a: str, b: str) -> None:
    """Random bytes: every exponent, subnormals, NaN and infinities, in values and in block scales."""
    generator = np.random.default_rng([COMPARED.index(a), COMPARED.index(b)])
    raw_a = generator.integers(0, 256, nbytes(a, ELEMENTS), dtype=np.uint8)
    raw_b = generator.integers(0, 256, nbytes(b, ELEMENTS), dtype=np.uint8)
    if a == b:  # so that something is equal
        raw_b[: raw_b.size // 2] = raw_a[: raw_b.size // 2]
    ours, sums = figures(a, raw_a, b, raw_b, fastest())
    theirs, expected = figures(a, raw_a, b, raw_b, compare_numpy.compare_window)
    assert ours == theirs
    assert np.isnan(sums).tolist() == np.isnan(expected).tolist()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(COMPARED), st.sampled_from(COMPARED), st.integers(0, 2**32), st.floats(1e-7, 1e4))
def test_finite_values_give_the_same_sums(a: str, b: str, seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    values = (generator.standard_normal(ELEMENTS) * scale).astype(np.float32).clip(-6e4, 6e4)
    raws = []
    for dtype in (a, b):
        if dtype in SCHEMES:
            raws.append(SCHEMES[dtype].quantise(values))
        elif dtype == "BF16":
            raws.append((values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8))
        else:
            raws.append(values.astype({"F32": "<f4", "F16": "<f2"}[dtype]).view(np.uint8))
    ours, sums = figures(a, raws[0], b, raws[1], fastest())
    theirs, expected = figures(a, raws[0], b, raws[1], compare_numpy.compare_window)
    assert ours == theirs
    assert sums[5] == expected[5]
    magnitude = max(expected[0], expected[1])
    np.testing.assert_allclose(sums[:2], expected[:2], rtol=1e-12)
    np.testing.assert_allclose(sums[3:5], expected[3:5], rtol=1e-12)
    assert abs(sums[2] - expected[2]) <= 1e-12 * magnitude


@pytest.mark.parametrize("narrow", ["F16", "BF16"])
def test_rounding_is_to_nearest_even(narrow: str) -> None:
    """Every fp16 neighbourhood: the value itself, its two midpoints, and a hair beside each."""
    halves = np.arange(0, 0x7C00, 63, dtype=np.uint16)
    base = (
        halves.view(np.float16).astype(np.float32)
        if narrow == "F16"
        else (halves.astype(np.uint32) << 16).view("<f4")
    )
    above = np.nextafter(base, np.float32(np.inf))
    middle = ((base.astype(np.float64) + np.roll(base, -1).astype(np.float64)) / 2).astype(np.float32)
    wide = np.concatenate([base, above, middle, -middle, np.nextafter(middle, np.float32(0))])[:ELEMENTS]
    stored = np.resize(halves, ELEMENTS).view(np.uint8)
    raw = np.resize(wide, ELEMENTS).astype("<f4").view(np.uint8)
    ours, _ = figures("F32", raw, narrow, stored, fastest())
    theirs, _ = figures("F32", raw, narrow, stored, compare_numpy.compare_window)
    assert ours == theirs
    assert 0 < int(str(ours["equal"])) <= int(str(ours["equal_rounded"])) < ELEMENTS
