from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pv_runtime import compare_numpy, compare_tensors
from pv_runtime.compare_tensors import Differences, Pair, compare_all, compare_pair
from pv_runtime.errors import LoadError
from pv_runtime.formats import TensorInfo
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes

WINDOWS = {"fastest": compare_tensors.fastest(), "numpy": compare_numpy.compare_window}


def pair_of(a: NDArray[np.generic], b: NDArray[np.generic]) -> Pair:
    names = {"<f4": "F32", "<f2": "F16"}
    raw_a, raw_b = a.reshape(-1).view(np.uint8), b.reshape(-1).view(np.uint8)
    return Pair(
        TensorInfo("a", names[a.dtype.str], a.shape, raw_a.nbytes),
        TensorInfo("b", names[b.dtype.str], b.shape, raw_b.nbytes),
        lambda: raw_a,
        lambda: raw_b,
    )


def differences(a: NDArray[np.generic], b: NDArray[np.generic], window: str = "fastest") -> Differences:
    return next(compare_all([pair_of(a, b)], threads=1, window=WINDOWS[window]))[1]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_cosine_does_not_saturate(window: str) -> None:
    """Float32 says 1 - 2^-24 for all of these; a ratio in float64 says 0."""
    a = np.ones(1 << 16, np.float32)
    b = a.copy()
    b[0] += np.float32(2**-20)
    found = differences(a, b, window)
    # One element d apart of n ones: 1 - cos = d²(n-1)/(2n²) to first order.
    expected = 2.0**-40 * (2**16 - 1) / (2 * 2.0**32)
    assert found.one_minus_cosine == pytest.approx(expected, rel=1e-4)
    assert found.cosine == 1.0
    assert 0 < expected < 1e-16


@given(st.integers(0, 2**32), st.floats(1e-6, 1.5))
@settings(max_examples=30, deadline=None)
def test_both_forms_of_the_cosine_agree(seed: int, angle: float) -> None:
    generator = np.random.default_rng(seed)
    a = generator.standard_normal(4096).astype(np.float32)
    b = (a * math.cos(angle) + generator.standard_normal(4096) * math.sin(angle)).astype(np.float32)
    found = differences(a, b)
    assert found.one_minus_cosine == pytest.approx(1 - found.cosine, abs=4e-15)


def test_known_figures() -> None:
    found = differences(np.array([3, 4, 0], np.float32), np.array([3, 4, 5], np.float32))
    assert (found.equal, found.equal_rounded, found.max_difference, found.max_index) == (2, 2, 5, 2)
    assert found.first_difference == 2
    assert found.relative_l2 == 1
    assert found.mean_difference == pytest.approx(5 / 3)
    assert found.rmse == pytest.approx(5 / math.sqrt(3))
    assert found.norm_ratio == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("kind", ["<f4", "<f2"])
def test_units_in_the_last_place(kind: str) -> None:
    one = np.array([1, 1, -0.0], kind)
    other = one.copy()
    other[1] = np.nextafter(np.nextafter(other[1], other.dtype.type(2)), other.dtype.type(2))
    assert differences(one, other).max_ulps == 2
    tiny = np.array([np.finfo(kind).smallest_subnormal] * 3, kind)
    assert differences(tiny, -tiny).max_ulps == 2  # through zero
    assert differences(one, one).max_ulps == 0
    assert differences(one, np.array([1, np.nan, 0], kind)).max_ulps is None
    assert differences(np.ones(1, "<f2"), np.ones(1, "<f4")).max_ulps is None


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_counted_and_fails_closed(window: str, bad: float) -> None:
    good = np.arange(5000, dtype=np.float32)
    broken = good.copy()
    broken[4321] = bad
    for a, b, counts in ((good, broken, (0, 1)), (broken, good, (1, 0)), (broken, broken, (1, 1))):
        found = differences(a, b, window)
        assert (found.not_finite_a, found.not_finite_b) == counts
        assert not found.finite
        assert found.equal == found.equal_rounded == 4999
        assert found.first_difference == 4321
        assert math.isnan(found.cosine)
        assert math.isnan(found.one_minus_cosine)
        assert not found.relative_l2 < math.inf
        assert not found.max_difference < math.inf


def test_zeros_have_no_direction_and_no_distance() -> None:
    zero, one = np.zeros(300, np.float32), np.ones(300, np.float32)
    both = differences(zero, zero)
    assert math.isnan(both.cosine)
    assert (both.relative_l2, both.equal) == (0, 300)
    assert not differences(zero, one).relative_l2 < math.inf
    assert differences(one, zero).relative_l2 == 1
    signs = differences(zero, -zero)
    assert (signs.equal, signs.relative_l2) == (0, 0)


def test_an_empty_pair_has_no_figures() -> None:
    nothing = np.zeros(0, np.float32)
    found = differences(nothing, nothing)
    assert (found.elements, found.equal) == (0, 0)
    assert math.isnan(found.rmse)
    assert math.isnan(found.mean_difference)


def test_windows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of threads gives the same digits, and one difference in the last window is found."""
    monkeypatch.setattr(compare_tensors, "WINDOW", 4096)
    generator = np.random.default_rng(1)
    a = generator.standard_normal(3 * 4096 + 77).astype(np.float32)
    b = a.copy()
    b[-5] += 1
    pairs = [pair_of(a, b), pair_of(b, a), pair_of(a.astype(np.float16), b)] * 3
    once = [found for _, found in compare_all(pairs, threads=1)]
    for threads in (2, 5):
        assert [found for _, found in compare_all(pairs, threads=threads)] == once
    assert (once[0].first_difference, once[0].max_index, once[0].equal) == (
        a.size - 5,
        a.size - 5,
        a.size - 1,
    )
    assert once[0].max_difference == abs(float(b[-5]) - float(a[-5]))


def test_a_failing_thread_ends_the_sweep() -> None:
    def broken() -> Bytes:
        raise LoadError("is cut short", "x")

    good = pair_of(np.ones(9, np.float32), np.ones(9, np.float32))
    with pytest.raises(LoadError, match="cut short"):
        list(compare_all([good, dataclasses.replace(good, raw_a=broken), good], threads=2))


def test_bytes_of_any_alignment() -> None:
    values = np.linspace(-1, 1, 1000, dtype=np.float32)
    shifted = np.zeros(4001, np.uint8)
    shifted[1:] = values.view(np.uint8)
    info = TensorInfo("t", "F32", (1000,), 4000)
    found = compare_pair(Pair(info, info, lambda: shifted[1:], lambda: values.view(np.uint8)))
    assert found.equal == 1000


def test_blocks_of_one_format_are_compared_as_bytes() -> None:
    scheme = SCHEMES["Q4_K"]
    raw = scheme.quantise(np.random.default_rng(2).standard_normal(2560).astype(np.float32))
    other = raw.copy()
    other[3 * 144 + 20] ^= 1
    info = TensorInfo("t", "Q4_K", (10, 256), raw.nbytes)
    found = compare_pair(Pair(info, info, lambda: raw, lambda: other))
    assert (found.blocks, found.differing_blocks, found.equal) == (10, 1, 2559)
    assert found.first_difference // 256 == 3


def test_what_cannot_be_compared_is_refused() -> None:
    strange = TensorInfo("t", "F8_E4M3", (4,), 4)
    plain = TensorInfo("t", "F16", (4,), 8)
    short = TensorInfo("t", "F16", (3,), 6)
    nothing = lambda: np.zeros(8, np.uint8)  # noqa: E731
    for a, b, words in ((strange, plain, "F8_E4M3"), (plain, short, "4 values beside 3")):
        with pytest.raises(LoadError, match=words):
            compare_pair(Pair(a, b, nothing, nothing))


def test_pages_are_given_back(tmp_path: Path) -> None:
    """Comparing a mapped file leaves none of it in this process: the peak does not grow with the file."""
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.formats.overlay import from_values
    from pv_runtime.formats.safetensors import write_safetensors

    values = np.arange(1 << 22, dtype=np.float32)
    tensor = from_values("t", values.shape, lambda: values, "F32")
    for name in ("a", "b"):
        write_safetensors(str(tmp_path / name), [(tensor.info, tensor.raw)])
    a, b = (open_checkpoint(tmp_path / name) for name in ("a", "b"))
    before = _resident_file_bytes()
    found = compare_pair(Pair(a.info("t"), b.info("t"), lambda: a.raw("t"), lambda: b.raw("t")))
    assert found.equal == 1 << 22
    assert _resident_file_bytes() - before < 4 << 20


def _resident_file_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this kernel does not say")
