"""Whether values were dequantised before: a comparison with such cannot measure what quantising loses.

Two signs. Where one side has blocks and the other side's plain values equal them, but for their own
rounding, the plain side was made from the blocks. And a 4-bit format has at most 16 values in each 32 that
share a scale, of which weights from before quantisation have 30 and more different ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pv_runtime.compare_tensors import Differences
from pv_runtime.formats import LazyTensor, TensorInfo
from pv_runtime.formats.checkpoint import decode
from pv_runtime.formats.ggml_decode import BORROWED
from pv_runtime.quant import SCHEMES

__all__ = ["BLOCKS", "four_bit", "on_the_grid", "summary"]

BLOCKS = {*SCHEMES, *BORROWED}
"""The block formats that are decoded here."""

_PLAIN = {"F32", "F16", "BF16"}
_GROUP = 32
_CODES = 16
_GROUPS = 512
_LEAST = 64
"""Groups from which the sign is taken for one."""


def on_the_grid(a: LazyTensor, b: LazyTensor, figures: Differences) -> tuple[str, str] | None:
    """Say which plain side holds the other's block format's values: the side, and the format.

    ``("a", "Q4_K")`` says that `a` equals `b`, which is Q4_K, in every element after rounding to a's type.
    """
    formats = a.info.dtype, b.info.dtype
    if (formats[0] in BLOCKS) == (formats[1] in BLOCKS) or not figures.sum_aa or not figures.finite:
        return None
    if figures.elements not in {figures.equal, figures.equal_rounded}:
        return None
    return ("b", formats[0]) if formats[0] in BLOCKS else ("a", formats[1])


def four_bit(tensor: LazyTensor) -> bool:
    """Whether a plain matrix takes at most 16 values in each 32 neighbours, as if from 4-bit codes.

    Looks at a sample from the beginning and from the middle.
    """
    info = tensor.info
    if info.dtype not in _PLAIN or len(info.shape) != 2 or info.shape[1] % _GROUP:
        return False
    groups = info.elements // _GROUP
    if groups < _LEAST:
        return False
    raw, count = tensor.raw(), min(_GROUPS, groups // 2)
    most = varied = 0
    for first in (0, groups // 2):
        start, stop = (place * _GROUP * info.nbytes // info.elements for place in (first, first + count))
        part = raw[start:stop]
        values = decode(TensorInfo(info.name, info.dtype, (count, _GROUP), part.nbytes), part, "")
        ordered = np.sort(values, axis=1)
        different = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
        most = max(most, int(different.max()))
        varied += int((different > _CODES // 4).sum())
    return most <= _CODES and varied > count  # a matrix of few values throughout was not quantised


def summary(grids: Sequence[tuple[str, str]], pairs: int) -> Iterable[str]:
    """Sum up what `on_the_grid` found where `pairs` tensors have blocks on one side alone."""
    if not grids or len(grids) < pairs:
        return
    side = grids[0][0]
    other = "b" if side == "a" else "a"
    formats = ", ".join(sorted({form for _, form in grids}))
    yield (
        f"{side}'s values lie on {other}'s {formats} grid in all {pairs} quantised tensors: {side} was made "
        f"from {other}, and this comparison cannot measure quantisation"
    )
