"""The compiled search gives numpy's bytes, and those are as near to the values as ggml's."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.compare import relative_rmse
from pv_runtime.errors import QuantisationError
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats
from pv_runtime.quant.search import quantise

GGML = {"Q8_0": 8, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14}


def special(kind: str, generator: np.random.Generator) -> Floats:
    normal = generator.standard_normal(256 * 9).astype(np.float32)
    return {
        "normal": normal,
        "zeros": np.zeros_like(normal),
        "constant": np.full_like(normal, 0.75),
        "positive": np.abs(normal),
        "negative": -np.abs(normal),
        "tiny": normal * np.float32(1e-30),
        "subnormal": normal * np.float32(1e-40),
        "large": normal * np.float32(1e5),
        "outlier": np.where(np.arange(normal.size) % 97 == 0, normal * 1000, normal).astype(np.float32),
        "sparse": np.where(np.arange(normal.size) % 300 < 290, 0, normal).astype(np.float32),
        "negative zeros": np.where(normal > 0, np.float32(-0.0), normal),
    }[kind]


KINDS = [
    "normal", "zeros", "constant", "positive", "negative", "tiny", "subnormal", "large", "outlier", "sparse",
    "negative zeros",
]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_numpys(scheme: str, kind: str) -> None:
    values = special(kind, np.random.default_rng(5))
    assert np.array_equal(quantise(values, scheme), SCHEMES[scheme].quantise(values))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SCHEMES)), st.integers(0, 2**32), st.integers(1, 40), st.floats(1e-8, 1e4))
def test_any_number_of_blocks_of_any_scale(scheme: str, seed: int, blocks: int, scale: float) -> None:
    values = (np.random.default_rng(seed).standard_t(3, blocks * 256) * scale).astype(np.float32)
    values = values.clip(-1e6, 1e6)
    assert np.array_equal(quantise(values, scheme), SCHEMES[scheme].quantise(values))


def test_threads_do_not_show() -> None:
    values = np.random.default_rng(1).standard_normal(5 << 17).astype(np.float32)
    for scheme in ("Q4_K", "Q8_0"):
        assert np.array_equal(quantise(values, scheme, threads=3), quantise(values, scheme, threads=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2.0**30])
def test_what_cannot_be_represented_is_refused(bad: float) -> None:
    values = np.ones(256, np.float32)
    values[17] = bad
    for scheme in SCHEMES:
        with pytest.raises(QuantisationError):
            quantise(values, scheme)
    with pytest.raises(QuantisationError):
        quantise(np.ones(255, np.float32), "Q4_K")
    with pytest.raises(QuantisationError):
        quantise(np.ones(256, np.float32), "Q3_K")


@pytest.mark.oracle
@pytest.mark.parametrize("distribution", ["normal", "laplace", "student", "uniform"])
@pytest.mark.parametrize("scheme", GGML)
def test_the_error_is_no_worse_than_ggmls(scheme: str, distribution: str) -> None:
    generator = np.random.default_rng(8)
    draw = {
        "normal": generator.standard_normal(1 << 18),
        "laplace": generator.laplace(size=1 << 18),
        "student": generator.standard_t(4, 1 << 18),
        "uniform": generator.uniform(-1, 1, 1 << 18),
    }[distribution]
    values = np.multiply(draw, 0.02).astype(np.float32)
    ours, theirs = quantise(values, scheme), ggml_quantised(scheme, values)
    size = SCHEMES[scheme].block_bytes
    same = float((ours.reshape(-1, size) == theirs.reshape(-1, size)).all(axis=1).mean())
    assert same == 1 if scheme == "Q8_0" else same > 0.9
    mine, peers = (relative_rmse(values, SCHEMES[scheme].dequantise(raw)) for raw in (ours, theirs))
    assert mine <= peers * 1.001


def ggml_quantised(scheme: str, values: Floats) -> Bytes:
    """Quantise with the library that llama-cpp-python brings."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None:
        pytest.skip("llama-cpp-python is not installed: make oracles builds it")
    library = ctypes.CDLL(str(Path(found.origin).parent / "lib" / "libggml-base.so"))
    function = library.ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    form = SCHEMES[scheme]
    out = np.empty(values.size // form.block_elements * form.block_bytes, np.uint8)
    written = function(GGML[scheme], values.ctypes.data, out.ctypes.data, 0, values.size // 256, 256, None)
    assert written == out.size
    return out
