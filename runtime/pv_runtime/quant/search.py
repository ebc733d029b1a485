"""Quantise with ggml's own search at the speed of compiled code; the bytes are those of `SCHEMES`."""

from __future__ import annotations

import dataclasses
import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pv_runtime.compiled import available
from pv_runtime.quant import scheme_named
from pv_runtime.quant.affine import Header, _six_bits, pack_scales, recode
from pv_runtime.quant.q6_k import _EMPTY, _sub_scales
from pv_runtime.quant.scheme import Bytes, Floats, Scheme, finite_half

__all__ = ["quantise", "searched"]

_WINDOW = 1 << 18
"""Elements that a thread quantises at a time; a multiple of every block."""


def quantise(values: Floats, scheme: str, *, threads: int | None = None) -> Bytes:
    """Quantise float32 ``[n]`` with the search, on all cores; uint8 as `Scheme.quantise` returns.

    Raises
    ------
    QuantisationError
        There is no such scheme, or values that it cannot represent.
    """
    form = searched(scheme)
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    parts = [flat[start : start + _WINDOW] for start in range(0, flat.size, _WINDOW)]
    if len(parts) < 2:
        return form.quantise(flat)
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
        return np.concatenate(list(pool.map(form.quantise, parts)))


@functools.cache
def searched(name: str) -> Scheme:
    """Return the scheme `name` with its search compiled, or as it is where numba is not there.

    Raises
    ------
    QuantisationError
        There is no such scheme.
    """
    scheme = scheme_named(name)
    if not available() or scheme.name not in _COMPILED:
        return scheme
    return dataclasses.replace(scheme, quantise_blocks=_COMPILED[scheme.name])


def _affine(blocks: Floats, *, levels: int, first: float, steps: int, name: str) -> tuple[Bytes, Bytes]:
    """Return packed scales, uint8 ``[n, 16]``, and codes ``[n, 8, 32]``; see `affine.block_scales`."""
    from pv_runtime.quant.search_kernels import affine_fits

    numerators = [levels, *(levels + first + 0.1 * step for step in range(steps + 1))]
    scale, minimum = (np.empty(blocks.size // 32, np.float32) for _ in range(2))
    affine_fits(blocks.reshape(-1, 32), levels, np.array(numerators).astype(np.float32), scale, minimum)
    d, scales = _six_bits(scale.reshape(-1, 8), name)
    dmin, minima = _six_bits(minimum.reshape(-1, 8), name)
    packed = pack_scales(Header(d, dmin, scales, minima))
    return packed, recode(blocks, packed, levels)


def _q4_k(blocks: Floats) -> Bytes:
    packed, codes = _affine(blocks, levels=15, first=-1.0, steps=20, name="Q4_K")
    pairs = codes.reshape(-1, 4, 2, 32)
    return np.concatenate([packed, (pairs[:, :, 0] | (pairs[:, :, 1] << 4)).reshape(-1, 128)], axis=1)


def _q5_k(blocks: Floats) -> Bytes:
    packed, codes = _affine(blocks, levels=31, first=-0.5, steps=15, name="Q5_K")
    bit = np.arange(8, dtype=np.uint8).reshape(1, 8, 1)
    high = np.bitwise_or.reduce((codes >> 4) << bit, axis=1)
    low = (codes & 15).reshape(-1, 4, 2, 32)
    return np.concatenate([packed, high, (low[:, :, 0] | (low[:, :, 1] << 4)).reshape(-1, 128)], axis=1)


def _q6_k(blocks: Floats) -> Bytes:
    from pv_runtime.quant.search_kernels import signed_fits

    steps = (0, *range(-9, 0), *range(1, 10))
    wanted = np.empty((len(blocks), 16), np.float32)
    numerators = np.array([-(32 + 0.1 * step) for step in steps]).astype(np.float32)
    signed_fits(blocks.reshape(-1, 16), numerators, wanted.reshape(-1))
    largest = np.take_along_axis(wanted, np.abs(wanted).argmax(axis=1)[:, None], axis=1)
    usable = np.abs(largest) > _EMPTY
    inverse = np.float32(-128) / np.where(usable, largest, np.float32(1))
    d = finite_half(np.where(usable, np.float32(1) / inverse, np.float32(0)), "Q6_K")
    scales = np.where(usable, np.clip(np.rint(inverse * wanted), -128, 127), 0).astype(np.int8)
    step = _sub_scales(scales, d)
    ratio = blocks.reshape(-1, 16, 16) / np.where(step != 0, step, np.float32(1))
    codes = np.where(step != 0, np.clip(np.rint(ratio), -32, 31), 0).astype(np.int8) + np.int8(32)
    quarters = codes.view(np.uint8).reshape(-1, 2, 4, 32)
    low = (quarters[:, :, :2] & 15) | ((quarters[:, :, 2:] & 15) << 4)
    high = quarters >> 4
    pairs = high[:, :, 0] | (high[:, :, 1] << 2) | (high[:, :, 2] << 4) | (high[:, :, 3] << 6)
    parts = [low.reshape(-1, 128), pairs.reshape(-1, 64), scales.view(np.uint8), d.view(np.uint8)]
    return np.concatenate(parts, axis=1)


def _q8_0(blocks: Floats) -> Bytes:
    from pv_runtime.quant.search_kernels import byte_codes

    packed, scales = np.empty((len(blocks), 34), np.int8), np.empty(len(blocks), np.float32)
    byte_codes(blocks.reshape(-1), scales, packed)
    packed[:, :2] = finite_half(scales, "Q8_0").view(np.int8).reshape(-1, 2)
    return packed.view(np.uint8)


_COMPILED = {"Q4_K": _q4_k, "Q5_K": _q5_k, "Q6_K": _q6_k, "Q8_0": _q8_0}
"""What quantises float32 ``[n, block_elements]``."""
