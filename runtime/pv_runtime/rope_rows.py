"""The two orders in which query and key rows lie, and the way between them, exact for every type.

Rotary embeddings turn pairs of a head's values. Hugging Face pairs value i with i + d/2; llama.cpp's
`llama` pairs neighbours, so that its converter interleaves the rows of each head:

    row (h, s, i) of Hugging Face  =  row (h, i, s) of GGUF,   s in {0, 1}, i in 0 … d/2 - 1

Only whole rows move, so that blocks are never taken apart. Source: ``LlamaModel.permute`` of
llama.cpp's ``convert_hf_to_gguf.py``; `qwen2` has one order in both.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.formats.overlay import LazyTensor, Overlay
from pv_runtime.quant.scheme import Bytes

__all__ = ["ROTATED", "interleave", "separate", "with_rows"]

ROTATED = re.compile(r"model\.layers\.\d+\.self_attn\.([qk])_proj\.(weight|bias)")
"""Hugging Face's names of the tensors whose rows the two orders concern."""


def interleave(raw: Bytes, rows: int, heads: int) -> Bytes:
    """Bring `rows` equal rows from Hugging Face's order into GGUF's.

    Parameters
    ----------
    raw
        uint8 ``[rows * row bytes]``.
    rows, heads
        `rows` is a multiple of twice `heads`.
    """
    return _moved(raw, rows, (heads, 2, rows // heads // 2))


def separate(raw: Bytes, rows: int, heads: int) -> Bytes:
    """Bring rows from GGUF's order into Hugging Face's; the inverse of `interleave`."""
    return _moved(raw, rows, (heads, rows // heads // 2, 2))


def _moved(raw: Bytes, rows: int, order: tuple[int, int, int]) -> Bytes:
    return np.ascontiguousarray(raw.reshape(*order, raw.size // rows).swapaxes(1, 2)).reshape(-1)


def with_rows(
    model: Checkpoint, move: Callable[[Bytes, int, int], Bytes], heads: int, kv_heads: int
) -> Overlay:
    """View `model` with the rows of all query and key projections moved.

    Raises
    ------
    LoadError
        The rows of a projection do not divide into its heads.
    """
    replaced: dict[str, LazyTensor] = {}
    for name in model.names():
        if match := ROTATED.fullmatch(name):
            info, count = model.info(name), heads if match[1] == "q" else kv_heads
            if not info.shape or count < 1 or info.shape[0] % (2 * count):
                raise LoadError(
                    f"tensor {name} of shape {info.shape} has no {count} heads of an even size", model.path
                )
            replaced[name] = LazyTensor(info, functools.partial(_read, model, name, move, count))
    return Overlay(model, replace=replaced)


def _read(model: Checkpoint, name: str, move: Callable[[Bytes, int, int], Bytes], heads: int) -> Bytes:
    return move(model.raw(name), model.info(name).shape[0], heads)
