"""What a block format is: a few facts of its layout, and the two directions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pv_runtime.errors import QuantisationError

__all__ = ["Bytes", "Floats", "Scheme", "finite_half", "tree_sum"]

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
From = TypeVar("From", bound=np.generic)
To = TypeVar("To", bound=np.generic)

_LARGEST = 2.0**28
"""No block format with an fp16 scale reaches larger magnitudes; below it no search overflows float32."""
_CHUNK = 1024
"""Blocks worked on at a time, so that the arrays of a search stay in cache."""


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A block format of ggml.

    Parameters
    ----------
    name
        As ggml spells it, such as ``"Q4_K"``.
    block_elements, block_bytes
        Values and bytes of one block.
    codes
        Byte range, within a block, of the packed codes (without scales).
    scale
        Byte range, within a block, of the fp16 factor `d` of the whole block.
    quantise_blocks
        float32 ``[n, block_elements]`` to uint8 ``[n, block_bytes]``; the input is finite.
    dequantise_blocks
        uint8 ``[n, block_bytes]`` to float32 ``[n, block_elements]``.
    """

    name: str
    block_elements: int
    block_bytes: int
    codes: range
    scale: range
    quantise_blocks: Callable[[Floats], Bytes]
    dequantise_blocks: Callable[[Bytes], Floats]

    def quantise(self, values: Floats) -> Bytes:
        """Quantise float32 ``[n * block_elements]`` to uint8 ``[n * block_bytes]``.

        The same values give the same bytes on every IEEE 754 host: sums are taken in a fixed
        order, never by a reduction whose order depends on the width of the CPU's vectors.

        Raises
        ------
        QuantisationError
            The values are no whole number of blocks, not finite, or too large for an fp16 scale.
        """
        flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
        if flat.size % self.block_elements:
            raise QuantisationError(
                f"{flat.size} values are no multiple of {self.name}'s block of {self.block_elements}"
            )
        if flat.size and not float(np.max(np.abs(flat))) < _LARGEST:  # NaN compares false, too
            raise QuantisationError(
                f"{self.name} needs finite values of magnitude below 2**28: its block scale is an fp16"
            )
        blocks = flat.reshape(-1, self.block_elements)
        return _in_chunks(self.quantise_blocks, blocks, self.block_bytes, np.uint8).reshape(-1)

    def dequantise(self, raw: Bytes) -> Floats:
        """Dequantise uint8 ``[n * block_bytes]`` to float32 ``[n * block_elements]``.

        A scale that is not finite gives values that are not finite: corruption stays visible.

        Raises
        ------
        QuantisationError
            The bytes are no whole number of blocks.
        """
        flat = np.ascontiguousarray(raw, dtype=np.uint8).reshape(-1)
        if flat.size % self.block_bytes:
            raise QuantisationError(
                f"{flat.size} bytes are no multiple of {self.name}'s block of {self.block_bytes}"
            )
        blocks = flat.reshape(-1, self.block_bytes)
        with np.errstate(invalid="ignore", over="ignore"):  # scales out of a hostile file
            return _in_chunks(self.dequantise_blocks, blocks, self.block_elements, np.float32).reshape(-1)


def _in_chunks(
    convert: Callable[[NDArray[From]], NDArray[To]], blocks: NDArray[From], columns: int, dtype: type[To]
) -> NDArray[To]:
    """Apply `convert` to a bounded number of rows at a time; returns ``[n, columns]``."""
    out = np.empty((len(blocks), columns), dtype)
    for start in range(0, len(blocks), _CHUNK):
        out[start : start + _CHUNK] = convert(blocks[start : start + _CHUNK])
    return out


def tree_sum(terms: Floats) -> Floats:
    """Sum over axis 0, a power of two long, as a balanced tree of explicit additions.

    The order is part of the definition, so that the result is the same on every host; the
    rounding error grows with the logarithm of the length.
    """
    while len(terms) > 1:
        half = len(terms) // 2
        terms = terms[:half] + terms[half:]
    total: Floats = terms[0]
    return total


def finite_half(scale: Floats, name: str) -> NDArray[np.float16]:
    """Round block scales to fp16.

    Raises
    ------
    QuantisationError
        A scale rounds to infinity.
    """
    with np.errstate(over="ignore"):
        half = scale.astype(np.float16)
    if not np.isfinite(half).all():
        raise QuantisationError(f"a {name} block scale exceeds fp16's largest value, 65504")
    return half
