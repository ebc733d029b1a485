"""Q4_K, Q6_K and Q8_0 as their layouts are written down, decoded weight by weight in numpy: the reference.

Nothing is shared with the kernels. Decoding is in float32, as ggml's own, and exact but for one subtraction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

__all__ = ["DECODERS", "decode", "half", "q6_k"]

HALVES = {"Q4_K": (0, 2), "Q6_K": (208,), "Q8_0": (0,)}
"""Where in a block its float16 are: d, and dmin of Q4_K."""


def half(blocks: np.ndarray, at: int) -> np.ndarray:
    """Return the little-endian float16 at byte `at` of every block, as float32 ``[..., 1]``."""
    return np.ascontiguousarray(blocks[..., at : at + 2]).view("<f2").astype(np.float32)


def q4_k(blocks: np.ndarray) -> np.ndarray:
    """Decode ``[..., 144]`` to ``[..., 256]``."""
    packed, nibbles = blocks[..., 4:16], blocks[..., 16:]
    values = np.empty((*blocks.shape[:-1], 256), np.float32)
    for j in range(8):
        if j < 4:
            scale, least = packed[..., j] & 63, packed[..., j + 4] & 63
        else:
            scale = (packed[..., j + 4] & 15) | (packed[..., j - 4] >> 6 << 4)
            least = (packed[..., j + 4] >> 4) | (packed[..., j] >> 6 << 4)
        group = nibbles[..., j // 2 * 32 : j // 2 * 32 + 32]
        codes = (group & 15 if j % 2 == 0 else group >> 4).astype(np.float32)
        factor = half(blocks, 0) * scale[..., None].astype(np.float32)
        offset = half(blocks, 2) * least[..., None].astype(np.float32)
        values[..., 32 * j : 32 * j + 32] = factor * codes - offset
    return values


def q6_k(blocks: np.ndarray, scale_type: type = np.int8) -> np.ndarray:
    """Decode ``[..., 210]`` to ``[..., 256]``; with `scale_type` uint8, as if scales had no sign."""
    scales = np.ascontiguousarray(blocks[..., 192:208]).view(scale_type).astype(np.float32)
    values = np.empty((*blocks.shape[:-1], 256), np.float32)
    for run in range(16):  # 16 weights that share a scale
        side, quarter, lane = run // 8, run % 8 // 2, 16 * (run % 2)
        start = 64 * side + 32 * (quarter % 2) + lane
        low = blocks[..., start : start + 16] >> (4 * (quarter // 2)) & 15
        start = 128 + 32 * side + lane
        high = blocks[..., start : start + 16] >> (2 * quarter) & 3
        codes = (low | high << 4).astype(np.float32) - 32
        values[..., 16 * run : 16 * run + 16] = half(blocks, 208) * scales[..., run : run + 1] * codes
    return values


def q8_0(blocks: np.ndarray) -> np.ndarray:
    """Decode ``[..., 34]`` to ``[..., 32]``."""
    return half(blocks, 0) * np.ascontiguousarray(blocks[..., 2:]).view(np.int8).astype(np.float32)


DECODERS: Mapping[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "Q4_K": (144, q4_k),
    "Q6_K": (210, q6_k),
    "Q8_0": (34, q8_0),
}
"""Format → bytes of a block, and its decoder."""


def decode(name: str, weight: Tensor) -> Tensor:
    """Return the matrix ``[rows, columns]`` in float32 of bytes ``[rows, bytes]`` in the format `name`."""
    size, decoder = DECODERS[name]
    with np.errstate(invalid="ignore"):  # an infinite scale by a code of zero
        values = decoder(weight.contiguous().numpy().reshape(len(weight), weight.shape[1] // size, size))
    return torch.from_numpy(values.reshape(len(weight), values.shape[1] * values.shape[2]))
