"""Whether one matrix holds another's data transposed, told by the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pv_runtime.compare import cosine
from pv_runtime.compare_tensors import Differences, compare_tiles
from pv_runtime.formats import LazyTensor, TensorInfo
from pv_runtime.formats.checkpoint import decode
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["looks_transposed", "transposed_differences"]

_SAMPLED = 64
_TILE = 1024
_LIKE = 0.9
"""A cosine from which two samples hold the same values, quantised or not; unrelated ones have about 0."""


def looks_transposed(a: LazyTensor, b: LazyTensor) -> bool:
    """Whether rows of `a`, ``[m, n]``, agree with columns of `b`, ``[n, m]``, and better than with rows.

    A sample of up to 64 rows and columns is looked at.
    """
    rows, columns = (_spread(size) for size in a.info.shape)
    x, y = _rows(a, rows), _rows(b, columns)
    crossed = cosine(np.ascontiguousarray(x[:, columns]), np.ascontiguousarray(y[:, rows].T))
    if not crossed > _LIKE:
        return False
    if a.info.shape != b.info.shape:
        return True
    straight = cosine(np.ascontiguousarray(x[:, columns]), np.ascontiguousarray(_rows(b, rows)[:, columns]))
    return not straight >= crossed


def transposed_differences(a: LazyTensor, b: LazyTensor) -> Differences:
    """Compare `a`, ``[m, n]``, with the transpose of `b`, ``[n, m]``, tile by tile in bounded memory."""
    raw_a, raw_b = a.raw(), b.raw()

    def tiles() -> Iterator[tuple[Floats, Floats]]:
        height, width = a.info.shape
        for top in range(0, height, _TILE):
            rows = range(top, min(top + _TILE, height))
            for left in range(0, width, _TILE):
                columns = range(left, min(left + _TILE, width))
                across = _tile(raw_b, b.info, columns, rows)
                yield _tile(raw_a, a.info, rows, columns), np.ascontiguousarray(across.T)

    return compare_tiles(a.info, b.info, tiles())


def _spread(size: int) -> list[int]:
    return sorted({int(place) for place in np.linspace(0, size - 1, min(size, _SAMPLED))})


def _rows(tensor: LazyTensor, rows: Sequence[int]) -> Floats:
    """Decode some rows, float32 ``[len(rows), n]``."""
    raw = tensor.raw().reshape(tensor.info.shape[0], -1)
    picked = np.ascontiguousarray(raw[list(rows)]).reshape(-1)
    info = TensorInfo(tensor.info.name, tensor.info.dtype, (len(rows), tensor.info.shape[1]), picked.nbytes)
    return decode(info, picked, "")


def _tile(raw: Bytes, info: TensorInfo, rows: range, columns: range) -> Floats:
    """Decode a rectangle; `columns` begin at a block and end at one or at the end of the row."""
    scheme = SCHEMES.get(info.dtype)
    block, size = (
        (scheme.block_elements, scheme.block_bytes) if scheme else (1, info.nbytes // max(1, info.elements))
    )
    whole = raw.reshape(info.shape[0], -1)
    part = np.ascontiguousarray(
        whole[rows.start : rows.stop, columns.start // block * size : -(-columns.stop // block) * size]
    )
    found = TensorInfo(info.name, info.dtype, (len(rows), len(columns)), part.nbytes)
    return decode(found, part.reshape(-1), "")
