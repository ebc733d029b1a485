"""Data types of APR v2: their code numbers, told apart by size, and its own two block formats.

Two families of writers gave one number two meanings: 3, 6 and 7 are F64, I8 and U8 to one, ggml's
Q4_1, Q5_0 and Q5_1 to the other; 8 is APR_Q4 or Q8_0. The number of bytes says which is meant.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["CODES", "PADDED", "UNAMBIGUOUS", "dtype_of", "native_values"]

PADDED = {"Q4_K_PADDED": "Q4_K", "Q6_K_PADDED": "Q6_K"}
"""Formats whose rows are filled up to whole blocks, which ggml does not allow, and what they hold.

They have names of their own so that nobody takes their bytes for ggml's.
"""

UNAMBIGUOUS = {"F32": 0, "F16": 1, "BF16": 30, "Q4_K": 12, "Q6_K": 14, "APR_Q4": 128, "APR_Q8": 129}
"""What our writer emits without saying more."""


@dataclasses.dataclass(frozen=True)
class _Blocks:
    elements: int
    size: int
    whole: bool = True  # whether a row is a whole number of blocks; otherwise the last one is partial
    filled: bool = False  # whether each row is filled up to whole blocks
    head: int = 0  # bytes before the blocks

    def nbytes(self, shape: tuple[int, ...]) -> int | None:
        """Return the bytes that `shape` takes, or None where it cannot have this format."""
        row = shape[-1] if shape else 1
        if self.filled:
            short = row % self.elements != 0
            return math.prod(shape[:-1]) * -(-row // self.elements) * self.size if short else None
        if self.whole and row % self.elements:
            return None
        return self.head + -(-math.prod(shape) // self.elements) * self.size


_FORMATS = {
    "F32": _Blocks(1, 4), "F64": _Blocks(1, 8), "F16": _Blocks(1, 2), "BF16": _Blocks(1, 2),
    "I32": _Blocks(1, 4), "I64": _Blocks(1, 8), "I8": _Blocks(1, 1), "U8": _Blocks(1, 1),
    "Q4_0": _Blocks(32, 18), "Q4_1": _Blocks(32, 20), "Q5_0": _Blocks(32, 22), "Q5_1": _Blocks(32, 24),
    "Q8_0": _Blocks(32, 34), "Q4_K": _Blocks(256, 144), "Q5_K": _Blocks(256, 176), "Q6_K": _Blocks(256, 210),
    "Q4_K_PADDED": _Blocks(256, 144, filled=True), "Q6_K_PADDED": _Blocks(256, 210, filled=True),
    "APR_Q4": _Blocks(32, 18, whole=False), "APR_Q8": _Blocks(1, 1, head=4),
}  # fmt: skip

CODES: dict[int, tuple[str, ...]] = {
    0: ("F32",), 1: ("F16",), 2: ("Q4_0",), 3: ("F64", "Q4_1"), 4: ("I32",), 5: ("I64",),
    6: ("I8", "Q5_0"), 7: ("U8", "Q5_1"), 8: ("Q8_0", "APR_Q4"), 9: ("APR_Q8",),
    12: ("Q4_K", "Q4_K_PADDED"), 13: ("Q5_K",), 14: ("Q6_K", "Q6_K_PADDED"), 30: ("BF16",),
    128: ("APR_Q4",), 129: ("APR_Q8",),
}  # fmt: skip
"""Code number to the types that it has stood for; no two of one number agree on the size of a tensor."""


def dtype_of(code: int, shape: tuple[int, ...], size: int) -> tuple[str | None, str]:
    """Tell which of a code's types takes `size` bytes for `shape`.

    Returns
    -------
    tuple[str | None, str]
        The type, or None; and what the code's types would take, for a message.
    """
    sizes = {name: _FORMATS[name].nbytes(shape) for name in CODES[code]}
    found = next((name for name, nbytes in sizes.items() if nbytes == size), None)
    return found, ", ".join(f"{name} {nbytes}" for name, nbytes in sizes.items() if nbytes is not None)


def native_values(dtype: str, raw: Bytes, shape: tuple[int, ...]) -> Floats:
    """Decode APR_Q4 or APR_Q8 to float32 in `shape`.

    APR_Q4: for each 32 values an fp16 scale and 16 bytes, even elements in the low nibble, value =
    (nibble - 8)·scale; the last block is filled up. APR_Q8: one float32 scale, then int8 codes,
    value = code·scale. A scale that is not finite gives values that are not finite.
    """
    count = math.prod(shape)
    with np.errstate(invalid="ignore", over="ignore"):
        if dtype == "APR_Q8":
            scale = raw[:4].copy().view("<f4").astype(np.float32)
            return (raw[4:].view(np.int8).astype(np.float32) * scale).reshape(shape)
        blocks = raw.reshape(-1, 18)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
        codes = np.empty((len(blocks), 32), np.float32)
        codes[:, 0::2] = blocks[:, 2:] & 15
        codes[:, 1::2] = blocks[:, 2:] >> 4
        return ((codes - np.float32(8)) * scales).reshape(-1)[:count].reshape(shape)
