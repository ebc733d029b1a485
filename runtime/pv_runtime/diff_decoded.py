"""Pairs of which a side is in a format that the fast comparison does not unpack: decoded window by window.

Such are ggml's legacy and codebook formats, and APR's own. This path is some hundred times as slow as the
fused one, and holds one window in memory.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from pv_runtime.compare_tensors import COMPARED, Differences, Pair, compare_pair
from pv_runtime.formats import LazyTensor, TensorInfo
from pv_runtime.formats.apr_types import PADDED, native_values
from pv_runtime.formats.checkpoint import decode
from pv_runtime.formats.ggml_decode import BORROWED
from pv_runtime.formats.pages import bring, give_back
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["decodable", "decoded_differences"]

_WINDOW = 1 << 20
_ROWS = 32
"""Windows are of so many rows, or a multiple: whole blocks of 32, even where these run across rows."""
_OURS = {*BORROWED, *PADDED, "APR_Q4", "APR_Q8"}


def decodable(a: TensorInfo, b: TensorInfo) -> bool:
    """Whether a pair of one shape, which `compare_tensors` does not take, can be compared here."""
    known = {*COMPARED, *_OURS}
    return a.shape == b.shape and len(a.shape) > 0 and {a.dtype, b.dtype} <= known and a.elements > 0


def decoded_differences(a: LazyTensor, b: LazyTensor) -> Differences:
    """Compare two tensors of one shape, element by element.

    Blocks are counted only of the formats of `compare_tensors`; there are no units in the last place.

    Raises
    ------
    LoadError
        A side cannot be decoded.
    """
    raw_a, raw_b = a.raw(), b.raw()
    total: Differences | None = None
    for first, last in _ranges(a.info):
        x, y = _side(a.info, raw_a, first, last), _side(b.info, raw_b, first, last)
        figures = compare_pair(Pair(x[0], y[0], lambda raw=x[1]: raw, lambda raw=y[1]: raw))  # type: ignore[misc]
        total = figures if total is None else _joined(total, figures, first)
    assert total is not None  # noqa: S101 - `decodable` asks for elements
    return dataclasses.replace(total, max_ulps=None)


def _ranges(info: TensorInfo) -> Iterator[tuple[int, int]]:
    row = info.shape[-1]
    step = max(_ROWS, _WINDOW // row // _ROWS * _ROWS) * row
    for first in range(0, info.elements, step):
        yield first, min(first + step, info.elements)


def _side(info: TensorInfo, raw: Bytes, first: int, last: int) -> tuple[TensorInfo, Bytes]:
    """Return one side's window as the fast comparison takes it: its own bytes, or float32."""
    if info.dtype in COMPARED:
        part = _part(info, raw, first, last)
        return TensorInfo(info.name, info.dtype, (last - first,), part.nbytes), part
    values = np.ascontiguousarray(_values(info, raw, first, last)).reshape(-1)
    return TensorInfo(info.name, "F32", (values.size,), values.nbytes), values.view(np.uint8)


def _part(info: TensorInfo, raw: Bytes, first: int, last: int) -> Bytes:
    rows = info.elements // info.shape[-1]
    if info.dtype == "APR_Q8":
        return raw[4 + first : 4 + last]
    if info.dtype == "APR_Q4":
        return raw[first // 32 * 18 : -(-last // 32) * 18]
    row = info.nbytes // rows  # whole blocks in every other format, filled up in padded ones
    return raw[first // info.shape[-1] * row : last // info.shape[-1] * row]


def _values(info: TensorInfo, raw: Bytes, first: int, last: int) -> Floats:
    part = _part(info, raw, first, last)
    bring(part)
    count, row = last - first, info.shape[-1]
    if info.dtype in PADDED:
        filled = SCHEMES[PADDED[info.dtype]].dequantise(part)
        found: Floats = filled.reshape(count // row, -1)[:, :row]
    elif info.dtype == "APR_Q8":
        found = native_values(info.dtype, np.concatenate([raw[:4], part]), (count,))
    elif info.dtype == "APR_Q4":
        found = native_values(info.dtype, part, (count,))
    else:
        found = decode(TensorInfo(info.name, info.dtype, (count,), part.nbytes), part, info.name)
    give_back(part)
    return found


def _joined(total: Differences, window: Differences, first: int) -> Differences:
    """Add a window that begins at the element `first`."""
    worse = math.isnan(window.max_difference) or window.max_difference > total.max_difference
    worst = window if worse and not math.isnan(total.max_difference) else total
    index = worst.max_index + (first if worst is window and worst.max_index >= 0 else 0)
    differing = [total.first_difference] if total.first_difference >= 0 else []
    differing += [first + window.first_difference] if window.first_difference >= 0 else []
    added = {
        name: getattr(total, name) + getattr(window, name)
        for name in (
            "elements", "not_finite_a", "not_finite_b", "equal", "equal_rounded", "blocks",
            "differing_blocks", "sum_aa", "sum_bb", "sum_ab", "sum_dd", "sum_d",
        )
    }  # fmt: skip
    return dataclasses.replace(
        total,
        **added,
        max_difference=worst.max_difference,
        max_index=index,
        first_difference=min(differing, default=-1),
    )
