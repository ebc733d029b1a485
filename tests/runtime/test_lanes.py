"""Each step against numpy, on all bytes, at odd places; neighbours are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("numba", reason="nothing is compiled without it")

from pv_runtime import lanes
from pv_runtime.compiled import compiled

U64 = np.uint64
prefetch, unpack_bytes, unpack_six_bits = lanes.prefetch, lanes.unpack_bytes, lanes.unpack_six_bits
unpack_four_bits, unpack_five_bits = lanes.unpack_four_bits, lanes.unpack_five_bits


@compiled()
def run_bytes(raw: Any, base: Any, scale: Any, out: Any, place: Any) -> None:
    prefetch(raw, base)
    unpack_bytes(raw, base, scale, out, place)


@compiled()
def run_four(raw: Any, base: Any, d: Any, scales: Any, dmin: Any, minima: Any, out: Any, place: Any) -> None:
    unpack_four_bits(raw, base, d, scales, dmin, minima, out, place)


@compiled()
def run_five(raw: Any, base: Any, d: Any, scales: Any, dmin: Any, minima: Any, out: Any, place: Any) -> None:
    unpack_five_bits(raw, base, d, scales, dmin, minima, out, place)


@compiled()
def run_six(raw: Any, low: Any, high: Any, scales: Any, factor: Any, out: Any, place: Any) -> None:
    unpack_six_bits(raw, low, high, scales, factor, out, place)


def buffer() -> NDArray[np.float32]:
    return np.full(300, np.float32(np.pi))


def held(out: NDArray[np.float32], place: int, expected: NDArray[np.float32]) -> None:
    assert np.array_equal(out[place : place + expected.size].view(np.uint32), expected.view(np.uint32))
    assert (np.delete(out, range(place, place + expected.size)) == np.float32(np.pi)).all()


RAW = np.random.default_rng(0).permutation(np.arange(512) % 256).astype(np.uint8)


def test_bytes() -> None:
    for base in range(0, 470, 31):
        out, scale = buffer(), np.float32(0.1) + np.float32(base)
        run_bytes(RAW, base, scale, out, 7)
        held(out, 7, scale * RAW[base : base + 32].view(np.int8).astype(np.float32))


@pytest.mark.parametrize("fifths", [False, True])
def test_four_and_five_bits(fifths: bool) -> None:
    scales, minima = np.arange(8, dtype=np.uint8) * 9, 63 - np.arange(8, dtype=np.uint8) * 7
    d, dmin = np.float32(0.013), np.float32(0.37)
    for base in (0, 3, 77):
        start = base + 32 * fifths
        pairs = RAW[start : start + 128].reshape(4, 1, 32)
        codes = np.concatenate([pairs & 15, pairs >> 4], axis=1).reshape(8, 32)
        if fifths:
            codes |= (RAW[base : base + 32] >> np.arange(8, dtype=np.uint8)[:, None] & 1) << 4
        steps, offsets = d * scales.astype(np.float32), dmin * minima.astype(np.float32)
        expected = steps[:, None] * codes.astype(np.float32) - offsets[:, None]
        out, step = buffer(), run_five if fifths else run_four
        step(RAW, base, d, scales.view(U64)[0], dmin, minima.view(U64)[0], out, 11)
        held(out, 11, expected.reshape(-1))


def test_six_bits() -> None:
    factor = np.float32(-0.021)
    for low, high, scales in ((0, 64, 96), (101, 203, 333)):
        nibbles, pairs = RAW[low : low + 64].reshape(2, 32), RAW[high : high + 32]
        four = np.stack([nibbles & 15, nibbles >> 4]).reshape(4, 32)
        two = pairs >> (2 * np.arange(4, dtype=np.uint8))[:, None] & 3
        codes = (four | two << 4).astype(np.float32) - np.float32(32)
        steps = factor * RAW[scales : scales + 8].view(np.int8).astype(np.float32)
        out = buffer()
        run_six(RAW, low, high, scales, factor, out, 1)
        held(out, 1, (steps[:, None] * codes.reshape(8, 16)).reshape(-1))
